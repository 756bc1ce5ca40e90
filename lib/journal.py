"""Outcomes kept on a TagoIO device: what a campaign has still to do, and what became of whom.

Rows, all with the campaign's key as `group`, so that a dashboard can show them; README.md documents them:

- `notify_campaign`: `started`, `running` (a sign of life) or `finished`; metadata of `started`: `trigger`, `action`,
  `action_state`, `device`, `started_at`, `size`.
- `notify_trigger`: a data point of the trigger; metadata: `order`, `variable`, `unit`, `time`, `device`,
  `group`, `id`.
- `notify_audience`: how many users, in metadata `users` with a space between; written before the first is told.
- `notify_outcome`: `sent`, `skipped`, …; metadata: `user`, `name`, `reason`, `notification`, `subject`.

No message text and no e-mail address is in them.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from lib.audience import retrying
from lib.campaign import Campaign
from lib.courtesy import subject_key
from lib.errors import SetupError, TagoIOError
from lib.report import Outcome
from lib.trigger import DataPoint, Trigger

CAMPAIGN, POINT, AUDIENCE, OUTCOME = "notify_campaign", "notify_trigger", "notify_audience", "notify_outcome"
USERS_IN_A_ROW = 100
ROWS_IN_A_CALL = 100
ROWS_IN_AN_ANSWER = 1000
FLUSH_EVERY = 1.0  # seconds: what a killed run can leave unwritten is asked about by the next one
ALIVE_EVERY = 5.0  # seconds without a row, after which a run gives a sign of life
GIVEN_UP = 15.0  # seconds without any row, after which a run is taken for dead: see README, "Two runs at once"
TOO_OLD = timedelta(days=1)
SETTLED = ("sent", "skipped", "failed")
POINT_PARTS = ("variable", "unit", "time", "device", "group", "id")


class JournalDevice(Protocol):
    """The part of the SDK's `Device` that keeps rows."""

    def sendData(self, data: list[dict[str, Any]]) -> Any: ...  # noqa: N802  # the SDK's names
    def getData(self, queryParams: dict[str, Any]) -> Any: ...  # noqa: N802, N803


@dataclass(slots=True)
class Unfinished:
    """A campaign that an earlier run left: whom it has still to tell, and whether another run is at it now."""

    campaign: Campaign
    trigger: Trigger
    pending: set[str]
    is_running: bool = False


@dataclass(slots=True)
class _Known:
    """What the rows of one campaign say."""

    started: dict[str, Any] | None = None
    finished: bool = False
    newest: str = ""
    points: dict[str, DataPoint] = field(default_factory=dict)
    audience: set[str] = field(default_factory=set)
    settled: set[str] = field(default_factory=set)


