"""What became of each user in a run: a view of the states of its campaigns, as summary, log line and exit code."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import structlog

from lib.base.text import few_names
from lib.campaign.outcome import STATUSES, TOLD, Outcome
from lib.campaign.state import CampaignState

MEANING = {
    "sent": "TagoIO accepted it",
    "fallback": "told by another channel",
    "skipped": "left out by a rule",
    "held": "not now, by a rule; the next run takes it up",
    "failed": "not told",
    "unknown": "told or not, that could not be settled",
    "pending": "not told yet",
}


@dataclass(slots=True)
class Report:
    """`notes` are remarks worth reading; `undone` counts what could not be done and is no user's outcome; `seconds` is
    how long the run took."""

    run: str
    states: dict[str, CampaignState]
    notes: list[str] = field(default_factory=list)
    undone: int = 0
    seconds: float = 0.0
    _has_said: bool = False
    _debug: Callable[..., Any] = field(default_factory=lambda: structlog.get_logger().bind().debug)

    def outcomes(self) -> Iterator[Outcome]:
        """Those that this run has come to."""
        for state in self.states.values():
            yield from state.echoes(self.run)
            yield from (outcome for outcome in state.outcomes.values() if outcome.run == self.run)

    def counts(self) -> Counter[str]:
        return Counter(outcome.status for outcome in self.outcomes())

    def log(self, key: str, outcome: Outcome) -> None:
        """A line for each outcome, for who asks for that."""
        self._has_said = True
        self._debug(
            "outcome", campaign=key, user=outcome.user_id, status=outcome.status,
            reason=outcome.reason, channel=outcome.channel, step=outcome.step,
        )  # fmt: skip

    def note(self, text: str, *, undone: int = 0) -> None:
        """Each remark once."""
        self.undone += undone
        if text not in self.notes:
            self.notes.append(text)

    @property
    def exit_code(self) -> int:
        """0 when everyone was sent to or left out by a rule."""
        counts = self.counts()
        return 1 if counts["failed"] + counts["unknown"] + counts["pending"] + self.undone else 0

    def figures(self) -> dict[str, float]:
        """For the one canonical log line."""
        counts = self.counts()
        return {**{status: counts[status] for status in STATUSES}, "seconds": round(self.seconds, 2)}

    def summary(self) -> Iterator[str]:
        """The lines a person reads at the end."""
        counts = self.counts()
        total, told = counts.total(), sum(counts[status] for status in TOLD)
        yield f"{self._headline(told, total)} in {self.seconds:.1f} s"
        reasons: defaultdict[str, defaultdict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        for outcome in self.outcomes():
            if outcome.reason:
                reasons[outcome.status][outcome.reason].append(outcome.user_name or outcome.user_id)
        for status in STATUSES:
            if counts[status]:
                yield f"  {status:<8}{counts[status]:>6}   {MEANING[status]}"
                for reason, users in reasons[status].items():
                    yield f"             {reason}: {few_names(users)}"
        for note in self.notes:
            yield f"  note: {note}"

    def _headline(self, told: int, total: int) -> str:
        """An escalation is told from a round."""
        if not total:
            why = "another run has settled it" if self._has_said else "there was nobody to tell"
            return f"Notified nobody: {why},"
        added = [outcome for outcome in self.outcomes() if outcome.step]
        headline = f"Notified {told} of {total} user{'s' * (total != 1)}"
        if len(added) == total:
            return f"{headline} by escalation, step {', '.join(map(str, sorted({each.step for each in added})))},"
        return headline + (f", {sum(each.status in TOLD for each in added)} of them by escalation," if added else "")
