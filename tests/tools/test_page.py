"""The sandbox's page, asked by plain HTTP: who may, what it says, what it keeps."""

import json
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from lib.tools.sandbox.page.desk import Desk
from lib.tools.sandbox.page.figures import course, now_at, plotted
from lib.tools.sandbox.page.view import cards, color_of
from lib.tools.sandbox.store import Event
from tests.conftest import BARE, ROOT


def get(desk: Desk, path: str = "/", **headers: str) -> requests.Response:
    return requests.get(f"{desk.sandbox.api}{path}", headers=headers, timeout=10)


def post(desk: Desk, path: str, form: dict[str, Any] | None = None, **headers: str) -> requests.Response:
    address = f"{desk.sandbox.api}{path}"
    return requests.post(address, data=form or {}, headers=headers, timeout=10, allow_redirects=False)


# ---- who may ask


@pytest.mark.parametrize("path", ["/", "/page/changes", "/run/users", "/info"])
@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "localhost.evil:1"])
def test_another_name_for_this_machine_is_refused(desk: Desk, path: str, host: str) -> None:
    assert get(desk, path, Host=host).status_code in (400, 421)


def test_its_own_names_are_taken(desk: Desk) -> None:
    port = desk.sandbox.api.rsplit(":", 1)[1]
    for host in ("127.0.0.1", "localhost", f"localhost:{port}", f"[::1]:{port}"):
        assert get(desk, "/", Host=host).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate"},
    ],
)
def test_another_site_s_form_does_nothing(desk: Desk, headers: dict[str, str]) -> None:
    for path in ("/page/run", "/page/variables", "/page/trouble", "/page/schedule"):
        assert post(desk, path, {"how": "hand", "seconds": "1"}, **headers).status_code == 403
    assert list(desk.sandbox.runner.runs) == []


def test_another_site_cannot_read_the_page_but_a_link_to_it_works(desk: Desk) -> None:
    assert get(desk, "/", **{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}).status_code == 403
    assert get(desk, "/page/changes", **{"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"}).status_code == 403
    assert get(desk, "/", **{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}).status_code == 200


@pytest.mark.parametrize("path", ["/", "/page/static/page.js", "/page/static/page.css", "/page/static/bell.svg"])
def test_every_answer_keeps_scripts_and_frames_out(desk: Desk, path: str) -> None:
    answer = get(desk, path)
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "access-control-allow-origin" not in answer.headers
    assert "http" not in answer.text.replace("http://www.w3.org/2000/svg", "").replace(desk.sandbox.api, "")


# ---- what its forms do


def test_it_works_without_a_script(desk: Desk) -> None:
    answer = post(desk, "/page/run?user=x", {"how": "hand"}, Origin=desk.sandbox.api)
    assert (answer.status_code, answer.headers["location"]) == (303, "/?user=x")
    desk.sandbox.call(desk.sandbox.runner.settled())
    user = next(iter(desk.store.users))
    (note,) = desk.store.inbox(user)
    post(desk, f"/page/users/{user}/notifications/{note['id']}/read")
    button = note["buttons"][0]["id"]
    assert post(desk, f"/page/users/{user}/notifications/{note['id']}/press/{button}").status_code == 303
    desk.sandbox.call(desk.sandbox.runner.settled())
    page = get(desk, f"/?user={user}").text
    assert "Acknowledged by Ana Souza" in page
    again = post(desk, f"/page/users/{user}/notifications/{note['id']}/press/{button}")
    assert again.status_code == 400
    assert "Acknowledge: Buttons are disabled" in again.text


@pytest.mark.parametrize(
    ("path", "form", "said"),
    [
        ("/page/run", {"how": "action", "value": "1"}, "A data point needs a variable"),
        ("/page/schedule", {"seconds": "soon"}, "is not a number from 0 to 86400"),
        ("/page/schedule", {"seconds": "nan"}, "is not a number from 0 to 86400"),
        ("/page/trouble", {"plan": "other", "limit": "0"}, "Requests a minute"),
        ("/page/trouble", {"plan": "free", "latency": "-1"}, "Latency"),
        ("/page/variables", {"name": ["a"] * 21, "value": ["b"] * 21}, "21 variables; TagoIO takes 20; a is there 21"),
        ("/page/variables", {"name": [""], "value": ["b"]}, "has no name"),
        ("/page/users/x/notifications/y/read", {}, "removed meanwhile"),
        ("/page/users/x/notifications/y/press/z", {}, "There is no such user any more"),
    ],
)
def test_bad_input_is_one_sentence_and_changes_nothing(desk: Desk, path: str, form: dict[str, Any], said: str) -> None:
    before = desk.store.analyses[desk.analyses[0]["id"]]["variables"], desk.sandbox.trouble.rate_limit
    answer = post(desk, path, form)
    assert answer.status_code == 400
    assert said in answer.text.replace("&#34;", '"')
    assert (desk.variables, desk.sandbox.trouble.rate_limit) == before


