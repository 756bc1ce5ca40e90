"""The notification and its buttons: valid by construction, with one place that makes TagoIO's wire form."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from lib.base.errors import SetupError, one_error
from lib.base.text import did_you_mean
from lib.message.address import admin_address, is_path, is_web_address
from lib.message.alarm import REPEATED, REPEATS, alarm_problems
from lib.message.escalation import escalation_problems, read_steps
from lib.message.icon import icon_problems, wire_icon

MAX_BUTTONS = 4  # the user's document: "up to four buttons in a single notification"
PUSH_CHARACTERS = 140  # docs notification-service.md; whether TagoIO cuts or refuses more is unknown: so a warning

THIS = "this"  # as a button's analysis: the Analysis that sends
BUTTON_PARTS = ("id", "label", "color", "page", "link", "analysis")
ANSWERS = ("first", "each")
PRIORITIES = ("high", "normal", "low")
TRANSLATED = ("title", "message", "repeated", "all_clear")  # and the labels
Icon = str | Mapping[str, str]

# docs actions/defining-actions.md, Message Variables; USER.… is ours. "$$" is a dollar. placeholders.py fills them.
PLACEHOLDER = re.compile(r"\$(?:\$|(USER\.TAG\.[^$\n]+|[A-Za-z]\w*(?:\.\w+)*)\$)", re.IGNORECASE)
ANALYSIS_ID = re.compile(r"[0-9a-f]{24}", re.IGNORECASE)
COLOR = re.compile(r"#(?:[0-9a-f]{3}|[0-9a-f]{4}|[0-9a-f]{6}|[0-9a-f]{8})|[a-z]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Button:
    """A button with exactly one behaviour: a TagoIO page, an external link, or an Analysis to run.

    `page` is an address in TagoIO, whole or by its path (`/dashboards/info/<id>`); `link` any http(s) address;
    `analysis` an Analysis id of 24 hex digits, or `this` for the one that sends. `color` is a name or hex. `id` comes
    back when the button is pressed.
    """

    id: str
    label: str
    color: str = ""
    page: str = ""
    link: str = ""
    analysis: str = ""

    def problems(self) -> Iterator[str]:
        """Sentences on what is wrong with this button and how to fix it; nothing when it is sound."""
        for name in BUTTON_PARTS:
            value = getattr(self, name)
            if not isinstance(value, str):
                yield f"{name} must be text, not {type(value).__name__} {value!r}"
                return
        if not self.id:
            yield 'id is missing; give it one without spaces, such as "acknowledge"'
        elif not re.fullmatch(r"[\w.-]+", self.id, re.ASCII):
            what = "a space" if " " in self.id else "a character other than letters, digits, _ . -"
            mended = re.sub(r"[^\w.-]+", "_", self.id, flags=re.ASCII).strip("_") or "button"
            yield f'id "{self.id}" contains {what}; use "{mended}"'
        if not self.label.strip():
            yield "label is missing; it is the text on the button"
        if self.color and not COLOR.fullmatch(self.color):
            yield f'color "{self.color}" is neither a name such as "green" nor hex such as "#2e7d32"'
        yield from self._behaviour_problems()

    def _behaviour_problems(self) -> Iterator[str]:
        chosen = [name for name in ("page", "link", "analysis") if getattr(self, name)]
        if not chosen:
            yield "does nothing; give it a TagoIO page, a link (in JSON both are: url), or an analysis"
        elif len(chosen) > 1:
            yield f"has {len(chosen)} behaviours ({', '.join(chosen)}); a button has exactly one: keep one of them"
        if self.link and not is_web_address(PLACEHOLDER.sub("x", self.link)):
            yield f'link "{self.link}" is not a web address; it must start with https:// or http://'
        if self.page and not (is_path(self.page) or is_web_address(PLACEHOLDER.sub("x", self.page))):
            yield f'page "{self.page}" is neither a path such as "/dashboards/info/<id>" nor a web address (https://)'
        if self.analysis and self.analysis != THIS and not ANALYSIS_ID.fullmatch(self.analysis):
            yield f'analysis "{self.analysis}" is not an Analysis id: 24 hex digits, as in its address in the admin'


@dataclass(frozen=True, slots=True)
class Notification:
    """What one user gets. Constructing an invalid one raises SetupError, which names each button and the fix.

    `icon` is TagoIO's object, the address of a picture, or one of success, info, warning, critical. `translations` has,
    by language code, a `title`, a `message` and `buttons` (label by button id), each optional. `priority` never goes to
    TagoIO: `high` goes first, whatever the quiet hours and the cooldown; `low` goes last.
    `answers`: with `first` the first press of a button that runs an Analysis settles it for everybody, with `each`
    every user's counts. `escalate` says who is told next when nobody has decided: `[("15m", "supervisors"), …]`, or
    as objects with `after` and `to`; it needs the journal. `subject` is what the cooldown goes by: the title as
    written, with the device, unless given. `alarm` is the name of an alarm of the triggering device, of which one
    is open at a time: a `repeat` brings the open copies up to date with the text and the line `repeated` ($NTH$ or
    $COUNT$, $SINCE$), or with `again` tells everybody again. In the JSON, `all_clear` is the line that every copy
    gets when no condition of it holds any more; with `all_clear_tell` who had been told is also told that.
    docs/alarms.md tells it all.
    """

    title: str
    message: str
    buttons: Sequence[Button] = ()
    priority: str = "normal"
    icon: Icon = ""
    translations: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    subject: str = ""
    answers: str = "first"
    escalate: Sequence[Any] = ()
    alarm: str = ""
    repeat: str = REPEATS[0]
    repeated: str = REPEATED
    all_clear: str = ""
    all_clear_tell: bool = False
    buttons_autodisable: bool = False
    buttons_enabled: bool = True

    def __post_init__(self) -> None:
        if isinstance(self.buttons, Button):
            raise SetupError("Notification: buttons takes a list, also of one: buttons=[Button(…)]")
        object.__setattr__(self, "buttons", tuple(self.buttons))
        object.__setattr__(self, "subject", self.subject or self.title)
        one_error(self._problems())
        object.__setattr__(self, "escalate", read_steps(self.escalate))

    def _problems(self) -> Iterator[str]:
        yield from self._field_problems()
        if len(self.buttons) > MAX_BUTTONS:
            yield f"Notification: {len(self.buttons)} buttons; TagoIO shows at most {MAX_BUTTONS}: drop some"
        for position, button in enumerate(self.buttons, start=1):
            for problem in button.problems():
                yield f"Button {position}: {problem}"
        for button_id, times in Counter(str(button.id) for button in self.buttons).items():
            if button_id and times > 1:
                yield f'Notification: {times} buttons have the id "{button_id}"; give each its own'

    def _field_problems(self) -> Iterator[str]:
        if not isinstance(self.subject, str) and self.subject != self.title:
            yield f"Notification: subject must be text, not {type(self.subject).__name__}"
        for name in ("title", "message"):
            value = getattr(self, name)
            if not isinstance(value, str):
                yield f"Notification: {name} must be text, not {type(value).__name__}"
            elif not value.strip():
                yield f"Notification: {name} is missing"
            elif "<bound method" in value:
                yield f"Notification: {name} has a method, not its result: its brackets are missing, trigger.unit(…)"
        for name in ("buttons_autodisable", "buttons_enabled"):
            if not isinstance(getattr(self, name), bool):
                yield f"Notification: {name} must be true or false"
        if self.answers not in ANSWERS:
            yield f'Notification: answers "{self.answers}" is not one of {", ".join(ANSWERS)}'
        if self.priority not in PRIORITIES:
            near = did_you_mean(str(self.priority), PRIORITIES)
            yield f'Notification: priority "{self.priority}" is not one of {", ".join(PRIORITIES)}{near}'
        yield from (f"Notification: {problem}" for problem in icon_problems(self.icon))
        problems = list(self._translation_problems())
        yield from problems
        yield from () if problems else (f"Notification: {problem}" for problem in alarm_problems(self))
        yield from self._escalation_problems()

    def _escalation_problems(self) -> Iterator[str]:
        yield from (f"Notification: {problem}" for problem in escalation_problems(self.escalate))
        if self.escalate and not any(button.analysis for button in self.buttons):
            yield "Notification: escalate needs a button that runs an Analysis: without one nobody can decide"
        if self.escalate and self.answers == "each":
            yield 'Notification: escalate needs answers "first": where each answer counts, nobody settles it'

    def _translation_problems(self) -> Iterator[str]:
        if not isinstance(self.translations, Mapping):
            yield 'Notification: translations must be an object: {"pt": {"title": "…", "message": "…"}}'
            return
        ids = {str(button.id) for button in self.buttons}
        for code, texts in self.translations.items():
            where = f"Notification: translations, {code}"
            if not isinstance(texts, Mapping) or not texts.keys() <= {*TRANSLATED, "buttons"}:
                yield f"{where}: takes {', '.join(TRANSLATED)} and buttons"
                continue
            labels = texts.get("buttons", {})
            if not isinstance(labels, Mapping):
                yield f'{where}: buttons gives labels by button id: {{"acknowledge": "Confirmar"}}'
                continue
            yield from (f'{where}: there is no button "{name}"' for name in labels if name not in ids)
            given = [texts[name] for name in TRANSLATED if name in texts] + list(labels.values())
            if not all(isinstance(text, str) and text.strip() for text in given):
                yield f"{where}: each text must be text, and not empty"

    def in_language(self, language: str) -> "Notification":
        """The text in a user's language: `pt-BR` falls back to `pt`, then to the text itself."""
        by_code = {code.lower().replace("_", "-"): texts for code, texts in self.translations.items()}
        wanted = language.lower().replace("_", "-")
        texts = by_code.get(wanted) or by_code.get(wanted.split("-")[0])
        if not texts:
            return self
        labels = texts.get("buttons", {})
        buttons = tuple(replace(button, label=labels.get(button.id, button.label)) for button in self.buttons)
        return replace(self, **{name: texts[name] for name in TRANSLATED if name in texts}, buttons=buttons)

    def run_by(self, analysis_id: str) -> "Notification":
        """With `this`, as a button's analysis, replaced by the Analysis that sends."""
        if not any(button.analysis == THIS for button in self.buttons):
            return self
        if not analysis_id:
            raise SetupError(
                'a button runs "this" Analysis, but no Analysis is running: set T_ANALYSIS_ID to its id, or give the id'
            )
        own = (replace(button, analysis=analysis_id) if button.analysis == THIS else button for button in self.buttons)
        return replace(self, buttons=tuple(own))

    @property
    def is_too_long_for_push(self) -> bool:
        return len(self.message) > PUSH_CHARACTERS


def wire_form(notification: Notification, mark: str = "") -> dict[str, Any]:
    """The object that TagoIO's create route takes, in the documented form (docs/api/create-notification).

    `mark` is put behind each button's id, so that the notification can be recognised and a press traced back.
    """
    body: dict[str, Any] = {"title": notification.title, "message": notification.message}
    if notification.icon:
        body["icon"] = wire_icon(notification.icon)
    if notification.buttons:
        body["buttons"] = [_wire_button(button, mark) for button in notification.buttons]
        body["buttons_enabled"] = notification.buttons_enabled
        body["buttons_autodisable"] = notification.buttons_autodisable
    return body


def _wire_button(button: Button, mark: str) -> dict[str, str]:
    wire = {"id": f"{button.id}{mark}", "label": button.label}
    if button.color:
        wire["color"] = button.color
    if button.analysis:
        wire["analysis"] = button.analysis
    else:
        wire["url"] = button.link or (admin_address() + button.page if is_path(button.page) else button.page)
    return wire
