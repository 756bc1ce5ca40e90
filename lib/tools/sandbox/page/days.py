"""A day: a run that somebody began, and the runs that followed from it (presses, the same event once more)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lib.tools.sandbox.page.reasons import left_by
from lib.tools.sandbox.page.witness import LOOKS, TELLS, Step
from lib.tools.sandbox.runner import Run
from lib.tools.sandbox.store import Record


@dataclass
class Day:
    """`campaigns` were heard of on it first, and what becomes of them later is told here too. `outcomes`: by user the
    newest, of its own runs, and of whichever run went on with its campaigns. Where the newest of its runs has left the
    event to a run of another day, that is `left_to`, and the campaign is told here too."""

    runs: list[Run] = field(default_factory=list)
    campaigns: set[str] = field(default_factory=set)
    outcomes: dict[str, Record] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    left_to: Run | None = None
    left: set[str] = field(default_factory=set)

    @property
    def number(self) -> int:
        return self.runs[0].number

    @property
    def is_going(self) -> bool:
        return any(not run.ended for run in [*self.runs, *filter(None, [self.left_to])])

    @property
    def is_external(self) -> bool:
        """Then only what TagoIO saw is known: not whom the Analysis chose, nor whether it has ended."""
        return self.runs[0].is_external

    @property
    def touched(self) -> set[str]:
        """Its own campaigns, and those of other days at which its runs were."""
        logged = {campaign for run in self.runs for campaign, _ in run.outcomes}
        return (self.campaigns | self.left | logged | {step.campaign for step in self.steps}) - {""}

    def take(self, user: str, outcome: Record) -> None:
        """That a rule of one campaign leaves somebody out does not count where another has told them."""
        if outcome.get("status") != "skipped" or user not in self.outcomes:
            self.outcomes[user] = outcome


def days_of(runs: Sequence[Run], again: Mapping[int, int], steps: Sequence[Step]) -> list[Day]:
    """In their order; `again` are the runs to which the event of another was handed once more, and that one."""
    found: list[Day] = []
    first: dict[str, Day] = {}  # by campaign, the day on which it was heard of first
    of_run: dict[int, list[Step]] = {}
    for step in steps:
        of_run.setdefault(step.run, []).append(step)
    for run in runs:
        whole = next((day for day in found if again.get(run.number) in [each.number for each in day.runs]), None)
        if whole is None and not (found and "button_id" in run.extra):
            found.append(Day())
        day, own = whole or found[-1], of_run.get(run.number, [])
        day.runs.append(run)
        for campaign in ({step.campaign for step in own} | {campaign for campaign, _ in run.outcomes}) - {""}:
            first.setdefault(campaign, day).campaigns.add(campaign)
        for step in own:
            theirs = first.get(step.campaign) if step.kind not in LOOKS else None
            for each in _both(day, theirs):
                each.steps.append(step)
        for (campaign, user), outcome in run.outcomes.items():
            for each in _both(day, first.get(campaign)):
                each.take(user, outcome)
    for day in found:
        _leave(day, runs, steps)
        day.steps.sort(key=lambda step: step.at)  # runs overlap
    return found


def _leave(day: Day, runs: Sequence[Run], steps: Sequence[Step]) -> None:
    """Unless it has told somebody itself."""
    own = {run.number for run in day.runs}
    newest = [run for run in day.runs if "button_id" not in run.extra][-1:]
    left = {campaign for run in newest for campaign in left_by(run)}
    if not left or any(step.run in own and step.kind in TELLS for step in day.steps):
        return
    theirs = [step for step in steps if step.campaign in left and step.kind in TELLS]
    others = [run for run in runs if run.number not in own and "button_id" not in run.extra]
    tellers = {step.run for step in theirs} | {run.number for run in others if left & {key for key, _ in run.outcomes}}
    teller = max((run for run in others if run.number in tellers), key=lambda run: run.number, default=None)
    if teller is None:
        return
    day.left, day.left_to = left, teller
    day.steps += [step for step in steps if step.campaign in left and step not in day.steps]
    for run in runs:
        for (campaign, user), outcome in run.outcomes.items():
            if campaign in left:
                day.take(user, outcome)


def day_with(days: Sequence[Day], run: Run | None) -> Day | None:
    return next((day for day in days if run is not None and run in day.runs), None)


def _both(day: Day, other: Day | None) -> list[Day]:
    return [day] if other is None or other is day else [day, other]
