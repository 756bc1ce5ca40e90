"""Promises 9 to 12: one decision, taken up whatever died; escalation goes on till then; every copy closes."""

import re
import threading
from typing import Any

import pytest

from tests.promises.clock import sleep
from tests.promises.oracle import EVENT, SCHEDULE, assert_nobody_twice, gated, summary_of
from tests.promises.standin import Act, Ran, Request, Run, Standin, creates, rule_of

ALARM = gated(priority="high")
STEPS = gated(priority="high", escalate=[{"after": "1m", "to": "boss"}])
DECIDED = r"\b(?:Acknowledged?|Reject(?:ed)?)\b[^\n]*"


def lines_of(standin: Standin) -> set[str]:
    """The closing line of each copy, without the time."""
    found = [re.findall(DECIDED, note.note["message"]) for note in standin.told]
    return {re.sub(r",\s*[^,]*\d:\d\d.*$", "", line) for lines in found for line in lines}


def open_copies(standin: Standin) -> list[str]:
    return [told.note["id"] for told in standin.told if told.note["buttons_enabled"]]


def assert_closed(standin: Standin, runs: list[Ran]) -> None:
    """All copies are closed, with one line, the same everywhere."""
    said = "\n".join(ran.out for ran in runs)
    left = open_copies(standin)
    assert not left, f"{len(left)} of {len(standin.told)} copies stay open\n{said}"
    assert len(lines_of(standin)) == 1, f"{lines_of(standin)}\n{said}"
    without = [told.user for told in standin.told if not re.search(DECIDED, told.note["message"])]
    assert not without, f"{len(without)} of {len(standin.told)} copies have no line\n{said}"


def killed_at(standin: Standin, run: Run, hit: Any, times: int = 1) -> Any:
    """A rule that kills the run when so many requests of a kind have been carried out."""
    seen: list[Request] = []

    def rule(request: Request) -> Act | None:
        if hit(request) and not run.is_over:
            seen.append(request)
            if len(seen) >= times:
                standin.perform(request)
                run.kill()
                return Act("reset", carry=False)
        return None

    return rule


def has_press(request: Request) -> bool:
    return any(row.get("variable") == "notify_press" for row in request.rows)


def press_killed_once_written(standin: Standin, user: str, **variables: str) -> None:
    """A press whose run dies the moment its row is on the journal, before anything was decided."""
    holder: list[Run] = []
    written = threading.Event()

    def rule(request: Request) -> Act | None:
        if has_press(request) and not written.is_set():
            written.set()
            standin.perform(request)
            holder[0].kill()
            return Act("reset", carry=False)
        return None

    with rule_of(standin, rule):
        note = standin.notes_of(user)[-1]
        holder.append(standin.press_note(note, **variables))
        holder[0].wait()
    assert written.is_set(), "the press was never written down"


def scheduled(standin: Standin, notification: str = ALARM, ahead: float = 30, **variables: str) -> Ran:
    standin.ahead += ahead
    return standin.run(None, notification=notification, **SCHEDULE, **variables)


# ---- 9: the oldest press row is the decision


@pytest.mark.promise(number=9, real=True)
def test_a_press_decides_and_closes_every_copy() -> None:
    with Standin() as standin:
        crew = standin.add_users(12)
        standin.run(standin.event(), notification=ALARM, **EVENT)
        ran = standin.press(crew[3], notification=ALARM).wait()
        assert ran.code == 0, ran.said
        assert_closed(standin, [ran])
        assert next(iter(lines_of(standin))).endswith("User 003")


@pytest.mark.promise(number=9)
@pytest.mark.parametrize("late", [1, 5])
def test_two_presses_at_once_on_a_journal_that_shows_late_make_one_decision(late: float) -> None:
    with Standin() as standin:
        crew = standin.add_users(8)
        standin.run(standin.event(), notification=ALARM, **EVENT)
        for row in standin.rows:
            row["_shown"] -= 60
        standin.rows_show_after = late
        started = [standin.press(user, notification=ALARM) for user in crew[:2]]
        runs = [run.wait() for run in started]
        if open_copies(standin):
            runs.append(scheduled(standin))
        said = sum("it counts" in ran.out for ran in runs)
        assert said <= 1, "\n".join(ran.out for ran in runs)
        assert_closed(standin, runs)


