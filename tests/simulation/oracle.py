"""Judges a day: every promise, held against what TagoIO carried out and what the runs said. It imports nothing of lib."""

from collections.abc import Callable, Iterator

from tests.simulation import promises_decided, promises_order, promises_said, promises_told
from tests.simulation.facts import Facts, facts_of
from tests.simulation.history import History
from tests.simulation.violation import Violation

PROMISES: tuple[Callable[[Facts], Iterator[Violation]], ...] = (
    *promises_told.PROMISES,
    *promises_said.PROMISES,
    *promises_decided.PROMISES,
    *promises_order.PROMISES,
)


def judge(history: History) -> list[Violation]:
    facts = facts_of(history)
    return [violation for promise in PROMISES for violation in promise(facts)]
