"""TagoIO's rate limit: a fixed number of requests per clock minute, shared by all workers through one gate."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

MINUTE = 60.0  # docs rate-limits-hard-limits.md: the count starts anew at :00
MARGIN = 0.05  # seconds past the boundary, so that TagoIO's clock has crossed it too
NAP = 1.0  # seconds: the longest sleep, so that a run that is over ends soon
PATIENCE = 300.0  # seconds of nothing but refusals, after which waiting on is hopeless


@dataclass(frozen=True, slots=True)
class Ticket:
    """A place in a window; `is_probe`: everybody else waits for what becomes of it."""

    index: int
    is_probe: bool


class RateWindow:
    """Lets a whole window's worth of requests through at once, then holds everybody until the next window.

    The limit is given, or learnt from the first refusal. What was learnt may be too low (another program used a part
    of that window), so past it a single request tries for more, and each that gets through lets twice as many follow.
    After every wait, too, a single request goes first: a clock that is off, or a limit in use elsewhere, costs one
    refusal, not forty.
    """

    def __init__(
        self,
        limit: int | None = None,
        *,
        window: float = MINUTE,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        on_wait: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        self.given = limit
        self.learnt: int | None = None
        self.window = window
        self.clock = clock
        self.sleep = sleep
        self.on_wait = on_wait
        self._lock = threading.Lock()
        self._index = -1  # which window we are in
        self._used = 0
        self._passed = 0
        self._probing = False  # one request is out to see whether more get through
        self._careful = False  # the next request is such a probe
        self._closed_until = 0.0
        self._announced = 0.0
        self._refused_since: float | None = None
        self._backoff = 1.0
        self._step = 1  # how many more to let through past the learnt limit when a probe got through

    def enter(self, deadline: float = float("inf"), is_over: Callable[[], bool] = lambda: False) -> Ticket | None:
        """Wait for a place; None when it would come after `deadline`, or once `is_over`."""
        while True:
            with self._lock:
                now = self.clock()
                wait = self._reserve(now)
                if wait <= 0:
                    return self._take()
                announce = wait >= 1 and now + wait > self._announced + 1
                if announce:
                    self._announced = now + wait
            if now + wait > deadline:
                return None
            if announce:
                self.on_wait(wait)
            if is_over():
                return None
            self.sleep(min(wait, NAP))

    def passed(self, ticket: Ticket) -> None:
        """That request was not refused for the limit, whatever else became of it."""
        with self._lock:
            self._refused_since = None
            self._backoff = 1.0
            if ticket.index == self._index:
                self._probing = self._probing and not ticket.is_probe
                self._passed += 1
                if self.learnt is not None:
                    self.learnt = max(self.learnt, self._passed)
                    if ticket.is_probe and self._used >= self.learnt:
                        self.learnt = self._used + self._step
                        self._step *= 2

    def unused(self, ticket: Ticket) -> None:
        """Nothing is sent with it after all; others must not wait for what becomes of it."""
        with self._lock:
            if ticket.index == self._index:
                self._used -= 1
            if ticket.is_probe:
                self._probing, self._careful = False, True

    def refused(self, ticket: Ticket, retry_after: float | None) -> None:
        """TagoIO said that the limit is reached."""
        with self._lock:
            now = self.clock()
            self._refused_since = self._refused_since if self._refused_since is not None else now
            if ticket.index != self._index:
                return  # an answer to an earlier window says nothing about this one
            if self.given is None and self._passed:
                self.learnt = self._passed
            self._step = 1
            if retry_after is not None:
                until = now + retry_after + MARGIN
            else:  # until the boundary, but not blindly: what was refused may be another limit than the minute's
                until = min(now + self._backoff, self._boundary(now))
                self._backoff = min(self._backoff * 2, 16)
            self._closed_until = max(self._closed_until, until)
            self._probing = self._probing and not ticket.is_probe
            self._careful = True

    @property
    def is_hopeless(self) -> bool:
        """Whether nothing but refusals came for PATIENCE seconds."""
        since = self._refused_since
        return since is not None and self.clock() - since > PATIENCE

    def _reserve(self, now: float) -> float:
        """Whether there is a place (0), or the seconds to wait before asking again."""
        if now < self._closed_until:
            return self._closed_until - now
        index = int(now // self.window)
        if index != self._index:
            self._index, self._used, self._passed, self._probing = index, 0, 0, False
        if self._probing:
            return 0.02
        limit = self.given if self.given is not None else self.learnt
        if limit is not None and self._used >= limit:
            self._careful = True
            if self.given is not None:
                self._closed_until = self._boundary(now)
                return self._closed_until - now
        return 0.0

    def _take(self) -> Ticket:
        self._used += 1
        self._probing, self._careful = self._careful, False
        return Ticket(self._index, self._probing)

    def _boundary(self, now: float) -> float:
        return (now // self.window + 1) * self.window + MARGIN
