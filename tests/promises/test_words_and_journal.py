"""Promises 15, 16, 17 and 19: hostile words, a journal that is full, cut or garbage, and one escalation a campaign."""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.promises.oracle import (
    EVENT,
    PLAIN,
    SCHEDULE,
    assert_all_told,
    assert_nobody_twice,
    assert_told_once,
    assert_truthful,
    gated,
    outcomes_of,
)
from tests.promises.standin import ANALYSIS, DEVICE_ID, Act, Request, Standin, creates, journal

HOSTILE = {
    "dollars": "Ke$ha$",
    "a placeholder": "$DEVICE$ $VALUE$",
    "of a user": "$USER.NAME$",
    "not closed": "$USER.TAG.",
    "double": "$$VALUE$$",
    "surrogate": "Sur\ud800rogate",
    "nul": "Nul\x00 byte",
    "bidi": "\u202eevil\u2066\u2069",
    "control": "Esc\x1b[31m\r\nNotified 9 of 9 users",
    "dictionary": "#A.B# {email} %s {0}",
    "emoji": "👩‍🚒🇧🇷",
    "long": "x" * 3000,
}


# ---- 15: what people are called


@pytest.mark.promise(number=15, real="control-")
@pytest.mark.parametrize("text", ["", '{"title": "Hello $USER.NAME$", "message": "Room at $VALUE$ $UNIT$"}'])
@pytest.mark.parametrize("kind", HOSTILE)
def test_whatever_a_user_is_called_everybody_is_told(kind: str, text: str) -> None:
    name = HOSTILE[kind]
    with Standin() as standin:
        crew = [*standin.add_users(6), standin.add_user(name)]
        ran = standin.run(standin.event(), notification=text, **EVENT)
        assert ran.code == 0, ran.said
        assert_told_once(standin, crew, runs=[ran])
        assert_truthful(standin, ran, 7)
        if kind in ("dollars", "a placeholder", "of a user", "not closed", "double"):
            note = standin.notes_of(crew[-1])[0]
            assert name in note["title"] + note["message"], "what it brings in is read for nothing again"
        again = standin.run(standin.event(), notification=text, **EVENT)
        assert again.code == 0, again.said
        assert_told_once(standin, crew, runs=[ran, again])


@pytest.mark.promise(number=15)
@pytest.mark.parametrize("kind", HOSTILE)
def test_whatever_a_data_point_says_everybody_is_told_and_a_killed_run_can_go_on(kind: str) -> None:
    text = json.dumps({"title": "At $VALUE$", "message": "$VALUE$ $UNIT$"})
    with Standin() as standin:
        crew = standin.add_users(6)
        event = standin.event(1, value=HOSTILE[kind], unit=HOSTILE[kind][:10], variable="temperature")
        standin.rules = [creates(Act(401, carry=False, message="Authorization Denied"), lambda _user: False)]
        ran = standin.run(event, notification=text, **EVENT)
        assert "Traceback" not in ran.said, ran.said
        assert_told_once(standin, crew, runs=[ran])
        assert set(outcomes_of(ran, standin).values()) == {"sent"}
        again = standin.run(event, notification=text, **EVENT)
        assert_told_once(standin, crew, runs=[ran, again])


@pytest.mark.promise(number=15, real="surrogate")
@pytest.mark.parametrize("kind", ["surrogate", "nul", "bidi", "dollars"])
def test_whatever_the_title_says_everybody_is_told_and_a_press_still_decides(kind: str) -> None:
    word = HOSTILE[kind].replace("$", "$$")
    text = gated(title=f"Alarm {word}", message=f"Now {word}")
    with Standin() as standin:
        crew = [*standin.add_users(4), standin.add_user(HOSTILE[kind])]
        ran = standin.run(standin.event(), notification=text, **EVENT)
        assert ran.code == 0, ran.said
        assert_told_once(standin, crew, runs=[ran])
        pressed = standin.press(crew[-1], notification=text).wait()
        assert "Traceback" not in pressed.said, pressed.said
        assert not any(told.note["buttons_enabled"] for told in standin.told), pressed.out


# ---- 16: a journal that is full


@pytest.mark.promise(number=16, real="403")
@pytest.mark.parametrize("answer", [400, 403, 503, "reset"])
def test_a_journal_that_refuses_every_write_stops_no_alarm(answer: int | str) -> None:
    full = Act(answer, carry=False, message="You have exceeded the maximum limit of data registers (50000)")
    with Standin(rules=[journal(full, "POST")]) as standin:
        crew = standin.add_users(30)
        ran = standin.run(standin.event(), time_budget="60s", **EVENT)
        assert_told_once(standin, crew, runs=[ran])
        assert_truthful(standin, ran, 30)
        assert re.search(r"(?i)journal|memory|delivery_log_token", ran.out), ran.out


