"""The sandbox takes what others hand it for data: bodies, forms, a state file, the names of variables."""

import json
import re
import shlex
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
import requests
from aiohttp.web import RouteDef
from playwright.sync_api import Browser, expect

from lib.tools.sandbox.page.desk import Desk
from lib.tools.sandbox.page.forms import typed_value
from lib.tools.sandbox.page.guard import CLOSED
from lib.tools.sandbox.page.routes import add_page
from lib.tools.sandbox.page.routes import routes as page_routes
from lib.tools.sandbox.seed import DEVELOPER, PASSWORD
from lib.tools.sandbox.serve import ELSEWHERE, clients, set_up
from lib.tools.sandbox.server import Sandbox
from lib.tools.sandbox.state import StateError, load, save, tokens_beside
from lib.tools.sandbox.store import Identity, Store
from tests.conftest import ANALYSIS, ROOT
from tests.tools.test_page import get, key_of, opened, post, serving

DEEP = b"[" * 200_000 + b"]" * 200_000
BODIES = {
    "deep": DEEP,
    "no JSON": b"{",
    "no UTF-8": b'{"name": "\xff\xfe"}',
    "not a number": b'{"name": NaN}',
    "infinity": b'{"name": [-Infinity]}',
    "more than a number holds": b'{"name": 1e999}',
    "half of UTF-16": '{"name": "x"}'.encode("utf-16") + b"\x00",
}


# ---- bodies


@pytest.mark.parametrize("kind", BODIES)
@pytest.mark.parametrize(("method", "path"), [("POST", "/run/notification"), ("PUT", "/run"), ("POST", "/run/users")])
def test_a_body_that_cannot_be_read_is_a_400(peopled: Sandbox, kind: str, method: str, path: str) -> None:
    headers = {"token": peopled.store.profile_token, "content-type": "application/json"}
    answer = requests.request(method, peopled.api + path, data=BODIES[kind], headers=headers, timeout=20)
    assert (answer.status_code, answer.json()["message"]) == (400, "Invalid JSON")
    assert not peopled.store.notifications


@pytest.mark.parametrize("charset", ["utf-7", "klingon", "utf-8", "utf-16", "\u00e9"])
def test_the_charset_of_a_json_body_is_of_no_account(peopled: Sandbox, charset: str) -> None:
    user = next(iter(peopled.store.users))
    body = json.dumps({"run_user": user, "title": "t", "message": "é"}).encode()
    kind = f"application/json; charset={charset}".encode()
    headers: dict[str, str | bytes] = {"token": peopled.store.profile_token, "content-type": kind}
    answer = requests.post(f"{peopled.api}/run/notification", data=body, headers=headers, timeout=20)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("charset", ["klingon", "utf-16", "idna", "rot13", "hex"])
@pytest.mark.parametrize("path", ["/page/run", "/page/variables", "/page/press", "/page/clock"])
def test_a_form_in_an_odd_charset_is_a_400(desk: Desk, charset: str, path: str) -> None:
    headers = {"content-type": f"application/x-www-form-urlencoded; charset={charset}"}
    answer = requests.post(
        desk.sandbox.api + path, data=b"name=\xff%ff", headers=headers, cookies=key_of(desk), timeout=20
    )
    assert answer.status_code in (400, 200), answer.text
    assert answer.status_code == 400 or path == "/page/run"
    assert "Internal" not in answer.text


def test_half_a_surrogate_pair_in_a_notification_does_not_end_the_page(desk: Desk) -> None:
    user = next(iter(desk.store.users))
    body = b'{"run_user": "%s", "title": "Fr\\ud83eidge", "message": "m\\udc00"}' % user.encode()
    headers = {"token": desk.store.profile_token, "content-type": "application/json"}
    assert requests.post(f"{desk.sandbox.api}/run/notification", data=body, headers=headers, timeout=20).ok
    page = get(desk, f"/?user={user}")
    assert page.status_code == 200
    assert "Fr\ufffdidge" in page.text


@pytest.mark.parametrize("text", ["NaN", "1e999", "-Infinity"])
def test_what_json_has_not_is_a_text_in_a_form(text: str) -> None:
    assert typed_value(text) == text


