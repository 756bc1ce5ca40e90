"""The rows of the journal: how a campaign is written on a TagoIO device, and read again.

All have the campaign's key as `group`, so that a dashboard can show them; README.md documents them too:

- `notify_campaign`: `started`, `running` (a sign of life), `escalated`, `left` (by that run, in good order: somebody is
  still to be told, or something to be watched) or `finished`; metadata: `run`, of `started`: `trigger`, `analysis`,
  `action`, `action_state`, `device`, `started_at`, `size`, `escalate` (its steps), and of `escalated`: `step`, `to`.
- `notify_trigger`: a data point of the trigger; metadata: `order`, `variable`, `unit`, `time`, `device`, `group`, `id`.
- `notify_audience`: how many users, in metadata `users` with a space between; written before the first is told; `step`
  is that of the escalation.
- `notify_outcome`: `sent`, `skipped`, …; metadata: `user`, `name`, `reason`, `notification`, `subject` (a hash),
  `priority`, `channel`, `step`.
- `notify_fallback`: `begun`, before another channel is tried for a user, then how it went: `taken`, `refused`, `doubt`,
  or that it was not needed: `read`, `gone`, `ruled out`; metadata: `user`, `run`, `channel`, `reason`.
- `notify_press`: the id of a button that somebody pressed; metadata: `user`, `name`, `label`, `notification`, `mark`.
- `notify_decision`: of those, the one that counts; metadata: `user`, `name`, `label`, `each`, `seconds` after sending.

No message text and no e-mail address is in them.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lib.campaign.courtesy import subject_key
from lib.campaign.report import Outcome
from lib.message.trigger import DataPoint
from lib.message.user import User

CAMPAIGN, POINT, AUDIENCE, OUTCOME = "notify_campaign", "notify_trigger", "notify_audience", "notify_outcome"
PRESS, DECISION, FALLBACK = "notify_press", "notify_decision", "notify_fallback"
SETTLED = ("sent", "fallback", "skipped", "failed")
POINT_PARTS = ("variable", "unit", "time", "device", "group", "id")

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Copy:
    """One user's notification of a campaign."""

    user_id: str
    notification_id: str


@dataclass(frozen=True, slots=True)
class PressRow:
    """A press that the journal knows; `mark` tells the rows of different runs apart."""

    time: str
    id: str
    mark: str
    user_id: str
    user_name: str
    button: str
    label: str


def campaign_row(key: str, value: str, **metadata: Any) -> Row:
    return _row(key, CAMPAIGN, value, **metadata)


def audience_row(key: str, user_ids: list[str], step: int = 0) -> Row:
    return _row(key, AUDIENCE, len(user_ids), users=" ".join(user_ids), step=step)


def fallback_row(key: str, user_id: str, value: str, run: str, channel: str = "", reason: str = "") -> Row:
    return _row(key, FALLBACK, value, user=user_id, run=run, channel=channel, reason=reason)


def point_row(key: str, order: int, point: DataPoint) -> Row:
    about = {"order": order, **{name: getattr(point, name) for name in POINT_PARTS}}
    row = {"variable": POINT, "value": point.value, "group": key, "metadata": about}
    return row if point.location is None else {**row, "location": point.location}


def outcome_row(key: str, outcome: Outcome) -> Row:
    about = {"user": outcome.user_id, "name": outcome.user_name, "reason": outcome.reason}
    about |= {"notification": outcome.notification_id, "subject": subject_key(outcome.subject)}
    about |= {"priority": outcome.priority, "channel": outcome.channel}
    return _row(key, OUTCOME, outcome.status, **about, step=outcome.step)


def run_of(row: Row) -> str:
    """Which run wrote a sign of life."""
    return str(about_of(row).get("run") or "")


def press_row(key: str, mark: str, user: User, button: str, label: str, notification_id: str) -> Row:
    about = {"user": user.id, "name": user.name, "label": label, "notification": notification_id, "mark": mark}
    return _row(key, PRESS, button, **about)


def decision_row(key: str, user: User, button: str, label: str, seconds: float | None, *, each: bool) -> Row:
    about = {"user": user.id, "name": user.name, "label": label, "seconds": seconds, "each": each}
    return _row(key, DECISION, button, **about)


def read_press(row: Row) -> PressRow:
    about = about_of(row)
    texts = {name: str(about.get(name) or "") for name in ("mark", "user", "name", "label")}
    when, row_id = iso_of(row), str(row.get("id") or "")
    return PressRow(when, row_id, texts["mark"], texts["user"], texts["name"], str(row.get("value")), texts["label"])


def about_of(row: Row) -> Row:
    """The metadata, whatever stands there."""
    given = row.get("metadata")
    return given if isinstance(given, dict) else {}


def iso_of(row: Row) -> str:
    """The row's time; the SDK hands it out as a naive datetime, in UTC."""
    given = row.get("time")
    return given.isoformat() if isinstance(given, datetime) else str(given or "")


def time_of(text: str) -> datetime:
    """A time of a row; one that cannot be read is long ago."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _row(key: str, variable: str, value: Any, **metadata: Any) -> Row:
    return {"variable": variable, "value": value, "group": key, "metadata": metadata}
