"""Judges a day: every promise, held against what TagoIO carried out and what the runs said; it knows nothing of lib."""

from collections.abc import Callable, Iterator

from tests.simulation import promises_decided, promises_order, promises_said, promises_told, promises_words
from tests.simulation.facts import Facts, facts_of
from tests.simulation.history import History
from tests.simulation.violation import Violation

PROMISES: tuple[Callable[[Facts], Iterator[Violation]], ...] = (
    *promises_told.PROMISES,
    *promises_said.PROMISES,
    *promises_words.PROMISES,
    *promises_decided.PROMISES,
    *promises_order.PROMISES,
)


def judge(history: History) -> list[Violation]:
    """What is broken."""
    facts = facts_of(history)
    if history.stuck:  # then nothing else of that day has come to its end
        return [Violation("every run ends", history.stuck)]
    return [violation for promise in PROMISES for violation in promise(facts)]