@pytest.mark.promise(number=9, real=True)
def test_four_presses_at_once_with_slow_and_uneven_writes_make_one_decision() -> None:
    with Standin() as standin:
        crew = standin.add_users(8)
        standin.run(standin.event(), notification=ALARM, **EVENT)
        seen: list[Request] = []

        def slow(request: Request) -> Act | None:
            if not request.rows:
                return None
            seen.append(request)
            sleep((3.0, 0.1, 1.5, 0.5)[len(seen) % 4])  # carried out only then
            return Act(wait=1)

        standin.rules = [slow]
        started = [standin.press(user, notification=ALARM) for user in crew[:4]]
        runs = [run.wait() for run in started]
        standin.rules = []
        if open_copies(standin):
            runs.append(scheduled(standin))
        assert sum("it counts" in ran.out for ran in runs) <= 1, "\n".join(ran.out for ran in runs)
        assert_closed(standin, runs)


@pytest.mark.promise(number=9)
@pytest.mark.parametrize("kind", ["schedule", "another event", "the same event"])
def test_a_press_whose_run_died_is_taken_up_by_the_next_run_of_any_kind(kind: str) -> None:
    with Standin() as standin:
        crew = standin.add_users(6)
        standin.run(standin.event(1), notification=ALARM, **EVENT)
        press_killed_once_written(standin, crew[2], notification=ALARM)
        first = [told.note for told in standin.told]
        standin.ahead += 30
        if kind == "schedule":
            ran = standin.run(None, notification=ALARM, **SCHEDULE)
        else:
            number = 1 if kind == "the same event" else 2
            ran = standin.run(standin.event(number), notification=ALARM, **EVENT)
        left = [note["id"] for note in first if note["buttons_enabled"]]
        assert not left, f"{len(left)} of 6 copies stay open\n{ran.out}"
        assert all("Acknowledged by User 002" in note["message"] for note in first), first[0]["message"]


@pytest.mark.promise(number=9, real="killed")
@pytest.mark.parametrize("how", ["killed", "502"])
def test_a_press_that_its_run_could_not_even_verify_is_answered_by_the_next_run(how: str) -> None:
    with Standin() as standin:
        crew = standin.add_users(6)
        standin.run(standin.event(), notification=ALARM, **EVENT)
        holder: list[Run] = []

        def rule(request: Request) -> Act | None:
            if not request.path.startswith("/run/users/") and not request.is_inbox:
                return None
            if how == "killed":
                holder[0].kill()
                return Act("reset", carry=False)
            return Act(502, carry=False)

        with rule_of(standin, rule):
            holder.append(standin.press(crew[2], notification=ALARM, time_budget="12s"))
            first = holder[0].wait()
        assert how == "killed" or (first.code == 1 and "next run" in first.out), first.out
        assert_closed(standin, [first, scheduled(standin)])


@pytest.mark.promise(number=9)
def test_a_press_on_a_journal_that_takes_no_rows_decides_all_the_same() -> None:
    with Standin() as standin:
        crew = standin.add_users(6)
        standin.run(standin.event(), notification=ALARM, **EVENT)
        standin.rules = [lambda request: Act(400, carry=False, message="limit reached") if request.rows else None]
        ran = standin.press(crew[2], notification=ALARM).wait()
        assert ran.code == 1
        assert re.search("(?i)journal is gone", ran.out), ran.out
        assert_closed(standin, [ran])


@pytest.mark.promise(number=9)
def test_a_later_press_does_not_overtake_one_whose_run_died() -> None:
    with Standin() as standin:
        crew = standin.add_users(6)
        standin.run(standin.event(), notification=ALARM, **EVENT)
        press_killed_once_written(standin, crew[2], notification=ALARM)
        standin.ahead += 30
        ran = standin.press(crew[4], notification=ALARM).wait()
        runs = [ran, scheduled(standin)]
        assert_closed(standin, runs)
        assert next(iter(lines_of(standin))).endswith("User 002"), "the oldest press is the decision"


