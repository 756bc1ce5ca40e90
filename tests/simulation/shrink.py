"""Makes a scenario that fails smaller, as long as it fails in the same way: whoever reads it should read little."""

from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from typing import Any

from tests.simulation.scenario import Person, Platform, Scenario, Setup

LISTS = ("runs", "faults", "outages", "changes", "people")
MOST_TRIES = 600


def shrunk(scenario: Scenario, fails: Callable[[Scenario], bool]) -> Scenario:
    """The smallest scenario found; `fails` says whether one still fails in the same way."""
    tries = 0
    is_smaller = True
    while is_smaller:
        is_smaller = False
        for candidate in filter(_is_sound, _smaller(scenario)):
            tries += 1
            if tries > MOST_TRIES:
                return scenario
            if fails(candidate):
                scenario, is_smaller = candidate, True
                break
    return scenario


def _is_sound(scenario: Scenario) -> bool:
    """Settings that lib takes."""
    setup = scenario.setup
    needs_journal = setup.remind_after or setup.escalate_after
    return (setup.has_journal or not needs_journal) and bool(setup.fallback or not setup.remind_after)


def _smaller(scenario: Scenario) -> Iterator[Scenario]:
    """The boldest first."""
    for name in LISTS:
        listed = getattr(scenario, name)
        if name != "people" and len(listed) > 1:
            yield _with(scenario, name, ())
        for place in reversed(range(len(listed))):
            if len(listed) > 1 or name != "people":
                yield _with(scenario, name, listed[:place] + listed[place + 1 :])
    yield from _usual_part(scenario, "platform", Platform())
    yield from _usual_part(scenario, "setup", Setup())
    for name in ("runs", "people"):
        yield from _usual_parts(scenario, name)
    if scenario.preempt:
        yield replace(scenario, preempt=0)
    if scenario.stretch != 1.0:
        yield replace(scenario, stretch=1.0)


def _with(given: Any, name: str, value: Any) -> Any:
    """The same with another value for one of its fields."""
    return replace(given, **{name: value})


def _usual_part(scenario: Scenario, name: str, usual: Any) -> Iterator[Scenario]:
    """One value after another as it usually is."""
    part = getattr(scenario, name)
    for field in fields(part):
        if getattr(part, field.name) != getattr(usual, field.name) and field.name != "is_alarm":
            yield _with(scenario, name, _with(part, field.name, getattr(usual, field.name)))


def _usual_parts(scenario: Scenario, name: str) -> Iterator[Scenario]:
    """Runs that are not killed, frozen or off their clock; people like others."""
    plain: dict[str, Any] = {"killed_at": 0, "frozen_at": 0, "skew": 0.0} if name == "runs" else {}
    if name == "people":
        plain = {field.name: getattr(Person(), field.name) for field in fields(Person) if field.name != "group"}
    listed = getattr(scenario, name)
    for place, each in enumerate(listed):
        for key, value in plain.items():
            if getattr(each, key) != value:
                yield _with(scenario, name, (*listed[:place], _with(each, key, value), *listed[place + 1 :]))
