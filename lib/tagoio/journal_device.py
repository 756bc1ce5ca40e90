"""The device that keeps the journal: rows read and written over the SDK's `Device`, whatever order or delay they show
in."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Protocol

from lib.base.errors import Doubtful, OutOfTime, Refused, TagoIOError
from lib.campaign.lease import DAY
from lib.campaign.next_steps import is_let_be
from lib.campaign.outcome import TOLD
from lib.campaign.rows import ALARM, CAMPAIGN, CHANGE, OUTCOME, PRESS, Row, outcomes_of, read_row, size_of
from lib.campaign.state import CampaignState

CALL = 150_000  # bytes of one call: TagoIO takes 200 kB (D docs sending-data.md)
ROWS_IN_AN_ANSWER = 1000
GROUPS_IN_A_QUERY = 50
JOURNAL_PATIENCE = 25.0  # seconds in which a journal that cannot be reached is tried again
STROKE = 6.0  # seconds: a call to the journal takes five at most
PASSES = 5  # over all pages, while new rows come
SLOW = 6.0  # seconds: a device that showed our row late may show another's so much later


class SdkDevice(Protocol):
    """The part of the SDK's `Device` that keeps rows."""

    def sendData(self, data: list[dict[str, Any]]) -> Any: ...  # noqa: N802  # the SDK's names
    def getData(self, queryParams: dict[str, Any]) -> Any: ...  # noqa: N802, N803


