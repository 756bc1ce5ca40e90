"""Over real sockets: what each answer of the sandbox means, and that the SDK still goes through its choke point."""

import contextlib
import inspect
import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
import tagoio_sdk.common.tagoio_module as sdk_module
import trustme
from hypothesis import given
from hypothesis import strategies as st
from tagoio_sdk.modules.Resources.Run import Run

from lib.base.errors import Doubtful, Refused, Rejected, SetupError, TagoIOError
from lib.tagoio.transport import Client, TagoIO
from lib.tagoio.wire import read_answer, written
from lib.tools.sandbox.server import Sandbox
from lib.tools.sandbox.trouble import Fault

BODY = {"title": "t", "message": "m"}


def create(sandbox: Sandbox, **timeouts: float) -> Any:
    user = next(iter(sandbox.store.users))
    return TagoIO(sandbox.store.profile_token, Client(sandbox.api, **timeouts)).run.notificationCreate(user, BODY)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fault", "error", "status", "said"),
    [
        (Fault("429"), Refused, 429, "Too many requests (Retry-After: 1)"),
        (Fault("429", retry_after="header"), Refused, 429, "Too many requests"),
        (Fault("429", retry_after=""), Refused, 429, "Too many requests"),
        (Fault("400"), Rejected, 400, "400 Sorry, Internal Error"),
        (Fault("404", body="html"), Rejected, 404, "HTTP 404"),
        (Fault("301", body="empty"), Doubtful, 301, "301 redirected to ?; is TAGOIO_API right?"),
        (Fault("408"), Doubtful, 408, "TagoIO answered 408"),
        (Fault("500"), Doubtful, 500, "TagoIO answered 500: Sorry, Internal Error"),
        (Fault("502", body="html"), Doubtful, 502, "TagoIO answered 502: HTTP 502"),
        (Fault("503", body="empty"), Doubtful, 503, "TagoIO answered 503"),
        (Fault("504", body="html"), Doubtful, 504, "TagoIO answered 504"),
        (Fault("reset"), Doubtful, 0, "connection broke"),
        (Fault("close"), Doubtful, 0, "connection broke"),
        (Fault("cut"), Doubtful, 0, "connection broke"),
        (Fault("empty"), Doubtful, 200, "nothing readable"),
        (Fault("not-json"), Doubtful, 200, "nothing readable"),
        (Fault("no-result"), Doubtful, 200, "nothing readable"),
        (Fault("status-false"), Doubtful, 200, "answered 200, and yet: Sorry, Internal Error"),
        (Fault("stall", seconds=1), Doubtful, 408, "no answer within 0.3 s"),
    ],
    ids=lambda value: f"{value.kind}-{value.body}-{value.retry_after}" if isinstance(value, Fault) else None,
)
def test_each_way_to_fail_is_told_apart(
    peopled: Sandbox, fault: Fault, error: type[TagoIOError], status: int, said: str
) -> None:
    peopled.trouble.faults = [fault]
    with pytest.raises(error) as caught:
        create(peopled, total=0.3)
    assert (type(caught.value), caught.value.status) == (error, status)
    assert said in caught.value.message
    expected = 1.0 if fault.kind == "429" and fault.retry_after else None
    assert caught.value.retry_after == expected


def test_nothing_was_sent_where_nobody_listens() -> None:
    with pytest.raises(Refused, match="cannot be reached"):
        Client("http://127.0.0.1:9").request("GET", "/info", token="x")


def test_nothing_was_sent_where_the_host_is_unknown() -> None:
    with pytest.raises(Refused, match="cannot be reached"):
        Client("https://tagoio.invalid").request("GET", "/info", token="x")


def test_a_connect_timeout_sent_nothing() -> None:
    with socket.socket() as full:  # its backlog is full: further connections are left hanging
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = []
        for _ in range(4):
            waiting.append(socket.socket())
            waiting[-1].setblocking(False)
            waiting[-1].connect_ex(full.getsockname())
        with pytest.raises(Refused, match="timed out"):
            Client(f"http://127.0.0.1:{full.getsockname()[1]}", connect=0.2).request("POST", "/x", token="x")
        for each in waiting:
            each.close()


