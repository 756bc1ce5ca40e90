"""A scenario in virtual time: the simulation's scheduler, and real runs of lib under it, in this very process.

The scenario is one fiber, each request at the stand-in another, and each run of the Analysis has its own; so a minute
of waiting takes no time, and a busy machine changes nothing.
"""

import difflib
import heapq
import importlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import structlog

from tests.processes import ROOT
from tests.promises.clock import InCharge
from tests.simulation.patches import Loaded, Streams
from tests.simulation.scheduler import Fiber, Process, Scheduler
from tests.simulation.threads import World
from tests.simulation.wire import Broken, Response

BEGIN = 66 * 86400.0  # seconds after the simulation's epoch: later than any time that a scenario names
LATENCY = 0.002  # seconds of a request on its way, and of its answer
JITTER = 0.0005  # seconds more, at most
LATE = float("inf")
MOST_TURNS = 3_000_000  # a scenario that takes more goes round in circles
OURS = ("analysis", "lib", "tagoio_sdk")  # these are loaded anew, as they keep the clock and the environment


@dataclass(frozen=True, slots=True)
class Answer:
    """What the stand-in answers; `broken`: reset or cut, or ok; so many seconds for each byte."""

    status: int
    headers: dict[str, str]
    content: bytes
    broken: str
    drip: float


Serve = Callable[[str, str, Mapping[str, str], bytes], Answer]


class VirtualWire:
    """Carries requests of runs to the stand-in: what takes the place of lib's connections."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self._server = Process("TagoIO")
        World.scheduler.processes.append(self._server)

    def exchanged(self, method: str, target: str, body: bytes | None, headers: dict[str, str], limit: float) -> Any:
        """The answer to one request, which may take `limit` seconds. Raises Broken."""
        scheduler = World.scheduler
        client = scheduler.current
        answers: list[Answer] = []
        is_waiting = True

        def serve() -> None:
            scheduler.pause(LATENCY + JITTER * scheduler.random.random())
            answer = self._serve(method, target, headers, body or b"")
            scheduler.pause(LATENCY + JITTER * scheduler.random.random() + answer.drip * len(answer.content))
            answers.append(answer)
            if is_waiting:
                scheduler.wake(client, scheduler.now)

        scheduler.start(self._server, serve)
        scheduler.wake(client, scheduler.now + limit)
        scheduler.hand_over()
        is_waiting = False
        if not answers:
            raise Broken("timed out", timed_out=True)
        (answer,) = answers
        if answer.broken == "reset":
            raise Broken("Connection reset by peer")
        if answer.broken == "cut":
            raise Broken("IncompleteRead(1 bytes read, 39 more expected)")
        return Response(answer.status, {name.lower(): text for name, text in answer.headers.items()}, answer.content)


class Hook:
    """What takes the place of Apprise's service for an address of the stand-in."""

    def __init__(self, wire: VirtualWire) -> None:
        self._wire = wire

    def notify(self, *, title: str, body: str, body_format: str) -> bool:
        content = f'{{"title": {title!r}, "message": {body!r}}}'.encode()
        return bool(self._wire.exchanged("POST", "/hook", content, {}, 8.0).status < 300)


