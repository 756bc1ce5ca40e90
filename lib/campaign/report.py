"""What became of each user, and the views of it: summary, log line, exit code."""

import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

Status = Literal["sent", "fallback", "skipped", "held", "failed", "unknown", "pending"]
STATUSES: tuple[Status, ...] = ("sent", "fallback", "skipped", "held", "failed", "unknown", "pending")
NAMES_SHOWN = 20  # of the users with one reason
MEANING = {
    "sent": "TagoIO accepted it",
    "fallback": "told by another channel",
    "skipped": "left out by a rule",
    "held": "not now, by a rule; the next run takes it up",
    "failed": "not told",
    "unknown": "told or not, that could not be settled",
    "pending": "not told yet",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one user. `sent`: TagoIO accepted it and gave an id; whether it was seen, nobody knows. `channel`
    is the service that took it instead; `step` that of the escalation which the user belongs to, 0 for the first
    audience."""

    user_id: str
    user_name: str
    status: Status
    reason: str = ""
    notification_id: str = ""
    subject: str = ""
    priority: str = ""
    channel: str = ""
    step: int = 0


@dataclass(slots=True)
class Report:
    """All outcomes of a run. `seconds` is how long it took; `notes` are remarks worth reading."""

    outcomes: list[Outcome] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0
    left_behind: int = 0  # users of an earlier run's campaign that could not be taken up
    counts: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, outcome: Outcome) -> None:
        """Callable from any thread."""
        with self._lock:
            self.outcomes.append(outcome)
            self.counts[outcome.status] += 1

    @property
    def not_told(self) -> int:
        return self.counts["failed"] + self.counts["unknown"] + self.counts["pending"]

    @property
    def exit_code(self) -> int:
        """0 when everyone was sent to or left out by a rule."""
        return 1 if self.not_told or self.left_behind else 0

    def figures(self) -> dict[str, float]:
        """For the one canonical log line."""
        return {**{status: self.counts[status] for status in STATUSES}, "seconds": round(self.seconds, 2)}

    def summary(self) -> Iterator[str]:
        """The lines a person reads at the end."""
        total = len(self.outcomes)
        told = self.counts["sent"] + self.counts["fallback"]
        yield f"Notified {told} of {total} user{'s' * (total != 1)} in {self.seconds:.1f} s"
        for status in STATUSES:
            if self.counts[status]:
                yield f"  {status:<8}{self.counts[status]:>6}   {MEANING[status]}"
                yield from self._reasons(status)
        for note in self.notes:
            yield f"  note: {note}"

    def _reasons(self, status: Status) -> Iterator[str]:
        names: defaultdict[str, list[str]] = defaultdict(list)
        for outcome in self.outcomes:
            if outcome.status == status and outcome.reason:
                names[outcome.reason].append(outcome.user_name or outcome.user_id)
        for reason, users in names.items():
            yield f"             {reason}: {few_names(users)}"


def few_names(names: Iterable[str]) -> str:
    """The first of them by name, the others by number."""
    listed = list(names)
    more = f" and {len(listed) - NAMES_SHOWN} more" if len(listed) > NAMES_SHOWN else ""
    return ", ".join(listed[:NAMES_SHOWN]) + more
