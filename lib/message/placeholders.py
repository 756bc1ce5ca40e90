"""Placeholders in a notification's text: TagoIO's own message variables, and the user's."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from lib.base.errors import SetupError
from lib.base.text import did_you_mean, harmless
from lib.message.notification import PLACEHOLDER, Notification
from lib.message.trigger import Trigger
from lib.message.user import User

DEVICE_NAME = "DEVICE.NAME"

NOTHING = "-"

Values = Callable[[str], str | None]


def placeholder_values(trigger: Trigger, user: User, device_name: Callable[[str], str], variable: str = "") -> Values:
    """What a placeholder stands for, by its name in capitals; None where it stands for nothing. $VALUE$ and the like
    are of that variable, where the trigger brings it, else of the newest point.

    `device_name` is asked only for $DEVICE.NAME$. Times are in the user's zone and format.
    """
    newest = trigger.points[-1] if trigger.points else None
    point = trigger.point(variable) or newest

    def value(name: str) -> str | None:
        if name.startswith("USER.TAG."):
            return next((harmless(text) for key, text in user.tags if key.upper() == name[9:]), None)
        if name.startswith("USER."):
            return str(getattr(user, name[5:].lower())) if name in USER_NAMES else None
        if name == "ACTION.STATE":
            return trigger.action_state or None
        if name == "DEVICE":
            return trigger.device or None
        if name == DEVICE_NAME:
            return device_name(trigger.device) if trigger.device else None
        if point is None or name not in POINT_NAMES:
            return None
        if name == "TIME":
            return local_time(point.time, user) or None
        found = getattr(point, name.lower())
        return as_text(found) if found is not None else None

    return value


USER_NAMES = ("USER.NAME", "USER.EMAIL", "USER.COMPANY", "USER.PHONE")
POINT_NAMES = ("VARIABLE", "VALUE", "UNIT", "TIME", "LOCATION")
NAMES = ("ACTION.STATE", "DEVICE", DEVICE_NAME, *POINT_NAMES, *USER_NAMES)


def is_known(name: str) -> bool:
    """Whether a placeholder of that name, in capitals, may be filled by some run."""
    return name in NAMES or name.startswith("USER.TAG.")


def fill(notification: Notification, values: Values) -> Notification:
    """The notification with every placeholder replaced: in title, message, labels, and, escaped, in links. What comes
    in is not looked through again.

    Raises SetupError naming what cannot be filled and what could.
    """
    if not any("$" in text for text in _texts(notification)):
        return notification
    buttons = tuple(
        replace(
            button,
            label=fill_words(button.label, values),
            link=fill_text(button.link, values, for_link=True),
            page=fill_text(button.page, values, for_link=True),
        )
        for button in notification.buttons
    )
    title, message = fill_words(notification.title, values), fill_words(notification.message, values)
    subject = _with_device(notification.subject, values)
    return replace(notification, title=title, message=message, buttons=buttons, subject=subject)


def _with_device(subject: str, values: Values) -> str:
    """What a cooldown goes by: as written, whatever was measured, but of which device."""

    def found(match: re.Match[str]) -> str:
        is_device = match[1] is not None and match[1].upper() in ("DEVICE", DEVICE_NAME)
        return (values(match[1].upper()) if is_device else None) or match[0]

    return PLACEHOLDER.sub(found, subject)


def fill_words(text: str, values: Values) -> str:
    """One text filled that must not be empty: an empty name or reading keeps nobody untold."""
    filled = fill_text(text, values)
    return filled if filled.strip() else NOTHING


def fill_text(text: str, values: Values, *, for_link: bool = False) -> str:
    """One text filled. A value's own dollars are left alone."""

    def found(match: re.Match[str]) -> str:
        if match[1] is None:
            return "$"
        filled = values(match[1].upper())
        if filled is None:
            raise SetupError(f"{match[0]} cannot be filled; {_why_empty(match[1], values)}")
        if not for_link:
            return filled
        is_path = not set("?#") & set(text[: match.start()])
        if is_path and filled.strip(".") == "":  # browsers take .. for a step up, as %2E%2E too
            return filled.replace(".", "%252E")
        return quote(filled, safe="")

    return PLACEHOLDER.sub(found, text)


def _why_empty(wanted: str, values: Values) -> str:
    """What a run without data lacks, what this one has, and which name may be meant."""
    has = _has([f"${name}$" for name in NAMES if name != DEVICE_NAME and values(name) is not None])
    name = wanted.upper()
    if name not in NAMES:
        return has + ("" if is_known(name) else did_you_mean(wanted, NAMES))
    if values("VARIABLE") is not None or name in USER_NAMES:
        return has
    lacks = "device" if name.startswith("DEVICE") else "Action" if name == "ACTION.STATE" else "data"
    return f"this run has no {lacks}; run it by an Action on data, in the sandbox by Run as Action or --trigger; {has}"


def _has(usable: list[str]) -> str:
    return f"this run has {' '.join(usable)} and $USER.TAG.key$ for the user's tags (a dollar is $$)"


def _texts(notification: Notification) -> Iterator[str]:
    yield notification.title
    yield notification.message
    for button in notification.buttons:
        yield from (button.label, button.link, button.page)


def as_text(value: Any) -> str:
    """As TagoIO writes it: a location as latitude,longitude; a whole number without a fraction."""
    if isinstance(value, Mapping):
        if isinstance(value.get("coordinates"), list):  # GeoJSON: longitude first
            return harmless(",".join(str(part) for part in reversed(value["coordinates"][:2])))
        return harmless(f"{value.get('lat')},{value.get('lng')}")
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return harmless(str(value))


def local_time(time: str, user: User) -> str:
    """An ISO time in the user's zone and in their date and time format (D api/user-information: `MM/DD/YYYY`, `12`)."""
    try:
        at = datetime.fromisoformat(time)
        at = (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(zone_of(user.timezone) or UTC)
    except (ValueError, OverflowError):  # no time; one that this zone's calendar does not reach
        return time
    date = user.date_format or "YYYY-MM-DD"
    for part, code in (("YYYY", "%Y"), ("MM", "%m"), ("DD", "%d")):
        date = date.replace(part, at.strftime(code))
    return f"{date} {at.strftime('%I:%M %p' if user.time_format == '12' else '%H:%M')}"


@lru_cache(maxsize=256)
def zone_of(name: str) -> tzinfo | None:
    """A time zone by its name; None for one that nobody knows."""
    from zoneinfo import ZoneInfo  # imported late: most runs need no zone, and start-up is billed

    try:
        return ZoneInfo(name) if name else None
    except (KeyError, ValueError, OSError):  # not known; not a name at all; a folder of names
        return None