@pytest.mark.parametrize(
    ("text", "value"), [("38", 38), ("-1.5", -1.5), ("true", True), ("open", "open"), ("", ""), ("[1]", "[1]")]
)
def test_a_typed_value_is_a_number_where_it_reads_as_one(desk: Desk, text: str, value: Any) -> None:
    post(desk, "/page/run", {"how": "action", "variable": "v", "value": text, "unit": "m", "device": "D"})
    (run,) = desk.sandbox.runner.runs
    (point,) = run.scope
    assert (point["variable"], point["value"], point["unit"]) == ("v", value, "m")
    assert desk.store.devices[point["device"]]["name"] == "D"
    assert run.extra["_action_type"] == "condition"


def test_the_stream_tells_of_changes(desk: Desk) -> None:
    with requests.get(f"{desk.sandbox.api}/page/changes", stream=True, timeout=10) as stream:
        lines = stream.iter_lines(chunk_size=1)
        first = next(line for line in lines if line)
        post(desk, "/page/trouble", {"plan": "free"})
        second = next(line for line in lines if line)
    assert first.startswith(b"data: ")
    assert second != first


# ---- what it shows


@pytest.mark.parametrize(
    ("given", "color"),
    [
        ("green", "#008000"),
        ("GREY", "#808080"),
        ("#ABC", "#aabbcc"),
        ("#1565c0", "#1565c0"),
        ("#1565c080", "#1565c0"),
        ("#abc8", "#aabbcc"),
        ("nocolor", ""),
        ("red;background:url(x)", ""),
        ("url(x)", ""),
        ("", ""),
        (None, ""),
        (["red"], ""),
    ],
)
def test_only_a_colour_gets_into_a_style(given: Any, color: str) -> None:
    assert color_of(given) == color


@pytest.mark.parametrize(
    ("button", "leads", "href", "runs"),
    [
        ({"url": "https://example.com/a?b"}, "opens example.com", "https://example.com/a?b", False),
        ({"url": "https://admin.tago.io/x"}, "opens the TagoIO page /x", "https://admin.tago.io/x", False),
        ({"url": "https://my.tago.run/x"}, "opens the TagoIO page /x", "https://my.tago.run/x", False),
        ({"url": "/x"}, "opens the TagoIO page /x", "https://admin.tago.io/x", False),
        ({"url": "javascript:alert(1)"}, "javascript:alert(1) is no web address", "", False),
        ({"url": "//evil.example"}, "//evil.example is no web address", "", False),
        ({"url": "https://nottago.io/"}, "opens nottago.io", "https://nottago.io/", False),
        ({"triggers": [{"url": "https://a.b", "method": "REDIRECT"}]}, "opens a.b", "https://a.b", False),
        ({"triggers": {"analysis_id": "f" * 24}}, f"runs the Analysis {'f' * 24}, not here", "", True),
        ({}, "leads nowhere", "", False),
    ],
)
def test_a_button_says_where_it_leads(desk: Desk, button: dict[str, Any], leads: str, href: str, runs: bool) -> None:
    user = next(iter(desk.store.users))
    buttons = [{"id": "a", "label": "b", **button}]
    desk.store.notify({"run_user": user, "title": "t", "message": "m", "buttons": buttons})
    (card,) = cards(desk.store, user)
    (shown,) = card.buttons
    assert (shown.leads, shown.href, shown.runs) == (leads, href, runs)


def test_times_are_on_the_user_s_own_clock(desk: Desk) -> None:
    users = {user["name"]: user["id"] for user in desk.store.users.values()}
    shown = []
    for name in ("Emi Tanaka", "Ana Souza"):
        note = desk.store.notify({"run_user": users[name], "title": "t", "message": "m"})
        note["created_at"] = "2026-01-05T20:30:00.000Z"
        shown.append(cards(desk.store, users[name])[0].time)
    assert shown == ["2026-01-06 05:30", "2026-01-05 17:30"]


