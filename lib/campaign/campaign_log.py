"""Writes one campaign's outcomes to the journal, in batches, while it is delivered."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Protocol

from lib.base.errors import TagoIOError
from lib.campaign.report import Outcome
from lib.campaign.rows import SETTLED, Row, campaign_row, outcome_row

FLUSH_EVERY = 1.0  # seconds: what a killed run can leave unwritten is asked about by the next one
ALIVE_EVERY = 5.0  # seconds without a row, after which a run gives a sign of life
FENCE = 10.0  # seconds a write may take before nobody more is told: another run may soon take this one for dead


class RowWriter(Protocol):
    """Where the rows go; `run` tells the rows of different runs apart."""

    run: str

    def write(self, rows: list[Row]) -> None: ...


class CampaignLog:
    """Writes one campaign's outcomes in batches while it is delivered.

    A row that cannot be written does not stop the delivery: `lost` counts the outcomes of which the journal knows
    nothing; the next run asks TagoIO about those users before it tells any of them. `is_at_it` says that this run has
    written that it is about to tell somebody.
    """

    def __init__(
        self, journal: RowWriter, key: str, clock: Callable[[], float] = time.monotonic, *, is_at_it: bool = True
    ) -> None:
        self.journal = journal
        self.key = key
        self.clock = clock
        self.is_at_it = is_at_it
        self.lost = 0
        self.error = ""
        self._rows: list[Row] = []
        self._open_ends = 0
        self._in_doubt = 0
        self._is_writing = False
        self._lock = threading.Lock()
        self._written_at = clock()

    def record(self, outcome: Outcome) -> None:
        """Callable from any thread; returns at once."""
        row = outcome_row(self.key, outcome)
        with self._lock:
            self._rows.append(row)
            self._open_ends += outcome.status not in SETTLED
            self._in_doubt += outcome.status == "unknown"

    def add(self, row: Row) -> None:
        """A row that is no outcome; callable from any thread."""
        with self._lock:
            self._rows.append(row)

    def keep_open(self) -> None:
        """Somebody is still to be told, as the journal says already."""
        self._open_ends += 1

    def tick(self) -> None:
        """Called all the time: write what there is, or a sign of life, when it is time."""
        quiet = self.clock() - self._written_at
        if self._rows and quiet >= FLUSH_EVERY:
            self.flush()
        elif quiet >= ALIVE_EVERY:
            self.is_at_it = True
            self._write([campaign_row(self.key, "running", run=self.journal.run)], outcomes=0)

    def close(self) -> None:
        """Write what there is; `finished` only if nobody is left to be told or asked about. Otherwise `left`, so that
        the next run need not watch whether this one lives; but where there is doubt, the watching gives what is still
        under way time to arrive."""
        self.flush()
        if not self._open_ends and not self.lost:
            self._write([campaign_row(self.key, "finished")], outcomes=0)
        elif self.is_at_it and not self._in_doubt and not self.lost:
            self._write([campaign_row(self.key, "left", run=self.journal.run)], outcomes=0)

    def notes(self) -> Iterator[str]:
        """For the report."""
        if self.error:
            yield (
                f"the journal could not be written ({self.error}): {self.lost} outcomes are missing there; "
                "the next run asks TagoIO about these users before it tells them"
            )

    def flush(self) -> None:
        """Write what there is, now."""
        with self._lock:
            rows, self._rows = self._rows, []
        if rows:
            self._write(rows, outcomes=len(rows))

    def is_stuck(self) -> bool:
        """Whether a write has been under way for so long that this run may seem dead. One that failed for good does not
        hold anybody up."""
        return self._is_writing and not self.error and self.clock() - self._written_at > FENCE

    def _write(self, rows: list[Row], *, outcomes: int) -> None:
        self._is_writing = True
        try:
            self.journal.write(rows)
        except TagoIOError as error:
            self.lost += outcomes
            self.error = error.message
        self._is_writing = False
        self._written_at = self.clock()
