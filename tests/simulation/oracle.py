"""Judges a day: every promise, held against what TagoIO carried out and what the runs said; it knows nothing of lib."""

from collections.abc import Callable, Iterator

from tests.simulation import promises_decided, promises_order, promises_said, promises_told, promises_words
from tests.simulation.facts import Facts, facts_of
from tests.simulation.findings import known
from tests.simulation.history import History
from tests.simulation.violation import Violation

PROMISES: tuple[Callable[[Facts], Iterator[Violation]], ...] = (
    *promises_told.PROMISES,
    *promises_said.PROMISES,
    *promises_words.PROMISES,
    *promises_decided.PROMISES,
    *promises_order.PROMISES,
)


def judge(history: History) -> tuple[list[Violation], list[str]]:
    """What is broken, and the names of the known findings that were met."""
    facts = facts_of(history)
    if history.stuck:  # then nothing else of that day has come to its end
        broken = [Violation("every run ends", history.stuck)]
    else:
        broken = [violation for promise in PROMISES for violation in promise(facts)]
    names = [known(facts, violation) for violation in broken]
    return [each for each, name in zip(broken, names, strict=True) if not name], sorted(
        {each for each in names if each}
    )
