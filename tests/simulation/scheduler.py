"""Virtual time and the baton: one fiber runs at a time, and a seeded generator chooses who is next.

A process is a run of the Analysis; its fibers (threads) die and freeze together. What the machine of the server does at
an instant stands in the same queue as a plain function.
"""

import heapq
import sys
import traceback
from collections.abc import Callable
from random import Random
from re import Pattern
from types import FrameType
from typing import Any, cast

from greenlet import GreenletExit, getcurrent, greenlet  # type: ignore[import-untyped]

EPOCH = 1_790_000_040.0  # seconds: when every simulated day begins, on the minute
MOST_TURNS = 60_000  # a day that takes more goes round in circles
LEAST = 0.002  # seconds: a loop that does not sleep takes time all the same
IDLE = 0.3  # seconds: a shorter sleep is a look for something to do


LOCALS: list[Any] = []  # every `threading.local` of lib; they are made once, when lib is loaded


class Stuck(BaseException):  # nothing of lib may catch it
    """The day does not come to an end."""


class Process:
    """A run of the Analysis: what its fibers share, and what they have said."""

    def __init__(self, name: str, skew: float = 0.0) -> None:
        self.name = name
        self.skew = skew  # seconds that its clock is ahead of the world's
        self.is_dead = False
        self.frozen_until = 0.0
        self.frozen_for = 0.0
        self.out: list[tuple[float, str]] = []  # what it printed when
        self.err: list[tuple[float, str]] = []
        self.secrets: set[str] = set()  # what it keeps out of its own output, and what finds them
        self.patterns: list[Pattern[str]] = []
        self.fibers: list[Fiber] = []


class Fiber:
    """A thread of a process. `turn` tells a wake-up that still counts from one that was overtaken."""

    __slots__ = ("greenlet", "is_over", "joiners", "places", "process", "turn")

    def __init__(self, process: Process) -> None:
        self.process = process
        self.greenlet: Any = None
        self.turn = 0
        self.is_over = False
        self.joiners: list[Fiber] = []
        self.places: list[dict[str, Any]] = [{} for _ in LOCALS]  # what is local to this thread, by the order of LOCALS


class Scheduler:
    """The queue of what happens when. `stretch` is by how much a short sleep is longer than asked for, as on a busy
    machine; `preempt` is after how many locks the baton is handed over in the midst of a thread (0: never)."""

    def __init__(self, random: Random, *, stretch: float = 1.0, preempt: int = 0) -> None:
        self.now = 0.0
        self.random = random
        self.turns = 0
        self.most_turns = MOST_TURNS
        self.stretch = stretch
        self.preempt = preempt
        self._until_preempted = preempt
        self._heap: list[tuple[float, float, int, Any]] = []
        self._hub = Fiber(Process("the world"))
        self._hub.greenlet = getcurrent()
        self._is_over = False
        self.processes: list[Process] = []
        self.current = self._hub

    # ---- what happens when

    def at(self, when: float, do: Callable[[], None]) -> None:
        """`do` must not wait for anything."""
        heapq.heappush(self._heap, (when, self.random.random(), -1, do))

    def wake(self, fiber: Fiber, when: float) -> None:
        fiber.turn += 1
        heapq.heappush(self._heap, (when, self.random.random(), fiber.turn, fiber))

    def start(self, process: Process, work: Callable[[], None]) -> Fiber:
        """A new thread of that process."""
        fiber = Fiber(process)
        process.fibers.append(fiber)

        def begin() -> None:
            self._resume(fiber)
            try:
                work()
            except Exception:
                process.err.append((self.now, traceback.format_exc()))
            finally:
                fiber.is_over = True
                if not self._is_over:
                    for joiner in fiber.joiners:
                        self.wake(joiner, self.now)

        fiber.greenlet = greenlet(begin, self._hub.greenlet)
        self.wake(fiber, self.now)
        return fiber

    # ---- what a fiber does

    def sleep(self, seconds: float) -> None:
        self.pause(max(seconds, LEAST) * (self.stretch if seconds < IDLE else 1.0))

    def pause(self, seconds: float) -> None:
        """As long as the world says, not the machine."""
        self.wake(self.current, self.now + seconds)
        self.hand_over()

    def hand_over(self) -> None:
        """The baton goes to whoever is next; returns when it is back. Who is to be woken must stand in the queue, or
        somebody must know of it."""
        if self._is_over:
            raise GreenletExit
        fiber = self.current
        following = self._next()
        if following is not fiber:
            following.greenlet.switch()
            if self._is_over:
                raise GreenletExit
            self._resume(fiber)

    def locked(self) -> None:
        """A lock was taken: now and then another thread goes on in between."""
        if self.preempt and self.current is not self._hub:
            self._until_preempted -= 1
            if self._until_preempted <= 0:
                self._until_preempted = self.random.randint(1, 2 * self.preempt)
                self.wake(self.current, self.now)
                self.hand_over()

    # ---- the world

    def run(self) -> None:
        """Until nothing is left to happen."""
        while self._heap:
            following = self._next()
            if following is self._hub:
                break
            following.greenlet.switch()
        self._resume(self._hub)

    def end(self) -> None:
        """Throw away what is left of every thread."""
        self._is_over = True
        for process in self.processes:
            for fiber in process.fibers:
                if not fiber.is_over and fiber.greenlet:
                    fiber.greenlet.throw(GreenletExit)
        self._heap.clear()

    def _next(self) -> Fiber:
        heap = self._heap
        while heap:
            when, _, turn, what = heapq.heappop(heap)
            if turn < 0:
                self.now = max(self.now, when)
                what()
                continue
            process = what.process
            if turn != what.turn or process.is_dead:
                continue
            if process.frozen_until > when:
                heapq.heappush(heap, (process.frozen_until, self.random.random(), turn, what))
                continue
            self.turns += 1
            if self.turns > self.most_turns:
                raise Stuck(f"no end after {self.turns} turns, at {self.now:.0f} s: {self._where()}")
            self.now = max(self.now, when)
            return cast(Fiber, what)
        return self._hub

    def _where(self) -> str:
        """What the runs that are not over are at, from the inside out."""
        places = []
        for process in self.processes:
            main = process.fibers[0]
            if not (main.is_over or process.is_dead):
                frame = sys._getframe() if main is self.current else main.greenlet.gr_frame
                places.append(f"{process.name} in {_lib_functions(frame)}")
        return "; ".join(places)

    def _resume(self, fiber: Fiber) -> None:
        self.current = fiber
        for local, place in zip(LOCALS, fiber.places, strict=True):
            local.__dict__ = place


def _lib_functions(frame: FrameType | None) -> str:
    names: list[str] = []
    while frame and len(names) < 4:
        if "/lib/" in frame.f_code.co_filename and "python" not in frame.f_code.co_filename:
            names.append(frame.f_code.co_qualname)
        frame = frame.f_back
    return " < ".join(names)
