"""Loads analysis.py and lib with another clock, sleep, randomness, threads and wire; all names of lib that the
simulation knows stand here.

Nothing else of lib is replaced. Real runs are processes of their own; here they share one interpreter, so what lib
keeps in its modules is kept apart by process, too.
"""

import importlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from re import Pattern
from typing import Any

from tests.simulation.mutation import ROOT, Mutating, Mutation
from tests.simulation.threads import World, simulated_modules
from tests.simulation.wire import Broken, Channel, Response, Wire

ENVIRONMENT = {"TAGOIO_API": "http://localhost", "T_ANALYSIS_CONTEXT": "tago-io", "T_ANALYSIS_ID": "d" * 24}


class Loaded:
    """lib, once in this process. `wire` is that of the day that is being simulated."""

    wire: Wire
    compose: Callable[[Any, Any], Any]
    decide: Callable[[Any], Any]

    def __init__(self, mutations: Sequence[Mutation] = ()) -> None:
        os.environ.clear()
        os.environ.update(ENVIRONMENT)
        self.analysis: Any = _load(mutations)
        modules: Mapping[str, Any] = sys.modules
        self._start = modules["lib.app.start"].start
        self.analysis.compose = lambda trigger, user: self.compose(trigger, user)
        self.analysis.decide = lambda press: self.decide(press)
        modules["lib.fallback.fallback"]._service = self._service
        log = modules["lib.base.log"]
        log._forms, log._pattern = _OwnForms(), _OwnPattern()
        modules["lib.delivery.delivery"].Task.__hash__ = _hash_of_task
        self._replace_wire()
        self._save_time()

    def run(self, token: str, environment: str, data: str) -> int:
        """A whole run as TagoIO starts it; its exit code. Called in a fiber of its process."""
        os.environ.update(T_ANALYSIS_TOKEN=token, T_ANALYSIS_ENV=environment, T_ANALYSIS_DATA=data)
        return int(self._start(self.analysis.notify, ROOT))

    def _replace_wire(self) -> None:
        connection: Any = sys.modules["lib.tagoio.connection"]

        def exchange(
            _connections: Any, method: str, target: str, headers: dict[str, str], body: bytes, limit: float
        ) -> Response:
            try:
                return self.wire.exchanged(method, target, body, headers, limit)
            except Broken as error:
                raise connection.Unanswered(error.reason, was_sent=error.was_sent, timed_out=error.timed_out) from error

        connection.Connections.exchange = exchange
        connection.Connections.__init__ = lambda *_: None

    @staticmethod
    def _save_time() -> None:
        """What a real run does once and this process thousands of times; no answer of it changes."""
        import difflib

        found = lru_cache(maxsize=1000)(difflib.get_close_matches)
        difflib.get_close_matches = lambda word, listed, n=3, cutoff=0.6: found(word, tuple(listed), n, cutoff)

    def _service(self, address: str, user: Any) -> Channel:
        """In place of Apprise, which would speak to the world."""
        return Channel(self.wire, address, user.id)


class _Stream:
    """Standard output or error: each process has its own."""

    encoding = "utf-8"

    def __init__(self, name: str) -> None:
        self._name = name

    def write(self, text: str) -> int:
        scheduler = World.scheduler
        getattr(scheduler.current.process, self._name).append((scheduler.now, text))
        return len(text)

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return False


class _OwnForms:
    """lib.base.log keeps secrets in its module; a process knows its own only."""

    def update(self, forms: Iterable[str]) -> None:
        World.scheduler.current.process.secrets.update(forms)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(World.scheduler.current.process.secrets))


class _OwnPattern:
    """What they are searched by."""

    def __setitem__(self, _all: slice, patterns: list[Pattern[str]]) -> None:
        World.scheduler.current.process.patterns = patterns

    def __iter__(self) -> Iterator[Pattern[str]]:
        return iter(World.scheduler.current.process.patterns)


def _hash_of_task(task: Any) -> int:
    """The send loop has sets of tasks, which would be in the order of their addresses: another one each time."""
    return hash(task.user.id)


class Streams:
    """While it is entered, what is printed goes to the process that prints it."""

    def __enter__(self) -> None:
        self._before = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = _Stream("out"), _Stream("err")

    def __exit__(self, *_: object) -> None:
        sys.stdout, sys.stderr = self._before


def preload() -> None:
    """What lib imports from elsewhere sees the real clock and the real threads."""
    os.environ.update(ENVIRONMENT)  # the SDK reads one of them when it is imported
    for name in ("structlog", "certifi", "tagoio_sdk", "tagoio_sdk.modules.Device.Device", "dotenv"):
        importlib.import_module(name)


def _load(mutations: Sequence[Mutation]) -> Any:
    preload()
    simulated = simulated_modules()
    real = {name: importlib.import_module(name) for name in simulated}
    finder = Mutating(mutations)
    sys.meta_path.insert(0, finder)
    sys.modules.update(simulated)
    try:
        return importlib.import_module("analysis")
    finally:
        sys.modules.update(real)
        sys.meta_path.remove(finder)
