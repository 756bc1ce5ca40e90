"""The journal of a run: every row goes into its campaign's state at once, and onto the device where there is one.

With a device this run holds its campaigns by heartbeats (lib/campaign/lease.py). They are written by a thread of their
own, over connections of their own, so that nothing else that is slow makes this run seem dead.
"""

import secrets
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import Literal

from lib.base.errors import OutOfTime, Rejected, TagoIOError
from lib.campaign.lease import FLUSH, FRESH, HEARTBEAT, MARGIN, holder
from lib.campaign.outcome import Outcome
from lib.campaign.rows import CAMPAIGN, CHANGE, HEARTBEATS, OUTCOME, Row, campaign_row, outcome_rows
from lib.campaign.state import CampaignState
from lib.tagoio.journal_device import JournalDevice

TRIES_TO_SHOW = 3  # times that a run which was frozen meanwhile writes its sign anew
SIGNS = (CAMPAIGN, HEARTBEATS)
Holding = Literal["telling", "answering"]


class Journal:
    """`gone` says why nothing is kept any more, "" while all is well; then this run goes on without a memory, and asks
    TagoIO before it tells anybody whom another run may have told. Its rows are kept for one more try at its end."""

    def __init__(
        self,
        device: JournalDevice | None,
        now: Callable[[], float],
        learn_time: Callable[[float, float, float], None] = lambda at, began, ended: None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.device = device
        self.now = now
        self.learn_time = learn_time
        self.clock = clock
        self.sleep = sleep
        self.run = secrets.token_hex(6)  # tells the rows of different runs apart
        self.states: dict[str, CampaignState] = {}
        self.lost: set[str] = set()  # the campaigns that another run holds
        self.gone = ""
        self.unwritten = 0  # outcomes that the device did not take
        self._held: dict[str, Holding] = {}
        self._rows: list[Row] = []
        self._outcomes: list[tuple[str, Outcome]] = []
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._valid_until = float("inf")
        self._written_at = self._beaten_at = clock()
        self._failing_since: float | None = None
        self._was_away = False
        self._shown = 0  # how often this run had to see its own rows
        self._error = ""
        self._is_written = False  # at the end, though the journal was gone
        self._thread: threading.Thread | None = None
        self._ends = threading.Event()

    @property
    def keeps(self) -> bool:
        """Whether rows outlive this run."""
        return self.device is not None and not self.gone

    def state(self, key: str) -> CampaignState:
        return self.states.setdefault(key, CampaignState(key))

    def add(self, rows: Iterable[Row]) -> None:
        """Callable from any thread; returns at once."""
        stamped = [row._replace(at=row.at or self.now()) for row in rows]
        with self._lock:
            for row in stamped:
                self.state(row.key).take([row])
            if self.device:
                self._rows += stamped

    def record(self, key: str, outcome: Outcome) -> Outcome:
        """What became of a user; callable from any thread; returns at once."""
        with self._lock:
            state = self.state(key)
            known = state.outcomes.get(outcome.user_id)
            after = known.at + 0.001 if known else 0.0  # TagoIO's clock is known to the second only
            outcome = outcome._replace(run=self.run, at=max(self.now(), after))
            state.settle(outcome)
            is_new = known is None or (known.status, known.reason) != (outcome.status, outcome.reason)
            if self.device and is_new and not (key in self.lost and outcome.status == "pending"):
                self._outcomes.append((key, outcome))
        return outcome

    # ---- the lease

    def begin(self, campaigns: dict[str, list[Row]], holding: Holding = "telling") -> set[str]:
        """Write the rows that begin or resume these campaigns, and see of which this run is the holder: of those it
        returns the keys. A journal that takes no rows stops nobody."""
        opening = [row for rows in campaigns.values() for row in rows]
        with self._lock:
            for row in opening:
                self.state(row.key).take([row._replace(at=self.now())])
        if self.device is None:
            return set(campaigns)
        if self.gone:
            self._rows += opening
            return set(campaigns)
        try:
            holders, at = self._holders(list(campaigns), opening)
        except TagoIOError as error:
            self.give_up(error.message)
            self._rows += opening
            anybody = [campaign_row(key, "resumed", self.run, first="") for key in campaigns]
            with suppress(TagoIOError):  # rows that do not show may be kept all the same: who comes next looks first
                self.device.write(anybody, once=True)
            return set(campaigns)
        ours = {key for key in campaigns if holders.get(key, self.run) == self.run}
        self.lost = (self.lost | campaigns.keys()) - ours
        self._step_back(campaigns.keys() - ours)
        self._hold(dict.fromkeys(ours, holding), at)
        return ours

    def _step_back(self, keys: Iterable[str]) -> None:
        """Leave these campaigns to another run. Written at once: when this run takes one up again, its signs of then
        must be younger."""
        rows = [campaign_row(key, "left", self.run) for key in keys]
        for row in rows:
            self.state(row.key).take([row._replace(at=self.now())])
        try:
            if rows and self.device:
                self.device.write(rows)
        except TagoIOError as error:
            self._note_failure(error)

    def answer(self, key: str) -> None:
        """Show that this run answers a press, until `end`."""
        if self.keeps:
            self._hold({key: "answering"}, self.clock())

    @property
    def was_away(self) -> bool:
        """Whether others may have taken this run for dead: there was a time without a confirmed heartbeat."""
        return self._was_away or self.clock() - self._beaten_at > MARGIN

    def may_tell(self, key: str) -> bool | None:
        """Whether a user of this campaign may be told now. None: in a moment, when the journal has been read again."""
        if key in self.lost:
            return False
        return True if not self.keeps or self.clock() < self._valid_until else None

    def end(self, key: str, value: str) -> None:
        """This run is done with a campaign: `left` or `finished`, which holds for what it has seen."""
        self._held.pop(key, None)
        if key in self.lost:
            return
        self.add([campaign_row(key, value, self.run, seen=self.state(key).seen)])

    def flush(self) -> None:
        """Write what there is, and do not return before it is written or nothing is kept any more."""
        while self.keeps and self._is_waiting() and not self._ends.is_set():
            self._write()
            if self._is_waiting():
                self.sleep(0.5)

    def close(self, patience: float) -> None:
        """Write the rest, for at most so many seconds."""
        self._ends.set()
        if self.gone:
            self._write_late()
        until = self.clock() + patience
        while self._is_waiting() and self.keeps:
            self._write()
            if self._is_waiting() and self.clock() > until:
                break
            if self._is_waiting():
                self.sleep(0.5)
        with self._lock:
            self.unwritten += len(self._outcomes)

    def _write_late(self) -> None:
        """A journal that was away may be back: then later runs know all the same whom this one has told."""
        outcomes: defaultdict[str, list[Outcome]] = defaultdict(list)
        for key, outcome in self._outcomes:
            outcomes[key].append(outcome)
        dense = [row for key, listed in outcomes.items() for row in outcome_rows(key, listed)]
        dense += [row._replace(kind=CHANGE, value="late") for row in dense if row.value == "sent"]
        try:
            if self.device and (dense or self._rows):
                self.device.write([*dense, *self._rows], once=True)
                self._rows, self._outcomes, self._is_written = [], [], True
        except TagoIOError as error:
            self._error = error.message

    def notes(self) -> Iterator[str]:
        """For the report."""
        if self._is_written:
            yield (
                f"the journal was away ({self.gone}): this run told people without it, looking into each inbox first, "
                "and wrote down at its end whom"
            )
        elif self.gone and not any(outcome.status in ("sent", "unknown") for _, outcome in self._outcomes):
            yield f"THE JOURNAL IS GONE ({self.gone}): nobody was told without it, but it lacks what this run did"
        elif self.gone:
            yield (
                f"THE JOURNAL IS GONE ({self.gone}): this run told people without a memory, and a later run "
                "cannot know whom; fix the device of delivery_log_token, or replace it"
            )
        elif self.unwritten:
            yield (
                f"the journal could not be written ({self._error}): {self.unwritten} outcomes are missing there; "
                "the next run asks TagoIO about these users before it tells them"
            )

    # ---- the device

    def _hold(self, held: dict[str, Holding], began: float) -> None:
        self._held.update(held)
        self._beaten_at = self._written_at = began
        if "telling" in held.values():
            self._valid_until = began + MARGIN
        if self._held and self._thread is None:
            self._thread = threading.Thread(target=self._keep, daemon=True)
            self._thread.start()

    def _keep(self) -> None:
        """What the thread does: write outcomes and heartbeats in time, and read again after having been away."""
        while not self._ends.wait(0.2) and self.keeps:
            now = self.clock()
            if self._held and now >= self._valid_until:
                self._come_back()
            elif (self._is_waiting() and now - self._written_at >= FLUSH) or (
                self._held and now - self._beaten_at >= HEARTBEAT
            ):
                self._write()

    def _write(self) -> None:
        """One try. With each goes a heartbeat, if it is time for one."""
        with self._writing:
            now = self.clock()
            with self._lock:
                rows, self._rows = self._rows, []
                outcomes, self._outcomes = self._outcomes, []
            by_key: defaultdict[str, list[Outcome]] = defaultdict(list)
            for key, outcome in outcomes:
                by_key[key].append(outcome)
            dense = [row for key, listed in by_key.items() for row in outcome_rows(key, listed)]
            beats = self._beats() if now - self._beaten_at >= HEARTBEAT - 1 else []
            if not (rows or dense or beats):
                return
            try:
                self._send([*dense, *rows, *beats])
            except TagoIOError as error:
                self._note_failure(error)
                with self._lock:
                    self._rows = rows + self._rows
                    self._outcomes = outcomes + self._outcomes
                self._written_at = self.clock()
                return
            self._failing_since = None
            self._written_at = now
            self._was_away = self._was_away or bool(beats and now - self._beaten_at > MARGIN)
            if beats and now < self._valid_until:
                self._beaten_at = now
                self._valid_until = now + MARGIN
            elif beats:
                self._beaten_at = now

    def _send(self, rows: list[Row]) -> None:
        """Where the device refuses some, the others are written all the same; where it refuses all, they are kept for
        the end. Raises TagoIOError."""
        assert self.device is not None  # noqa: S101  # callers have asked `keeps`
        try:
            self.device.write(rows, once=True)
        except Rejected as error:
            refused = []
            for row in rows:
                try:
                    self.device.write([row], once=True)
                except Rejected:
                    refused.append(row)
            if len(refused) == len(rows):
                self.give_up(error.message)
                raise
            self.unwritten += sum(len(row.words("users")) if row.kind == OUTCOME else 1 for row in refused)
            self._error = error.message

    def _come_back(self) -> None:
        """After a time without a confirmed heartbeat nobody is told before it is seen that no other run has taken
        over."""
        keys = [key for key, holding in self._held.items() if holding == "telling"]
        if not keys:
            self._valid_until = float("inf")
            return
        try:
            holders, at = self._holders(keys, self._beats(), once=True)
        except TagoIOError as error:
            self._note_failure(error)
            return
        for key in keys:
            if holders.get(key, self.run) != self.run:
                self.lost.add(key)
                self._held.pop(key, None)
        self._beaten_at = at
        self._valid_until = at + MARGIN if self._held else float("inf")
        self._failing_since = None

    def _holders(self, keys: list[str], rows: list[Row], *, once: bool = False) -> tuple[dict[str, str], float]:
        """Write these rows, by which this run shows itself, and read until they show: by campaign, the run that holds
        it, and when this run has shown itself last without a gap since. Raises TagoIOError."""
        device = self.device
        assert device is not None  # noqa: S101
        for _ in range(TRIES_TO_SHOW):
            self._shown += 1
            signs: list[float] = [self.clock()]
            wrote_at = time.time()
            device.write(self._numbered(rows), once=once)
            written_at = time.time()
            query = {"variables": list(SIGNS), "groups": keys, "start_date": device.hour_ago()}
            shown = device.seen(query, self._shows(keys), partial(self._prolong, keys, signs))
            own = {row.key: row.at for row in shown if self._is_newest_sign(row)}
            found = self._found(keys, shown, own)
            ours = [key for key in keys if found[key] == self.run]
            self._prolong(ours, signs)
            if self.clock() - signs[-1] <= FRESH:
                break
            rows = _telling(keys, self.run)  # frozen meanwhile
        for at in own.values():
            self.learn_time(at, wrote_at, written_at)
        for key in keys:
            rivals = {row.run for row in shown if row.key == key} - {self.run}
            if rivals or self.state(key).presences.keys() - {self.run}:
                found_again = self._read_again(key)
                with self._lock:
                    self.state(key).take(found_again)
        self._prolong(ours, signs)
        return found, signs[-1]

    def _prolong(self, keys: list[str], signs: list[float]) -> None:
        """One more heartbeat, before the last of these signs is too old: who held these campaigns then still does."""
        began, last = self.clock(), signs[-1]
        if self.device is None or not keys or began - last <= HEARTBEAT:
            return
        with suppress(TagoIOError):  # then it is read again
            self.device.write(_telling(keys, self.run), once=True)
            if self.clock() - last <= FRESH:
                signs.append(began)

    def _found(self, keys: list[str], shown: list[Row], own: dict[str, float]) -> dict[str, str]:
        """The run that holds each campaign, as these rows show it, at the time of our `own` in it."""
        found = {}
        for key in keys:
            state = CampaignState(key)
            state.take(shown)
            found[key] = holder(state.signs.values(), own.get(key) or self.now())
        return found

    def _numbered(self, rows: list[Row]) -> Iterator[Row]:
        for row in rows:
            yield row._replace(about={**row.about, "n": self._shown}) if row.kind in SIGNS else row

    def _shows(self, keys: list[str]) -> Callable[[list[Row]], bool]:
        """Whether the rows that were numbered last are there."""

        def shows(rows: list[Row]) -> bool:
            return {row.key for row in rows if self._is_newest_sign(row)}.issuperset(keys)

        return shows

    def _is_newest_sign(self, row: Row) -> bool:
        return row.run == self.run and row.number("n") == self._shown

    def _read_again(self, key: str) -> list[Row]:
        """What another run has written since the plan was made."""
        assert self.device is not None  # noqa: S101
        return [row for row in self.device.rows({"groups": [key]}) if row.run != self.run]

    def _beats(self) -> list[Row]:
        return [Row(key, HEARTBEATS, value, {"run": self.run}) for key, value in list(self._held.items())]

    def _is_waiting(self) -> bool:
        """Whether rows are still to be written; those that are being written this moment are waited for."""
        with self._writing:
            return bool(self._rows or self._outcomes)

    def _note_failure(self, error: TagoIOError) -> None:
        self._error = error.message
        if isinstance(error, OutOfTime):
            self._ends.set()  # this run is at its end, and the journal no worse
            return
        since = self._failing_since = self._failing_since or self.clock()
        if self.device and self.clock() - since > self.device.patience():
            self.give_up(error.message)

    def give_up(self, message: str) -> None:
        """From now on this run has no memory."""
        self.gone = self.gone or message


def _telling(keys: Iterable[str], run: str) -> list[Row]:
    return [Row(key, HEARTBEATS, "telling", {"run": run}) for key in keys]