# ---- commands to paste


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x;touch pwned;", "1"),
        ("$(touch pwned)", "1"),
        ("a b", "1"),
        ("line\nend", "1"),
        ("fine", "\x1b[2Jx"),
        ("fine", "a\rb"),
        ("fine", "\x9b31m"),
        ("fine", "\u202ex"),
        ("ｘ", "1"),
    ],
)
def test_what_is_no_name_of_a_variable_is_in_no_command(desk: Desk, name: str, value: str) -> None:
    (desk.analyses[0]["variables"]).append({"key": name, "value": value})
    for with_tokens in (True, False):
        for _, text in clients(desk, with_tokens=with_tokens):
            assert name not in text or name == "fine"
            assert value not in text or value == "1"


def test_a_value_is_pasted_as_it_is(desk: Desk, tmp_path: Path) -> None:
    value = 'it\'s "$(touch pwned)" `x` \\ \n second; line'
    desk.analyses[0]["variables"].append({"key": "odd", "value": value})
    commands = clients(desk, with_tokens=True)[0][1].rsplit("\n", 1)[0]
    done = subprocess.run(
        ["sh", "-c", f'{commands}\nprintf %s "$odd"'], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == value
    assert not list(tmp_path.glob("pwned"))
    assert shlex.quote(value) in commands


def test_no_token_and_no_key_is_on_the_page(desk: Desk) -> None:
    desk.analyses[1]["token"] = token = desk.store.token_for(Identity("analysis", desk.analyses[1]["id"]))
    pages = [get(desk, path).text for path in ("/", "/?run=1", "/?user=x")]
    pages.append(post(desk, "/page/variables", {"name": "a"}).text)
    for text in pages:
        assert token not in text
        assert desk.store.profile_token not in text
        assert desk.key not in text
        assert desk.store.account_password not in text
        assert not re.search(r"\b[pau]-[0-9a-f]{34}\b", text)
    assert f"T_ANALYSIS_TOKEN='{ELSEWHERE}'" in pages[0].replace("&#39;", "'")
    assert (
        token
        in dict(clients(desk, with_tokens=True))[
            "Listen as an external Analysis, this one or any in Python or JavaScript"
        ]
    )


# ---- the key of the page


def ask(desk: Desk, method: str, path: str, cookie: str = "", **headers: str) -> requests.Response:
    given = {**headers, **({"Cookie": cookie} if cookie else {})}
    return requests.request(method, desk.sandbox.api + path, headers=given, timeout=10, allow_redirects=False)


def routes_of_the_page() -> list[tuple[str, str]]:
    static = [("GET", f"/page/static/{name}") for name in ("page.css", "bell.svg", "js/main.js")]
    plain = [(route.method, route.path) for route in page_routes if isinstance(route, RouteDef)]
    return [*plain, *static, ("GET", "/page/nothing"), ("POST", "/"), ("HEAD", "/"), ("OPTIONS", "/page/run")]


@pytest.mark.parametrize(("method", "path"), routes_of_the_page())
@pytest.mark.parametrize("given", ["nothing", "another key", "another cookie", "an older sandbox's cookie"])
def test_without_the_key_each_part_of_the_page_is_one_sentence(desk: Desk, method: str, path: str, given: str) -> None:
    cookie = {"another cookie": f"{desk.cookie}=x", "an older sandbox's cookie": f"sandbox_1={desk.key}"}.get(given, "")
    path += "?key=x" if given == "another key" else ""
    answer = ask(desk, method, path, cookie)
    assert (answer.status_code, answer.text) == (403, "" if method == "HEAD" else CLOSED)
    assert "set-cookie" not in answer.headers
    assert not desk.sandbox.runner.runs


@pytest.mark.parametrize("path", ["/%70age/changes", "//page/changes", "/page/../page/changes", "/./page/run", "/page"])
def test_no_other_spelling_gets_round_it(desk: Desk, path: str) -> None:
    with socket.create_connection(("127.0.0.1", urlsplit(desk.sandbox.api).port or 0), 5) as asked:
        asked.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        asked.settimeout(5)
        assert asked.recv(65_536).split()[1] in (b"400", b"401", b"403", b"404")


def test_the_key_comes_once_and_a_cookie_that_no_script_reads_stays(desk: Desk) -> None:
    answer = ask(desk, "GET", f"/page/admin/analysis/x?tab=run&key={desk.key}&user=a+b%26c")
    assert (answer.status_code, answer.headers["location"]) == (303, "/page/admin/analysis/x?tab=run&user=a+b%26c")
    name, *marks = answer.headers["set-cookie"].split("; ")
    assert name == f"{desk.cookie}={desk.key}"
    assert sorted(marks) == ["HttpOnly", "Path=/", "SameSite=Strict"]
    assert ask(desk, "GET", "/", name).status_code == 200
    assert ask(desk, "GET", "/", f"other={{}}; bad name=[1,2; {name}; x=\xff").status_code == 200
    older = ask(desk, "GET", "/?key=of-the-sandbox-before", name)
    assert (older.status_code, older.headers["location"]) == (303, "/")
    assert ask(desk, "POST", f"/page/run?key={desk.key}").status_code == 403, "a form brings the cookie"


def test_the_keys_of_two_sandboxes_in_one_browser_do_not_get_in_each_others_way(desk: Desk) -> None:
    sandbox = Sandbox()
    other = set_up(sandbox, ANALYSIS, {})
    with sandbox.running(extend=lambda app: add_page(app, other)):
        browser = requests.Session()
        for each in (desk, other, desk, other):
            assert browser.get(each.address, timeout=5).url == f"{each.sandbox.api}/"
        assert len(browser.cookies) == 2
    assert desk.key != other.key
    assert len(desk.key) >= 32


@pytest.mark.parametrize("given", ["\udcff", "é", "", "\x00"])
def test_a_key_of_odd_letters_is_no_key(desk: Desk, given: str) -> None:
    cookie = f"{desk.cookie}={given}".encode(errors="surrogateescape")
    headers: dict[str, str | bytes] = {"Cookie": cookie}
    assert requests.get(f"{desk.sandbox.api}/", headers=headers, timeout=5).status_code in (400, 403)
    for text in (quote(given, errors="surrogateescape"), "%ff"):
        assert ask(desk, "GET", f"/?key={text}").status_code == 403


def test_the_key_is_compared_in_constant_time() -> None:
    text = (ROOT / "lib" / "tools" / "sandbox" / "page" / "guard.py").read_text()
    assert "compare_digest" in text
    assert not re.search(r"[!=]= *desk\.key|desk\.key *[!=]=", text)


def test_over_https_the_cookie_goes_by_https_only(tmp_path: Path) -> None:
    with serving("--tls", str(tmp_path)) as (_, given, page):
        answer = requests.get(page, verify=given["SSL_CERT_FILE"], timeout=5, allow_redirects=False)
    assert page.startswith("https://")
    assert "; Secure" in answer.headers["set-cookie"]


def test_the_api_asks_for_its_tokens_and_for_no_key(desk: Desk) -> None:
    headers = {"token": desk.store.profile_token}
    assert requests.get(f"{desk.sandbox.api}/run/users", headers=headers, timeout=5).status_code == 200


def test_what_is_printed_opens_the_page_and_the_state_brings_no_key_along(tmp_path: Path) -> None:
    keys, state = [], tmp_path / "state.json"
    for _ in range(2):
        with serving("--state", str(state)) as (_, given, page):
            keys.append(given["SANDBOX_KEY"])
            assert page == f"{given['TAGOIO_API']}/?key={keys[-1]}"
            assert "<h1>TagoRUN sandbox</h1>" in opened(page).get(given["TAGOIO_API"], timeout=5).text
    assert keys[0] != keys[1]
    assert not [path for path in tmp_path.iterdir() if any(key in path.read_text() for key in keys)]


@pytest.mark.parametrize("password", [PASSWORD, "", None, "é", 5])
@pytest.mark.parametrize("path", ["/account/login", "/account/profile/token"])
def test_no_password_that_everybody_knows_gives_a_profiles_token(desk: Desk, path: str, password: Any) -> None:
    asked = {"email": DEVELOPER, "password": password, "profile_id": desk.store.profile_id, "name": "n"}
    assert requests.post(desk.sandbox.api + path, json=asked, timeout=5).status_code == 401
    own = {**asked, "password": desk.store.account_password}
    assert requests.post(desk.sandbox.api + path, json=own, timeout=5).status_code == 200


def test_the_analysis_does_not_get_the_key(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "analysis.py").write_text("import os\nprint(dict(os.environ))")
    post(desk, "/page/run", {"how": "hand"})
    desk.sandbox.call(desk.sandbox.runner.settled())
    (line,) = desk.sandbox.runner.runs[-1].lines
    assert "TAGOIO_API" in line
    assert desk.key not in line


# ---- the same in Chromium


@pytest.fixture
def elsewhere(desk: Desk) -> Iterator[str]:
    """Somebody else's site, for a browser, with links to the page: 127.0.0.1 and localhost are two sites."""
    links = "".join(f'<a href="{address}">{name}</a>' for name, address in
                    {"with": desk.address, "without": f"{desk.sandbox.api}/?tab=trouble"}.items())  # fmt: skip

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(links.encode())

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}/"
        server.shutdown()