@pytest.mark.parametrize("address", ["tago.io", "ftp://api.tago.io", "https://"])
def test_an_address_that_is_none_is_a_setup_error(address: str) -> None:
    with pytest.raises(SetupError, match="TAGOIO_API"):
        Client(address)


def test_errors_name_no_token(peopled: Sandbox) -> None:
    with pytest.raises(Rejected) as caught:
        Client(peopled.api).request("GET", "/run/users", token="p-secret-token")
    assert "secret" not in str(caught.value) + repr(caught.value)


def test_all_calls_share_the_pooled_connections(peopled: Sandbox) -> None:
    client = Client(peopled.api, connections=2)
    tago = TagoIO(peopled.store.profile_token, client)
    users = list(peopled.store.users)
    threads = [threading.Thread(target=tago.run.notificationCreate, args=(user, BODY)) for user in users]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert client.connections.made <= 2
    assert len(peopled.store.notifications) == 12


def test_filters_and_fields_are_encoded_as_tagoio_reads_them(peopled: Sandbox) -> None:
    run = TagoIO(peopled.store.profile_token, Client(peopled.api)).run
    query = {"fields": ["id", "name", "tags"], "filter": {"active": True, "name": "*z*", "tags": [{"key": "group"}]}}
    assert [user["name"] for user in run.listUsers(query)] == [
        "Ana Souza",
    ]  # fmt: skip


# ---- answers as they come: garbage, and byte by byte


