"""Over real sockets: what each answer of the sandbox means, and that the SDK still goes through its choke point."""

import inspect
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tagoio_sdk.common.tagoio_module as sdk_module
import trustme
from tagoio_sdk.modules.Resources.Run import Run

from lib.base.errors import Doubtful, Refused, Rejected, SetupError, TagoIOError
from lib.tagoio.transport import Client, TagoIO
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
        (Fault("301", body="empty"), Rejected, 301, "301 redirected to ?; is TAGOIO_API right?"),
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
        create(peopled, read=0.3)
    assert (type(caught.value), caught.value.status) == (error, status)
    assert said in caught.value.message
    expected = 1.0 if fault.kind == "429" and fault.retry_after else None
    assert caught.value.retry_after == expected


def test_nothing_was_sent_where_nobody_listens() -> None:
    with pytest.raises(Refused, match="cannot be reached"):
        Client("http://127.0.0.1:9").request("GET", "/info", token="x")


def test_nothing_was_sent_where_the_host_is_unknown() -> None:
    with pytest.raises(Refused, match="cannot be reached"):
        Client("http://tagoio.invalid").request("GET", "/info", token="x")


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
    assert client.pool.num_connections <= 2
    assert len(peopled.store.notifications) == 12


def test_filters_and_fields_are_encoded_as_tagoio_reads_them(peopled: Sandbox) -> None:
    run = TagoIO(peopled.store.profile_token, Client(peopled.api)).run
    query = {"fields": ["id", "name", "tags"], "filter": {"active": True, "name": "*z*", "tags": [{"key": "group"}]}}
    assert [user["name"] for user in run.listUsers(query)] == [
        "Ana Souza",
    ]  # fmt: skip


def test_tagoios_time_is_that_of_its_latest_answer(peopled: Sandbox) -> None:
    client = Client(peopled.api)
    assert abs(client.time_at_tagoio().timestamp() - time.time()) > 50
    client.request("GET", "/run/users", token=peopled.store.profile_token)
    assert abs(client.time_at_tagoio().timestamp() - time.time()) < 2


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
        while data := source.recv(65536):
            target.sendall(data)

    with client, server:
        back = threading.Thread(target=pass_on, args=(server, client))
        back.start()
        pass_on(client, server)
        server.shutdown(socket.SHUT_RDWR)
        back.join(5)


def test_no_request_is_waited_for_past_the_deadline(peopled: Sandbox) -> None:
    peopled.trouble.faults = [Fault("stall", seconds=5)]
    client = Client(peopled.api)
    client.deadline = time.time() + 0.3
    began = time.monotonic()
    with pytest.raises(Doubtful):
        TagoIO(peopled.store.profile_token, client).run.notificationCreate(next(iter(peopled.store.users)), BODY)
    assert time.monotonic() - began < 2