def test_a_browser_opens_it_by_the_printed_address_and_keeps_no_key_in_it(desk: Desk, browser: Browser) -> None:
    with browser.new_context() as window:
        page = window.new_page()
        answer = page.goto(desk.sandbox.api)
        assert answer is not None
        assert answer.status == 403
        expect(page.locator("body")).to_have_text(CLOSED)
        page.goto(desk.address)
        expect(page).to_have_url(f"{desk.sandbox.api}/")
        expect(page.locator("h1")).to_have_text("TagoRUN sandbox")
        page.locator("#ring").click()
        expect(page.locator("#said")).to_contain_text("exit code 0", timeout=15_000)
        assert page.evaluate("document.cookie") == ""
        (cookie,) = window.cookies()
        assert (cookie["name"], cookie["value"]) == (desk.cookie, desk.key)
        assert (cookie["httpOnly"], cookie["sameSite"], cookie["expires"]) == (True, "Strict", -1)
        page.reload()
        expect(page.locator("h1")).to_have_text("TagoRUN sandbox")


def test_a_link_of_another_site_opens_it_for_who_has_the_key_and_for_nobody_else(
    desk: Desk, browser: Browser, elsewhere: str
) -> None:
    with browser.new_context() as window:
        page = window.new_page()
        page.goto(elsewhere)
        page.get_by_text("without").click()
        expect(page.locator("body")).to_have_text(CLOSED)
        page.wait_for_timeout(1000)
        expect(page.locator("body")).to_have_text(CLOSED)
        for name in ("with", "without"):
            page.goto(elsewhere)
            page.get_by_text(name, exact=True).click()
            expect(page.locator("h1")).to_have_text("TagoRUN sandbox")