class Patience:
    """Counts the seconds that were spent on something. What passes at one stroke, longer than any call takes, is time
    in which this process was frozen, and counts for little: never for more than half of what is allowed."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._at = clock()
        self._spent = 0.0

    def is_over(self, seconds: float) -> bool:
        now = self._clock()
        self._spent += min(now - self._at, STROKE, seconds / 2)
        self._at = now
        return self._spent >= seconds


class JournalDevice:
    """Raises TagoIOError. `now` is TagoIO's clock in seconds since the epoch; `patience` says for how many seconds a
    call is tried again. `ended` are the campaigns of the last day that rows said to be ended when it was read, `spent`
    those in which nobody is left whom another of their alarm has not told anew."""

    def __init__(
        self,
        device: SdkDevice,
        now: Callable[[], float],
        *,
        patience: Callable[[], float] = lambda: JOURNAL_PATIENCE,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.device = device
        self.now = now
        self.patience = patience
        self.clock = clock
        self.sleep = sleep
        self.ended: set[str] = set()
        self.spent: set[str] = set()

    def unfinished(self, analysis_id: str) -> list[CampaignState]:
        """This Analysis' campaigns of the last day of which something is or may come to be due, oldest first."""
        outlines: dict[str, CampaignState] = {}
        for row in self._of_the_last_day():
            outlines.setdefault(row.key, CampaignState(row.key)).take([row])
        self.ended = {key for key, outline in outlines.items() if outline.ending}
        self.spent = {key for key, outline in outlines.items() if outline.is_spent}
        states = self.states([key for key, outline in outlines.items() if not outline.is_finished]).values()
        begun = (each for each in states if each.started or each.presses)  # of a run without its journal a press tells
        mine = [each for each in begun if each.trigger.analysis_id == analysis_id]
        open_ones = [each for each in mine if not each.is_finished and not is_let_be(each, self.now())]
        return sorted(open_ones, key=lambda each: each.started_at)

    def _of_the_last_day(self) -> list[Row]:
        """Read once more where the first answer shows that our clock is off by more than the query allows for."""
        query = {"variables": [CAMPAIGN, CHANGE, PRESS]}
        asked_at, since = self.now(), self._ago(DAY + 3600)
        rows = list(self.rows({**query, "start_date": since}))
        if abs(self.now() - asked_at) > 3600:
            rows = list(self.rows({**query, "start_date": self._ago(DAY + 3600)}))
        return rows

    def states(self, keys: list[str]) -> dict[str, CampaignState]:
        """What the rows say of these campaigns; an empty state where there are none."""
        states = {key: CampaignState(key) for key in keys}
        for start in range(0, len(keys), GROUPS_IN_A_QUERY):
            for row in self.rows({"groups": keys[start : start + GROUPS_IN_A_QUERY]}):
                if row.key in states:
                    states[row.key].take([row])
        return states

    def alarm_rows(self, key: str, run: str = "") -> list[Row]:
        """Of the alarm of that key, as far back as one stays open; read until a row of `run` is among them."""
        query = {"variables": [ALARM], "groups": [key], "start_date": self._ago(DAY + 3600)}
        return self.seen(query, lambda rows: not run or any(row.run == run for row in rows))

    def recently_told(self, seconds: float) -> set[tuple[str, str]]:
        """(user id, subject) of those who were told something in the last so many seconds."""
        found: set[tuple[str, str]] = set()
        since = self.now() - seconds
        for row in self.rows({"variables": [OUTCOME], "start_date": self._ago(seconds)}):
            if row.value in TOLD and row.at >= since:
                found.update((outcome.user_id, outcome.subject) for outcome in outcomes_of(row))
        return found

    def told_lately(self) -> Iterator[tuple[str, str]]:
        """Some (user id, notification id) that TagoIO is known to have."""
        for row in self.rows({"variables": [OUTCOME], "start_date": self._ago(7 * DAY)}, pages=1):
            if row.value == "sent":
                yield from ((each.user_id, each.notification_id) for each in outcomes_of(row) if each.notification_id)

    def told_in_an_hour(self) -> Iterator[tuple[str, str]]:
        """(notification id, campaign)."""
        for row in self.rows({"variables": [OUTCOME], "start_date": self.hour_ago()}):
            yield from ((each.notification_id, row.key) for each in outcomes_of(row) if each.notification_id)

    def write(self, rows: Iterable[Row], *, once: bool = False) -> None:
        """A row that is written twice, because an answer was lost, says nothing new."""
        part: list[dict[str, Any]] = []
        size = 0
        for row in rows:
            if part and size + size_of(row) > CALL:
                self._send(part, once=once)
                part, size = [], 0
            part.append(row.wire())
            size += size_of(row)
        if part:
            self._send(part, once=once)

    def seen(
        self, query: dict[str, Any], shows: Callable[[list[Row]], bool], meanwhile: Callable[[], None] = lambda: None
    ) -> list[Row]:
        """The rows of a query, read until our own are among them: TagoIO does not promise that a row shows at once, nor
        that an older one of another run shows before ours. Where ours came late, the others are waited for too;
        `meanwhile` is called before that."""
        began, missing_at, patience, limit = self.clock(), float("-inf"), Patience(self.clock), self.patience()
        while True:
            asked_at = self.clock()
            pages = list(self._pages(query))
            rows = [row for page in pages for row in page]
            if shows(rows):
                break
            if patience.is_over(limit):
                raise TagoIOError("the device does not show what was written")
            missing_at = asked_at
            self.sleep(0.25)
        if missing_at < began:
            return self._settled(query, pages)
        took = missing_at - began  # at least; when it showed is not known where this run was frozen meanwhile
        meanwhile()
        self.sleep(max(2 * took, SLOW) - took)
        return self._settled(query, list(self._pages(query)))

    def _settled(self, query: dict[str, Any], pages: list[list[Row]]) -> list[Row]:
        """What was read in one page shows no row without those before it. While several are read, rows that come to
        show may shift others: then it is read until nothing new comes."""
        rows = [row for page in pages for row in page]
        is_new = len(pages) > 1
        for _ in range(PASSES):
            if not is_new:
                break
            known = {row.id for row in rows}
            fresh = [row for row in self.rows(query) if row.id not in known]
            rows, is_new = rows + fresh, bool(fresh)
        return rows

    def rows(self, query: dict[str, Any], pages: int = 10_000, *, once: bool = False) -> Iterator[Row]:
        """Each row once."""
        for page in self._pages(query, pages, once=once):
            yield from page

    def _pages(self, query: dict[str, Any], pages: int = 10_000, *, once: bool = False) -> Iterator[list[Row]]:
        """Page after page until one brings nothing new.

        Whether `skip` and `qty` count in all or for each variable is not settled (tagoio-platform.md, 9), so it skips
        as many as the most frequent variable had, and leaves out what it has seen.
        """
        seen: set[str] = set()
        skip = 0
        for _ in range(pages):
            page = {"query": "default", "qty": ROWS_IN_AN_ANSWER, "skip": skip, "ordination": "descending", **query}
            answer = self._call(lambda page=page: self.device.getData(dict(page)), once=once)  # type: ignore[misc]
            if not isinstance(answer, list):
                raise TagoIOError("a list of rows was expected")
            fresh = {_name_of(given): given for given in answer if _name_of(given) not in seen}
            if not fresh:
                return
            seen.update(fresh)
            yield [row for row in map(read_row, fresh.values()) if row]
            skip += max(
                Counter(str(each.get("variable")) for each in answer if isinstance(each, dict)).values(), default=1
            )

    def _send(self, part: list[dict[str, Any]], *, once: bool) -> None:
        self._call(lambda: self.device.sendData(part), once=once)

    def _call(self, call: Callable[[], Any], *, once: bool) -> Any:
        """Tried again for a while, unless `once`."""
        patience, pause = Patience(self.clock), 0.5
        while True:
            try:
                return call()
            except (Refused, Doubtful) as error:
                if once or isinstance(error, OutOfTime):
                    raise
                pause = min(pause * 2, 4.0)
                wait = error.retry_after if error.retry_after is not None else pause
                if patience.is_over(self.patience() - wait):
                    raise
                self.sleep(wait)

    def hour_ago(self) -> str:
        """For a query of the signs of life; so far back that a clock which is off does no harm."""
        return self._ago(3600.0)

    def _ago(self, seconds: float) -> str:
        return datetime.fromtimestamp(self.now() - seconds, UTC).isoformat()


def _name_of(given: Any) -> str:
    return str(given.get("id") or given) if isinstance(given, dict) else str(given)