@pytest.mark.promise(number=9)
def test_in_a_survey_each_users_first_answer_counts_once() -> None:
    survey = gated(answers="each")
    with Standin() as standin:
        crew = standin.add_users(4)
        standin.run(standin.event(), notification=survey, **EVENT)
        started = [standin.press(user, notification=survey) for user in (crew[0], crew[0], crew[1])]
        runs = [run.wait() for run in started]
        assert sum("it counts" in ran.out for ran in runs) == 2, "\n".join(ran.out for ran in runs)
        assert len(open_copies(standin)) >= 2, "who has not answered can still"


# ---- 10: what was never settled does not end an escalation


@pytest.mark.promise(number=10)
def test_a_press_that_was_never_settled_leaves_a_decision_or_the_next_group_told() -> None:
    with Standin() as standin:
        crew, boss = standin.add_users(5), standin.add_users(2, "boss", "Boss")
        standin.run(standin.event(), notification=STEPS, **EVENT)

        def broken(request: Request) -> Act | None:
            """Once the press is on the journal nothing else can be written, and nobody can be looked up."""
            if broken_from and (request.rows or request.is_inbox or "/run/users/" in request.path or request.is_change):
                return Act(500, carry=False)
            if has_press(request):
                broken_from.append(request)
            return None

        broken_from: list[Request] = []
        with rule_of(standin, broken):
            runs = [standin.press(crew[1], notification=STEPS, time_budget="20s").wait()]
        runs += [scheduled(standin, STEPS, 61), scheduled(standin, STEPS, 61)]
        is_decided = not any(standin.notes_of(user)[0]["buttons_enabled"] for user in crew)
        are_told = set(boss) <= set(standin.counted())
        assert is_decided or are_told, "neither decided nor escalated\n" + "\n".join(ran.out for ran in runs)
        assert_nobody_twice(standin, runs=runs)


@pytest.mark.promise(number=10)
def test_a_press_whose_run_died_and_that_cannot_be_settled_does_not_keep_supervisors_from_it() -> None:
    with Standin() as standin:
        crew, boss = standin.add_users(5), standin.add_users(2, "boss", "Boss")
        standin.run(standin.event(), notification=STEPS, **EVENT)
        press_killed_once_written(standin, crew[1], notification=STEPS)
        del standin.users[crew[1]]  # gone, with what could have verified it
        for note in standin.notes_of(crew[1]):
            standin.notes.pop(note["id"])
        runs = [scheduled(standin, STEPS, 61), scheduled(standin, STEPS, 61)]
        others = [user for user in crew if user != crew[1]]
        is_decided = not any(standin.notes_of(user)[0]["buttons_enabled"] for user in others)
        are_told = set(boss) <= set(standin.counted())
        assert is_decided or are_told, "neither decided nor escalated\n" + "\n".join(ran.out for ran in runs)


@pytest.mark.promise(number=10, real=True)
def test_a_forged_press_does_not_end_an_escalation() -> None:
    with Standin() as standin:
        crew, boss = standin.add_users(5), standin.add_users(2, "boss", "Boss")
        standin.run(standin.event(), notification=STEPS, **EVENT)
        note = {**standin.notes_of(crew[0])[0], "run_user": crew[1]}
        ran = standin.press_note(note, notification=STEPS).wait()
        assert ran.code == 1, ran.out
        scheduled(standin, STEPS, 61)
        assert set(boss) <= set(standin.counted())
        assert_nobody_twice(standin)


# ---- 11: no copy stays open


@pytest.mark.promise(number=11, real="alone")
@pytest.mark.parametrize("notification", [ALARM, STEPS], ids=["alone", "escalating"])
def test_pressed_while_hundreds_are_being_told_no_copy_stays_open(notification: str) -> None:
    with Standin() as standin:
        crew = standin.add_users(400)
        standin.add_users(2, "boss", "Boss")
        standin.rules = [creates(Act(wait=1.5))]
        telling = standin.start(standin.event(), notification=notification, **EVENT)
        standin.until(lambda: len(standin.told) > 90)
        pressing = standin.press(standin.told[5].user, notification=notification)
        runs = [pressing.wait(), telling.wait()]
        standin.rules = []
        while open_copies(standin) and len(runs) < 4:
            runs.append(scheduled(standin, notification))
        assert_closed(standin, runs)
        assert_nobody_twice(standin, runs=runs)
        untold = len(crew) - len(set(standin.counted()) & set(crew))
        if untold:
            assert "decided meanwhile" in "".join(ran.out for ran in runs)
            assert summary_of(runs[1]).figures["skipped"] == untold, runs[1].out


