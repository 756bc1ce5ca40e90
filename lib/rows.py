"""The rows of the journal: how a campaign is written on a TagoIO device, and read again.

All have the campaign's key as `group`, so that a dashboard can show them; README.md documents them too:

- `notify_campaign`: `started`, `running` (a sign of life), `left` (by that run, in good order: somebody is still to be
  told) or `finished`; metadata: `run`, and of `started`: `trigger`, `analysis`, `action`, `action_state`, `device`,
  `started_at`, `size`.
- `notify_trigger`: a data point of the trigger; metadata: `order`, `variable`, `unit`, `time`, `device`, `group`, `id`.
- `notify_audience`: how many users, in metadata `users` with a space between; written before the first is told.
- `notify_outcome`: `sent`, `skipped`, …; metadata: `user`, `name`, `reason`, `notification`, `subject` (a hash).
- `notify_press`: the id of a button that somebody pressed; metadata: `user`, `name`, `label`, `notification`, `mark`.
- `notify_decision`: of those, the one that counts; metadata: `user`, `name`, `label`, `each`, `seconds` after sending.

No message text and no e-mail address is in them.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from lib.courtesy import subject_key
from lib.report import Outcome
from lib.trigger import DataPoint, Trigger
from lib.user import User

CAMPAIGN, POINT, AUDIENCE, OUTCOME = "notify_campaign", "notify_trigger", "notify_audience", "notify_outcome"
PRESS, DECISION = "notify_press", "notify_decision"
SETTLED = ("sent", "skipped", "failed")
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


@dataclass(slots=True)
class Known:
    """What the rows of one campaign say, row after row."""

    started: Row | None = None
    finished: bool = False
    newest: str = ""
    points: dict[str, DataPoint] = field(default_factory=dict)
    audience: set[str] = field(default_factory=set)
    settled: set[str] = field(default_factory=set)
    waiting: dict[str, str] = field(
        default_factory=dict
    )  # the time of a user's newest row, where that is held or pending
    open_ends: set[str] = field(default_factory=set)  # whose newest row is held or unknown
    last_sign: str = ""
    runs: set[str] = field(default_factory=set)  # that were at it
    left_by: set[str] = field(default_factory=set)  # of those, who are done with it
    seen: set[str] = field(default_factory=set)
    is_decided: bool = False

    def take_in(self, row: Row) -> None:
        """Add a row, which may be of any shape."""
        about = about_of(row)
        self.newest = max(self.newest, iso_of(row))
        variable, value = row.get("variable"), row.get("value")
        if variable == CAMPAIGN and value in ("started", "running"):
            self.runs.add(run_of(row))
        if variable == CAMPAIGN and value == "started":
            self.started = about
        elif variable == CAMPAIGN and value == "left":
            self.left_by.add(run_of(row))
        elif variable == CAMPAIGN and value == "finished":
            self.finished = True
        elif variable == CAMPAIGN:
            self.last_sign = max(self.last_sign, iso_of(row))
        elif variable == POINT:
            parts = {name: str(about.get(name) or "") for name in POINT_PARTS}
            point = DataPoint(value=value, location=row.get("location"), **parts)
            self.points[str(about.get("order")).zfill(6)] = point
        elif variable == AUDIENCE:
            self.audience.update(str(about.get("users") or "").split())
        elif variable == DECISION:
            self.is_decided = self.is_decided or not about.get("each")
        elif variable == OUTCOME:
            self._take_in_outcome(str(about.get("user")), str(value), iso_of(row))

    def _take_in_outcome(self, user: str, status: str, at: str) -> None:
        """Rows come newest first: a user's first one counts."""
        if status in SETTLED:
            self.settled.add(user)
        elif user not in self.seen:
            if status in ("held", "pending"):
                self.waiting[user] = at
            if status in ("held", "unknown"):
                self.open_ends.add(user)
        self.seen.add(user)

    @property
    def pending(self) -> set[str]:
        """Who has still to be told, or asked about."""
        return self.audience - self.settled

    @property
    def in_doubt(self) -> set[str]:
        """Who of them may have been sent something all the same: all but those of whom the run that was last at it
        wrote that it did not."""
        return {user for user in self.pending if self.waiting.get(user, "") <= self.last_sign}

    @property
    def untold(self) -> set[str]:
        """Who of them was not reached, for any other reason than a rule."""
        return self.pending - self.open_ends

    @property
    def started_at(self) -> datetime:
        return time_of(str((self.started or {}).get("started_at")))

    @property
    def trigger(self) -> Trigger:
        about = self.started or {}
        kind = about.get("trigger")
        return Trigger(
            kind if kind in ("manual", "schedule", "action") else "manual",
            tuple(point for _, point in sorted(self.points.items())),
            action_id=str(about.get("action") or ""),
            action_state=str(about.get("action_state") or ""),
            device_id=str(about.get("device") or ""),
            analysis_id=str(about.get("analysis") or ""),
        )


def campaign_row(key: str, value: str, **metadata: Any) -> Row:
    return _row(key, CAMPAIGN, value, **metadata)


def audience_row(key: str, user_ids: list[str]) -> Row:
    return _row(key, AUDIENCE, len(user_ids), users=" ".join(user_ids))


def point_row(key: str, order: int, point: DataPoint) -> Row:
    about = {"order": order, **{name: getattr(point, name) for name in POINT_PARTS}}
    row = {"variable": POINT, "value": point.value, "group": key, "metadata": about}
    return row if point.location is None else {**row, "location": point.location}


def outcome_row(key: str, outcome: Outcome) -> Row:
    about = {"user": outcome.user_id, "name": outcome.user_name, "reason": outcome.reason}
    about |= {"notification": outcome.notification_id, "subject": subject_key(outcome.subject)}
    return _row(key, OUTCOME, outcome.status, **about)


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
