"""What the journal knows of one campaign: its rows, read one after the other."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lib.campaign.rows import (
    AUDIENCE,
    CAMPAIGN,
    DECISION,
    FALLBACK,
    OUTCOME,
    POINT,
    POINT_PARTS,
    PRESS,
    SETTLED,
    Row,
    about_of,
    iso_of,
    run_of,
    time_of,
)
from lib.message.escalation import Step, steps_from
from lib.message.trigger import DataPoint, Trigger


@dataclass(frozen=True, slots=True)
class Sent:
    """A notification that a user has, `at` by TagoIO's clock."""

    at: datetime
    notification_id: str
    is_high: bool


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
    signs: dict[str, str] = field(default_factory=dict)  # by run, its newest sign of life
    runs: set[str] = field(default_factory=set)  # that were at it
    left_by: set[str] = field(default_factory=set)  # of those, who are done with it
    seen: set[str] = field(default_factory=set)
    is_decided: bool = False
    step_of: dict[str, int] = field(default_factory=dict)  # of the escalation; users of the first audience have none
    steps_taken: dict[int, str] = field(default_factory=dict)  # by number, the run that took it first
    sent: dict[str, Sent] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)  # with the reason
    held: set[str] = field(default_factory=set)
    other_channel: dict[str, tuple[str, str]] = field(default_factory=dict)  # by user: how far it got, and by which run
    pressed: set[str] = field(default_factory=set)

    def take_in(self, row: Row) -> None:
        """Add a row, which may be of any shape."""
        about = about_of(row)
        self.newest = max(self.newest, iso_of(row))
        variable, value = row.get("variable"), row.get("value")
        if variable == CAMPAIGN:
            self._take_in_campaign(row, str(value), about)
        elif variable == POINT:
            parts = {name: str(about.get(name) or "") for name in POINT_PARTS}
            point = DataPoint(value=value, location=row.get("location"), **parts)
            self.points[str(about.get("order")).zfill(6)] = point
        elif variable == AUDIENCE:
            users = str(about.get("users") or "").split()
            self.audience.update(users)
            if _whole(about.get("step")):
                self.step_of.update(dict.fromkeys(users, _whole(about.get("step"))))
        elif variable == FALLBACK:
            self.other_channel.setdefault(str(about.get("user")), (str(value), run_of(row)))
            self.settled.add(str(about.get("user")))
        elif variable == PRESS:
            self.pressed.add(str(about.get("user")))
        elif variable == DECISION:
            self.is_decided = self.is_decided or not about.get("each")
        elif variable == OUTCOME:
            self._take_in_outcome(str(about.get("user")), str(value), iso_of(row), about)

    def _take_in_campaign(self, row: Row, value: str, about: Row) -> None:
        if value in ("started", "running"):
            self.runs.add(run_of(row))
        if value == "started":
            self.started = about
        elif value == "left":
            self.left_by.add(run_of(row))
        elif value == "escalated":
            self.steps_taken[_whole(about.get("step"))] = run_of(row)  # newest first: the oldest stays
        elif value == "finished":
            self.finished = True
        else:
            self.signs.setdefault(run_of(row), iso_of(row))

    def _take_in_outcome(self, user: str, status: str, at: str, about: Row) -> None:
        """Rows come newest first: a user's first one counts."""
        if status == "failed" and user not in self.seen:
            self.failed[user] = str(about.get("reason") or "")
        if status == "sent":
            is_high = about.get("priority") == "high"
            self.sent.setdefault(user, Sent(time_of(at), str(about.get("notification")), is_high))
        if status in SETTLED:
            self.settled.add(user)
        elif user not in self.seen:
            if status in ("held", "pending"):
                self.waiting[user] = at
            if status in ("held", "unknown"):
                self.open_ends.add(user)
            if status == "held":
                self.held.add(user)
        self.seen.add(user)

    @property
    def pending(self) -> set[str]:
        """Who has still to be told, or asked about."""
        return self.audience - self.settled

    def in_doubt(self, asking: str = "") -> set[str]:
        """Who of them may have been sent something all the same: all but those of whom the run that was last at it,
        other than the one that is `asking`, wrote that it did not."""
        last_sign = max((at for run, at in self.signs.items() if run != asking), default="")
        return {user for user in self.pending if self.waiting.get(user, "") <= last_sign}

    @property
    def untold(self) -> set[str]:
        """Who of them was not reached, for any other reason than a rule."""
        return self.pending - self.open_ends

    @property
    def steps(self) -> tuple[Step, ...]:
        return steps_from(str((self.started or {}).get("escalate") or ""))

    @property
    def first_sent_at(self) -> datetime | None:
        """From when the steps count: the first sending; the start where nobody could be told; None while it is still
        to come. Who is held back by a rule does not keep it from counting where others were tried and not reached."""
        if self.sent:
            return min(each.at for each in self.sent.values())
        is_over = not self.pending or (bool(self.failed) and self.pending <= self.held)
        return self.started_at if is_over else None

    @property
    def cut_off(self) -> set[str]:
        """For whom another channel was begun, and nobody wrote how it went."""
        return {user for user, (value, _) in self.other_channel.items() if value == "begun"}

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


def _whole(given: Any) -> int:
    return int(str(given)) if str(given).isdecimal() else 0
