"""A day as lines to read: who did what when, in virtual time."""

import json
from collections.abc import Iterator
from dataclasses import asdict, fields
from typing import Any

from tests.simulation.history import History, Ran
from tests.simulation.request import Request
from tests.simulation.scenario import Platform, Scenario, Setup, value_of

WIDTH = 160


def trace(history: History) -> Iterator[str]:
    """The scenario, then everything that happened in its order."""
    yield from described(history.scenario)
    for at, text in sorted(_events(history), key=lambda event: event[0]):
        yield f"{at:9.3f}  {text}"


def described(scenario: Scenario) -> Iterator[str]:
    """What is drawn from the seed, without what is as usual."""
    yield f"seed {scenario.seed}, stretch {scenario.stretch:g}, preempt {scenario.preempt}"
    yield f"  platform: {_unusual(scenario.platform, Platform())}"
    yield f"  setup: {_unusual(scenario.setup, Setup())}"
    for number, person in enumerate(scenario.people):
        yield f"  person {number}: {_plain(asdict(person))}"
    for number, run in enumerate(scenario.runs, 1):
        yield f"  run {number}: {_plain({name: value for name, value in asdict(run).items() if value})}"
    for name in ("faults", "outages", "changes"):
        for each in getattr(scenario, name):
            yield f"  {name[:-1]}: {_plain(asdict(each))}"


def _unusual(given: Any, usual: Any) -> str:
    parts = {field.name: getattr(given, field.name) for field in fields(given)}
    return _plain({name: value for name, value in parts.items() if value != getattr(usual, name)}) or "as usual"


def _plain(parts: dict[str, Any]) -> str:
    return ", ".join(
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}" for name, value in parts.items()
    )


def _events(history: History) -> Iterator[tuple[float, str]]:
    for request in history.requests:
        yield request.sent_at, f"{request.process:<12} {_shown(request)}"
        for at in request.carried_at:
            if request.route in ("create", "change", "write"):
                yield at, f"{'TagoIO':<12} carried out: {request.process}'s {_shown(request)}"
        if request.answer:
            yield request.answered_at, f"{request.process:<12} got {request.answer} to {_shown(request)}"
    for tried in history.tried:
        taken = "took it" if tried.is_taken else "did not take it"
        yield tried.at, f"{tried.process:<12} told {_short(tried.user)} by {tried.channel}, which {taken}"
    for decided in history.decided:
        yield decided.at, f"{decided.process:<12} decide({_short(decided.user)}, {decided.button})"
    for change in history.scenario.changes:
        yield change.at, f"{'somebody':<12} {change.what} person {change.person}"
    for ran in history.ran:
        yield from _of_run(ran)
    yield history.trouble_ended, "the trouble is over"


def _of_run(ran: Ran) -> Iterator[tuple[float, str]]:
    about = f" at {value_of(ran.run.number)}" if ran.run.kind in ("action", "press") else ""
    yield ran.started, f"{ran.name:<12} starts: {ran.run.kind}{about}{f', {ran.run.forged}' if ran.run.forged else ''}"
    if ran.killed is not None:
        yield ran.killed, f"{ran.name:<12} IS KILLED"
    if ran.process.frozen_until:
        yield ran.process.frozen_until - ran.process.frozen_for, f"{ran.name:<12} IS FROZEN"
        yield ran.process.frozen_until, f"{ran.name:<12} goes on"
    for at, said in ran.outcomes():
        text = f"says {said['status']} of {_short(said['user'])} in {said['campaign']}: {said['reason']}"
        yield at, f"{ran.name:<12} {text}"
    for at, text in ran.process.out:
        for line in text.rstrip("\n").split("\n"):
            if line.strip():
                yield at, f"{ran.name:<12} | {line[:WIDTH]}"
    for at, text in ran.process.err:
        if not text.startswith("{"):
            yield at, f"{ran.name:<12} ! {text.strip()[-600:]}"
    if ran.ended is not None:
        yield ran.ended, f"{ran.name:<12} ends with {ran.code}"


def _shown(request: Request) -> str:
    if request.route == "create":
        return f"create #{request.number} for {_short(request.user)}: {request.body['message'][:40]}"
    if request.route == "write":
        return f"write #{request.number}: {'; '.join(_row(row) for row in request.body)}"
    if request.route == "rows":
        wanted = " ".join([*request.query.get("variables", []), *request.query.get("groups", [])])
        return f"rows #{request.number} from {request.query['skip'][0]}: {wanted}"
    if request.route == "change":
        return f"change #{request.number} of {_short(request.target)}: {json.dumps(request.body)}"
    return f"{request.route} #{request.number} {_short(request.target)}"


def _row(row: dict[str, Any]) -> str:
    about = {
        name: value for name, value in row.get("metadata", {}).items() if name in ("users", "first", "step", "press")
    }
    named = " ".join(f"{name}={' '.join(map(_short, str(value).split()))}" for name, value in about.items())
    return f"{row['variable'].removeprefix('notify_')} {row['value']} {named}".strip()


def _short(id: str) -> str:
    """`a000…02` is person 2, `b000…07` a notification."""
    kinds = {"a": "person", "b": "notification"}
    return f"{kinds[id[0]]} {int(id[1:], 16)}" if len(id) == 24 and id[0] in kinds else id
