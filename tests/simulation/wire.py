"""The wire: what stands where the connections are, between a run and the server of the day."""

import logging
from email.utils import formatdate
from typing import Any, NoReturn

from tests.simulation.faults import CHANNEL_EFFECTS, EFFECTS, FINE, Effect
from tests.simulation.history import History, Tried
from tests.simulation.request import Request, read_request
from tests.simulation.scheduler import Process, Scheduler
from tests.simulation.server import Server
from tests.simulation.strikes import Strikes

CONNECTING = 5.0  # seconds after which a connection that does not come is given up
CHANNEL_PATIENCE = 8.0  # seconds after which Apprise gives a service up


class Broken(Exception):
    """A request that brought no answer; `was_sent`: some of it may have arrived."""

    def __init__(self, reason: str, *, was_sent: bool = True, timed_out: bool = False) -> None:
        self.reason, self.was_sent, self.timed_out = reason, was_sent, timed_out
        super().__init__(reason)


class Response:
    """What lib reads of a whole answer."""

    __slots__ = ("content", "headers", "status")

    def __init__(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.status, self.headers, self.content = status, headers, content


class Wire:
    """Carries requests of every run."""

    def __init__(self, scheduler: Scheduler, server: Server, faults: Any, strikes: Strikes, history: History) -> None:
        self.scheduler = scheduler
        self.server = server
        self.faults = faults
        self.strikes = strikes
        self.history = history

    def exchanged(self, method: str, url: str, body: bytes | None, headers: dict[str, str], limit: float) -> Response:
        """The answer to one request, which may take `limit` seconds. Raises Broken."""
        scheduler = self.scheduler
        process, began = scheduler.current.process, scheduler.now
        number = self.strikes.count(process)
        request = read_request(process.name, number, began, method, url, body, headers["token"])
        name, seconds = self.faults.next(request.route, began)
        effect = EFFECTS[name] if name else FINE
        self.history.requests.append(request)
        self.strikes.strike(process, number, "before")
        if effect.answer in ("refused", "unreachable"):
            self._not_connected(request, effect, limit)
        box: list[tuple[int, str]] = []
        there = began + self._latency()
        self._send(request, effect, there, seconds, box)
        self.strikes.strike(process, number, "sent")
        back = there + self._latency() + (seconds if effect.is_slow else 0.0)
        until = began + limit
        if effect.answer == "none" or back >= until:
            scheduler.pause(until - began)
        else:
            scheduler.pause(back - began)
        self.strikes.strike(process, number, "after")
        if effect.answer == "none" or scheduler.now >= until:
            self._fail(request, "no answer", Broken("timed out", timed_out=True))
        return self._answer(request, effect, box)

    def _latency(self) -> float:
        return self.server.platform.latency * (0.2 + self.scheduler.random.random())

    def _send(self, request: Request, effect: Effect, at: float, seconds: float, box: list[tuple[int, str]]) -> None:
        def arrive() -> None:
            box.append(self.server.carry_out(request))

        if effect.carried != "no":
            self.scheduler.at(at + (seconds if effect.carried == "late" else 0.0), arrive)
        if effect.carried == "twice":
            self.scheduler.at(at + seconds, arrive)

    def _not_connected(self, request: Request, effect: Effect, limit: float) -> NoReturn:
        if effect.answer == "refused":
            self.scheduler.pause(self._latency())
            self._fail(request, "refused", Broken("Connection refused", was_sent=False))
        self.scheduler.pause(min(CONNECTING, limit))
        self._fail(request, "unreachable", Broken("timed out", was_sent=False, timed_out=True))

    def _answer(self, request: Request, effect: Effect, box: list[tuple[int, str]]) -> Response:
        if effect.answer == "reset":
            self._fail(request, "reset", Broken("Connection reset by peer"))
        if effect.answer == "closed":
            self._fail(request, "closed", Broken("closed"))
        if effect.answer == "cut":
            self._fail(request, "cut", Broken("IncompleteRead(1 bytes read, 39 more expected)"))
        headers: dict[str, str] = {}
        if self.server.platform.has_date:
            headers["date"] = formatdate(self.server.clock(), usegmt=True)
        if isinstance(effect.answer, int):
            status, content = effect.answer, effect.body
        else:
            status, text = box[0]
            content = (
                f'{{"status":true,"result":{text}}}' if status < 300 else f'{{"status":false,"message":"{text}"}}'
            ).encode()
        self._note(request, f"{status} garbled" if status < 300 and effect.answer != "ok" else str(status))
        return Response(status, headers, content)

    def _fail(self, request: Request, answer: str, error: Broken) -> NoReturn:
        self._note(request, answer)
        raise error

    def _note(self, request: Request, answer: str) -> None:
        request.answer, request.answered_at = answer, self.scheduler.now


class Channel:
    """What stands for one of Apprise's services: a message to one user by one address."""

    def __init__(self, wire: Wire, address: str, user_id: str) -> None:
        self.wire = wire
        self.address = address
        self.user_id = user_id

    def notify(self, *, title: str, body: str, body_format: str) -> bool:
        wire, scheduler = self.wire, self.wire.scheduler
        process: Process = scheduler.current.process
        number = wire.strikes.count(process)
        wire.strikes.strike(process, number, "before")
        effect, _ = wire.faults.next("channel", scheduler.now)
        is_taken, answer, logged = CHANNEL_EFFECTS[effect or "takes"]
        scheme = self.address.partition("://")[0]
        tried = Tried(scheduler.now, process.name, self.user_id, scheme, f"{title}\n{body}", is_taken)
        wire.history.tried.append(tried)
        wire.strikes.strike(process, number, "sent")
        scheduler.pause(CHANNEL_PATIENCE if effect.startswith("hangs") else wire._latency())
        wire.strikes.strike(process, number, "after")
        if answer is None:
            raise RuntimeError(f"{self.address} broke")
        if logged:
            logging.getLogger("apprise").warning("%s", logged)
        return answer
