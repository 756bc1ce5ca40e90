"""The sandbox's page, asked by plain HTTP: who may, what it says, what it keeps."""

import asyncio
import json
import re
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
from urllib.parse import urlsplit

import pytest
import requests

from lib.tools.install.__main__ import admin_link
from lib.tools.sandbox.page.board import board_of
from lib.tools.sandbox.page.desk import Desk
from lib.tools.sandbox.page.endings import Cell
from lib.tools.sandbox.page.figures import course, now_at
from lib.tools.sandbox.page.plain import PlainDay, Weather
from lib.tools.sandbox.page.variables import version_of
from lib.tools.sandbox.page.view import cards, color_of
from lib.tools.sandbox.runner import Run
from lib.tools.sandbox.store import Event, Identity
from lib.tools.sandbox.trouble import Fault
from lib.tools.sandbox.unknowns import UNKNOWNS, default_facts
from tests.conftest import BARE, ROOT


def get(desk: Desk, path: str = "/", **headers: str) -> requests.Response:
    return requests.get(f"{desk.sandbox.api}{path}", headers=headers, cookies=key_of(desk), timeout=10)


def post(desk: Desk, path: str, form: dict[str, Any] | None = None, **headers: str) -> requests.Response:
    address = f"{desk.sandbox.api}{path}"
    cookies = key_of(desk)
    return requests.post(address, data=form or {}, headers=headers, cookies=cookies, timeout=10, allow_redirects=False)


def key_of(desk: Desk) -> dict[str, str]:
    """The cookie of who has opened the page."""
    return {desk.cookie: desk.key}


def opened(page: str) -> requests.Session:
    """A browser that has opened the page by the printed address."""
    browser = requests.Session()
    assert browser.get(page, timeout=5).status_code == 200
    return browser


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


@pytest.mark.parametrize("path", ["/", "/page/static/js/main.js", "/page/static/page.css", "/page/static/bell.svg"])
def test_every_answer_keeps_scripts_and_frames_out(desk: Desk, path: str) -> None:
    answer = get(desk, path)
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "access-control-allow-origin" not in answer.headers
    assert "http" not in answer.text.replace("http://www.w3.org/2000/svg", "").replace(desk.sandbox.api, "")


# ---- what its forms do


def alarms_on(desk: Desk, path: str = "/") -> str:
    """The words of the section."""
    page = get(desk, path).text
    section = page[page.index('<section id="alarms"') :].partition("</section>")[0]
    return " ".join(re.sub("<[^>]*>", " ", section).split())


def reads(desk: Desk, value: float, device: str = "Refrigerator 7") -> None:
    form = {"how": "action", "variable": "temperature", "value": value, "unit": "°C", "device": device}
    assert post(desk, "/page/run", form).status_code == 303
    desk.sandbox.call(desk.sandbox.runner.settled())


def test_each_device_has_an_alarm_of_its_own_and_one_that_nobody_clears_is_let_go_after_a_day(desk: Desk) -> None:
    assert alarms_on(desk) == "Alarms None is open."
    reads(desk, 9)
    reads(desk, 10, "Freezer 2")
    assert "Refrigerator 7: temperature open since" in alarms_on(desk)
    assert "Freezer 2: temperature open since" in alarms_on(desk)
    reads(desk, 4, "Freezer 2")
    assert "Freezer 2: temperature open since" not in alarms_on(desk)
    assert "The last that ended: Freezer 2: temperature cleared at" in alarms_on(desk)
    post(desk, "/page/clock", {"minutes": "1441"})
    assert "None is open." in alarms_on(desk)
    assert "The last that ended: Refrigerator 7: temperature let go after a day; 1 event since" in alarms_on(desk)


def test_the_alarms_are_those_of_the_analysis_whose_run_is_shown(desk: Desk) -> None:
    """Another than the page's own may have a journal of its own, or the only one."""
    reads(desk, 9)
    other = desk.store.add_analysis({"name": "Installed", "variables": []})
    assert "temperature open since" in alarms_on(desk, f"/?run=1&analysis={other['id']}")


