"""The notification and its buttons: valid by construction, with one place that makes TagoIO's wire form."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any
from urllib.parse import urlsplit

from lib.errors import SetupError, one_error

MAX_BUTTONS = 4  # the user's document: "up to four buttons in a single notification"
PUSH_CHARACTERS = 140  # docs notification-service.md; whether TagoIO cuts or refuses more is unknown: so a warning
ADMIN = "https://admin.tago.io"  # TagoRUN opens links to it inside itself (TagoIO Admin changelog 7.0.0)

ANALYSIS_ID = re.compile(r"[0-9a-f]{24}", re.IGNORECASE)
COLOR = re.compile(r"#(?:[0-9a-f]{3}|[0-9a-f]{4}|[0-9a-f]{6}|[0-9a-f]{8})|[a-z]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Button:
    """A button with exactly one behaviour: a TagoIO page, an external link, or an Analysis to run.

    `page` is an address in TagoIO, whole or by its path (`/dashboards/info/<id>`); `link` any http(s) address;
    `analysis` an Analysis id of 24 hex digits. `color` is a name or hex. `id` comes back when the button is pressed.
    """

    id: str
    label: str
    color: str = ""
    page: str = ""
    link: str = ""
    analysis: str = ""

    def problems(self) -> Iterator[str]:
        """Sentences on what is wrong with this button and how to mend it; nothing when it is sound."""
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, str):
                yield f"{field.name} must be text, not {type(value).__name__} {value!r}"
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
            yield "does nothing; give it one of a TagoIO page, a link (url) or an analysis"
        elif len(chosen) > 1:
            yield f"has {len(chosen)} behaviours ({', '.join(chosen)}); a button has exactly one: keep one of them"
        if self.link and not _is_web_address(self.link):
            yield f'link "{self.link}" is not a web address; it must start with https:// or http://'
        if self.page and not (_is_path(self.page) or _is_web_address(self.page)):
            yield f'page "{self.page}" is neither a path such as "/dashboards/info/<id>" nor a web address (https://)'
        if self.analysis and not ANALYSIS_ID.fullmatch(self.analysis):
            yield f'analysis "{self.analysis}" is not an Analysis id: 24 hex digits, as in its address in the admin'


@dataclass(frozen=True, slots=True)
class Notification:
    """What one user gets. Constructing an invalid one raises SetupError, which names each button and the mend."""

    title: str
    message: str
    buttons: tuple[Button, ...] = ()
    buttons_autodisable: bool = True
    buttons_enabled: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "buttons", tuple(self.buttons))
        one_error(self._problems())

    def _problems(self) -> Iterator[str]:
        yield from self._field_problems()
        if len(self.buttons) > MAX_BUTTONS:
            yield f"Notification: {len(self.buttons)} buttons; TagoIO shows at most {MAX_BUTTONS}: drop some"
        for position, button in enumerate(self.buttons, start=1):
            for problem in button.problems():
                yield f"Button {position}: {problem}"
        for button_id, times in Counter(button.id for button in self.buttons).items():
            if button_id and times > 1:
                yield f'Notification: {times} buttons have the id "{button_id}"; give each its own'

    def _field_problems(self) -> Iterator[str]:
        for name in ("title", "message"):
            value = getattr(self, name)
            if not isinstance(value, str):
                yield f"Notification: {name} must be text, not {type(value).__name__}"
            elif not value.strip():
                yield f"Notification: {name} is missing"
        for name in ("buttons_autodisable", "buttons_enabled"):
            if not isinstance(getattr(self, name), bool):
                yield f"Notification: {name} must be true or false"

    @property
    def is_too_long_for_push(self) -> bool:
        return len(self.message) > PUSH_CHARACTERS


def wire_form(notification: Notification, mark: str = "") -> dict[str, Any]:
    """The object that TagoIO's create route takes, in the documented form (docs/api/create-notification).

    `mark` is put behind each button's id, so that the notification can be recognised and a press traced back.
    """
    body: dict[str, Any] = {"title": notification.title, "message": notification.message}
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
        wire["url"] = button.link or (ADMIN + button.page if _is_path(button.page) else button.page)
    return wire


def parse_notification(text: str) -> Notification:
    """The `notification` variable: the JSON object of the user's document, whose // comments are allowed.

    Raises SetupError with line and column where it is no JSON, and with every other problem at once.
    """
    try:
        given = json.loads(_without_comments(text))
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise SetupError(f"notification is not valid JSON: {error.msg} at {where}") from None
    if not isinstance(given, dict):
        raise SetupError('notification must be a JSON object: {"title": "…", "message": "…"}')
    buttons = given.pop("buttons", None) or []
    if not isinstance(buttons, list) or not all(isinstance(button, dict) for button in buttons):
        raise SetupError('notification: buttons must be a list of objects: [{"label": "…", "id": "…", "url": "…"}]')
    known = {field.name for field in fields(Notification)}
    takes = ", ".join(sorted(known))
    problems = [f'notification: "{key}" is not known; it takes {takes}' for key in given if key not in known]
    made: list[Button] = []
    for position, button in enumerate(buttons, start=1):
        problems += [f"Button {position}: {problem}" for problem in _unknown_button_fields(button)]
        made.append(_button_from_wire(button))
    if problems:
        raise SetupError(*problems)
    return Notification(**{"title": "", "message": "", **given, "buttons": tuple(made)})


BUTTON_FIELDS = ("label", "id", "color", "url", "analysis")


def _unknown_button_fields(button: Mapping[str, Any]) -> Iterator[str]:
    for key in button:
        if key not in BUTTON_FIELDS:
            yield f'"{key}" is not known; a button takes {", ".join(BUTTON_FIELDS)}'


def _button_from_wire(given: Mapping[str, Any]) -> Button:
    url = given.get("url") or ""
    leads = {"page": url} if isinstance(url, str) and _is_path(url) else {"link": url}
    rest = {key: given[key] or "" for key in ("color", "analysis") if key in given}
    return Button(given.get("id") or "", given.get("label") or "", **leads, **rest)


def _is_path(address: str) -> bool:
    return address.startswith("/") and not address.startswith("//")


def _is_web_address(address: str) -> bool:
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not re.search(r"\s", address)


def _without_comments(text: str) -> str:
    """Blank out // comments outside strings, keeping every character's line and column."""
    return re.sub(
        r'("(?:\\.|[^"\\\n])*")|//[^\n]*',
        lambda found: found[1] if found[1] is not None else " " * len(found[0]),
        text,
    )
