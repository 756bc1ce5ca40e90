"""What the profile says: its push quota (past it TagoIO sends nothing, D notification-service.md), its time zone."""

from typing import Any, Protocol

from lib.base.errors import Rejected, SetupError, TagoIOError


class Profiles(Protocol):
    """The part of the SDK's `profile` module that knows limits."""

    def info(self, profileID: str) -> Any: ...  # noqa: N803  # the SDK's name
    def summary(self, profileID: str) -> Any: ...  # noqa: N803


def quota_left(profiles: Profiles) -> tuple[int, int] | str:
    """The notifications that may still be sent this month, and the limit; or why they cannot be told."""
    try:
        profile_id = profiles.info("current")["info"]["id"]
        summary = profiles.summary(profile_id)
        limit, used = summary["limit"]["push_notification"], summary["limit_used"]["push_notification"]
        return max(int(limit) - int(used), 0), int(limit)
    except Rejected as error:
        return f"the push quota cannot be read ({error.message}); allow Account / Access profile to have it checked"
    except TagoIOError as error:
        return f"the push quota cannot be read now ({error.message})"
    except (KeyError, TypeError, ValueError):
        return "the push quota cannot be read (TagoIO's answer has no push_notification)"


def profile_timezone(profiles: Profiles) -> str:
    """The profile's time zone, "" where TagoIO does not say: its place in the answer is not documented."""
    try:
        return str(profiles.info("current")["info"].get("timezone") or "")
    except (TagoIOError, KeyError, TypeError, AttributeError):
        return ""


def check_quota(quota: tuple[int, int] | str, wanted: int) -> None:
    """Raises SetupError where the audience does not fit."""
    if isinstance(quota, tuple) and wanted > quota[0]:
        raise SetupError(
            f"{wanted} users would be told, but only {quota[0]} of this month's {quota[1]} push notifications are "
            "left; TagoIO would send nothing past that. Choose fewer users, or raise the limit in the profile's Billing"
        )
