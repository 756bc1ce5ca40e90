"""The gate that all workers share: TagoIO's rate limit, a fixed number of requests per clock minute, and its
outages."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

MINUTE = 60.0  # docs rate-limits-hard-limits.md: the count starts anew at :00
PLANS = (60, 100, 1000)  # docs rate-limits-hard-limits.md: notifications a minute, by the profile's plan
PAST = 0.05  # seconds past the boundary, so that TagoIO's clock has crossed it too
PROBED = 0.005  # seconds between two looks for what became of a probe
NAP = 1.0  # seconds: the longest sleep, so that a run that is over ends soon
HOPELESS = 300.0  # seconds in which nothing gets through, after which waiting on is hopeless
OUTAGE = 3  # answers in a row that were none, after which one request at a time is let through
LONGEST_PAUSE = 4.0  # seconds between two of those


@dataclass(frozen=True, slots=True, eq=False)
class Ticket:
    """A place in a window; `is_probe`: everybody else waits for what becomes of it."""

    index: int
    is_probe: bool


class RateWindow:
    """Lets a whole window's worth of requests through at once, then holds everybody until the next window.

    The limit is given, or learnt from the first refusal. It is likely one of the plans', so at each of these a
    single request goes ahead. What was learnt may be too low (another program used a part of that window), so past
    it a single request tries for more, and each that gets through lets twice as many follow. After every wait, too,
    a single request goes first: a clock that is off, or a limit in use elsewhere, costs one refusal, not forty. So
    does the very first request of a run, and each in an outage: few are left in doubt then, and the others are
    still told for certain.
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
        self._turn = threading.Lock()  # of the one who waits for a place; the others wait behind
        self._index = -1  # which window we are in
        self._used = 0
        self._passed = 0
        self._most = 0  # of any window
        self._probe: Ticket | None = None  # one request is out to see whether more get through
        self._careful = False  # the next request is such a probe
        self._closed_until = 0.0
        self._announced = 0.0
        self._stuck_since: float | None = None  # nothing has got through
        self._backoff = 1.0
        self._lost = 0  # answers in a row that were none
        self._pause = 1.0
        self._has_passed = self._in_outage = False
        self._step = 1  # how many more to let through past the learnt limit when a probe got through

    def enter(
        self,
        deadline: float = float("inf"),
        is_over: Callable[[], bool] = lambda: False,
        sleep: Callable[[float], object] | None = None,
    ) -> Ticket | None:
        """Wait for a place, by `sleep` where that is given; None when it would come after `deadline`, or once
        `is_over`."""
        with self._turn:
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
                (sleep or self.sleep)(min(wait, NAP))

    def passed(self, ticket: Ticket) -> None:
        """TagoIO has answered that request, and not that the limit is reached."""
        with self._lock:
            self._stuck_since = None
            self._backoff = self._pause = 1.0
            self._lost = 0
            self._has_passed, self._in_outage = True, False
            self._settle(ticket)
            if ticket.index == self._index:
                self._passed += 1
                self._most = max(self._most, self._passed)
                if self.learnt is not None:
                    self.learnt = max(self.learnt, self._passed)
                    if ticket.is_probe and self._used >= self.learnt:
                        self.learnt = self._used + self._step
                        self._step *= 2

    def alive(self) -> None:
        """A request that seemed lost was carried out: this is no outage."""
        with self._lock:
            self._stuck_since, self._lost, self._pause, self._has_passed = None, 0, 1.0, True
            self._closed_until = 0.0 if self._in_outage else self._closed_until
            self._in_outage = False

    @property
    def limit(self) -> int | None:
        """Requests in a window, given or learnt; None: not known."""
        return self.given if self.given is not None else self.learnt

    @property
    def opens_in(self) -> float:
        """Seconds for which nobody is let through."""
        return max(0.0, self._closed_until - self.clock())

    @property
    def is_outage(self) -> bool:
        """Whether answers, not the limit, are waited for."""
        return self._in_outage

    def lost(self, ticket: Ticket) -> None:
        """No answer to be believed came to that request. Where that goes on, it is an outage."""
        with self._lock:
            now = self.clock()
            self._stuck_since = self._stuck_since if self._stuck_since is not None else now
            self._lost += 1
            was_probe = self._probe is ticket
            self._settle(ticket)
            if self._lost < OUTAGE and self._has_passed:
                return
            if was_probe or not (self._careful or self._probe):
                self._closed_until = max(self._closed_until, now + self._pause)
                self._pause = min(self._pause * 2, LONGEST_PAUSE)
            self._careful = self._in_outage = True

    def unused(self, ticket: Ticket) -> None:
        """Nothing is sent with it after all; others must not wait for what becomes of it."""
        with self._lock:
            if ticket.index == self._index:
                self._used -= 1
            if self._probe is ticket:
                self._probe, self._careful = None, True

    def refused(self, ticket: Ticket, retry_after: float | None) -> None:
        """TagoIO said that the limit is reached."""
        with self._lock:
            now = self.clock()
            self._stuck_since = self._stuck_since if self._stuck_since is not None else now
            self._settle(ticket)
            if ticket.index != self._index:
                return  # an answer to an earlier window says nothing about this one
            if self.given is None and self._passed:
                self.learnt = self._passed
            self._step = 1
            if retry_after is not None:
                until = now + retry_after + PAST
                ends = self._boundary(now)  # whole seconds are rounded up
                until = ends if ends <= until <= ends + 1 else until
            else:  # until the boundary, but not blindly: what was refused may be another limit than the minute's
                until = min(now + self._backoff, self._boundary(now))
                self._backoff = min(self._backoff * 2, 16)
            self._closed_until = max(self._closed_until, until)
            self._careful = True

    def careful(self) -> None:
        """The next request goes alone."""
        with self._lock:
            self._careful = True

    @property
    def is_hopeless(self) -> bool:
        """Whether nothing got through for HOPELESS seconds."""
        since = self._stuck_since
        return since is not None and self.clock() - since > HOPELESS

    def _reserve(self, now: float) -> float:
        """Whether there is a place (0), or the seconds to wait before asking again."""
        if now < self._closed_until:
            return self._closed_until - now
        index = int(now // self.window)
        if index != self._index:
            self._index, self._used, self._passed = index, 0, 0
            if self._has_passed and not self._lost:
                self._probe = None
        if self._probe:
            return PROBED
        limit = self.limit
        if limit is None and self._used in PLANS and self._used >= self._most:
            self._careful = True
        if limit is not None and self._used >= limit:
            self._careful = True
            if self.given is not None:
                self._closed_until = self._boundary(now)
                return self._closed_until - now
        return 0.0

    def _take(self) -> Ticket:
        self._used += 1
        ticket = Ticket(self._index, self._careful)
        if self._careful:
            self._probe, self._careful = ticket, False
        return ticket

    def _settle(self, ticket: Ticket) -> None:
        if self._probe is ticket:
            self._probe = None

    def _boundary(self, now: float) -> float:
        return (now // self.window + 1) * self.window + PAST
