"""What happened on a simulated day: what the server carried out, and what the runs said. The oracle knows no more."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.simulation.request import Request
from tests.simulation.scenario import Run, Scenario
from tests.simulation.scheduler import Process
from tests.simulation.server import Note, Server

MARK = re.compile(r"-([ne])([a-z2-7]{10})$")  # docs/delivery.md: behind each button's id


@dataclass(frozen=True, slots=True)
class Tried:
    """A message handed to another channel, and whether it took it."""

    at: float
    process: str
    user: str
    channel: str
    text: str
    is_taken: bool


@dataclass(frozen=True, slots=True)
class Decided:
    """A call of the developer's `decide`."""

    at: float
    process: str
    user: str
    button: str
    campaign: str


@dataclass(slots=True)
class Ran:
    """A run: when it started and ended (or was killed), its exit code (None where it has none), what it printed."""

    name: str
    run: Run
    started: float
    process: Process
    is_quiet: bool = False
    pressed: dict[str, str] = field(default_factory=dict)  # the ids that a press was handed in with
    is_honest: bool = False
    ended: float | None = None
    killed: float | None = None
    code: int | None = None

    @property
    def over(self) -> float:
        """When it ended or died."""
        return next((at for at in (self.ended, self.killed) if at is not None), float("inf"))

    @property
    def console(self) -> str:
        return "".join(text for _, text in self.process.out)

    @property
    def log(self) -> str:
        return "".join(text for _, text in self.process.err)

    def outcomes(self) -> Iterator[tuple[float, dict[str, Any]]]:
        """What it said of each user, when (log_level debug)."""
        for at, text in self.process.err:
            if text.startswith("{") and '"event": "outcome"' in text:
                yield at, json.loads(text)


@dataclass(slots=True)
class History:
    scenario: Scenario
    requests: list[Request] = field(default_factory=list)
    tried: list[Tried] = field(default_factory=list)
    decided: list[Decided] = field(default_factory=list)
    ran: list[Ran] = field(default_factory=list)
    trouble_ended: float = 0.0
    stuck: str = ""  # where, if the day came to no end
    server: Server = None  # type: ignore[assignment]  # set when the day begins

    def notes(self) -> list[Note]:
        """What TagoIO was made to create."""
        return [note for note in self.server.notes if note.by]


def campaign_of(note: Note) -> str:
    """The key in the mark of its buttons, "" without one."""
    for button in note.body.get("buttons", []):
        found = MARK.search(button["id"])
        if found:
            return found[2]
    return ""
