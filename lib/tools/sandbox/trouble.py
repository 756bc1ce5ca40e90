"""The trouble that the sandbox plays on request: rate limit, latency, and every way an answer can go wrong."""

import asyncio
import contextlib
import random
import socket
import struct
import time
import weakref
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import web

from lib.tools.sandbox.limits import LIMITS, NOTIFY
from lib.tools.sandbox.unknowns import Facts, default_facts

PLANS = LIMITS[NOTIFY]
CUT_OFF = ("reset", "close", "cut", "stall", "killed")  # kinds after which the client has no whole answer
HTML = "<html><body><h1>{status}</h1></body></html>"


KINDS = (
    "429",
    "500",
    "502",
    "503",
    "504",
    "reset",
    "close",
    "empty",
    "cut",
    "not-json",
    "status-false",
    "no-result",
    "stall",
    "late",
)


@dataclass
class Fault:
    """One way to go wrong, for a share of the users' first `attempts` requests on `route` (method and path's begin).

    `kind`: an HTTP status as `502`, or `reset`, `close`, `empty`, `cut`, `not-json`, `status-false`, `no-result`,
    `stall` (no answer for `seconds`), `late` (carried out after `seconds`, then answered). `processed`: whether the
    request is carried out before it goes wrong. `body`: `json`, `html` or `empty`, for a status. `retry_after`: where
    a 429 says how long to wait, `text`, `header` or ``. `only`: strike these users, whatever the share.
    """

    kind: str
    processed: bool = False
    body: str = "json"
    share: float = 1.0
    attempts: int = 1
    seconds: float = 1.0
    retry_after: str = "text"
    route: tuple[str, str] = NOTIFY
    seed: int = 1
    only: frozenset[str] | None = None


@dataclass(slots=True)
class Seen:
    """A request as the sandbox saw it: the `fault` that struck it, what was carried out of it (None: nothing), and the
    status that was answered (0: none)."""

    request: web.Request
    fault: str = ""
    carried_out: web.Response | None = None
    status: int = 0