@pytest.mark.promise(number=16)
@pytest.mark.parametrize(("answer", "taken", "next_is"), [(400, 1, "schedule"), (400, 1, "same"), (502, 1, "schedule")])
def test_a_journal_that_fails_right_after_the_beginning_makes_the_next_run_look_first(
    answer: int, taken: int, next_is: str
) -> None:
    writes = []

    def later(request: Request) -> Act | None:
        if request.rows:
            writes.append(request)
        is_refused = request.rows and len(writes) > taken
        return Act(answer, carry=False, message="limit reached") if is_refused else None

    with Standin(rules=[later]) as standin:
        crew = standin.add_users(12)
        event = standin.event()
        first = standin.run(event, notification=gated(), **EVENT)
        assert first.code == 1
        assert re.search("(?i)journal is gone", first.out), first.out
        standin.rules = []
        data, about = (event, EVENT) if next_is == "same" else (None, SCHEDULE)
        second = standin.run(data, notification=gated(), **about)
        assert_told_once(standin, crew, runs=[first, second])
        assert second.code == 0, second.out


@pytest.mark.promise(number=16)
@pytest.mark.parametrize("answer", [400, 503])
def test_a_journal_that_is_full_in_the_midst_of_a_run_stops_no_alarm(answer: int) -> None:
    with Standin() as standin:
        crew = standin.add_users(200)
        full = Act(answer, carry=False, message="You have exceeded the maximum limit of data registers (50000)")

        def later(request: Request) -> Act | None:
            if request.rows and len(standin.told) > 60:
                return full
            return Act(wait=1) if request.is_create else None

        standin.rules = [later]
        ran = standin.run(standin.event(), time_budget="100s", **EVENT)
        assert_told_once(standin, crew, runs=[ran])
        assert_truthful(standin, ran, 200)
        assert re.search(r"(?i)journal|memory|delivery_log_token", ran.out), ran.out


@pytest.mark.promise(number=16, real=True)
def test_the_rows_of_a_run_are_few_and_dense() -> None:
    with Standin() as standin:
        crew = standin.add_users(400)
        standin.rules = [creates(Act(wait=0.5))]
        ran = standin.run(standin.event(), **EVENT)
        assert_told_once(standin, crew, runs=[ran])
        assert len(standin.rows) <= 40, f"{len(standin.rows)} rows for 400 users"
        for row in standin.rows:
            assert row["variable"].startswith("notify_")
            assert len(json.dumps(row.get("metadata") or {}).encode()) <= 10_000
        calls = standin.sent_requests(lambda request: bool(request.rows))
        assert all(len(json.dumps(call.body)) <= 200_000 for call in calls)
        seconds = ran.ended - ran.started
        few = 6  # the event, the start, the first user, the first of the others, the end, and that it finished
        assert len(calls) <= seconds + seconds / 3.5 + few, f"{len(calls)} calls in {seconds:.1f} s"


@pytest.mark.promise(number=16)
def test_requests_grow_as_users_and_pages_and_a_few_with_a_hundred_campaigns_before() -> None:
    with Standin() as standin:
        standin.add_users(40)
        standin.run(standin.event(0), notification=PLAIN, **EVENT)
        one = list(standin.rows)
        for number in range(1, 101):
            group = f"{one[0]['group'][:-3]}{number:03}".replace("0", "a").replace("1", "b")
            standin.rows += [{**row, "id": standin.identity("d"), "group": group} for row in one]
        already = len(standin.requests)
        ran = standin.run(standin.event(1), notification=PLAIN, **EVENT)
        assert ran.code == 0, ran.out
        assert len(standin.requests) - already <= 40 + 25, f"{len(standin.requests) - already} requests"


@pytest.mark.promise(number=16, real=True)
def test_the_installer_makes_a_journal_that_does_not_fill() -> None:
    def admin(request: Request) -> Any:
        """Enough of the admin's routes for an installer: nothing is there yet, and everything can be made."""
        if request.method == "GET":
            parts = request.path.strip("/").split("/")
            return {"id": parts[1], "name": "made", "variables": [], "tags": []} if len(parts) == 2 else []
        made = {"id": "7" * 24, "token": "made-token", "device_id": DEVICE_ID, "am_id": "8" * 24, "action": "9" * 24}
        return made if request.method == "POST" else "Successfully Updated"

    with Standin(other_routes=admin) as standin:
        env = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "TAGOIO_API": standin.api,
            "account_token": "p-00000000-0000-0000-0000-000000000000",
            "tag_key": "group",
            "tag_value": "crew",
        }
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "lib.tools.install", "--journal"]
            done = subprocess.run(
                command, env=env, cwd=folder, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL
            )
        made = standin.sent_requests(lambda request: request.method == "POST" and request.path.rstrip("/") == "/device")
        assert made, done.stdout + done.stderr
        body = made[0].body
        assert body.get("type") == "immutable", f"{body}: a mutable device is full at 50,000 rows"
        assert body.get("chunk_period")
        assert body.get("chunk_retention")