def test_why_nobody_is_told_is_what_the_analysis_says(desk: Desk) -> None:
    verdicts = []

    def read(degrees: float) -> None:
        reads(desk, degrees)
        verdicts.append(board_of(desk, desk.days()[-1]).verdict.text)

    read(4)
    read(9)
    user = next(user for user in desk.store.users if desk.store.inbox(user))
    (note,) = desk.store.inbox(user)
    post(desk, "/page/press", {"user": user, "note": note["id"], "button": note["buttons"][0]["id"]})
    desk.sandbox.call(desk.sandbox.runner.settled())
    read(10)
    set_variable(desk, "dry_run", "true")
    read(10)
    assert verdicts == [
        "Nobody was told: no alarm was open",
        "Nobody lost, nobody told twice",
        "Nobody was told: the alarm was answered already",
        "Nobody was told: dry run",
    ]


def ends(desk: Desk, place: int = -1) -> list[str]:
    return [row.end.text for row in board_of(desk, desk.days()[place]).rows]


def chips(desk: Desk) -> list[list[str]]:
    return [[chip.text for chip in row.chips] for row in board_of(desk, desk.days()[-1]).rows]


def set_variable(desk: Desk, key: str, value: str) -> None:
    for analysis in desk.analyses:
        others = [each for each in analysis["variables"] if each["key"] != key]
        analysis["variables"] = [*others, {"key": key, "value": value, "type": "text"}]


def program(desk: Desk, place: int = 0) -> Run:
    """A run whose program is this test."""
    run = Run(desk.analyses[place]["id"], is_external=bool(place), number=len(desk.sandbox.runner.runs) + 1)
    run.token = desk.store.token_for(Identity("analysis", run.analysis_id))
    desk.sandbox.runner.runs.append(run)
    return run


def tell(desk: Desk, token: str, user: str, key: str) -> None:
    buttons = [{"id": f"see-n{key}", "label": "See", "url": "/x"}]
    given: dict[str, Any] = {"run_user": user, "title": "t", "message": "m", "buttons": buttons}
    requests.post(f"{desk.sandbox.api}/run/notification", json=given, headers={"token": token}, timeout=5)


def test_what_an_earlier_campaign_told_is_not_found_for_a_later_one(desk: Desk) -> None:
    old, new = "aaaaaaaaaa", "bbbbbbbbbb"
    told, cut, unreached = list(desk.store.users)[:3]
    first, killed, again = (program(desk) for _ in range(3))
    for user in (told, cut, unreached):
        tell(desk, first.token, user, old)
    tell(desk, killed.token, told, new)
    desk.sandbox.trouble.on_kill = lambda token: True
    desk.sandbox.trouble.kill_next(0)
    with pytest.raises(requests.ConnectionError):
        tell(desk, killed.token, cut, new)
    for user in (told, cut, unreached):
        address = f"{desk.sandbox.api}/run/notification/{user}"
        assert requests.get(address, headers={"token": again.token}, timeout=5).ok
    asked = [(step.user_id, step.kind, step.campaign) for step in desk.witness.steps if step.run == again.number]
    assert asked == [(told, "found", new), (cut, "absent", new)]


def test_what_a_run_does_by_the_token_of_its_variables_is_on_its_board(desk: Desk) -> None:
    set_variable(desk, "account_token", desk.store.profile_token)
    reads(desk, 9)
    assert set(ends(desk)) == {"told once"}
    assert chips(desk) == [["sent"]] * 7
    user = next(user for user in desk.store.users if desk.store.inbox(user))
    (note,) = desk.store.inbox(user)
    post(desk, "/page/press", {"user": user, "note": note["id"], "button": note["buttons"][0]["id"]})
    desk.sandbox.call(desk.sandbox.runner.settled())
    assert ends(desk) == ["answered", *["told once, closed"] * 6]


def test_who_was_sent_something_that_nobody_saw_was_told_before_only_by_an_older_copy(desk: Desk) -> None:
    reads(desk, 9)
    desk.witness.steps.clear()
    assert set(ends(desk)) == {"told once"}
    for note in desk.store.notifications.values():
        note["created_at"] = "2020-01-01T00:00:00.000Z"
    assert set(ends(desk)) == {"told before"}


def test_a_run_that_uses_another_token_is_killed_all_the_same_and_ruins_it_for_nobody(desk: Desk) -> None:
    token = desk.store.profile_token
    set_variable(desk, "account_token", token)
    set_variable(desk, "delivery_log_token", "")
    post(desk, "/page/preset", {"preset": "kill"})
    reads(desk, 9)
    until = time.monotonic() + 30
    while len(desk.sandbox.runner.runs) < 2 and time.monotonic() < until:
        time.sleep(0.05)
    desk.sandbox.call(desk.sandbox.runner.settled())
    killed, again = desk.sandbox.runner.runs
    assert (killed.code, again.code) == (-signal.SIGKILL, 0)
    assert any("not sent" in each for each in chips(desk))
    count = len(desk.store.notifications)
    tell(desk, token, next(iter(desk.store.users)), "aaaaaaaaaa")
    assert len(desk.store.notifications) == count + 1


