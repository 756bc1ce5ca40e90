"""Kept connections to one address, under a hard limit: no request lasts longer than it may, however an answer drips.

http.client reads the answers. A socket's time-out is for one read, so an answer that comes byte by byte would last for
ever: here what is left of the request's time becomes the socket's time-out before every read and write.
"""

import base64
import contextlib
import io
import os
import queue
import select
import socket
import ssl
import threading
import time
import weakref
from collections.abc import Mapping
from functools import lru_cache
from http.client import HTTPException, HTTPResponse
from typing import Any, NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import certifi

from lib.base.errors import SetupError

SHARE = 1.0  # seconds: what one address of a host gets at least; a lost packet is sent again after one second
SLACK = 0.05  # seconds that a request may last beyond its limit
PORTS = {"http": 80, "https": 443}


class Unanswered(Exception):
    """A request that brought no whole answer; `was_sent`: some of it may have reached TagoIO."""

    def __init__(self, reason: str, *, was_sent: bool, timed_out: bool) -> None:
        self.reason = reason
        self.was_sent = was_sent
        self.timed_out = timed_out
        super().__init__(reason)


class Reply(NamedTuple):
    """An answer of TagoIO's; `headers` by their names in lower case."""

    status: int
    headers: dict[str, str]
    content: bytes


class Connections:
    """At most `number` connections to one address, kept; safe to share between threads. Honours the proxy and
    certificate variables that the SDK's `requests` honours; `connect` seconds are for connecting, with look-up, proxy
    and TLS."""

    def __init__(self, address: SplitResult, number: int, connect: float) -> None:
        self.address = address
        self.connect = connect
        self.made = 0
        self._host = address.hostname or ""
        self._port = address.port or PORTS[address.scheme]
        # TagoIO speaks https; plain http is the sandbox, on this very machine.
        self._tls = _tls_context() if address.scheme == "https" else None
        self._proxy = _proxy(self._host) if self._tls else None
        self._free: Free = queue.LifoQueue()
        for _ in range(number):
            self._free.put(None)
        weakref.finalize(self, _close_all, self._free)

    def exchange(self, method: str, target: str, headers: Mapping[str, str], body: bytes, limit: float) -> Reply:
        """One request, of at most `limit` seconds. Raises Unanswered."""
        until = time.monotonic() + limit
        try:
            line = self._free.get(timeout=limit)
        except queue.Empty:
            raise Unanswered("no connection was free in time", was_sent=False, timed_out=True) from None
        kept = None
        was_sent = False
        try:
            if line is None or line.is_dropped():
                line = self._open(min(until, time.monotonic() + self.connect))
            line.until = until
            line.left()
            was_sent = True
            line.send(self._head(method, target, headers, len(body)) + body)
            answer, is_kept = line.read(method)
            kept = line if is_kept else None
        except (OSError, HTTPException) as error:
            timed_out = isinstance(error, TimeoutError)
            reason = "timed out" if timed_out else str(error) or type(error).__name__
            raise Unanswered(reason, was_sent=was_sent, timed_out=timed_out) from error
        finally:
            if line and line is not kept:
                line.close()
            self._free.put(kept)
        return answer

    def _head(self, method: str, target: str, headers: Mapping[str, str], length: int) -> bytes:
        host = f"[{self._host}]" if ":" in self._host else self._host
        where = host if self._port == PORTS[self.address.scheme] else f"{host}:{self._port}"
        fields = {"host": where, "accept-encoding": "identity", "content-length": str(length), **headers}
        lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
        return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("ascii")

    def _open(self, until: float) -> "_Line":
        host, port = (self._proxy.hostname or "", self._proxy.port or 80) if self._proxy else (self._host, self._port)
        line = _Line(_connected(host, port, until), until)
        try:
            line.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._proxy:
                self._ask_proxy(line, self._proxy)
            if self._tls:
                line.sock.settimeout(line.left())  # CPython holds the handshake to it as a whole
                line.sock = self._tls.wrap_socket(line.sock, server_hostname=self._host)
        except BaseException:
            line.close()
            raise
        self.made += 1
        return line

    def _ask_proxy(self, line: "_Line", proxy: SplitResult) -> None:
        where = f"{self._host}:{self._port}"
        asks = [f"CONNECT {where} HTTP/1.1", f"host: {where}"]
        if proxy.username:
            known = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}".encode()
            asks.append(f"proxy-authorization: Basic {base64.b64encode(known).decode()}")
        line.send("".join(f"{ask}\r\n" for ask in [*asks, ""]).encode("ascii"))
        answer = HTTPResponse(line, method="CONNECT")  # type: ignore[arg-type]  # it asks for makefile only
        answer.begin()
        if answer.status != 200:
            raise ConnectionError(f"the proxy answered {answer.status} {answer.reason}")


