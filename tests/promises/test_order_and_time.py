"""Promises 13, 14 and 18: what is urgent first, nothing over the time budget, and the other channel."""

import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.promises.oracle import (
    EVENT,
    assert_all_told,
    assert_nobody_twice,
    assert_told_once,
    assert_truthful,
    gated,
    summary_of,
)
from tests.promises.standin import Act, Ran, Request, Rule, Standin, creates, journal

BUTTON = {"id": "ack", "label": "Acknowledge", "analysis": "this"}
BOTH = json.dumps(
    [
        {
            "when": {"variable": "temperature", "is": ">", "value": 0},
            "title": "Urgent",
            "message": "It is at $VALUE$",
            "priority": "high",
            "buttons": [BUTTON],
        },
        {
            "when": {"variable": "humidity", "is": ">", "value": 0},
            "title": "Calm",
            "message": "It is at $VALUE$",
            "priority": "low",
            "buttons": [BUTTON],
        },
    ]
)
DENIED = Act(401, carry=False, message="Authorization Denied")


# ---- 13: what is urgent goes first


@pytest.mark.promise(number=13)
def test_an_urgent_alarm_goes_before_two_hundred_that_were_left() -> None:
    with Standin() as standin:
        crew = standin.add_users(200)
        chiefs = standin.add_users(40, "chief", "Chief")
        calm = standin.event(1, variable="humidity")
        first = standin.run(calm, notification=BOTH, rate_limit="60", time_budget="10s", **EVENT)
        left = summary_of(first).figures["pending"]
        assert left >= 80, first.out
        standin.ahead += 120
        already = len(standin.told)
        given = {"tag_value": "chief", "notification": BOTH, "rate_limit": "60", **EVENT}
        ran = standin.run(standin.event(2), time_budget="10s", **given)
        titles = [told.note["title"] for told in standin.told[already:]]
        places = [place for place, title in enumerate(titles) if title == "Urgent"]
        assert len(places) == 40, f"{len(places)} of 40 chiefs\n{ran.out}"
        # Forty requests are on the way at once, so the last few of them may overtake each other.
        assert max(places) <= 45, f"the last of 40 chiefs came at place {max(places)}\n{ran.out}"
        assert_told_once(standin, chiefs, "Urgent")
        assert_nobody_twice(standin, "Calm")
        assert set(standin.counted("Calm")) <= set(crew)


@pytest.mark.promise(number=13, real="lives")
@pytest.mark.waits(20)
@pytest.mark.parametrize("lives", [True, False], ids=["lives", "killed"])
def test_no_run_waits_for_somebody_else_s_campaign_before_it_has_told_its_own(lives: bool) -> None:
    with Standin() as standin:
        crew = standin.add_users(120)
        chiefs = standin.add_users(20, "chief", "Chief")
        standin.rules = [creates(Act(wait=2.5), crew.__contains__)]
        other = standin.start(standin.event(1, variable="humidity"), notification=BOTH, **EVENT)
        standin.until(lambda: len(standin.told) > 30)
        if not lives:
            other.kill()
            other.wait()
        mine = standin.start(standin.event(2), notification=BOTH, tag_value="chief", **EVENT)
        standin.until(lambda: len(standin.counted("Urgent")) == 20)
        took = max(told.at for told in standin.told if told.user in chiefs) - mine.started
        runs = [mine.wait()] if not lives else [mine.wait(), other.wait()]
        assert took < 5, f"its own were told after {took:.1f} s\n{runs[0].out}"
        assert_told_once(standin, chiefs, "Urgent", runs)
        assert_nobody_twice(standin, "Calm", runs)
        assert_all_told(standin, crew, "Calm", runs)


# ---- 14: the time budget binds everything


def hanging(hit: str) -> Rule:
    """So many seconds without an answer; nothing is carried out."""
    long = Act(503, carry=False, wait=60)

    def rule(request: Request) -> Act | None:
        kinds = {
            "journal": request.is_journal,
            "writes": bool(request.rows),
            "users": request.path.startswith("/run/users"),
            "creates": request.is_create,
            "inbox": request.is_inbox,
            "profile": request.path.startswith("/profile"),
        }
        return long if kinds[hit] else None

    return rule


def assert_on_time(standin: Standin, ran: Ran, budget: float) -> None:
    """From its first request on, and half a second for a machine that others use too."""
    took = ran.ended - standin.requests[0].at
    assert took <= budget + 1.5, f"{took:.1f} s of {budget:g}\n{ran.out}"
    assert "Traceback" not in ran.said, ran.said
    assert ran.out.strip(), "nothing was said"


