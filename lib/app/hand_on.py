"""A run that ran out of time starts its own Analysis once more, so that an audience of any size is told.

The successor begins no round of its own; it finishes what the journal says is left. Only the holder of a campaign hands
it on, so there is one successor. A run that settled nobody waits out its time budget first, for a rate window may be
full; after some such runs in a row there is no successor.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any

from lib.app.report import Report
from lib.base.errors import Doubtful, Refused, TagoIOError
from lib.campaign.outcome import FINAL
from lib.campaign.state import CampaignState
from lib.message.trigger import HAND_ON, Trigger
from lib.tagoio.transport import PooledAnalyses

FRUITLESS = 3  # runs in a row that settled nobody, at least
PATIENCE = 180.0  # seconds that they may take together: three rate windows
BY_NEXT = "the next run takes them up"


class HandOn:
    """`analyses` calls TagoIO within what is left of the `time_budget` (seconds); `sleep` keeps to it."""

    def __init__(
        self, analyses: PooledAnalyses, trigger: Trigger, report: Report, time_budget: float,
        sleep: Callable[[float], None],
    ) -> None:  # fmt: skip
        self.analyses = analyses
        self.trigger = trigger
        self.report = report
        self.most = max(FRUITLESS, math.ceil(PATIENCE / time_budget))
        self.time_budget = time_budget
        self.sleep = sleep

    def perform(self, states: Iterable[CampaignState], *, is_wanted: bool) -> None:
        """Start the successor where a campaign that this run holds has users left, and say so."""
        open_ones = [state for state in states if not state.tells_nobody]
        left = sum(state.is_due(user) for state in open_ones for user in state.unsettled())
        if not left or not self.trigger.analysis_id:
            return
        settled = any(
            each.run == self.report.run and each.status in FINAL
            for state in open_ones
            for each in state.outcomes.values()
        )
        fruitless = 0 if settled else self.trigger.fruitless + 1
        still = f"{left} user{'s are' if left > 1 else ' is'} still to be told or asked about"
        if not is_wanted:
            self.report.note(f"{still}; {BY_NEXT}, as hand_on is false")
        elif fruitless >= self.most:
            self.report.note(f"{still}; {BY_NEXT}, as {self.most} runs in a row have settled nobody")
        else:
            self.sleep(self.time_budget if fruitless else 0.0)
            self.report.note(f"{still}; {self._start({'variable': HAND_ON, 'value': fruitless})}")

    def _start(self, mission: dict[str, Any]) -> str:
        """Once more where TagoIO has certainly not taken it; else two successors might be in each other's way."""
        itself = self.trigger.analysis_id
        try:
            try:
                self.analyses.run(itself, mission)
            except Refused:
                self.analyses.run(itself, mission)
        except Doubtful as error:
            return f"whether this Analysis was started once more for them is not known ({error.message})"
        except TagoIOError as error:
            right = " (allow Analysis / Run Analysis)" if error.status in (401, 403) else ""
            return f"{BY_NEXT}, as this Analysis could not be started once more{right}: {error.message}"
        return "this Analysis was started once more for them"