def test_what_runs_elsewhere_cannot_be_killed_and_the_page_says_so(desk: Desk) -> None:
    external = desk.analyses[1]
    desk.sandbox.runner.listeners[f"analysis_trigger.{external['id']}"].add(asyncio.Queue())
    post(desk, "/page/preset", {"preset": "kill"})
    post(desk, "/page/run", {"how": "hand", "analysis": external["id"]})
    token = desk.store.token_for(Identity("analysis", external["id"]))
    users = [user["id"] for user in desk.store.users.values() if user["active"]][:5]
    desk.sandbox.trouble.kill_next(3)  # for a run of ours, which this is not
    for user in users:
        tell(desk, token, user, "aaaaaaaaaa")
    assert len(desk.store.notifications) == 5
    assert "the same event comes again. It runs elsewhere, where nothing here can kill it." in get(desk).text
    post(desk, "/page/preset", {"preset": "well"})
    assert desk.sandbox.trouble.kill_after is None


def test_all_is_well_lets_a_token_live_again(desk: Desk) -> None:
    run = program(desk)
    user = next(iter(desk.store.users))
    desk.sandbox.trouble.on_kill = lambda token: True
    desk.sandbox.trouble.kill_next(0)
    with pytest.raises(requests.ConnectionError):
        tell(desk, run.token, user, "aaaaaaaaaa")
    post(desk, "/page/preset", {"preset": "well"})
    tell(desk, run.token, user, "aaaaaaaaaa")
    assert len(desk.store.notifications) == 1


def test_whom_a_plain_loop_was_not_run_for_it_has_not_lost(desk: Desk) -> None:
    reads(desk, 9)
    one = desk.store.users[desk.audience_of(desk.days()[0])[0]]
    desk.plain[1] = [PlainDay(1, [one], Weather(), None, lambda: None, is_going=False)]
    board = board_of(desk, desk.days()[0])
    assert [row.loops for row in board.rows] == [[Cell("bad", "lost")], *[[Cell("", "-")]] * 6]
    assert board.loops[0].verdict.text == "1 lost, 0 told twice"


def test_of_two_who_press_at_once_the_board_tells_whose_press_counts(desk: Desk) -> None:
    reads(desk, 9)
    users = [user for user in desk.store.users if desk.store.inbox(user)][:2]
    for user in users:
        (note,) = desk.store.inbox(user)
        post(desk, "/page/press", {"user": user, "note": note["id"], "button": note["buttons"][0]["id"]})
    desk.sandbox.call(desk.sandbox.runner.settled())
    rows = board_of(desk, desk.days()[0]).rows
    assert sorted(row.end.text for row in rows if row.user_id in users) == ["answered", "answered, settled before"]


def test_an_alarm_of_which_no_copy_is_known_yet_is_being_told(desk: Desk) -> None:
    post(desk, "/page/trouble", {"plan": "none", "latency": "0.5"})
    form = {"how": "action", "variable": "temperature", "value": "9", "device": "Refrigerator 7"}
    post(desk, "/page/run", form)
    deadline = time.monotonic() + 20
    while "open since" not in (said := alarms_on(desk)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert "1 event; being told; nobody has answered" in said
    desk.sandbox.call(desk.sandbox.runner.settled())
    assert "7 of 7 copies open" in alarms_on(desk)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (
            "print('Nobody was notified. Please mend:\\n  - tag_key is not set')",
            "Nobody was notified: tag_key is not set",
        ),
        ("print('x' * 300)", "x" * 199 + "…"),
        ("pass", "exit code 1"),
    ],
)
def test_why_a_run_failed_stands_beside_its_button(desk: Desk, tmp_path: Path, script: str, said: str) -> None:
    (tmp_path / "analysis.py").write_text(f"{script}\nraise SystemExit(1)")
    post(desk, "/page/run", {"how": "hand", "beside": "hand"})
    desk.sandbox.call(desk.sandbox.runner.settled())
    page = get(desk).text
    fault = page[page.index('id="fault-hand"') :].partition("</p>")[0]
    assert f"{said} <a" in fault
    assert 'id="fault-ring" role="alert" data-live></p>' in page


