"""The wire: what stands where urllib3's connections are, between a run and the server of the day."""

import logging
from email.utils import formatdate
from http.client import IncompleteRead, RemoteDisconnected
from typing import Any, NoReturn

from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ProtocolError, ReadTimeoutError

from tests.simulation.faults import CHANNEL_EFFECTS, EFFECTS, FINE, Effect
from tests.simulation.history import History, Tried
from tests.simulation.request import Request, read_request
from tests.simulation.scheduler import Process, Scheduler
from tests.simulation.server import Server
from tests.simulation.strikes import Strikes

CONNECTING = 5.0  # seconds after which a connection that does not come is given up
CHANNEL_PATIENCE = 8.0  # seconds after which Apprise gives a service up


class Response:
    """What lib reads of urllib3's."""

    __slots__ = ("data", "headers", "status")

    def __init__(self, status: int, headers: dict[str, str], data: bytes) -> None:
        self.status, self.headers, self.data = status, headers, data


class Wire:
    """Carries requests of every run; `exchange` is lib's own record of how far the current one came."""

    def __init__(
        self, scheduler: Scheduler, server: Server, faults: Any, strikes: Strikes, history: History, exchange: Any
    ) -> None:
        self.scheduler = scheduler
        self.server = server
        self.faults = faults
        self.strikes = strikes
        self.history = history
        self.exchange = exchange

    def exchanged(self, method: str, url: str, body: bytes | None, headers: dict[str, str], limit: float) -> Response:
        """The answer to one request, which may take `limit` seconds. Raises what urllib3 would."""
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
        self.exchange.sent = True
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
            self._fail(request, "no answer", ReadTimeoutError(None, url, "Read timed out."))  # type: ignore[arg-type]
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
        self.exchange.sent = False
        if effect.answer == "refused":
            self.scheduler.pause(self._latency())
            self._fail(request, "refused", NewConnectionError(None, "Connection refused"))  # type: ignore[arg-type]
        self.scheduler.pause(min(CONNECTING, limit))
        self._fail(request, "unreachable", ConnectTimeoutError(None, "Connecting timed out"))

    def _answer(self, request: Request, effect: Effect, box: list[tuple[int, str]]) -> Response:
        if effect.answer == "reset":
            self._fail(
                request, "reset", ProtocolError("Connection aborted.", ConnectionResetError(104, "reset by peer"))
            )
        if effect.answer == "closed":
            self._fail(request, "closed", ProtocolError("Connection aborted.", RemoteDisconnected("closed")))
        if effect.answer == "cut":
            self._fail(request, "cut", ProtocolError("Connection broken", IncompleteRead(b"{", 40)))
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

    def _fail(self, request: Request, answer: str, error: HTTPError) -> NoReturn:
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