# ---- the state file


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A state as the sandbox has written it."""
    sandbox = Sandbox()
    desk = set_up(sandbox, ANALYSIS, {})
    user = sandbox.store.add_user({"name": "Ana", "email": "ana@example.com", "active": True})
    sandbox.store.notify({"run_user": user["id"], "title": "t", "message": "m"})
    sandbox.store.log_in("ana@example.com", sandbox.store.passwords[user["id"]])
    assert desk.analyses[1]["token"] in sandbox.store.tokens
    save(sandbox.store, tmp_path / "state.json")
    return tmp_path / "state.json"


def test_it_comes_back_as_it_was_and_its_tokens_from_beside_it(kept: Path) -> None:
    text = kept.read_text()
    assert not re.search(r"\b[pau]-[0-9a-f]{34}\b", text)
    assert stat.S_IMODE(kept.stat().st_mode) == stat.S_IMODE(tokens_beside(kept).stat().st_mode) == 0o600
    store = load(kept)
    assert store is not None
    tokens = json.loads(tokens_beside(kept).read_text())
    assert store.profile_token == tokens["profile_token"]
    assert store.tokens.keys() == tokens["tokens"].keys()
    assert store.analyses[store.own["external"]]["token"] in store.tokens


def test_one_that_came_without_its_tokens_gets_new_ones_that_work(kept: Path) -> None:
    old = json.loads(tokens_beside(kept).read_text())["tokens"]
    tokens_beside(kept).unlink()
    store = load(kept)
    assert store is not None
    assert not store.tokens.keys() & old.keys()
    desk = set_up(Sandbox(store), ANALYSIS, {})
    journal = {each["key"]: each["value"] for each in desk.analyses[0]["variables"]}["delivery_log_token"]
    assert store.tokens[journal].kind == "device"
    assert len([each for each in store.devices.values() if each["name"] == "Notification journal"]) == 1
    assert store.tokens[desk.analyses[1]["token"]].kind == "analysis"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("scripts", {"x": "/etc/passwd"}),
        ("downloads", {"x": "/etc/passwd"}),
        ("tokens", {"p-" + "0" * 34: ["profile", "x"]}),
        ("profile_token", "p-" + "0" * 34),
        ("facts", {}),
        ("log", []),
    ],
)
def test_it_brings_no_script_and_no_token_along(kept: Path, name: str, value: Any) -> None:
    kept.write_text(json.dumps({**json.loads(kept.read_text()), name: value}))
    with pytest.raises(StateError, match=f"it has {name}"):
        load(kept)


def test_an_analysis_in_it_has_no_token_of_its_own(kept: Path) -> None:
    state = json.loads(kept.read_text())
    for analysis in state["analyses"].values():
        analysis["token"] = "a-" + "0" * 34
    kept.write_text(json.dumps(state))
    tokens_beside(kept).unlink()
    store = load(kept)
    assert store is not None
    set_up(Sandbox(store), ANALYSIS, {})
    assert "a-" + "0" * 34 not in store.tokens
    assert all(each.get("token") in (None, *store.tokens) for each in store.analyses.values() if each["id"])


@pytest.mark.parametrize(
    "content",
    [b"{", b"[]", DEEP, b'{"tokens": {"short": ["profile", "x"]}, "profile_token": "x", "analyses": {}}', b"\xff"],
)
def test_a_file_of_tokens_that_is_none_is_as_good_as_none(kept: Path, content: bytes) -> None:
    tokens_beside(kept).write_bytes(content)
    store = load(kept)
    assert store is not None
    assert list(store.tokens.values()) == [Identity("profile", store.profile_id)]
    assert "short" not in store.tokens


def corrupted() -> list[Any]:
    """Each field with something of another shape in it."""
    wrong: list[Any] = [5, None, "x", {"x": 5}, [5], {"x": {"id": "y"}}, [{"x": 1}]]
    fits = {
        "run_settings": wrong[3:4] + wrong[5:6], "admin_notifications": [[{"x": 1}]], "policies": [{"x": {"id": "y"}}],
        "kept_secrets": [{"x": {"id": "y"}}], "limits": [{"x": 5}], "used": [{"x": 5}], "ahead": [5],
        "profile_id": ["x"], "account_id": ["x"], "run_url": ["x"],
    }  # fmt: skip
    names = ("users", "notifications", "inboxes", "analyses", "actions", "devices", "data", "passwords", "own",
             "parameters", *fits)  # fmt: skip
    return [(name, value) for name in names for value in wrong if value not in fits.get(name, [])]


@pytest.mark.parametrize(("name", "value"), corrupted(), ids=str)
def test_a_field_of_another_shape_is_one_sentence(kept: Path, name: str, value: Any) -> None:
    kept.write_text(json.dumps({**json.loads(kept.read_text()), name: value}))
    with pytest.raises(StateError, match="is not a state of the sandbox"):
        load(kept)


@pytest.mark.parametrize("part", ["name", "email", "timezone", "active", "tags"])
def test_so_is_a_part_of_a_user(kept: Path, part: str) -> None:
    state = json.loads(kept.read_text())
    next(iter(state["users"].values()))[part] = {"a": 1}
    kept.write_text(json.dumps(state))
    with pytest.raises(StateError, match="users has another shape"):
        load(kept)


def test_whatever_the_api_takes_is_a_state_again(peopled: Sandbox, tmp_path: Path) -> None:
    headers = {"token": peopled.store.profile_token}
    bodies: list[tuple[str, Any]] = [
        ("/run/users", {"name": 5, "email": "x@y", "timezone": "UTC"}),
        ("/run/users", {"name": "n", "email": "x@y", "timezone": "UTC", "tags": 5}),
        ("/run/users", {"name": "n", "email": "x@y", "timezone": "UTC", "active": "yes"}),
        ("/analysis", {"name": 5, "run_on": 5}),
        ("/action", {"name": 5}),
        ("/secrets", {"key": 5, "value": 5}),
    ]
    for path, body in bodies:
        answer = requests.post(peopled.api + path, json=body, headers=headers, timeout=5)
        assert answer.status_code < 500, answer.text
    note = next(iter(peopled.store.users))
    requests.post(
        f"{peopled.api}/run/notification",
        json={"run_user": note, "title": "t", "message": "m", "read": "x", "buttons": [{"id": 5, "label": 5}]},
        headers=headers,
        timeout=5,
    )
    save(peopled.store, tmp_path / "state.json")
    assert isinstance(load(tmp_path / "state.json"), Store)


def test_a_refused_state_shows_nothing_that_a_terminal_obeys(kept: Path) -> None:
    kept.write_text(json.dumps({**json.loads(kept.read_text()), "\x1b[2J": 1}))
    command = [sys.executable, "-m", "lib.tools.sandbox", "--serve", "--state", str(kept)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert "\x1b" not in done.stderr
