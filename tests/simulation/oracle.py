"""Judges a day: every promise, held against what TagoIO carried out and what the runs said; it knows nothing of lib."""

from collections.abc import Callable, Iterator

from tests.simulation import (
    promises_alarm,
    promises_decided,
    promises_order,
    promises_said,
    promises_told,
    promises_words,
)
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

OF_AN_ALARM: tuple[Callable[[Facts], Iterator[Violation]], ...] = (
    *promises_alarm.PROMISES,
    promises_words.nothing_broke,
    promises_words.no_secret_shows,
    promises_decided.decide_is_called_once,
    promises_decided.decisions_are_honest,
    promises_order.time_budget_holds,
    promises_order.limits_are_respected,
    promises_order.everything_settles,
)


def judge(history: History) -> list[Violation]:
    """What is broken."""
    facts = facts_of(history)
    if history.stuck:  # then nothing else of that day has come to its end
        return [Violation("every run ends", history.stuck)]
    promises = OF_AN_ALARM if history.scenario.setup.is_alarm else PROMISES
    return [violation for promise in promises for violation in promise(facts)]