@pytest.mark.promise(number=14, real="creates")
@pytest.mark.parametrize("hit", ["journal", "writes", "users", "creates", "profile"])
@pytest.mark.waits(13)
def test_what_hangs_from_the_start_does_not_outlast_the_time_budget(hit: str) -> None:
    with Standin(rules=[hanging(hit)]) as standin:
        standin.add_users(20)
        ran = standin.run(standin.event(), time_budget="12s", seconds=60, **EVENT)
        assert_on_time(standin, ran, 12)
        assert_nobody_twice(standin)
        if "Notified" in ran.out:
            assert_truthful(standin, ran)


@pytest.mark.promise(number=14)
@pytest.mark.parametrize("hit", ["journal", "inbox"])
def test_what_begins_to_hang_does_not_outlast_the_time_budget(hit: str) -> None:
    with Standin() as standin:
        crew = standin.add_users(200)
        stuck = hanging(hit)
        some = set(crew[::20])

        def later(request: Request) -> Act | None:
            if len(standin.told) > 60 and stuck(request):
                return stuck(request)
            if request.is_create:
                return Act(502 if request.user in some and request.nth == 1 else "ok", wait=0.5)
            return None

        standin.rules = [later]
        ran = standin.run(standin.event(), time_budget="12s", seconds=60, **EVENT)
        assert_on_time(standin, ran, 12)
        assert_nobody_twice(standin)
        assert_truthful(standin, ran, 200)


@pytest.mark.promise(number=14, real="all")
@pytest.mark.parametrize("what", ["all", "creates", "journal", "users"])
@pytest.mark.waits(12)
def test_answers_that_come_byte_by_byte_do_not_outlast_the_time_budget(what: str) -> None:
    def slowly(request: Request) -> Act | None:
        kinds = {
            "all": True,
            "creates": request.is_create,
            "journal": request.is_journal,
            "users": request.path.startswith("/run/users"),
        }
        return Act(drip=0.4) if kinds[what] else None

    with Standin(rules=[slowly]) as standin:
        standin.add_users(20)
        ran = standin.run(standin.event(), time_budget="12s", seconds=60, **EVENT)
        assert_on_time(standin, ran, 12)
        assert_nobody_twice(standin)


@pytest.mark.promise(number=14, real=True)
@pytest.mark.waits(10)
def test_a_press_keeps_to_the_time_budget_too() -> None:
    with Standin() as standin:
        crew = standin.add_users(40)
        standin.run(standin.event(), notification=gated(), **EVENT)
        standin.rules = [lambda request: Act(503, carry=False, wait=60) if request.is_change else None]
        already = len(standin.requests)
        ran = standin.press(crew[0], notification=gated(), time_budget="10s").wait(60)
        took = ran.ended - standin.requests[already].at
        assert took <= 11.5, f"{took:.1f} s of 10\n{ran.out}"
        assert "Traceback" not in ran.said, ran.said


@pytest.mark.promise(number=14)
def test_what_a_time_budget_cut_off_the_next_run_tells_and_nobody_is_lost() -> None:
    with Standin() as standin:
        crew = standin.add_users(200)
        standin.rules = [creates(Act(wait=4))]
        runs = [standin.run(standin.event(), time_budget="10s", **EVENT)]
        assert_on_time(standin, runs[0], 10)
        assert_truthful(standin, runs[0], 200)
        assert runs[0].code == 1
        standin.rules = []
        while len(standin.counted()) < 200 and len(runs) < 3:
            standin.ahead += 60
            runs.append(standin.run(standin.event(), **EVENT))
        assert_told_once(standin, crew, runs=runs)


# ---- 18: the other channel