def test_without_a_journal_the_page_knows_of_no_alarm_and_says_so(desk: Desk) -> None:
    names, values = zip(*((each["key"], each["value"]) for each in desk.variables), strict=True)
    emptied = ["" if name == "delivery_log_token" else value for name, value in zip(names, values, strict=True)]
    form = {"name": names, "value": emptied, "version": version_of(desk.analyses[0])}
    assert post(desk, "/page/variables", form).status_code == 303
    reads(desk, 9)
    assert alarms_on(desk).startswith("Alarms No journal (delivery_log_token): every event is told anew")


def test_it_works_without_a_script(desk: Desk) -> None:
    answer = post(desk, "/page/run?user=x", {"how": "hand"}, Origin=desk.sandbox.api)
    assert (answer.status_code, answer.headers["location"]) == (303, "/?user=x")
    desk.sandbox.call(desk.sandbox.runner.settled())
    user = next(iter(desk.store.users))
    (note,) = desk.store.inbox(user)
    ids = {"user": user, "note": note["id"]}
    assert post(desk, "/page/read", ids).status_code == 303
    pressed = {**ids, "button": note["buttons"][0]["id"]}
    assert post(desk, "/page/press", pressed).status_code == 303
    desk.sandbox.call(desk.sandbox.runner.settled())
    page = get(desk, f"/?user={user}").text
    assert "Acknowledged by Ana Souza" in page
    again = post(desk, "/page/press", pressed)
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
        ("/page/variables", {"name": ["a"], "value": ["b"], "version": "old"}, "were changed elsewhere meanwhile"),
        ("/page/run", {"analysis": "f" * 24}, "This Analysis is not here any more"),
        ("/page/stop", {"run": "7"}, "not running any more"),
        ("/page/preset", {"preset": "x"}, "There is no such trouble"),
        ("/page/facts", {"icons": "some"}, "icons: one of any, web_only, none"),
        ("/page/clock", {"minutes": "-1"}, "is not a number from 1 to"),
        ("/page/read", {"user": "x", "note": "y"}, "There is no such user any more"),
        ("/page/press", {"user": "GRACE", "note": "y", "button": "z"}, "is inactive and cannot log in"),
        ("/page/press", {"user": "ANA", "note": "y", "button": "z"}, "removed meanwhile"),
    ],
)
def test_bad_input_is_one_sentence_and_changes_nothing(desk: Desk, path: str, form: dict[str, Any], said: str) -> None:
    names = {user["name"].split()[0].upper(): user["id"] for user in desk.store.users.values()}
    form = {key: names.get(value, value) if isinstance(value, str) else value for key, value in form.items()}
    before = desk.store.analyses[desk.analyses[0]["id"]]["variables"], desk.sandbox.trouble.rate_limit
    answer = post(desk, path, form)
    assert answer.status_code == 400
    assert said in answer.text.replace("&#34;", '"')
    assert (desk.variables, desk.sandbox.trouble.rate_limit) == before


def test_without_a_script_an_outdated_form_comes_back_and_can_be_saved_once_more(desk: Desk) -> None:
    version = version_of(desk.analyses[0])
    post(desk, "/page/variables", {"name": "cooldown", "value": "5m", "version": version})
    mine = {"name": ["tag_key", "mine"], "value": ["group", "1"]}
    answer = post(desk, "/page/variables", {**mine, "version": version})
    assert answer.status_code == 400
    assert "There cooldown is 5m, is no tag_key, is no mine" in answer.text
    assert 'value="mine"' in answer.text
    (version,) = re.findall('name="version" value="([^"]+)"', answer.text)
    assert post(desk, "/page/variables", {**mine, "version": version}).status_code == 303
    assert [each["key"] for each in desk.variables] == ["tag_key", "mine"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("38", 38),
        ("-1.5", -1.5),
        ("true", True),
        ("open", "open"),
        ("", ""),
        ("[1]", "[1]"),
        ("1e9", 10**9),
    ],
)
def test_a_typed_value_is_a_number_where_it_reads_as_one(desk: Desk, text: str, value: Any) -> None:
    post(desk, "/page/run", {"how": "action", "variable": "v", "value": text, "unit": "m", "device": "D"})
    (run,) = desk.sandbox.runner.runs
    (point,) = run.scope
    assert (point["variable"], point["value"], point["unit"]) == ("v", value, "m")
    assert desk.store.devices[point["device"]]["name"] == "D"
    assert run.extra["_action_type"] == "condition"