class Journal:
    """Reads and writes the rows of one device. Raises SetupError where it cannot be read or begun."""

    def __init__(
        self,
        device: JournalDevice,
        now: Callable[[], datetime],
        *,
        sleep: Callable[[float], None] = time.sleep,
        on_wait: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        self.device = device
        self.now = now
        self.sleep = sleep
        self.on_wait = on_wait

    def state_of(self, key: str) -> str:
        """`""` for a campaign the journal does not know, `unfinished` or `finished`."""
        known = self._read(key)
        return "" if known.started is None else "finished" if known.finished else "unfinished"

    def unfinished(self) -> Iterator[Unfinished]:
        """The campaigns of the last day that have still somebody to tell, oldest first."""
        rows = list(self._rows({"variables": [CAMPAIGN]}))
        finished = {row.get("group") for row in rows if row.get("value") == "finished"}
        keys = [str(row.get("group")) for row in rows if row.get("value") == "started"]
        for key in reversed(list(dict.fromkeys(keys))):
            if key in finished:
                continue
            known = self._read(key)
            if known.started is None or known.finished or self.now() - _started_at(known) > TOO_OLD:
                continue
            known, is_running = self._wait_for_a_sign_of_life(key, known)
            if not known.finished:
                campaign = Campaign(key, _started_at(known))
                yield Unfinished(campaign, _trigger(known), known.audience - known.settled, is_running)

    def recently_told(self, seconds: float) -> set[tuple[str, str]]:
        """(user id, subject key) of those who were sent something in the last so many seconds."""
        start = self.now() - timedelta(seconds=seconds)
        told: set[tuple[str, str]] = set()
        for row in self._rows({"variables": [OUTCOME], "start_date": start.isoformat()}):
            about = row.get("metadata")
            if row.get("value") == "sent" and isinstance(about, dict) and _time_of(_iso(row.get("time"))) >= start:
                told.add((str(about.get("user")), str(about.get("subject"))))
        return told

    def begin(self, campaign: Campaign, trigger: Trigger, users: Iterable[str]) -> "CampaignLog":
        """Write down who is about to be told (user ids), before the first is."""
        ids = list(users)
        about = {
            "trigger": trigger.kind,
            "action": trigger.action_id,
            "action_state": trigger.action_state,
            "device": trigger.device_id,
            "started_at": campaign.started_at.isoformat(),
            "size": len(ids),
        }
        rows = [_point_row(campaign.key, order, point) for order, point in enumerate(trigger.points)]
        for start in range(0, len(ids), USERS_IN_A_ROW):
            part = ids[start : start + USERS_IN_A_ROW]
            rows.append(_row(campaign.key, AUDIENCE, len(part), users=" ".join(part)))
        rows.append(_row(campaign.key, CAMPAIGN, "started", **about))  # last: the others are whole when it is there
        try:
            self.write(rows)
        except TagoIOError as error:
            raise SetupError(f"The journal cannot be written (delivery_log_token): {error.message}") from error
        return CampaignLog(self, campaign.key)

    def resume(self, campaign: Campaign) -> "CampaignLog":
        """Go on with a campaign that was begun by an earlier run."""
        return CampaignLog(self, campaign.key)

    def write(self, rows: list[dict[str, Any]]) -> None:
        """A row that is written twice, because an answer was lost, says nothing new."""
        for start in range(0, len(rows), ROWS_IN_A_CALL):
            part = rows[start : start + ROWS_IN_A_CALL]
            retrying(lambda part=part: self.device.sendData(part), self.sleep)  # type: ignore[misc]

    def _wait_for_a_sign_of_life(self, key: str, known: _Known) -> tuple[_Known, bool]:
        """A campaign without `finished` was left, or is being delivered by another run this moment: that one writes
        a row every few seconds. The wait also lets requests of a killed run arrive."""
        quiet = (self.now() - _time_of(known.newest)).total_seconds()
        if quiet > GIVEN_UP:
            return known, False
        self.on_wait(GIVEN_UP)
        self.sleep(GIVEN_UP)
        later = self._read(key)
        return later, later.newest != known.newest

    def _read(self, key: str) -> _Known:
        known = _Known()
        for row in self._rows({"groups": [key]}):
            if row.get("group") == key:
                _take_in(known, row)
        return known

    def _rows(self, query: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Newest first, page after page until an empty one."""
        skip = 0
        while True:
            page = {"query": "default", "qty": ROWS_IN_AN_ANSWER, "skip": skip, "ordination": "descending", **query}
            try:
                answer = retrying(lambda page=page: self.device.getData(dict(page)), self.sleep)  # type: ignore[misc]
            except TagoIOError as error:
                raise SetupError(f"The journal cannot be read (delivery_log_token): {error.message}") from error
            if not isinstance(answer, list):
                raise SetupError("The journal cannot be read (delivery_log_token): a list was expected")
            if not answer:
                return
            yield from (row for row in answer if isinstance(row, dict))
            skip += len(answer)


class CampaignLog:
    """Writes one campaign's outcomes in batches while it is delivered.

    A row that cannot be written does not stop the delivery: `lost` counts the outcomes of which the journal knows
    nothing; the next run asks TagoIO about those users before it tells any of them.
    """

    def __init__(self, journal: Journal, key: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.journal = journal
        self.key = key
        self.clock = clock
        self.lost = 0
        self.error = ""
        self._rows: list[dict[str, Any]] = []
        self._open_ends = 0
        self._lock = threading.Lock()
        self._written_at = clock()

    def record(self, outcome: Outcome) -> None:
        """Callable from any thread; returns at once."""
        details = {
            "user": outcome.user_id,
            "name": outcome.user_name,
            "reason": outcome.reason,
            "subject": subject_key(outcome.subject),
        }
        row = _row(self.key, OUTCOME, outcome.status, **details, notification=outcome.notification_id)
        with self._lock:
            self._rows.append(row)
            self._open_ends += outcome.status not in SETTLED

    def keep_open(self) -> None:
        """Somebody is still to be told, as the journal says already."""
        self._open_ends += 1

    def tick(self) -> None:
        """Called all the time: write what there is, or a sign of life, when it is time."""
        quiet = self.clock() - self._written_at
        if self._rows and quiet >= FLUSH_EVERY:
            self._flush()
        elif quiet >= ALIVE_EVERY:
            self._write([_row(self.key, CAMPAIGN, "running")], outcomes=0)

    def close(self) -> None:
        """Write what is left; `finished` only if nobody is left to be told or asked about."""
        self._flush()
        if not self._open_ends and not self.lost:
            self._write([_row(self.key, CAMPAIGN, "finished")], outcomes=0)

    def notes(self) -> Iterator[str]:
        """For the report."""
        if self.error:
            yield (
                f"the journal could not be written ({self.error}): {self.lost} outcomes are missing there; "
                "the next run asks TagoIO about these users before it tells them"
            )

    def _flush(self) -> None:
        with self._lock:
            rows, self._rows = self._rows, []
        if rows:
            self._write(rows, outcomes=len(rows))

    def _write(self, rows: list[dict[str, Any]], *, outcomes: int) -> None:
        try:
            self.journal.write(rows)
        except TagoIOError as error:
            self.lost += outcomes
            self.error = error.message
        self._written_at = self.clock()


def _row(key: str, variable: str, value: Any, **metadata: Any) -> dict[str, Any]:
    return {"variable": variable, "value": value, "group": key, "metadata": metadata}


def _point_row(key: str, order: int, point: DataPoint) -> dict[str, Any]:
    about = {"order": order, **{name: getattr(point, name) for name in POINT_PARTS}}
    row = {"variable": POINT, "value": point.value, "group": key, "metadata": about}
    return row if point.location is None else {**row, "location": point.location}


def _take_in(known: _Known, row: dict[str, Any]) -> None:
    """Add a row, which may be of any shape, to what is known."""
    given = row.get("metadata")
    about: dict[str, Any] = given if isinstance(given, dict) else {}
    known.newest = max(known.newest, _iso(row.get("time")))
    variable, value = row.get("variable"), row.get("value")
    if variable == CAMPAIGN and value == "started":
        known.started = about
    elif variable == CAMPAIGN and value == "finished":
        known.finished = True
    elif variable == POINT:
        parts = {name: str(about.get(name) or "") for name in POINT_PARTS}
        known.points[str(about.get("order")).zfill(6)] = DataPoint(value=value, location=row.get("location"), **parts)
    elif variable == AUDIENCE:
        known.audience.update(str(about.get("users") or "").split())
    elif variable == OUTCOME and value in SETTLED:
        known.settled.add(str(about.get("user")))


def _iso(given: Any) -> str:
    """The SDK hands times out as naive datetimes, in UTC."""
    return given.isoformat() if isinstance(given, datetime) else str(given or "")


def _time_of(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _started_at(known: _Known) -> datetime:
    return _time_of(str((known.started or {}).get("started_at")))


def _trigger(known: _Known) -> Trigger:
    about = known.started or {}
    kind = about.get("trigger")
    return Trigger(
        kind if kind in ("manual", "schedule", "action") else "manual",
        tuple(point for _, point in sorted(known.points.items())),
        action_id=str(about.get("action") or ""),
        action_state=str(about.get("action_state") or ""),
        device_id=str(about.get("device") or ""),
    )
