"""What a user gets, in their language: what `compose` returns as it stands, or the variant that holds, filled; and
which alarms an event ends."""

from collections.abc import Callable, Sequence

import structlog

from lib.base.errors import Rejected, SetupError, TagoIOError
from lib.message.alarm import AllClear
from lib.message.document import Condition, Variant
from lib.message.mistake import check_source, explained_mistake, in_line
from lib.message.notification import Notification
from lib.message.placeholders import Values, fill, fill_words, placeholder_values
from lib.message.trigger import Trigger
from lib.message.user import User, without_contact

Compose = Callable[[Trigger, User], Notification | AllClear | None]
DEFAULT_LINE = "Over"
NOBODY = User("", "")  # what is the same for all readers


class Content:
    """Gives each user's notification, or the reason (text) why there is none.

    The variants of the `notification` variable replace `compose`. `name_of_device` asks TagoIO; each device is asked
    for once, and only where a text has $DEVICE.NAME$.
    """

    def __init__(self, compose: Compose, variants: Sequence[Variant], name_of_device: Callable[[str], str]) -> None:
        self.compose = compose
        self.variants = variants
        self.name_of_device = name_of_device
        self._names: dict[str, str] = {}
        if not variants:
            check_source(compose)

    def __call__(self, trigger: Trigger, user: User) -> Notification | str:
        """Raises SetupError where a placeholder cannot be filled. Only a document has placeholders: what `compose`
        returns holds names and values already, and a user may be called `Ke$ha$`."""
        notification = self.template(trigger, user)
        if isinstance(notification, str):
            return notification
        notification = notification.run_by(trigger.analysis_id).in_language(user.language)
        if not self.variants:
            return notification
        condition = self.variants[self.place(trigger)].condition
        return fill(notification, self._values(trigger, user, condition))

    def template(self, trigger: Trigger, user: User) -> Notification | str:
        """The notification before language and placeholders."""
        if not self.variants:
            composed = self._composed(trigger, user)
            if composed is None:
                return f"compose returned None; {trigger.brought}"
            if isinstance(composed, AllClear):
                return f'all clear of the alarm "{composed.alarm}"; {trigger.brought}'
            return composed
        for variant in self.variants:
            if variant.condition is None or variant.condition.holds(trigger):
                return variant.notification
        return f"no condition (when) of the notification holds; {self._compared(trigger)}"

    def all_clears(self, trigger: Trigger, user: User = NOBODY) -> list[AllClear]:
        """The alarms that this event ends: with the variables of their conditions, of which none holds. `compose` says
        so for each user."""
        if not self.variants:
            composed = self._composed(trigger, user)
            return [composed] if isinstance(composed, AllClear) else []
        found = []
        for name in dict.fromkeys(variant.notification.alarm for variant in self.variants):
            ends = _ends([variant for variant in self.variants if variant.notification.alarm == name], trigger)
            if name and ends:
                found.append(self._all_clear(ends.notification, self._values(trigger, NOBODY, ends.condition)))
        return found

    def place(self, trigger: Trigger) -> int:
        """Where the variant that holds stands in the list: the earlier the worse."""
        holds = (variant.condition is None or variant.condition.holds(trigger) for variant in self.variants)
        return next((place for place, each in enumerate(holds) if each), 0)

    def _values(self, trigger: Trigger, user: User, condition: Condition | None) -> Values:
        """Of the variable that the condition is about."""
        return placeholder_values(trigger, user, self._device_name, condition.variable if condition else "")

    def _all_clear(self, notification: Notification, values: Values) -> AllClear:
        texts = {code: words["all_clear"] for code, words in notification.translations.items() if "all_clear" in words}
        lines = {code.lower().replace("_", "-"): fill_words(text, values) for code, text in texts.items()}
        line = fill_words(notification.all_clear, values) if notification.all_clear else DEFAULT_LINE
        return AllClear(notification.alarm, line, notification.all_clear_tell, lines)

    def _composed(self, trigger: Trigger, user: User) -> Notification | AllClear | None:
        """Raises SetupError for what is neither, and for a mistake in `compose`."""
        try:
            composed = self.compose(trigger._replace(name_of=self.name_or_id), user)
        except SetupError as error:  # a notification that is not valid
            raise SetupError(*(f"{each}{in_line(error, self.compose)}" for each in error.problems)) from error
        except Exception as error:
            raise SetupError(f"compose failed: {explained_mistake(error, self.compose)}") from error
        if isinstance(composed, Notification) and composed.all_clear:
            raise SetupError(f'all_clear is for the JSON; compose returns AllClear("{composed.alarm}", "…") at the end')
        if composed is None or isinstance(composed, Notification | AllClear):
            return composed
        kind = type(composed).__name__
        raise SetupError(f"compose must return a Notification, an AllClear or None, not {kind}")

    def _compared(self, trigger: Trigger) -> str:
        """What the conditions were compared with."""
        conditions = [variant.condition for variant in self.variants if variant.condition]
        wanted = "; ".join(dict.fromkeys(condition.explained(trigger) for condition in conditions))
        return wanted or trigger.brought

    def name_or_id(self, device_id: str) -> str:
        """An alarm goes out even where the name cannot be had."""
        try:
            return self._device_name(device_id)
        except SetupError as error:
            self._takes_id(device_id, error.__cause__)
            return device_id

    def _device_name(self, device_id: str) -> str:
        if device_id not in self._names:
            try:
                self._names[device_id] = self.name_of_device(device_id)
            except Rejected as error:
                raise SetupError(
                    f"$DEVICE.NAME$ cannot be filled: TagoIO does not give the name of device {device_id} "
                    f"({error.message}); allow Device / Access in Access Management"
                ) from error
            except TagoIOError as error:  # nothing to fix: the id stands for the name
                self._takes_id(device_id, error)
        return self._names[device_id]

    def _takes_id(self, device_id: str, why: BaseException | None) -> None:
        structlog.get_logger().warning("device.name_unknown", device=device_id, why=str(why))
        self._names[device_id] = device_id


def _ends(variants: Sequence[Variant], trigger: Trigger) -> Variant | None:
    """Of an alarm that this event ends, the variant that says so: it brings what each of its conditions compares, and
    none holds."""
    conditions = [variant.condition for variant in variants]
    if any(each is None or not each.is_brought(trigger) or each.holds(trigger) for each in conditions):
        return None
    return next((variant for variant in variants if variant.notification.all_clear), variants[0])


def composed(user: User, compose: Callable[[User], Notification | str]) -> Notification | str:
    """The user's notification before anyone is told: whatever is wrong with it is raised as a SetupError."""
    try:
        return compose(user)
    except SetupError as error:
        raise SetupError(*(without_contact(problem, user) for problem in error.problems)) from error
    except Exception as error:  # of ours: it must not end the run for the others
        said = without_contact(f"{type(error).__name__}: {error}", user)
        raise SetupError(f"the text cannot be made: {said}") from error