def test_the_stream_tells_of_changes(desk: Desk) -> None:
    with requests.get(f"{desk.sandbox.api}/page/changes", stream=True, cookies=key_of(desk), timeout=10) as stream:
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
    ("button", "leads", "href", "runs", "is_page"),
    [
        ({"url": "https://example.com/a?b"}, "opens example.com", "https://example.com/a?b", False, False),
        ({"url": "https://admin.tago.io/x"}, "opens the TagoIO page /x", "https://admin.tago.io/x", False, True),
        ({"url": "https://my.tago.run/x"}, "opens the TagoIO page /x", "https://my.tago.run/x", False, True),
        ({"url": "/x"}, "opens the TagoIO page /x", "https://admin.tago.io/x", False, True),
        ({"url": "javascript:alert(1)"}, "javascript:alert(1) is no web address", "", False, False),
        ({"url": "//evil.example"}, "//evil.example is no web address", "", False, False),
        ({"url": "https://nottago.io/"}, "opens nottago.io", "https://nottago.io/", False, False),
        ({"triggers": [{"url": "https://a.b", "method": "REDIRECT"}]}, "opens a.b", "https://a.b", False, False),
        ({"triggers": {"analysis_id": "f" * 24}}, f"runs the Analysis {'f' * 24}, not here", "", True, False),
        ({}, "leads nowhere", "", False, False),
    ],
)
def test_a_button_says_where_it_leads(
    desk: Desk, button: dict[str, Any], leads: str, href: str, runs: bool, is_page: bool
) -> None:
    user = next(iter(desk.store.users))
    buttons = [{"id": "a", "label": "b", **button}]
    desk.store.notify({"run_user": user, "title": "t", "message": "m", "buttons": buttons})
    (card,) = cards(desk.store, user)
    (shown,) = card.buttons
    assert (shown.leads, shown.href, shown.runs, shown.is_page) == (leads, href, runs, is_page)


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
    assert now_at(steps) == {"sent": 3, "read": 1, "pressed": 1, "fallback": 0, "held": 0, "failed": 1}
    assert steps["held"] == [(1.0, 1), (5.0, 0)]
    assert steps["failed"] == [(2.0, 1), (7.0, 2), (8.0, 1)]


def test_opening_it_again_or_pressing_it_again_is_the_same_notification() -> None:
    events = [Event(float(time), kind, "a", "n1") for time, kind in enumerate(["sent", "read", "read", "pressed"] * 2)]
    assert now_at(course(events)) == {"sent": 1, "read": 1, "pressed": 1, "fallback": 0, "held": 0, "failed": 0}


def test_a_deleted_user_is_held_and_failed_no_more() -> None:
    steps = course(
        [Event(1.0, "held", "a"), Event(2.0, "failed", "b"), Event(3.0, "gone", "a"), Event(4.0, "gone", "b")]
    )
    assert (now_at(steps)["held"], now_at(steps)["failed"]) == (0, 0)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/run/notification/NOTE", {"buttons": [{"id": "a"}]}),
        ("PUT", "/run/notification/NOTE", {"buttons": "x"}),
        ("PUT", "/run/notification/NOTE", {"buttons": [{"id": str(n), "label": "l"} for n in range(6)]}),
        ("PUT", "/run/notification/NOTE", {"title": {"a": 1}}),
        ("PUT", "/run/users/USER", {"email": None}),
        ("PUT", "/run/users/USER", {"tags": 1}),
        ("PUT", "/analysis/ANALYSIS", {"variables": {"a": 1}}),
        ("GET", "/run/users?amount=abc", {}),
        ("GET", "/run/users/login", {}),
        ("PATCH", "/run/users", {}),
    ],
)
def test_what_another_client_sends_never_breaks_the_page(desk: Desk, method: str, path: str, body: Any) -> None:
    user = next(iter(desk.store.users))
    note = desk.store.notify({"run_user": user, "title": "t", "message": "m"})
    path = path.replace("NOTE", note["id"]).replace("USER", user).replace("ANALYSIS", desk.analyses[0]["id"])
    headers = {"token": desk.store.profile_token}
    answer = requests.request(method, f"{desk.sandbox.api}{path}", json=body, headers=headers, timeout=10)
    assert answer.status_code in (400, 404)
    assert answer.json()["status"] is False
    assert get(desk, f"/?user={user}").status_code == 200