@dataclass
class Trouble:
    """What goes wrong at the moment; change its fields at any time.

    `rate_limit` is that of creating notifications, in each `window` of so many seconds by the clock; `plan` gives the
    other routes theirs. `facts` are the store's. `kill_after` so many notifications of a program `on_kill` gets its
    token, to end it, and says whether it could: then nothing more is carried out for it, until `revive`. `on_seen` gets
    every request once it is answered.
    """

    rate_limit: int | None = None
    plan: str = ""
    facts: Facts = field(default_factory=default_facts)
    window: float = 60.0
    latency: float = 0.0
    faults: list[Fault] = field(default_factory=list)
    taken_by_others: int = 0  # requests of a window that another program of this profile has used
    refused: int = 0
    retry_seconds: int = 1  # what a 429 that is played says
    answered: Counter[str] = field(default_factory=Counter)
    connections: int = 0
    kill_after: int | None = None
    on_kill: Callable[[str], bool] = lambda token: True
    on_seen: Callable[[Seen], None] = lambda seen: None
    _killed: set[str] = field(default_factory=set)
    _deaths: Counter[str] = field(default_factory=Counter)
    _carried_out: Counter[str] = field(default_factory=Counter)
    _seen: weakref.WeakSet[asyncio.BaseTransport] = field(default_factory=weakref.WeakSet)
    _window: int = 0
    _counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    _attempts: Counter[tuple[tuple[str, str], str]] = field(default_factory=Counter)

    def set_plan(self, plan: str) -> None:
        """The documented limits of all routes."""
        self.plan, self.rate_limit = plan, PLANS[plan]

    def begin_anew(self) -> None:
        """From here on every request is a user's first again."""
        self._attempts.clear()

    def kill_next(self, kill_after: int | None) -> None:
        """The next program that has told so many from here on; None: no program."""
        if self.kill_after is None or kill_after is None:
            self._carried_out.clear()
        self.kill_after = kill_after

    def revive(self, token: str) -> None:
        """Another program may use a token with which one was killed; what that one has sent yet is still lost."""
        self._killed.discard(token)

    def spare_all(self) -> None:
        """Nobody is to be killed, and no token is ruined any more."""
        self.kill_next(None)
        self._killed.clear()

    async def play(
        self, request: web.Request, subject: str, carry_out: Callable[[], Awaitable[web.Response]]
    ) -> web.StreamResponse:
        """Answer a request, in the way the trouble has it. `subject` is the user that the request is about."""
        if request.transport is not None and request.transport not in self._seen:
            self._seen.add(request.transport)
            self.connections += 1
        token = request.headers.get("token", "")
        deaths = self._deaths[token]
        if self.latency:
            await asyncio.sleep(self.latency)
        seen = Seen(request)

        async def watched() -> web.Response:
            seen.carried_out = await carry_out()
            return seen.carried_out

        answer = await self._answer(seen, subject, watched, is_from_before=self._deaths[token] != deaths)
        seen.status = 0 if seen.fault in CUT_OFF else answer.status
        self.on_seen(seen)
        return answer

    async def _answer(
        self, seen: Seen, subject: str, carry_out: Callable[[], Awaitable[web.Response]], *, is_from_before: bool
    ) -> web.StreamResponse:
        """`is_from_before`: a program with its token was killed since it came."""
        request = seen.request
        is_notify = (request.method, request.path.rstrip("/")) == NOTIFY
        if is_notify and (is_from_before or self._is_killed(request.headers.get("token", ""))):
            seen.fault = "killed"
            return _reset(request)
        refusal = self._count(request)
        if refusal is not None:
            return refusal
        fault = self._fault_for(request, subject)
        if fault is None:
            return await carry_out()
        seen.fault = fault.kind
        return await _strike(fault, request, carry_out, self.retry_seconds)

    def _is_killed(self, token: str) -> bool:
        """Whether the program with that token is dead, or dies of this request."""
        if self.kill_after is not None and token not in self._killed:
            if self._carried_out[token] < self.kill_after:
                self._carried_out[token] += 1
            elif self.on_kill(token):
                self.kill_after = None
                self._killed.add(token)
                self._deaths[token] += 1
        return token in self._killed

    def _count(self, request: web.Request) -> web.Response | None:
        """Whether it is one too many of its route, for the whole profile, on the clock's minute."""
        resource = request.match_info.route.resource
        route = (request.method, resource.canonical.rstrip("/") if resource else "")
        most = self.rate_limit if route == NOTIFY else LIMITS.get(route, {}).get(self.plan)
        if most is None:
            return None
        window = int(time.time() // self.window)
        if window != self._window:
            self._window = window
            self._counts.clear()
            self._counts[NOTIFY] = self.taken_by_others
        if self._counts[route] >= most:
            self.refused += 1
            return self._limited(int((window + 1) * self.window - time.time()) + 1)
        self._counts[route] += 1
        return None

    def _limited(self, wait: int) -> web.Response:
        """The text is documented, the header is not; both may be otherwise."""
        text = (
            f"Too many requests (Retry-After: {wait})" if self.facts["limit_text"] == "seconds" else "Too many requests"
        )
        return _too_many(text, {"Retry-After": str(wait)} if self.facts["limit_header"] == "present" else None)

    def _fault_for(self, request: web.Request, subject: str) -> Fault | None:
        """One of those that strike a user's request, whose attempts are counted by route: never one after the other."""
        striking = []
        for route in {fault.route for fault in self.faults}:
            if request.method == route[0] and request.path.startswith(route[1]):
                self._attempts[route, subject] += 1
                striking += [fault for fault in self.faults if fault.route == route and self._strikes(fault, subject)]
        return random.Random(subject).choice(striking) if striking else None

    def _strikes(self, fault: Fault, subject: str) -> bool:
        is_due = self._attempts[fault.route, subject] <= fault.attempts
        if fault.only is not None:
            return is_due and subject in fault.only
        return is_due and random.Random(f"{fault.seed}{subject}").random() < fault.share


def _too_many(message: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response({"status": False, "message": message}, status=429, headers=headers)


async def _strike(
    fault: Fault, request: web.Request, carry_out: Callable[[], Awaitable[web.Response]], retry_seconds: int
) -> web.StreamResponse:
    if fault.kind == "late":
        await asyncio.sleep(fault.seconds)
        return await asyncio.shield(carry_out())
    answer = await carry_out() if fault.processed else web.json_response({"status": True, "result": {"id": "0" * 24}})
    if fault.kind == "stall":
        await asyncio.sleep(fault.seconds)
        return _reset(request)
    if fault.kind.isdigit():
        return _status(fault, retry_seconds)
    if fault.kind == "reset":
        return _reset(request)
    if fault.kind == "close":
        assert request.transport is not None
        request.transport.close()
        return web.Response()
    if fault.kind == "cut":
        return await _cut(request, answer)
    answers = {
        "empty": web.Response(),
        "not-json": web.Response(text=HTML.format(status="OK"), content_type="text/html"),
        "status-false": web.json_response({"status": False, "message": "Sorry, Internal Error"}),
        "no-result": web.json_response({"status": True}),
    }
    return answers[fault.kind]


def _status(fault: Fault, retry_seconds: int) -> web.Response:
    status = int(fault.kind)
    if status == 429:
        text = (
            f"Too many requests (Retry-After: {retry_seconds})" if fault.retry_after == "text" else "Too many requests"
        )
        return _too_many(text, {"Retry-After": str(retry_seconds)} if fault.retry_after == "header" else None)
    if fault.body == "json":
        return web.json_response({"status": False, "message": "Sorry, Internal Error"}, status=status)
    text = HTML.format(status=status) if fault.body == "html" else ""
    return web.Response(text=text, content_type="text/html", status=status)


def _reset(request: web.Request) -> web.Response:
    """A TCP reset: closing a socket that lingers for no time. The client may have gone already."""
    if request.transport is not None:
        sock: socket.socket | None = request.transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.transport.abort()
    return web.Response()


async def _cut(request: web.Request, answer: web.Response) -> web.StreamResponse:
    """Half of the answer, then the end of the connection."""
    content = answer.body if isinstance(answer.body, bytes) else b"{}"
    cut = web.StreamResponse(headers={"content-type": "application/json", "content-length": str(len(content))})
    with contextlib.suppress(ConnectionError):  # the client may have gone already
        await cut.prepare(request)
        await cut.write(content[: len(content) // 2])
    if request.transport is not None:
        request.transport.close()
    return cut
