"""What a user gets, in their language: what `compose` returns as it stands, or the variant that holds, filled."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import structlog

from lib.base.errors import SetupError, TagoIOError
from lib.message.document import Variant
from lib.message.mistake import check_returns, explained_mistake
from lib.message.notification import Notification
from lib.message.placeholders import fill, placeholder_values
from lib.message.trigger import Trigger
from lib.message.user import User, without_contact

Compose = Callable[[Trigger, User], Notification | None]


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
        self._is_checked = False

    def __call__(self, trigger: Trigger, user: User) -> Notification | str:
        """Raises SetupError where a placeholder cannot be filled. Only a document has placeholders: what `compose`
        returns holds names and values already, and a user may be called `Ke$ha$`."""
        notification = self.template(trigger, user)
        if isinstance(notification, str):
            return notification
        notification = notification.run_by(trigger.analysis_id).in_language(user.language)
        if not self.variants:
            return notification
        return fill(notification, placeholder_values(trigger, user, self._device_name))

    def template(self, trigger: Trigger, user: User) -> Notification | str:
        """The notification before language and placeholders."""
        if not self.variants:
            composed = self.compose(replace(trigger, name_of=self._name_or_id), user)
            if composed is None:
                self._check_returns()
                return f"compose returned None; {trigger.brought}"
            if not isinstance(composed, Notification):
                raise SetupError(f"compose must return a Notification or None, not {type(composed).__name__}")
            return composed
        for variant in self.variants:
            if variant.condition is None or variant.condition.holds(trigger):
                return variant.notification
        return f"no condition (when) of the notification holds; {self._compared(trigger)}"

    def _check_returns(self) -> None:
        if not self._is_checked:
            self._is_checked = True
            check_returns(self.compose)

    def _compared(self, trigger: Trigger) -> str:
        """What the conditions were compared with."""
        conditions = [variant.condition for variant in self.variants if variant.condition]
        wanted = "; ".join(dict.fromkeys(condition.explained(trigger) for condition in conditions))
        return wanted or trigger.brought

    def _name_or_id(self, device_id: str) -> str:
        """An alarm goes out even where the name cannot be had."""
        try:
            return self._device_name(device_id)
        except SetupError as error:
            structlog.get_logger().warning("device.name_unknown", device=device_id, why=str(error.__cause__))
            self._names[device_id] = device_id
            return device_id

    def _device_name(self, device_id: str) -> str:
        if device_id not in self._names:
            try:
                self._names[device_id] = self.name_of_device(device_id)
            except TagoIOError as error:
                raise SetupError(
                    f"$DEVICE.NAME$ cannot be filled: TagoIO does not give the name of device {device_id} "
                    f"({error.message}); allow Device / Access in Access Management"
                ) from error
        return self._names[device_id]


def composed(user: User, compose: Callable[[User], Notification | str]) -> Notification | str:
    """The user's notification before anyone is told: whatever is wrong with it is raised as a SetupError."""
    try:
        return compose(user)
    except SetupError as error:
        raise SetupError(*(without_contact(problem, user) for problem in error.problems)) from error
    except Exception as error:
        raise SetupError(f"compose failed: {without_contact(explained_mistake(error, 'compose'), user)}") from error