def test_variables_of_any_type_are_shown_as_text(desk: Desk) -> None:
    """TagoIO takes texts only; a state file may hold anything."""
    desk.analyses[0]["variables"] = [{"key": "max_recipients", "value": 50}, {"key": "dry_run"}]
    assert "export max_recipients=50" in get(desk).text


def test_the_profile_s_token_is_not_on_the_page(desk: Desk) -> None:
    assert desk.store.profile_token not in get(desk).text


def test_a_run_that_cannot_start_or_hangs_is_ended(desk: Desk, tmp_path: Path) -> None:
    runner = desk.sandbox.runner
    big = {"name": "notification", "value": "x" * 200_000, "version": version_of(desk.analyses[0])}
    assert post(desk, "/page/variables", big).status_code == 303
    post(desk, "/page/run", {"how": "hand"})
    desk.sandbox.call(runner.settled())
    assert runner.runs[-1].code == 1
    assert "The Analysis cannot be started: Argument list too long" in runner.runs[-1].lines
    post(desk, "/page/variables", {"version": version_of(desk.analyses[0])})
    (tmp_path / "analysis.py").write_text("import time\nprint('up', flush=True)\ntime.sleep(60)")
    post(desk, "/page/run", {"how": "hand"})
    run = runner.runs[-1]
    deadline = time.monotonic() + 10
    while not run.lines and time.monotonic() < deadline:
        time.sleep(0.05)
    assert post(desk, "/page/stop", {"run": str(run.number)}).status_code == 303
    desk.sandbox.call(runner.settled())
    assert run.code == -9


def test_a_child_that_keeps_the_output_open_and_a_question_do_not_hold_a_run_up(desk: Desk, tmp_path: Path) -> None:
    child = "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])"
    (tmp_path / "analysis.py").write_text(f"import subprocess, sys\n{child}\nprint(sys.stdin.read() + 'done')")
    start = time.monotonic()
    post(desk, "/page/run", {"how": "hand"})
    desk.sandbox.call(desk.sandbox.runner.settled())
    assert time.monotonic() - start < 10
    run = desk.sandbox.runner.runs[-1]
    assert (run.code, list(run.lines)) == (0, ["done"])


def test_the_push_quota_can_be_set_and_the_clock_moved_on(desk: Desk) -> None:
    post(desk, "/page/trouble", {"plan": "none", "quota": "3"})
    post(desk, "/page/run", {"how": "hand"})
    desk.sandbox.call(desk.sandbox.runner.settled())
    assert "only 3 of this month's 1000 push notifications are left" in "\n".join(desk.sandbox.runner.runs[-1].lines)
    post(desk, "/page/trouble", {"plan": "none", "quota": "5000"})
    assert desk.switches.quota_left == 5000
    assert (desk.switches.preset, desk.switches.says) == ("well", "")
    before = desk.store.now()
    post(desk, "/page/clock", {"minutes": "90"})
    assert desk.store.now() > before
    assert "90 min ahead" in get(desk).text


def test_a_push_quota_that_is_too_small_is_trouble_until_all_is_well(desk: Desk) -> None:
    post(desk, "/page/facts", {"quota_spent": "dropped", "quota_readable": "no"})
    post(desk, "/page/trouble", {"plan": "none", "quota": "3"})
    assert desk.said == "From now on: no rate limit, 0 s latency, no faults, 3 push notifications left"
    reads(desk, 9)
    assert desk.switches.preset == ""
    assert desk.switches.says == "0 push notifications left, quota_readable no, quota_spent dropped"
    board = board_of(desk, desk.days()[-1])
    assert board.about == "3 push notifications left, quota_readable no, quota_spent dropped"
    assert sorted(row.end.text for row in board.rows) == ["dropped by TagoIO"] * 4 + ["told once"] * 3
    assert board.verdict.text == "4 not told, nobody told twice"
    post(desk, "/page/compare", {"run": "1"})
    desk.sandbox.call(_loops_of(desk))
    assert [head.verdict.text for head in board_of(desk, desk.days()[-1]).loops] == ["4 lost, 0 told twice"] * 2
    post(desk, "/page/start-over")
    assert desk.switches.quota_left == 3, "trouble stays"
    post(desk, "/page/preset", {"preset": "well"})
    assert (desk.switches.quota_left, desk.switches.says) == (1000, "")


