"""The time of a scenario: this machine's, or the simulation's while a scheduler is in charge."""

import threading
import time
from collections.abc import Callable

from tests.simulation.scheduler import EPOCH, Scheduler


class InCharge:
    scheduler: Scheduler | None = None


def is_virtual() -> bool:
    return InCharge.scheduler is not None


def monotonic() -> float:
    return InCharge.scheduler.now if InCharge.scheduler else time.monotonic()


def wall() -> float:
    """Seconds since the epoch."""
    return EPOCH + InCharge.scheduler.now if InCharge.scheduler else time.time()


def sleep(seconds: float, over: threading.Event | None = None) -> None:
    """On this machine it ends early when it is `over`."""
    if InCharge.scheduler:
        InCharge.scheduler.pause(seconds)
    else:
        (over or threading.Event()).wait(seconds)


class Later:
    """What is done so many seconds from now, beside everything else."""

    def __init__(self, seconds: float, do: Callable[[], None]) -> None:
        self._do = do
        self._is_over = False
        if InCharge.scheduler:
            InCharge.scheduler.at(InCharge.scheduler.now + seconds, self._act)
            return
        timer = threading.Timer(seconds, self._act)
        timer.daemon = True
        timer.start()

    def _act(self) -> None:
        if not self._is_over:
            self._do()
            self._is_over = True

    def is_alive(self) -> bool:
        return not self._is_over

    def cancel(self) -> None:
        self._is_over = True