class Server:
    """Answers each request with the next of `answers`, the last one again and again: bytes, or pieces with `pause`
    seconds between them. What is not HTTP, as the beginning of TLS, is answered too."""

    def __init__(self, *answers: bytes | list[bytes], pause: float = 0.05, tls: ssl.SSLContext | None = None) -> None:
        self.answers = list(answers)
        self.pause = pause
        self.tls = tls
        self.requests: list[bytes] = []
        self.connections = 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.api = f"http{'s' if tls else ''}://localhost:{self.socket.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            stream = self.tls.wrap_socket(connection, server_side=True) if self.tls else connection
            with stream:
                while request := self._request(stream):
                    self.requests.append(request)
                    answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                    for piece in [answer] if isinstance(answer, bytes) else answer:
                        stream.sendall(piece)
                        time.sleep(0 if isinstance(answer, bytes) else self.pause)
        except OSError:
            connection.close()

    @staticmethod
    def _request(stream: socket.socket) -> bytes:
        request = stream.recv(1 << 20)
        while request[:1].isalpha():  # HTTP
            head, ended, body = request.partition(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: (\d+)", head)
            if ended and len(body) >= int(length[1] if length else 0):
                break
            request += stream.recv(1 << 20)
        return request


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def started(*answers: bytes | list[bytes], **more: Any) -> Server:
        servers.append(Server(*answers, **more))
        return servers[-1]

    yield started
    for server in servers:
        server.socket.close()


def answered(content: bytes, *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(content)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + content


def byte_by_byte(text: bytes) -> list[bytes]:
    return [text[at : at + 1] for at in range(len(text))]


BUSY = 4.0  # seconds that a busy machine may add; what is not bounded here takes longer than that
GOOD = b'{"status": true, "result": "fine"}'
LONG = GOOD + b" " * 200
DRIPS = {
    "headers": byte_by_byte(answered(GOOD, *(f"x-{number}: y" for number in range(20)))),
    "body": [answered(LONG)[:-200], *byte_by_byte(b" " * 200)],
    "until it closes": [b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n", *byte_by_byte(LONG)],
    "chunks": [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", *([b"1\r\n \r\n"] * 200)],
    "informational": [b"HTTP/1.1 100 Continue\r\n\r\n"] * 200,
}


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    return context


@pytest.mark.parametrize("way", ["http", "https", "proxy"])
@pytest.mark.parametrize("drip", DRIPS)
def test_an_answer_that_drips_is_waited_for_no_longer_than_any_other(
    serve: Callable[..., Server], tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch, drip: str, way: str
) -> None:
    server = serve(DRIPS[drip], answered(GOOD), tls=None if way == "http" else tls)
    if way == "proxy":
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{tunnels().getsockname()[1]}")
        monkeypatch.setenv("no_proxy", "")
    client = Client(server.api, connections=1, total=0.5)
    began = time.monotonic()
    with pytest.raises(Doubtful, match=r"no answer within 0.5 s") as caught:
        client.request("GET", "/info", token="x")
    assert 0.4 < time.monotonic() - began < 0.5 + BUSY
    assert caught.value.status == 408
    assert client.request("GET", "/info", token="x") == "fine", "over another connection"
    assert server.connections == 2


def tunnels() -> socket.socket:
    """A proxy that carries two connections."""
    proxy = socket.create_server(("127.0.0.1", 0))

    def carry() -> None:
        with proxy:
            for _ in range(2):
                tunnel_once(proxy, [])

    threading.Thread(target=carry, daemon=True).start()
    return proxy


def test_a_proxy_whose_consent_drips_sent_nothing(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = serve(byte_by_byte(b"HTTP/1.1 200 Connection established\r\n" + b"x: y\r\n" * 50))
    monkeypatch.setenv("https_proxy", proxy.api)
    monkeypatch.setenv("no_proxy", "")
    began = time.monotonic()
    with pytest.raises(Refused, match="timed out"):
        Client("https://tagoio.test", connect=0.4).request("POST", "/x", token="x")
    assert time.monotonic() - began < 0.4 + BUSY


def test_a_handshake_that_drips_sent_nothing(serve: Callable[..., Server]) -> None:
    # a TLS record of 16 kB announced, and then a byte now and then
    server = serve([b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc", *([b"\0"] * 200)])
    began = time.monotonic()
    with pytest.raises(Refused, match="timed out"):
        Client(server.api.replace("http:", "https:"), connect=0.4).request("POST", "/x", token="x")
    assert time.monotonic() - began < 0.4 + BUSY


def test_a_body_that_nobody_takes_is_not_sent_for_ever() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        client = Client(f"http://127.0.0.1:{deaf.getsockname()[1]}", total=0.4)
        began = time.monotonic()
        with pytest.raises(Doubtful, match=r"no answer within 0.4 s"):
            client.request("POST", "/x", token="x", body="x" * 30_000_000)
        assert time.monotonic() - began < 0.4 + BUSY


def test_one_request_may_be_given_less_time(serve: Callable[..., Server]) -> None:
    client = Client(serve(DRIPS["body"]).api)
    began = time.monotonic()
    with pytest.raises(Doubtful, match=r"no answer within 0.3 s"):
        client.request("GET", "/info", token="x", timeout=0.3)
    assert time.monotonic() - began < 0.3 + BUSY


def test_a_host_that_nobody_can_look_up_in_time_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(8) or [])  # type: ignore[func-returns-value]
    began = time.monotonic()
    with pytest.raises(Refused, match="timed out"):
        Client("https://tagoio.test", connect=0.3).request("POST", "/x", token="x")
    assert time.monotonic() - began < 0.3 + BUSY


def test_an_address_that_hangs_leaves_time_for_the_next(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(answered(GOOD))
    port = int(server.api.rsplit(":")[-1])
    look_up = socket.getaddrinfo

    def two(host: str, *given: Any, **more: Any) -> Any:
        if host != "localhost":
            return look_up(host, *given, **more)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in (hanging, ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", two)
    with socket.socket() as full:  # its backlog is full: further connections are left hanging
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        hanging = full.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(hanging)
        began = time.monotonic()
        assert Client("http://localhost", connect=2.2).request("GET", "/info", token="x") == "fine"
        assert 1 < time.monotonic() - began < 1.8
        for each in waiting:
            each.close()


def test_whoever_gets_no_connection_in_time_has_sent_nothing(serve: Callable[..., Server]) -> None:
    server = serve([answered(GOOD)[:-1], b"", b"", b"", b"", b"", b"", b"", b"", b"}"], pause=0.1)
    client = Client(server.api, connections=1)
    first = threading.Thread(target=client.request, args=("GET", "/info"), kwargs={"token": "x"})
    first.start()
    time.sleep(0.2)
    with pytest.raises(Refused, match="no connection was free in time"):
        client.request("POST", "/x", token="x", timeout=0.3)
    first.join()
    assert len(server.requests) == 1


def test_a_second_client_does_not_wait_for_the_connections_of_the_first(serve: Callable[..., Server]) -> None:
    server = serve([answered(GOOD)[:-1], *([b""] * 9), b"}"], answered(GOOD), pause=0.1)
    busy, own = Client(server.api, connections=1), Client(server.api, connections=1, total=0.5)
    first = threading.Thread(target=busy.request, args=("GET", "/info"), kwargs={"token": "x"})
    first.start()
    time.sleep(0.2)
    assert own.request("GET", "/info", token="x") == "fine"
    assert first.is_alive()
    first.join()


@pytest.mark.parametrize(
    ("content", "result"),
    [
        (b'{"result": {"id": "a", "qty": %s}}' % (b"9" * 5000), {"id": "a", "qty": float("inf")}),
        (b'{"result": [-%s, 12]}' % (b"9" * 5000), [float("-inf"), 12]),
        (b'{"result": %s}' % (b"9" * 400), float("inf")),  # as an integer it would break whoever wants a float
        (b'{"result": 12345678901234567890}', 12345678901234567890),
        (b'{"result": 1e999}', float("inf")),
        (b'{"result": "\\ud800"}', "\ud800"),
    ],
)
def test_numbers_beyond_all_bounds_leave_the_rest_readable(
    serve: Callable[..., Server], content: bytes, result: Any
) -> None:
    assert Client(serve(answered(content)).api).request("GET", "/x", token="x") == result


@pytest.mark.parametrize("result", [b"{}", b"null", b'"text"', b"5"])
def test_what_is_no_list_is_no_empty_page_of_users(serve: Callable[..., Server], result: bytes) -> None:
    tago = TagoIO("x", Client(serve(answered(b'{"status": true, "result": %s}' % result)).api))
    with pytest.raises(Doubtful, match="a list was expected"):
        tago.run.listUsers({})
    with pytest.raises(Doubtful, match="a list was expected"):
        tago.device("d").getData({})


def test_not_a_number_is_read_too(serve: Callable[..., Server]) -> None:
    (found,) = Client(serve(answered(b'{"result": [NaN]}')).api).request("GET", "/x", token="x")
    assert found != found


@pytest.mark.parametrize("deep", [b"[" * 100_000, b'{"result": ' * 100_000, b"[" * 100_000 + b"]" * 100_000])
def test_an_answer_too_deep_leaves_doubt_and_says_why(serve: Callable[..., Server], deep: bytes) -> None:
    with pytest.raises(Doubtful, match="TagoIO answered 200 with something too deeply nested to be read"):
        Client(serve(answered(deep)).api).request("POST", "/x", token="x")
    with pytest.raises(Rejected, match="HTTP 404"):
        Client(serve(answered(deep, status="404 Not Found")).api).request("POST", "/x", token="x")


@pytest.mark.parametrize("header", ["retry-after: " + "9" * 5000, "x: y"])
def test_a_wait_beyond_all_bounds_is_an_hour(serve: Callable[..., Server], header: str) -> None:
    said = b'{"status": false, "message": "Too many requests (Retry-After: %s)"}' % (b"9" * 400)
    with pytest.raises(Refused) as caught:
        Client(serve(answered(said, header, status="429 Too Many")).api).request("POST", "/x", token="x")
    assert caught.value.retry_after == 3600


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        ({"title": "água \ud83d!", "a\0b": "x\0y"}, {"title": "água \ufffd!", "ab": "xy"}),
        ({"pair": "\ud83d\ude00", "kept": "\\u0000 \n"}, {"pair": "😀", "kept": "\\u0000 \n"}),
        ([float("inf"), float("nan"), -(10**5000), 1.5, True, None], ["inf", "nan", "-inf", 1.5, True, None]),
        ({"at": Path("x\0\ud800"), float("inf"): ("a",)}, {"at": "x\ufffd", "inf": ["a"]}),
    ],
    ids=["lone", "pair", "numbers", "others"],
)
def test_a_body_is_valid_whatever_it_is_made_of(serve: Callable[..., Server], body: Any, sent: Any) -> None:
    server = serve(answered(GOOD))
    Client(server.api).request("POST", "/x", token="x", params={"name": "\ud800\0"}, body=body)
    (request,) = server.requests
    assert json.loads(request.split(b"\r\n\r\n", 1)[1].decode()) == sent


@given(st.recursive(st.none() | st.floats() | st.integers() | st.text(st.characters()), st.lists))
def test_any_body_is_read_as_it_was_written(body: Any) -> None:
    text = written({"result": body}).decode()
    assert "\\u0000" not in text.replace("\\\\", "")
    found, trouble = read_answer(text.encode())
    assert trouble == ""
    assert written(found) == text.encode()


# ---- TagoIO's time


NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def dated(seconds: float) -> bytes:
    return answered(GOOD, f"date: {format_datetime(NOON + timedelta(seconds=seconds), usegmt=True)}")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_tagoios_time_is_that_of_its_answers(peopled: Sandbox) -> None:
    client = Client(peopled.api)
    assert not client.knows_time
    assert 50 < time.time() - client.time_at_tagoio().timestamp() < 70
    client.request("GET", "/run/users", token=peopled.store.profile_token)
    assert client.knows_time
    assert abs(client.time_at_tagoio().timestamp() - time.time()) < 2


@pytest.mark.parametrize("answer", [answered(GOOD), answered(GOOD, "date: yesterday"), answered(GOOD, "date: ")])
def test_an_answer_without_a_date_tells_no_time(serve: Callable[..., Server], answer: bytes) -> None:
    client = Client(serve(answer).api, clock=Clock())
    client.request("GET", "/x", token="x")
    assert not client.knows_time
    assert client.time_at_tagoio().timestamp() == 940


def test_tagoios_time_goes_on_between_answers_and_never_back(serve: Callable[..., Server]) -> None:
    clock = Clock()
    client = Client(serve(dated(0), dated(0), dated(1), dated(10), dated(11), dated(3600), dated(0)).api, clock=clock)

    def heard(after: float) -> float:
        clock.now += after
        client.request("GET", "/x", token="x")
        return (client.time_at_tagoio() - NOON).total_seconds()

    assert heard(0) == 0
    clock.now += 0.75
    assert (client.time_at_tagoio() - NOON).total_seconds() == 0.75
    assert heard(0) == 0.75, "its Date is still that of the same second"
    assert heard(1) == 1.75
    assert heard(8.5) == 10.25
    assert heard(0.5) == 11, "it was later than could be known before"
    clock.now -= 2.5
    assert (client.time_at_tagoio() - NOON).total_seconds() == 11, "our clock was put right"
    assert heard(2.5) == 3600, "a clock was set"
    assert heard(0) == 0, "and set again"


def test_a_slow_answer_does_not_set_tagoios_time_back(serve: Callable[..., Server]) -> None:
    clock = Clock()

    class Slow(Clock):
        """Three seconds pass with each look."""

        def __call__(self) -> float:
            clock.now += 3
            return clock.now

    client = Client(serve(dated(0), dated(3)).api, clock=clock)
    client.request("GET", "/x", token="x")
    client.clock = Slow()
    client.request("GET", "/x", token="x")
    client.clock = clock
    assert (client.time_at_tagoio() - NOON).total_seconds() == 6


# ---- the contract with tagoio-sdk: what lib/tagoio/transport.py replaces


def test_the_sdk_still_ends_every_call_in_dorequest_and_apirequest() -> None:
    source = inspect.getsource(sdk_module.TagoIOModule.doRequest)
    assert "self._converter_dict_param_filter(" in source
    assert 'apiRequest({**params, "url": url, "headers": {"token": self.token}})' in source
    assert list(inspect.signature(sdk_module.TagoIOModule.doRequest).parameters) == ["self", "params"]


@pytest.mark.parametrize(
    "method", ["listUsers", "userInfo", "notificationCreate", "notificationList", "notificationEdit"]
)
def test_the_methods_we_use_only_call_dorequest(method: str) -> None:
    source = inspect.getsource(getattr(Run, method))
    assert source.count("self.doRequest(") == 1
    assert "requests." not in source


def test_no_call_of_ours_goes_past_the_pool(peopled: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    def past_the_pool(_: Any) -> None:
        raise AssertionError("the SDK's own apiRequest was called")

    monkeypatch.setattr(sdk_module, "apiRequest", past_the_pool)
    run = TagoIO(peopled.store.profile_token, Client(peopled.api)).run
    user = run.listUsers({"amount": 1})[0]["id"]
    created = run.notificationCreate(user, BODY)["id"]
    assert [note["id"] for note in run.notificationList(user)] == [created]
    assert run.notificationEdit(created, {"read": True}) == "TagoIO Notification User Successfully Updated"
    assert run.userInfo(user)["id"] == user


# ---- TLS


@pytest.fixture
def tls_sandbox(tmp_path: Path) -> Iterator[tuple[Sandbox, str]]:
    """With the path of the authority that vouches for it, under the name localhost only."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    with Sandbox().running(ssl=context) as sandbox:
        yield sandbox, str(tmp_path / "ca.pem")


def list_users(api: str, token: str) -> Any:
    return Client(api).request("GET", "/run/users", token=token)


def test_a_trusted_certificate_is_accepted_and_any_other_refused(
    tls_sandbox: tuple[Sandbox, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox, authority = tls_sandbox
    with pytest.raises(Refused, match="certificate verify failed"):
        list_users(sandbox.api, sandbox.store.profile_token)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", authority)
    assert list_users(sandbox.api, sandbox.store.profile_token) == []
    with pytest.raises(Refused, match="certificate verify failed"):
        list_users(sandbox.api.replace("localhost", "127.0.0.1"), sandbox.store.profile_token)


def test_a_proxy_of_the_environment_is_used(tls_sandbox: tuple[Sandbox, str], monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox, authority = tls_sandbox
    asked: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        tunnel = threading.Thread(target=tunnel_once, args=(proxy, asked))
        tunnel.start()
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", authority)
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.getsockname()[1]}")
        monkeypatch.setenv("no_proxy", "")
        assert list_users(sandbox.api, sandbox.store.profile_token) == []
        tunnel.join(5)
    assert asked[0].startswith(f"CONNECT {sandbox.api.removeprefix('https://')} HTTP/1.")


def tunnel_once(proxy: socket.socket, asked: list[str]) -> None:
    """An HTTP proxy for one connection."""
    client, _ = proxy.accept()
    head = client.recv(4096).decode()
    asked.append(head.splitlines()[0])
    host, port = asked[0].split()[1].split(":")
    server = socket.create_connection((host, int(port)))
    client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")

    def pass_on(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):  # either end may hang up
            while data := source.recv(65536):
                target.sendall(data)

    with client, server:
        back = threading.Thread(target=pass_on, args=(server, client))
        back.start()
        pass_on(client, server)
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
        back.join(5)


def test_after_the_deadline_nothing_is_sent(peopled: Sandbox) -> None:
    client = Client(peopled.api)
    client.deadline = time.time() + 0.1
    with pytest.raises(Refused, match="the time for it is over"):
        TagoIO(peopled.store.profile_token, client).run.notificationCreate(next(iter(peopled.store.users)), BODY)
    assert not peopled.store.notifications


def test_no_request_is_waited_for_past_the_deadline(peopled: Sandbox) -> None:
    peopled.trouble.faults = [Fault("stall", seconds=8)]
    client = Client(peopled.api)
    client.deadline = time.time() + 0.3
    began = time.monotonic()
    with pytest.raises(Doubtful):
        TagoIO(peopled.store.profile_token, client).run.notificationCreate(next(iter(peopled.store.users)), BODY)
    assert time.monotonic() - began < 0.3 + BUSY