async def _loops_of(desk: Desk) -> None:
    while any(loop.is_going for loops in desk.plain.values() for loop in loops):
        await asyncio.sleep(0.05)


def test_what_is_on_is_shown_whoever_switched_it_on(desk: Desk) -> None:
    switches = desk.switches
    switches.set_plan("starter")
    assert (switches.preset, switches.says) == ("well", ""), "a plan's own limit is no trouble"
    for preset in ("502", "limit", "kill", "well"):
        post(desk, "/page/preset", {"preset": preset})
        assert switches.preset == preset
    assert desk.sandbox.trouble.rate_limit == 100, "the plan is what it was"
    desk.sandbox.trouble.faults.append(Fault("reset"))
    assert (switches.preset, switches.says) == ("", "reset")


def test_the_page_shows_and_runs_the_analysis_that_is_chosen(desk: Desk) -> None:
    listed = [{"key": "tag_key", "value": "group"}]
    installed = desk.store.add_analysis({"name": "Notify TagoRUN users", "variables": listed})
    assert "Variables of Notify and Notify (external)</h2>" in get(desk).text
    page = get(desk, f"/?analysis={installed['id']}").text
    assert "Variables of Notify TagoRUN users</h2>" in page
    assert "Runs Notify TagoRUN users</span>" in page
    form = {"name": "tag_key", "value": "site", "analysis": installed["id"], "version": version_of(installed)}
    own = desk.variables
    post(desk, "/page/variables", form)
    assert desk.said == "Saved 1 variable; the next run of Notify TagoRUN users has them"
    assert (installed["variables"], desk.variables) == ([{"key": "tag_key", "value": "site"}], own)
    post(desk, f"/page/run?analysis={installed['id']}", {"how": "action", "variable": "temperature", "value": "38"})
    post(desk, "/page/run", {"how": "action", "variable": "temperature", "value": "38"})
    assert [run.analysis_id for run in desk.sandbox.runner.runs] == [installed["id"], desk.analyses[0]["id"]]


def test_what_the_documents_leave_open_can_be_switched(desk: Desk) -> None:
    assert post(desk, "/page/facts", {"press_scope": "null", "icons": "none"}).status_code == 303
    assert (desk.store.facts["press_scope"], desk.store.facts["icons"]) == ("null", "none")
    page = get(desk, "/?tab=trouble").text
    assert page.count("<option selected>null</option>") == 1
    assert all(f'name="{name}"' in page for name in UNKNOWNS)
    assert (desk.switches.preset, desk.switches.says) == ("", "press_scope null, icons none")
    post(desk, "/page/preset", {"preset": "kill"})
    assert desk.switches.says.endswith("comes again, press_scope null, icons none")
    post(desk, "/page/preset", {"preset": "well"})
    assert (desk.switches.preset, desk.switches.says, desk.store.facts) == ("well", "", default_facts())


def test_the_links_of_what_was_installed_here_lead_here(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = desk.store.add_analysis({"name": "Installed"})
    monkeypatch.setenv("TAGOIO_API", desk.sandbox.api)
    monkeypatch.setenv("SANDBOX_KEY", desk.key)
    address = admin_link("", f"analysis/{installed['id']}")
    answer = requests.Session().get(address, timeout=10)
    assert answer.status_code == 200
    assert f'<option value="{installed["id"]}" selected>Installed' in answer.text
    assert requests.Session().get(admin_link("", "actions"), timeout=10).status_code == 200
    assert admin_link("eu-w1", "actions") == "https://admin.eu-w1.tago.io/actions"
    monkeypatch.delenv("SANDBOX_KEY")
    assert get(desk, urlsplit(admin_link("", "actions")).path).status_code == 200, "who has opened the page needs none"


def test_several_faults_strike_a_user_s_first_request_one_each(desk: Desk) -> None:
    post(desk, "/page/trouble", {"plan": "none", "fault": ["500", "502", "503"], "attempts": "1"})
    user = next(iter(desk.store.users))
    headers = {"token": desk.store.profile_token}
    note = {"run_user": user, "title": "t", "message": "m"}
    address = f"{desk.sandbox.api}/run/notification"
    codes = [requests.post(address, json=note, headers=headers, timeout=5).status_code for _ in range(3)]
    assert codes[0] in (500, 502, 503)
    assert codes[1:] == [200, 200]


# ---- what it keeps, and who else may use it


@contextmanager
def serving(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str], str]]:
    """The process, the variables that it prints for others, and its page's address, with the key."""
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
        yield process, given, next((line.split()[-1] for line in lines if line.startswith("# The page: ")), "")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)
        process.communicate()