def test_figures_follow_what_happened() -> None:
    kinds = ["sent a", "held b", "failed c", "read a", "held b", "sent b", "pressed a", "pending d", "sent c"]
    events = [Event(float(time), *each.split()) for time, each in enumerate(kinds)]
    steps = course(events)
    assert now_at(steps) == {"sent": 3, "read": 1, "pressed": 1, "held": 0, "failed": 1}
    assert steps["held"] == [(1.0, 1), (5.0, 0)]
    assert steps["failed"] == [(2.0, 1), (7.0, 2), (8.0, 1)]
    lines, start, span = plotted(steps, until=20.0)
    assert (start, span) == (0.0, 20.0)
    assert {line.name: line.value for line in lines} == now_at(steps)
    assert plotted(course([]), until=5.0)[0] == []


# ---- what it keeps, and who else may use it


@contextmanager
def serving(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str], str]]:
    """The process, the variables that it prints for others, and its page's address."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "lib.tools.sandbox", "--serve", *arguments],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    lines: list[str] = []
    while not (lines and lines[-1].startswith("# Ctrl+C")) and process.poll() is None:
        lines.append(process.stdout.readline())
    words = [shlex.split(line.removeprefix("export ")) for line in lines if line.startswith("export ")]
    given = dict(word[0].split("=", 1) for word in words)
    try:
        yield process, given, given.get("TAGOIO_API", "")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)
        process.communicate()


def test_a_restart_with_the_state_file_keeps_users_and_notifications(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    with serving("--state", str(state), "--set", "max_recipients=50") as (process, given, page):
        users = requests.get(f"{page}/run/users", headers={"token": given["account_token"]}, timeout=5).json()["result"]
        note = {"run_user": users[0]["id"], "title": "Kept", "message": "m"}
        headers = {"token": given["account_token"]}
        requests.post(f"{page}/run/notification", json=note, headers=headers, timeout=5).raise_for_status()
        deadline = time.monotonic() + 10
        while not (state.exists() and "Kept" in state.read_text()) and time.monotonic() < deadline:
            time.sleep(0.1)
        process.kill()  # what is on the disk is what counts
    assert stat.S_IMODE(state.stat().st_mode) == 0o600
    with serving("--state", str(state)) as (_, again, page):
        assert again["account_token"] == given["account_token"]
        assert again["T_ANALYSIS_ID"] == given["T_ANALYSIS_ID"]
        assert again["max_recipients"] == "50"
        shown = requests.get(f"{page}/?user={users[0]['id']}", timeout=5).text
        assert "Kept" in shown
        assert "<dd>1</dd>" in shown, "the figures too"
    assert len(json.loads(state.read_text())["users"]) == 12


@pytest.mark.parametrize(
    ("content", "said"),
    [("{", "is not a state of the sandbox"), ("[]", "is not a state"), ('{"form": 0}', "another version")],
)
def test_a_file_that_is_no_state_is_left_alone(tmp_path: Path, content: str, said: str) -> None:
    state = tmp_path / "mine.json"
    state.write_text(content)
    command = [sys.executable, "-m", "lib.tools.sandbox", "--serve", "--state", str(state)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert said in done.stderr
    assert state.read_text() == content


def test_a_port_that_is_taken_is_one_sentence(desk: Desk) -> None:
    port = desk.sandbox.api.rsplit(":", 1)[1]
    command = [sys.executable, "-m", "lib.tools.sandbox", "--serve", "--port", port]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert f"Port {port} cannot be had" in done.stderr


def external_run(page: str, variables: dict[str, str], command: list[str], cwd: Path) -> str:
    """Start an external Analysis as the README says, run it from the page; the page then."""
    env = {**BARE, **{key: variables[key] for key in ("TAGOIO_API", "TAGOIO_SSE", "T_ANALYSIS_TOKEN", "T_ANALYSIS_ID")}}
    listener = subprocess.Popen(command, cwd=cwd, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 40
        shown = ""
        while "Notified 7" not in shown and time.monotonic() < deadline:
            requests.post(f"{page}/page/run", data={"analysis": variables["T_ANALYSIS_ID"]}, timeout=5)
            time.sleep(1.5)
            shown = requests.get(page, timeout=5).text
        return shown
    finally:
        listener.terminate()
        listener.wait(10)


def test_an_external_analysis_in_python_is_run_from_the_page() -> None:
    with serving() as (_, variables, page):
        shown = external_run(page, variables, [sys.executable, "analysis.py"], ROOT)
        assert "Notified 7 of 8 users" in shown
        assert "Refrigerator alarm" in shown
        assert "external, free" in shown


@pytest.mark.skipif(shutil.which("npm") is None, reason="Node.js is not on this machine")
def test_an_external_analysis_in_javascript_is_run_from_the_page(javascript: Path) -> None:
    with serving() as (_, variables, page):
        shown = external_run(page, variables, ["node", "listen.js"], javascript)
        assert "Notified 7 users" in shown
        assert "From JavaScript" in shown