# ---- 17: rows that are cut, or garbage, and a device that ignores skip


@pytest.mark.promise(number=17)
def test_an_audience_row_that_was_cut_is_said_and_nobody_is_told_twice() -> None:
    with Standin() as standin:
        crew = standin.add_users(60)
        standin.rules = [creates(Act(wait=1.5))]
        killed = standin.start(standin.event(), **EVENT)
        standin.until(lambda: len(standin.told) > 20)
        killed.kill()
        killed.wait()
        standin.rules = []
        cut = 0
        for row in standin.rows:
            for key, value in (row.get("metadata") or {}).items():
                if row["variable"] == "notify_audience" and isinstance(value, str) and len(value) > 200:
                    row["metadata"][key] = value[: len(value) // 2 - 5]
                    cut += 1
                if row["variable"] == "notify_audience" and isinstance(value, list) and len(value) > 5:
                    row["metadata"][key] = value[: len(value) // 2]
                    cut += 1
        assert cut, "no audience found to cut"
        standin.ahead += 60
        ran = standin.run(standin.event(), time_budget="60s", **EVENT)
        assert "Traceback" not in ran.said, ran.said
        assert_nobody_twice(standin, runs=[ran])
        lost = len(set(crew) - set(standin.counted()))
        if lost:
            assert ran.code == 1, f"{lost} lost, and nothing said\n{ran.out}"
            assert re.search(r"(?i)audience|cut|incomplete|cannot be|journal", ran.out), ran.out


def deep(number: int) -> str:
    return "[" * number + "]" * number


GARBAGE = {
    "infinite": '{"variable":"VARIABLE","value":1e999,"group":"GROUP","time":"2026-11-24T00:00:00Z","metadata":{"users":1e999,"step":1e999,"order":-1e999,"seconds":1e999}}',  # noqa: E501
    "deep": f'{{"variable":"VARIABLE","value":"nonsense","group":"GROUP","time":"2026-11-24T00:00:00Z","metadata":{{"users":{deep(900)}}}}}',  # noqa: E501
    "very deep": f'{{"variable":"VARIABLE","value":"nonsense","group":"GROUP","metadata":{{"users":{deep(100_000)}}}}}',
    "digits": f'{{"variable":"VARIABLE","value":{"9" * 5000},"group":"GROUP","time":"2026-11-24T00:00:00Z","metadata":{{"step":{"9" * 5000}}}}}',  # noqa: E501
    "digits in text": f'{{"variable":"VARIABLE","value":"{"9" * 5000}","group":"GROUP","time":"{"9" * 5000}","metadata":{{"step":"{"9" * 5000}","users":"{"9" * 5000}"}}}}',  # noqa: E501
    "types": '{"variable":7,"value":{"a":1},"group":["GROUP"],"time":{"b":2},"metadata":"text","id":null}',
    "no row": "null",
    "a number": "17",
    "a list": '["VARIABLE"]',
    "no metadata": '{"variable":"VARIABLE","value":null,"group":"GROUP","metadata":null,"time":null}',
    "odd time": '{"variable":"VARIABLE","value":"nonsense","group":"GROUP","time":"9999-99-99T99:99:99Z","metadata":7}',
    "far time": '{"variable":"VARIABLE","value":"nonsense","group":"GROUP","time":"9999-12-31T23:59:59.999Z","metadata":{"started_at":"9999-12-31T23:59:59Z"}}',  # noqa: E501
    "first time": '{"variable":"VARIABLE","value":"nonsense","group":"GROUP","time":"0001-01-01T00:00:00+14:00","metadata":{}}',  # noqa: E501
    "lists within": '{"variable":"VARIABLE","value":"nonsense","group":"GROUP","time":"2026-11-24T00:00:00Z","metadata":{"user":["a"],"users":{"a":1},"name":{},"step":[],"run":[],"reason":7}}',  # noqa: E501
}


@pytest.mark.promise(number=17, real="deep")
@pytest.mark.parametrize("kind", GARBAGE)
def test_rows_that_are_garbage_are_survived(kind: str) -> None:
    with Standin(garbage=[GARBAGE[kind]]) as standin:
        crew = standin.add_users(10)
        ran = standin.run(standin.event(), notification=gated(), time_budget="60s", **EVENT)
        assert "Traceback" not in ran.said, ran.said
        assert_told_once(standin, crew, runs=[ran])
        assert_truthful(standin, ran)
        if kind == "very deep":  # no parser reads that answer, so nothing of the journal is known
            return
        again = standin.run(standin.event(), notification=gated(), time_budget="60s", **EVENT)
        assert "Traceback" not in again.said, again.said
        assert_told_once(standin, crew, runs=[ran, again])
        pressed = standin.press(crew[0], notification=gated(), time_budget="60s").wait()
        assert "Traceback" not in pressed.said, pressed.said
        assert not any(told.note["buttons_enabled"] for told in standin.told), pressed.out


@pytest.mark.promise(number=17)
def test_a_device_that_ignores_skip_makes_no_loop() -> None:
    with Standin() as standin:
        crew = standin.add_users(20)
        standin.run(standin.event(0), notification=PLAIN, **EVENT)
        one = list(standin.rows)
        while len(standin.rows) < 25_000:
            group = f"nk{len(standin.rows):08}"
            standin.rows += [{**row, "id": standin.identity("d"), "group": group} for row in one]
        standin.ignores_skip = True
        already = len(standin.requests)
        ran = standin.run(standin.event(1), notification=PLAIN, time_budget="40s", seconds=60, **EVENT)
        assert "Traceback" not in ran.said, ran.said
        reads = standin.requests[already:]
        assert len(reads) < 150, f"{len(reads)} requests"
        assert ran.ended - ran.started < 30
        assert set(standin.counted().values()) == {2}, ran.out
        assert set(standin.counted()) == set(crew)


# ---- 19: one escalation a campaign


@pytest.mark.promise(number=19, real=True)
def test_escalate_that_differs_between_users_is_a_clear_error_or_one_thing() -> None:
    text = ANALYSIS.read_text()
    compose = '''
def compose(trigger, user):
    """Every other user would have it go on to others."""
    if trigger.kind == "schedule":
        return None
    steps = [("1m", "boss")] if int(user.name[-1]) % 2 else [("2m", "chief")]
    button = Button("ack", "Acknowledge", analysis=trigger.analysis_id)
    return Notification("Alarm", "Please act", (button,), escalate=steps, priority="high")

'''
    text = re.sub(r"\ndef compose\(.*?(?=\n\ndef decide)", lambda _: compose, text, count=1, flags=re.DOTALL)
    with Standin() as standin:
        crew = standin.add_users(6)
        others = {"boss": standin.add_users(2, "boss", "Boss"), "chief": standin.add_users(2, "chief", "Chief")}
        with tempfile.TemporaryDirectory() as folder:
            script = Path(folder) / "analysis.py"
            script.write_text(text)
            ran = standin.run(standin.event(), script=script, **EVENT)
            assert "Traceback" not in ran.said, ran.said
            if not standin.told:
                assert ran.code == 1
                assert "escalate" in ran.out, ran.out
                return
            assert_told_once(standin, crew)
            for _ in range(3):
                standin.ahead += 60
                standin.run(None, script=script, **SCHEDULE)
        told = set(standin.counted())
        groups = [name for name, users in others.items() if set(users) <= told]
        assert groups, "it was taken, and nobody was told next"
        assert len(groups) == 1 or all(standin.counted()[user] == 1 for users in others.values() for user in users)
        assert len(groups) == 1, "escalate is one thing of a campaign, or a clear error"


@pytest.mark.promise(number=19)
def test_a_button_that_runs_another_analysis_is_no_answer_to_an_escalation() -> None:
    other = [{"id": "ack", "label": "Acknowledge", "analysis": "b" * 24}]
    text = gated(buttons=other, escalate=[{"after": "1m", "to": "boss"}])
    with Standin() as standin:
        standin.add_users(6)
        standin.add_users(2, "boss", "Boss")
        ran = standin.run(standin.event(), notification=text, **EVENT)
        assert ran.code == 1, ran.out
        assert "escalate" in ran.out, ran.out
        assert "Traceback" not in ran.said
        assert not standin.told


@pytest.mark.promise(number=19, real=True)
def test_an_escalation_goes_on_step_by_step_until_somebody_decides() -> None:
    text = gated(priority="high", escalate=[{"after": "1m", "to": "boss"}, {"after": "3m", "to": "chief"}])
    with Standin() as standin:
        crew, boss = standin.add_users(6), standin.add_users(2, "boss", "Boss")
        chief = standin.add_users(2, "chief", "Chief")
        standin.run(standin.event(), notification=text, **EVENT)
        assert_told_once(standin, crew)
        standin.ahead += 61
        standin.run(None, notification=text, **SCHEDULE)
        assert_told_once(standin, crew + boss)
        assert not set(chief) & set(standin.counted())
        ran = standin.press(boss[0], notification=text).wait()
        assert ran.code == 0, ran.said
        standin.ahead += 180
        standin.run(None, notification=text, **SCHEDULE)
        assert_all_told(standin, crew + boss)
        assert not set(chief) & set(standin.counted())
        assert not any(told.note["buttons_enabled"] for told in standin.told)