def test_a_restart_with_the_state_file_keeps_users_and_notifications(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    with serving("--state", str(state), "--set", "max_recipients=50") as (process, given, _):
        api = given["TAGOIO_API"]
        users = requests.get(f"{api}/run/users", headers={"token": given["account_token"]}, timeout=5).json()["result"]
        note = {"run_user": users[0]["id"], "title": "Kept", "message": "m"}
        headers = {"token": given["account_token"]}
        requests.post(f"{api}/run/notification", json=note, headers=headers, timeout=5).raise_for_status()
        deadline = time.monotonic() + 10
        while not (state.exists() and "Kept" in state.read_text()) and time.monotonic() < deadline:
            time.sleep(0.1)
        process.kill()  # what is on the disk is what counts
    assert stat.S_IMODE(state.stat().st_mode) == 0o600
    with serving("--state", str(state)) as (_, again, page):
        assert again["account_token"] == given["account_token"]
        assert again["T_ANALYSIS_ID"] == given["T_ANALYSIS_ID"]
        assert again["max_recipients"] == "50"
        shown = requests.Session().get(f"{page}&user={users[0]['id']}", timeout=5).text
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


def test_a_state_that_cannot_be_written_is_said_at_once(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "lib.tools.sandbox", "--serve", "--state", str(tmp_path / "no" / "x.json")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert "cannot be written: No such file or directory" in done.stderr


def test_two_sandboxes_do_not_share_a_state(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    with serving("--state", str(state)):
        command = [sys.executable, "-m", "lib.tools.sandbox", "--serve", "--state", str(state)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert "is in use by another sandbox" in done.stderr


def test_a_folder_that_is_away_for_a_moment_loses_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    with serving("--state", str(folder / "state.json")) as (process, given, page):
        browser = opened(page)
        folder.rename(tmp_path / "b")
        browser.post(f"{given['TAGOIO_API']}/page/clock", data={"minutes": "5"}, timeout=5)
        time.sleep(1.5)
        assert process.poll() is None
        assert "cannot be written" in browser.get(page, timeout=5).text
        (tmp_path / "b").rename(folder)
        deadline = time.monotonic() + 10
        while '"ahead": 300' not in (folder / "state.json").read_text() and time.monotonic() < deadline:
            time.sleep(0.2)
        assert '"ahead": 300' in (folder / "state.json").read_text()


def test_a_port_that_is_taken_is_one_sentence(desk: Desk) -> None:
    port = desk.sandbox.api.rsplit(":", 1)[1]
    command = [sys.executable, "-m", "lib.tools.sandbox", "--serve", "--port", port]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert f"Port {port} cannot be had" in done.stderr


def external_run(page: str, variables: dict[str, str], command: list[str], cwd: Path) -> str:
    """Start an external Analysis as the README says, run it from the page; the page then."""
    env = {**BARE, **{key: variables[key] for key in ("TAGOIO_API", "TAGOIO_SSE", "T_ANALYSIS_TOKEN", "T_ANALYSIS_ID")}}
    browser = opened(page)
    listener = subprocess.Popen(command, cwd=cwd, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 40
        shown = ""
        while "Notified 7" not in shown and time.monotonic() < deadline:
            form = {"analysis": variables["T_ANALYSIS_ID"]}
            browser.post(f"{variables['TAGOIO_API']}/page/run", data=form, timeout=5)
            time.sleep(1.5)
            shown = browser.get(page, timeout=5).text
        return shown
    finally:
        listener.terminate()
        listener.wait(10)


def test_an_external_analysis_in_python_is_run_from_the_page() -> None:
    with serving() as (_, variables, page):
        shown = external_run(page, variables, [sys.executable, "analysis.py"], ROOT)
        assert "Notified 7 of 8 users" in shown
        assert "Test of the fridge alarm" in shown
        assert "external, free" in shown


@pytest.mark.skipif(shutil.which("npm") is None, reason="Node.js is not on this machine")
def test_an_external_analysis_in_javascript_is_run_from_the_page(javascript: Path) -> None:
    with serving() as (_, variables, page):
        shown = external_run(page, variables, ["node", "listen.js"], javascript)
        assert "Notified 7 users" in shown
        assert "From JavaScript" in shown
