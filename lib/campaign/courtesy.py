"""The rules of courtesy, who is not told or not now: plain functions (user, notification) -> reason | None."""

import hashlib
from collections.abc import Callable, Container
from datetime import datetime, tzinfo
from datetime import time as time_of_day
from functools import lru_cache

from lib.message.notification import Notification
from lib.message.placeholders import zone_of
from lib.message.user import User

Rule = Callable[[User, Notification], str | None]
QuietHours = tuple[time_of_day, time_of_day]
COOLDOWN = "told about this a short while ago (cooldown)"


def opted_out(tag: str) -> Rule:
    """The user's own tag: `off` means none, `high` only those of high priority."""

    def policy(user: User, notification: Notification) -> str | None:
        wish = user.tag(tag).strip().lower()
        if wish == "off":
            return f"opted out (tag {tag} = off)"
        if wish == "high" and notification.priority != "high":
            return f"wants high priority only (tag {tag} = high)"
        return None

    return policy


def quiet(hours: QuietHours, now: Callable[[], datetime], zone_otherwise: Callable[[str], tzinfo]) -> Rule:
    """Not between these hours of the user's own clock, unless of high priority. `zone_otherwise` stands in for a zone
    that nobody knows."""

    def policy(user: User, notification: Notification) -> str | None:
        if notification.priority == "high":
            return None
        zone = zone_of(user.timezone) or zone_otherwise(user.timezone)
        if not is_quiet(hours, now().astimezone(zone).time()):
            return None
        return f"quiet hours until {hours[1]:%H:%M} ({getattr(zone, 'key', zone)})"

    return policy


def cooling(recently_told: Container[tuple[str, str]]) -> Rule:
    """Not again about the same subject so soon, unless of high priority; `recently_told` has (user id, subject key)."""

    def policy(user: User, notification: Notification) -> str | None:
        if notification.priority != "high" and (user.id, subject_key(notification.subject)) in recently_told:
            return COOLDOWN
        return None

    return policy


def is_quiet(hours: QuietHours, at: time_of_day) -> bool:
    """From the first hour on, up to the second; they may lie on both sides of midnight."""
    start, end = hours
    return start <= at < end if start <= end else at >= start or at < end


def read_quiet_hours(text: str) -> QuietHours:
    """`22:00-07:00`; ValueError for anything else."""
    problem = ValueError(f'is "{text}"; use two times of day, such as 22:00-07:00')
    parts = text.replace(" ", "").split("-")
    if len(parts) != 2 or not all(len(part) == 5 and part[2] == ":" for part in parts):
        raise problem
    try:
        start, end = time_of_day.fromisoformat(parts[0]), time_of_day.fromisoformat(parts[1])
    except ValueError:
        raise problem from None
    if start == end:
        raise ValueError(f'is "{text}": from and to are the same time')
    return start, end


@lru_cache(maxsize=256)  # of most users it is the same, and then one text serves for all
def subject_key(subject: str) -> str:
    """What the journal keeps of a subject: enough to know it again, not to read it."""
    return hashlib.sha256(subject.encode(errors="replace")).hexdigest()[:12] if subject else ""