@pytest.mark.promise(number=11, real="2")
@pytest.mark.parametrize("after", [0, 2, 20])
def test_a_press_run_killed_before_or_while_closing_leaves_no_copy_open(after: int) -> None:
    with Standin() as standin:
        crew = standin.add_users(40)
        standin.run(standin.event(), notification=ALARM, **EVENT)
        standin.rules = [lambda request: Act(wait=0.3) if request.is_change else None]
        pressing = standin.press(crew[0], notification=ALARM)
        standin.rules.insert(0, killed_at(standin, pressing, lambda request: request.is_change, after + 1))
        runs = [pressing.wait()]
        standin.rules = []
        while open_copies(standin) and len(runs) < 3:
            runs.append(scheduled(standin))
        assert_closed(standin, runs)


@pytest.mark.promise(number=11)
@pytest.mark.parametrize("answer", [500, 503, "reset"])
def test_a_copy_that_cannot_be_closed_now_is_closed_by_the_next_run(answer: int | str) -> None:
    with Standin() as standin:
        crew = standin.add_users(12)
        standin.run(standin.event(), notification=ALARM, **EVENT)
        with rule_of(standin, lambda request: Act(answer, carry=False) if request.is_change else None):
            runs = [standin.press(crew[0], notification=ALARM, time_budget="15s").wait()]
        while open_copies(standin) and len(runs) < 3:
            runs.append(scheduled(standin))
        assert_closed(standin, runs)


# ---- 12: one closing line


@pytest.mark.promise(number=12, real=True)
def test_the_closing_line_is_the_same_on_every_copy_on_each_readers_clock_and_in_their_language() -> None:
    words = {"pt": {"title": "Alarme", "message": "Temperatura em $VALUE$"}}
    text = gated(translations=words)
    with Standin() as standin:
        here = standin.add_users(3, timezone="UTC")
        tokyo = standin.add_users(3, name="Tokyo", timezone="Asia/Tokyo")
        recife = standin.add_users(3, name="Recife", timezone="America/Recife", language="pt-BR")
        standin.run(standin.event(), notification=text, **EVENT)
        runs = [standin.press(here[0], notification=text).wait()]
        assert_closed(standin, runs)
        times = {}
        for user in here + tokyo + recife:
            message = standin.notes_of(user)[0]["message"]
            is_pm = bool(re.search(r"(?i)\d\s*pm", message))
            hour, minute = map(int, re.findall(r"(\d\d?):(\d\d)", message)[-1])
            times[user] = ((hour % 12 + 12 if is_pm else hour) * 60 + minute) % 1440
        assert len({times[user] for user in here}) == 1
        assert {(times[user] - times[here[0]]) % 1440 for user in tokyo} == {9 * 60}
        assert {(times[user] - times[here[0]]) % 1440 for user in recife} == {21 * 60}
        assert all("Temperatura em 41" in standin.notes_of(user)[0]["message"] for user in recife)
        assert all("It is at 41" in standin.notes_of(user)[0]["message"] for user in here + tokyo)


@pytest.mark.promise(number=12)
def test_who_is_left_when_it_is_decided_is_skipped_and_the_late_copies_have_the_same_line_and_time() -> None:
    with Standin() as standin:
        standin.add_users(300)
        standin.rules = [creates(Act(wait=2))]
        telling = standin.start(standin.event(), notification=ALARM, **EVENT)
        standin.until(lambda: len(standin.told) > 50)
        runs = [standin.press(standin.told[0].user, notification=ALARM).wait()]
        telling.kill()
        telling.wait()
        standin.rules = []
        standin.ahead += 120  # a line written later has the time of the decision, not of its writing
        runs += [scheduled(standin)]
        assert_closed(standin, runs)
        times = {re.findall(r"\d\d?:\d\d", told.note["message"])[-1] for told in standin.told}
        assert len(times) == 1, times
        if len(standin.told) < 300:
            assert "decided meanwhile" in "".join(ran.out for ran in runs)
        assert_nobody_twice(standin, runs=runs)
