"""A day: a run that somebody began, and the runs that followed from it (presses, the same event once more)."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from lib.tools.sandbox.runner import Run
from lib.tools.sandbox.store import Record

LEFT_OUT = ("skipped", "held")


@dataclass
class Day:
    runs: list[Run] = field(default_factory=list)
    campaigns: set[str] = field(default_factory=set)

    @property
    def number(self) -> int:
        return self.runs[0].number

    @property
    def is_going(self) -> bool:
        return any(not run.ended for run in self.runs)

    @property
    def is_external(self) -> bool:
        """Then only what TagoIO saw is known: not whom the Analysis chose, nor whether it has ended."""
        return self.runs[0].is_external

    @property
    def outcomes(self) -> dict[str, Record]:
        """By user, the newest of the day's own campaigns."""
        found: dict[str, Record] = {}
        for run in self.runs:
            for (campaign, user_id), outcome in run.outcomes.items():
                is_better = outcome.get("status") != "skipped" or user_id not in found
                if campaign in self.campaigns and is_better:
                    found[user_id] = outcome
        return found

    @property
    def audience(self) -> list[str]:
        return [user for user, outcome in self.outcomes.items() if outcome.get("status") not in LEFT_OUT]


def days_of(runs: Sequence[Run], again: set[int]) -> list[Day]:
    """In their order. A campaign belongs to the day on which it was first heard of, whoever goes on with it."""
    found: list[Day] = []
    known: set[str] = set()
    for run in runs:
        follows = "button_id" in run.extra or run.number in again
        if not (found and follows):
            found.append(Day())
        found[-1].runs.append(run)
        fresh = {campaign for campaign, _ in run.outcomes} - known
        known |= fresh
        found[-1].campaigns |= fresh
    return found


def day_with(days: Sequence[Day], run: Run | None) -> Day | None:
    return next((day for day in days if run is not None and run in day.runs), None)
