"""urllib3's connections under a hard limit: no answer holds a request longer than it may take, however it drips.

A socket's time-out is for one read, so an answer that comes byte by byte would last for ever. Here what is left of the
request's time becomes the socket's time-out before every read and write. It needs no thread and no lock.
"""

import http.client
import io
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.connection import create_connection

SHARE = 1.0  # seconds: what one address of a host gets at least; a lost packet is sent again after one second
SLACK = 0.05  # seconds that a request may last beyond its limit


class Exchange(threading.local):
    """The request that this thread is at: when it must be over, on the monotonic clock, and whether any of it was
    sent (to TagoIO: what a proxy is asked first does not count)."""

    until = float("inf")
    sent = False
    connecting = False

    def begin(self, seconds: float) -> None:
        self.until = time.monotonic() + seconds
        self.sent = False

    @contextmanager
    def connected_within(self, seconds: float) -> Iterator[None]:
        until = self.until
        self.until = min(until, time.monotonic() + seconds)
        self.connecting = True
        try:
            yield
        finally:
            self.until = until
            self.connecting = False

    def left(self) -> float:
        """Seconds. Raises TimeoutError where there are none."""
        left = self.until - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        return left

    def bind(self, sock: Any) -> None:
        """Let the next read or write last no longer. Raises TimeoutError. Setting a time-out is a system call that
        gives up the interpreter's lock, so one that is short enough stays."""
        left, timeout = self.left(), sock.gettimeout()
        if timeout is None or timeout > left + SLACK:
            sock.settimeout(left)


EXCHANGE = Exchange()


class _TimedReader(io.RawIOBase):
    """Reads a socket within the limit."""

    def __init__(self, raw: io.RawIOBase, sock: Any) -> None:
        self._raw = raw
        self._sock = sock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        EXCHANGE.bind(self._sock)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedResponse(http.client.HTTPResponse):
    """http.client reads a proxy's answer with it too."""

    def __init__(self, sock: Any, *given: Any, **more: Any) -> None:
        super().__init__(sock, *given, **more)
        self.fp: Any = io.BufferedReader(_TimedReader(self.fp.detach(), sock))


class TimedHTTP(HTTPConnection):
    """http.client reads and writes here; connecting has a limit of its own, with look-up, proxy and TLS."""

    response_class = _TimedResponse

    def connect(self) -> None:
        try:
            with EXCHANGE.connected_within(float(self.timeout or 0)):
                super().connect()
        except TimeoutError as error:
            raise ConnectTimeoutError(self, f"Connecting to {self.host} timed out") from error

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        EXCHANGE.sent = EXCHANGE.sent or not EXCHANGE.connecting
        EXCHANGE.bind(self.sock)
        super().send(data)

    def _new_conn(self) -> socket.socket:
        return _connected(self)


class TimedHTTPS(TimedHTTP, HTTPSConnection):
    """The same over TLS, whose handshake CPython holds to the socket's time-out as a whole."""


def _connected(connection: HTTPConnection) -> socket.socket:
    """A socket to the first of the host's addresses that answers. urllib3 gives each of them the whole time."""
    failure: OSError = OSError("the host has no address")
    found = _addresses(connection)
    for tried, address in enumerate(found):
        left = EXCHANGE.left()
        share = min(left, max(left / (len(found) - tried), SHARE))
        try:
            sock = create_connection(address, share, connection.source_address, connection.socket_options)
        except OSError as error:
            failure = error
            continue
        sock.settimeout(EXCHANGE.left())
        return sock
    if isinstance(failure, TimeoutError):
        raise failure
    raise NewConnectionError(connection, f"Failed to establish a new connection: {failure}") from failure


def _addresses(connection: HTTPConnection) -> list[tuple[str, int]]:
    """What the host's name stands for. The system's look-up knows no time-out, so it is waited for from beside."""
    found: list[tuple[str, int]] = []
    failures: list[Exception] = []

    def look_up() -> None:
        try:
            host = connection._dns_host.strip("[]")  # with the dot that `host` has lost
            for *_, address in socket.getaddrinfo(host, connection.port, type=socket.SOCK_STREAM):
                found.append((str(address[0]), int(address[1])))
        except (OSError, UnicodeError) as error:
            failures.append(error)

    thread = threading.Thread(target=look_up, daemon=True)
    thread.start()
    thread.join(EXCHANGE.left())
    if thread.is_alive():
        raise TimeoutError("timed out")
    if failures:
        raise NameResolutionError(connection.host, connection, failures[0]) from failures[0]  # type: ignore[arg-type]
    return found