class _Line:
    """A socket whose reads and writes end when `until` is over, on the monotonic clock."""

    def __init__(self, sock: socket.socket, until: float) -> None:
        self.sock = sock
        self.until = until

    def left(self) -> float:
        """Seconds. Raises TimeoutError where there are none."""
        left = self.until - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        return left

    def bind(self) -> None:
        """Let the next read or write last no longer. Raises TimeoutError. Setting a time-out is a system call that
        gives up the interpreter's lock, so one that is short enough stays."""
        left, timeout = self.left(), self.sock.gettimeout()
        if timeout is None or timeout > left + SLACK:
            self.sock.settimeout(left)

    def send(self, content: bytes) -> None:
        self.bind()
        self.sock.sendall(content)

    def read(self, method: str) -> tuple[Reply, bool]:
        """The answer, and whether the line can be kept for another request."""
        response = HTTPResponse(self, method=method)  # type: ignore[arg-type]  # it asks for makefile only
        response.begin()
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Reply(response.status, headers, response.read()), not response.will_close

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self))

    def is_dropped(self) -> bool:
        """Whether the other side has closed it, or said something that nobody asked for."""
        asked = select.poll()
        asked.register(self.sock, select.POLLIN)
        return bool(asked.poll(0))

    def close(self) -> None:
        self.sock.close()


class _Reader(io.RawIOBase):
    """What one answer is read through; closing it leaves the line open."""

    def __init__(self, line: _Line) -> None:
        self._line = line

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._line.bind()
        return self._line.sock.recv_into(buffer)


Free = queue.LifoQueue[_Line | None]


def _close_all(free: Free) -> None:
    with contextlib.suppress(queue.Empty):
        while True:
            line = free.get_nowait()
            if line:
                line.close()


def _connected(host: str, port: int, until: float) -> socket.socket:
    """A socket to the first of the host's addresses that answers; none of them gets the whole time."""
    failure: OSError = OSError("the host has no address")
    found = _addresses(host, port, until)
    for tried, address in enumerate(found):
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        try:
            return socket.create_connection(address, min(left, max(left / (len(found) - tried), SHARE)))
        except OSError as error:
            failure = error
    raise failure


def _addresses(host: str, port: int, until: float) -> list[tuple[str, int]]:
    """What the host's name stands for. The system's look-up knows no time-out, so it is waited for from beside."""
    found: list[tuple[str, int]] = []
    failures: list[Exception] = []

    def look_up() -> None:
        try:
            for *_, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
                found.append((str(address[0]), int(address[1])))
        except (OSError, UnicodeError) as error:
            failures.append(error)

    thread = threading.Thread(target=look_up, daemon=True)
    thread.start()
    thread.join(max(until - time.monotonic(), 0.0))
    if thread.is_alive():
        raise TimeoutError("timed out")
    if failures:
        raise OSError(f"the host {host} is not known ({failures[0]})") from failures[0]
    return found


def _proxy(host: str) -> SplitResult | None:
    """Raises SetupError, without the address: there may be a password in it."""
    known = getproxies()
    given = known.get("https") or known.get("all")
    if not given or proxy_bypass(host):
        return None
    proxy = urlsplit(given if "//" in given else f"http://{given}")
    try:
        is_usable = proxy.scheme == "http" and bool(proxy.hostname) and (proxy.port or 80) > 0
    except ValueError:
        is_usable = False
    if not is_usable:
        raise SetupError("the proxy in https_proxy (or all_proxy) cannot be used; write it as http://host:port")
    return proxy


def _tls_context() -> ssl.SSLContext:
    return _tls(os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or certifi.where())


@lru_cache(maxsize=8)
def _tls(bundle: str) -> ssl.SSLContext:
    """One context for all connections: each would read the certificates anew."""
    try:
        is_folder = os.path.isdir(bundle)
        if is_folder:
            os.listdir(bundle)  # OpenSSL would only find, one by one, that nobody can be trusted
        return ssl.create_default_context(cafile=None if is_folder else bundle, capath=bundle if is_folder else None)
    except OSError as error:
        name = "REQUESTS_CA_BUNDLE" if os.environ.get("REQUESTS_CA_BUNDLE") else "CURL_CA_BUNDLE"
        raise SetupError(f"the certificates of {name} cannot be read: {error}") from error
