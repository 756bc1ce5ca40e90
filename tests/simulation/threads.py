"""What lib sees as the modules `threading`, `time` and `secrets`: the scheduler's."""

from collections.abc import Callable
from types import ModuleType
from typing import Any, Self

from tests.simulation.scheduler import EPOCH, LOCALS, Fiber, Scheduler


class World:
    """The scheduler of the day that is being simulated; lib is loaded once and lives through many days."""

    scheduler: Scheduler


class Local:
    """`threading.local`: the scheduler lays the running thread's values into it."""

    def __init__(self) -> None:
        LOCALS.append(self)


class Thread:
    """`threading.Thread`, as lib uses it."""

    def __init__(self, *, target: Callable[[], None], daemon: bool = False) -> None:
        self._target = target
        self._fiber: Fiber | None = None

    def start(self) -> None:
        scheduler = World.scheduler
        self._fiber = scheduler.start(scheduler.current.process, self._target)

    def is_alive(self) -> bool:
        return self._fiber is not None and not self._fiber.is_over

    def join(self, timeout: float | None = None) -> None:
        fiber, scheduler = self._fiber, World.scheduler
        if fiber is None or fiber.is_over:
            return
        fiber.joiners.append(scheduler.current)
        if timeout is None:
            scheduler.hand_over()
        else:
            scheduler.sleep(timeout)
        fiber.joiners.remove(scheduler.current)


class Lock:
    """`threading.Lock`; who waits for it gets it in the order of coming."""

    __slots__ = ("_is_held", "_waiting")

    def __init__(self) -> None:
        self._is_held = False
        self._waiting: list[Fiber] = []

    def acquire(self) -> bool:
        scheduler = World.scheduler
        if self._is_held:
            self._waiting.append(scheduler.current)
            scheduler.hand_over()  # the lock is ours when we are woken
        self._is_held = True
        scheduler.locked()
        return True

    def release(self) -> None:
        if self._waiting:
            scheduler = World.scheduler
            scheduler.wake(self._waiting.pop(0), scheduler.now)
        else:
            self._is_held = False

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


class Event:
    """`threading.Event`."""

    def __init__(self) -> None:
        self._is_set = False
        self._waiting: list[Fiber] = []

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        self._is_set = True
        for fiber in self._waiting:
            World.scheduler.wake(fiber, World.scheduler.now)
        self._waiting = []

    def wait(self, timeout: float) -> bool:
        scheduler = World.scheduler
        if not self._is_set:
            self._waiting.append(scheduler.current)
            scheduler.sleep(timeout)
            if scheduler.current in self._waiting:
                self._waiting.remove(scheduler.current)
        return self._is_set


def simulated_modules() -> dict[str, ModuleType]:
    """By name, what lib imports in place of the real ones."""

    def module(name: str, **parts: Any) -> ModuleType:
        made = ModuleType(name)
        made.__dict__.update(parts)
        return made

    def clock() -> float:
        scheduler = World.scheduler
        return EPOCH + scheduler.now + scheduler.current.process.skew

    return {
        "threading": module("threading", Thread=Thread, Lock=Lock, Event=Event, local=Local),
        "time": module(
            "time",
            time=clock,
            monotonic=lambda: 1000.0 + World.scheduler.now,
            sleep=lambda seconds: World.scheduler.sleep(seconds),
        ),
        "secrets": module(
            "secrets",
            token_hex=lambda size: World.scheduler.random.randbytes(size).hex(),
            token_bytes=lambda size: World.scheduler.random.randbytes(size),
        ),
    }
