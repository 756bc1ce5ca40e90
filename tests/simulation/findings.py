"""What the simulator has found in lib and is not mended yet: each is tolerated by a narrow rule, so that others show.

To be emptied. A mended one is taken out, and its seeds stay in kept_seeds.txt.
"""

from collections.abc import Callable
from dataclasses import dataclass

from tests.simulation.facts import Facts
from tests.simulation.violation import Violation

TWICE = ("nobody twice", "pending is true")


@dataclass(frozen=True, slots=True)
class Finding:
    name: str
    is_this: Callable[[Facts, Violation], bool]


class Strict:
    """Whether known findings count as failures too; set before anything is simulated."""

    is_on = False


def known(facts: Facts, violation: Violation) -> str:
    """The name of the finding that a violation belongs to, "" for a new one."""
    return "" if Strict.is_on else next((finding.name for finding in FINDINGS if finding.is_this(facts, violation)), "")


def _at_it(facts: Facts, violation: Violation) -> set[str]:
    """The processes that told anybody of that campaign."""
    told = (each for (_, topic), listed in facts.asked.items() if topic == violation.topic for each in listed)
    tried = (each for (_, topic), listed in facts.tried.items() if topic == violation.topic for each in listed)
    return {each.process for each in (*told, *tried)}


def _frozen_beside_another(facts: Facts, violation: Violation) -> bool:
    """Frozen for longer than the lease while another run took over; back, a user is told by both."""
    frozen = any(facts.runs[name].process.frozen_for > 8 for name in _at_it(facts, violation))
    return violation.promise in TWICE and frozen and len(_at_it(facts, violation)) > 1


def _journal_lost(facts: Facts, violation: Violation) -> bool:
    """The run that told them lost its journal, so later runs lack rows: a copy of which nobody knows stays open."""
    return violation.promise == "every copy is closed" and any(map(facts.is_blind, _at_it(facts, violation)))


FINDINGS: tuple[Finding, ...] = ()