@contextmanager
def rude_mail_server(says: bytes) -> Iterator[int]:
    """It greets, and closes before it takes a recipient."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        over = threading.Event()

        def serve() -> None:
            while not over.is_set():
                try:
                    peer, _ = server.accept()
                except OSError:
                    continue
                with peer:
                    peer.settimeout(5)
                    try:
                        peer.sendall(says)
                        if says:
                            peer.recv(1000)
                    except OSError:
                        pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            over.set()
            thread.join()


@pytest.mark.promise(number=18, real=True)
@pytest.mark.parametrize("says", [b"", b"220 mail.example.com ESMTP\r\n"], ids=["at once", "after the greeting"])
def test_a_mail_server_that_closes_before_it_took_a_recipient_leaves_no_doubt(says: bytes) -> None:
    with Standin() as standin, rude_mail_server(says) as port:
        crew = standin.add_users(10)
        standin.rules = [creates(DENIED, lambda user: user in crew[:3])]
        mail = f"mailto://user:secret@127.0.0.1:{port}?from=a@example.com&to={{email}}"
        hook = f"json://127.0.0.1:{standin.port}/hook"
        ran = standin.run(standin.event(), fallback=f"{mail} {hook}", time_budget="40s", **EVENT)
        assert_truthful(standin, ran, 10)
        assert summary_of(ran).figures["fallback"] == 3, ran.out
        assert len(standin.hooked) == 3


@pytest.mark.promise(number=18)
def test_the_claims_of_the_other_channel_are_not_read_anew_for_each_user() -> None:
    with Standin() as standin:
        crew = standin.add_users(60)
        standin.rules = [creates(DENIED, lambda user: user in crew[:50]), journal(Act(wait=0.1))]
        hook = f"json://127.0.0.1:{standin.port}/hook"
        ran = standin.run(standin.event(), fallback=hook, **EVENT)
        assert len(standin.hooked) == 50, ran.out
        reads = standin.sent_requests(lambda request: request.is_journal and request.method == "GET")
        assert len(reads) < 25, f"{len(reads)} reads of the journal for 50 users"
        assert_truthful(standin, ran, 60)


@pytest.mark.promise(number=18, real=True)
@pytest.mark.waits(10)
def test_a_user_whose_claim_is_under_way_when_time_ends_is_unknown_and_nobody_is_silent() -> None:
    with Standin() as standin:
        crew = standin.add_users(30)
        standin.rules = [
            creates(DENIED, lambda user: user in crew[:20]),
            lambda request: Act(wait=30) if request.path == "/hook" else None,
        ]
        hook = f"json://127.0.0.1:{standin.port}/hook"
        ran = standin.run(standin.event(), fallback=hook, time_budget="10s", **EVENT)
        assert_on_time(standin, ran, 10)
        assert_truthful(standin, ran, 30)
        figures = summary_of(ran).figures
        assert ran.code == 1
        assert figures["sent"] == 10
        assert figures["unknown"] >= 1, ran.out
        tried = len(standin.hooked)
        standin.rules.pop()
        standin.ahead += 60
        again = standin.run(standin.event(), fallback=hook, **EVENT)
        assert len(standin.hooked) <= 20, f"{tried} before, {len(standin.hooked)} now\n{again.out}"
        assert_nobody_twice(standin, runs=[ran, again])


@pytest.mark.promise(number=18, real=True)
@pytest.mark.waits(13)
def test_a_claim_that_the_journal_is_slow_to_write_when_time_ends_is_not_silent() -> None:
    with Standin() as standin:
        crew = standin.add_users(20)

        def slow(request: Request) -> Act | None:
            is_claim = any(row.get("variable") == "notify_fallback" for row in request.rows)
            return Act(wait=30) if is_claim else None

        standin.rules = [creates(DENIED, lambda user: user in crew[:5]), slow]
        hook = f"json://127.0.0.1:{standin.port}/hook"
        ran = standin.run(standin.event(), fallback=hook, time_budget="10s", **EVENT)
        assert_on_time(standin, ran, 10)
        assert_truthful(standin, ran, 20)
        standin.rules.pop()
        standin.ahead += 60
        again = standin.run(standin.event(), fallback=hook, **EVENT)
        assert len(standin.hooked) <= 5
        assert "Traceback" not in again.said


@pytest.mark.promise(number=18)
def test_the_cooldown_counts_who_was_told_by_another_channel() -> None:
    with Standin() as standin:
        crew = standin.add_users(10)
        standin.rules = [creates(DENIED, lambda user: user in crew[:4])]
        hook = f"json://127.0.0.1:{standin.port}/hook"
        text = gated(subject="fridge")
        given = {"fallback": hook, "cooldown": "15m", "notification": text, **EVENT}
        assert summary_of(standin.run(standin.event(1), **given)).figures["fallback"] == 4
        standin.ahead += 60
        again = standin.run(standin.event(2), **given)
        assert len(standin.hooked) == 4, again.out
        assert summary_of(again).figures["skipped"] == 10, again.out
        assert re.search("(?i)cooldown|told .*ago|again so soon", again.out), again.out