class VirtualRun:
    """As tests.processes.Started, under the scheduler."""

    def __init__(self, env: dict[str, str], script: Path, wire: VirtualWire) -> None:
        assert script == ROOT / "analysis.py", "another script needs a real process"
        scheduler = World.scheduler
        self._process = Process(f"run {len(scheduler.processes)}")
        self._code: int | None = None
        self._waiting: list[Fiber] = []
        scheduler.processes.append(self._process)
        scheduler.start(self._process, lambda: self._main(env, wire))

    def _main(self, env: dict[str, str], wire: VirtualWire) -> None:
        lib = _lib()
        lib.loaded.wire = wire  # type: ignore[assignment]
        os.environ.clear()
        os.environ.update(env)
        code = 1
        try:
            code = int(lib.start(lib.notify, ROOT))
        finally:
            self._end(code)

    def _end(self, code: int) -> None:
        if self._code is None:
            self._code = code
            self._process.is_dead = True  # its other threads are daemons
            for fiber in self._waiting:
                World.scheduler.wake(fiber, World.scheduler.now)

    def kill(self) -> None:
        self._end(-signal.SIGKILL)

    def close(self) -> None:
        self.kill()

    def send_signal(self, number: signal.Signals) -> None:
        """SIGSTOP or SIGCONT."""
        assert isinstance(World.scheduler, Machine)
        if number == signal.SIGSTOP:
            self._process.frozen_until = LATE
        else:
            World.scheduler.thaw(self._process)

    def poll(self) -> int | None:
        return self._code

    def wait(self, timeout: float | None = None) -> int:
        scheduler = World.scheduler
        if self._code is None:
            self._waiting.append(scheduler.current)
            scheduler.wake(scheduler.current, scheduler.now + (timeout or LATE))
            scheduler.hand_over()
            self._waiting.remove(scheduler.current)
        if self._code is None:
            raise subprocess.TimeoutExpired("python", timeout or 0)
        return self._code

    def text(self) -> tuple[str, str]:
        out, err = ("".join(text for _, text in said) for said in (self._process.out, self._process.err))
        return out, err


class Machine(Scheduler):
    """A scheduler under which a scenario is one of the processes."""

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.now = BEGIN
        self.turns = -MOST_TURNS

    def thaw(self, process: Process) -> None:
        process.frozen_until = 0.0
        self._heap = [
            (self.now if turn >= 0 and what.process is process and when == LATE else when, order, turn, what)
            for when, order, turn, what in self._heap
        ]
        heapq.heapify(self._heap)

    def play(self, scenario: Callable[[], None]) -> None:
        """Raises what it raises."""
        failed: list[BaseException] = []

        def caught() -> None:
            try:
                scenario()
            except BaseException as error:
                failed.append(error)

        process = Process("the scenario")
        self.processes.append(process)
        fiber = self.start(process, caught)
        try:
            while not fiber.is_over:
                following = self._next()
                assert following is not self._hub, "nothing is left to happen"
                following.greenlet.switch()
        finally:
            self._resume(self._hub)
            self.end()
        if failed:
            raise failed[0]


class VirtualLib:
    """lib, loaded with the scheduler's clock and threads; beside the one that other tests have."""

    def __init__(self) -> None:
        self._modules: dict[str, ModuleType] = {}
        with self.entered():
            self.loaded = Loaded()
            del sys.modules["analysis"]
            self.notify = importlib.import_module("analysis").notify  # with its own compose and decide
            self.start = sys.modules["lib.app.start"].start
            service: Any = sys.modules["lib.fallback.fallback"]
            service._service = lambda _address, _user: Hook(self.loaded.wire)  # type: ignore[arg-type]

    @contextmanager
    def entered(self) -> Iterator[None]:
        """While it is, imports find this lib; and nothing that a run changes stays changed."""
        environment, matches = dict(os.environ), difflib.get_close_matches
        others = _taken_out()
        sys.modules.update(self._modules)
        try:
            yield
        finally:
            self._modules = _taken_out()
            sys.modules.update(others)
            difflib.get_close_matches = matches
            os.environ.clear()
            os.environ.update(environment)
            structlog.reset_defaults()


def _taken_out() -> dict[str, ModuleType]:
    return {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] in OURS}


@cache
def _lib() -> VirtualLib:
    return VirtualLib()


def play(scenario: Callable[[], None], seed: int) -> None:
    """The scenario in virtual time; the seed draws what goes on at the same instant in which order."""
    lib = _lib()
    World.scheduler = InCharge.scheduler = machine = Machine(Random(seed))
    try:
        with lib.entered(), Streams():
            machine.play(scenario)
    finally:
        InCharge.scheduler = None
