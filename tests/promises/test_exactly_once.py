"""Promises 1 to 8: nobody twice, nobody lost, whatever the answers, the inbox, the journal and the clock do."""

import itertools
import json
import random
import re
from collections import Counter

import pytest

from tests.promises.clock import sleep
from tests.promises.oracle import (
    EVENT,
    PLAIN,
    RIGHT,
    assert_nobody_twice,
    assert_told_once,
    assert_truthful,
    outcomes_of,
    summary_of,
)
from tests.promises.standin import (
    Act,
    Request,
    Run,
    Standin,
    creates,
    first_create,
    for_seconds,
    journal,
    nothing,
    oldest_20,
    rule_of,
    shown_after,
)

DOUBTFUL = [502, 500, "reset", "cut"]


def is_create(request: Request) -> bool:
    return request.is_create


# ---- what must go well anywhere


@pytest.mark.promise(number=0, real=True)
@pytest.mark.parametrize("has_journal", [True, False])
def test_a_normal_run_tells_everybody_and_says_so(has_journal: bool) -> None:
    with Standin() as standin:
        crew = standin.add_users(30)
        ran = standin.run(standin.event(), journal=has_journal, **EVENT)
        assert ran.code == 0, ran.said
        assert_told_once(standin, crew)
        assert_truthful(standin, ran, 30)
        assert summary_of(ran).figures["sent"] == 30
        assert outcomes_of(ran, standin) == dict.fromkeys(crew, "sent")


@pytest.mark.promise(number=0)
def test_a_rerun_of_the_same_event_tells_nobody_again_and_another_event_everybody() -> None:
    with Standin() as standin:
        crew = standin.add_users(30)
        standin.run(standin.event(1), **EVENT)
        again = standin.run(standin.event(1), **EVENT)
        assert again.code == 0
        assert_told_once(standin, crew)
        assert standin.run(standin.event(2, device="e" * 24), **EVENT).code == 0
        assert set(standin.counted().values()) == {2}


@pytest.mark.promise(number=0, real=True)
@pytest.mark.parametrize("seed", range(4))
def test_a_run_that_is_killed_at_any_instant_and_run_again_tells_everybody_once(seed: int) -> None:
    with Standin() as standin:
        crew = standin.add_users(150)
        some = set(random.Random(seed).sample(crew, 30))
        for user in crew:
            standin.add_old_notes(user, 2)
        standin.rules = [
            first_create(Act(("reset", 502, 500, "cut")[seed]), some.__contains__),
            creates(Act(wait=0.2)),
            journal(Act(wait=0.05)),
        ]
        killed = standin.start(standin.event(), **EVENT)
        standin.until(lambda: bool(standin.requests))
        sleep(random.Random(seed).uniform(0.1, 1.1))
        killed.kill()
        killed.wait()
        sleep(0.5)
        standin.ahead += 60
        standin.rules.pop(0)
        runs = [standin.run(standin.event(), **EVENT)]
        if runs[-1].code:
            standin.ahead += 60
            runs.append(standin.run(standin.event(), **EVENT))
        assert_told_once(standin, crew, runs=runs)


# ---- 1: an inbox that a policy filters


@pytest.mark.promise(number=1)
@pytest.mark.parametrize("answer", [502, "reset", "cut"])
def test_an_inbox_that_a_policy_filters_proves_nothing(answer: int | str) -> None:
    with Standin(inbox=nothing, rules=[first_create(Act(answer))]) as standin:
        crew = standin.add_users(8)
        ran = standin.run(standin.event(), **EVENT)
        assert_told_once(standin, crew, runs=[ran])
        assert_truthful(standin, ran, 8)
        assert ran.code == 1
        assert summary_of(ran).figures["unknown"] == 8, ran.out
        assert re.search(RIGHT, ran.out), ran.out
        if answer != 502:  # once is enough to see that a rerun knows no better
            return
        standin.ahead += 60
        again = standin.run(standin.event(), **EVENT)
        assert_told_once(standin, crew, runs=[ran, again])
        assert not summary_of(again).figures["sent"], again.out


@pytest.mark.promise(number=1, real="plain")
@pytest.mark.parametrize("notification", ["", PLAIN], ids=["buttons", "plain"])
@pytest.mark.waits(40)
def test_an_inbox_that_a_policy_filters_proves_nothing_without_a_journal_either(notification: str) -> None:
    with Standin(inbox=nothing) as standin:
        crew = standin.add_users(12)
        standin.rules = [first_create(Act(502), lambda user: user in crew[:4])]
        ran = standin.run(standin.event(), journal=False, notification=notification, **EVENT)
        assert_told_once(standin, crew, runs=[ran])
        assert_truthful(standin, ran, 12)
        assert summary_of(ran).figures["unknown"] == 4, ran.out
        assert re.search(RIGHT, ran.out), ran.out


@pytest.mark.promise(number=1)
def test_a_filtered_inbox_matters_to_nobody_whose_answer_came() -> None:
    with Standin(inbox=nothing) as standin:
        crew = standin.add_users(8)
        ran = standin.run(standin.event(), **EVENT)
        assert ran.code == 0, ran.out
        assert_told_once(standin, crew)


@pytest.mark.promise(number=1)
def test_a_press_on_a_profile_that_filters_the_inbox_names_the_right() -> None:
    with Standin() as standin:
        crew = standin.add_users(3)
        standin.run(standin.event(), **EVENT)
        standin.inbox = nothing
        ran = standin.press(crew[0]).wait()
        assert "Traceback" not in ran.said, ran.said
        assert re.search(RIGHT, ran.out), ran.out
        assert "has no notification" not in ran.out


# ---- 2: an inbox that shows little, or late; a request that is carried out late


@pytest.mark.promise(number=2)
@pytest.mark.parametrize("answer", ["reset"])
def test_an_inbox_of_20_oldest_first_hides_the_new_one_and_nobody_is_told_twice(answer: int | str) -> None:
    with Standin(inbox=oldest_20, rules=[first_create(Act(answer))]) as standin:
        crew = standin.add_users(6)
        for user in crew:
            standin.add_old_notes(user, 26)
        ran = standin.run(standin.event(), **EVENT)
        assert_told_once(standin, crew, runs=[ran])
        assert_truthful(standin, ran, 6)


@pytest.mark.promise(number=2)
def test_a_full_page_of_old_ones_is_no_proof_though_other_inboxes_show_what_was_sent() -> None:
    with Standin(inbox=oldest_20) as standin:
        crew = standin.add_users(20)
        full = set(crew[:5])
        for user in full:
            standin.add_old_notes(user, 26)
        standin.rules = [first_create(Act(502), full.__contains__)]
        ran = standin.run(standin.event(), **EVENT)
        assert_told_once(standin, crew, runs=[ran])
        assert_truthful(standin, ran, 20)


@pytest.mark.promise(number=2, real="502")
@pytest.mark.parametrize("answer", [502, "reset"])
@pytest.mark.waits(15)
def test_an_inbox_that_shows_a_new_one_after_8_seconds_and_nobody_else_waits(answer: int | str) -> None:
    with Standin() as standin:
        standin.inbox = shown_after(standin, 8)
        crew = standin.add_users(60)
        slow = set(crew[::6])
        for user in crew:
            standin.add_old_notes(user, 2)
        standin.rules = [first_create(Act(answer), slow.__contains__), creates(Act(wait=0.1))]
        ran = standin.run(standin.event(), **EVENT)
        assert_told_once(standin, crew, runs=[ran])
        assert_truthful(standin, ran, 60)
        first = standin.requests[0].at
        others = [told.at - first for told in standin.told if told.user not in slow]
        assert max(others) < 6, "those whose answer came waited for those in doubt"


@pytest.mark.promise(number=2, real="502-5")
@pytest.mark.parametrize(("answer", "late"), [(502, 5), (504, 12), ("reset", 19), (502, 19)])
@pytest.mark.waits(14)
def test_a_create_that_is_carried_out_after_its_error_is_not_sent_again(answer: int | str, late: float) -> None:
    with Standin() as standin:
        crew = standin.add_users(16)
        slow = set(crew[::4])
        standin.rules = [first_create(Act(answer, after=late), slow.__contains__)]
        ran = standin.run(standin.event(), **EVENT)
        standin.settle()
        assert_told_once(standin, crew, runs=[ran])
        assert_truthful(standin, ran, 16)
        first = standin.requests[0].at
        others = [told.at - first for told in standin.told if told.user not in slow]
        assert max(others) < 4, "those whose answer came waited for those in doubt"


@pytest.mark.promise(number=2)
@pytest.mark.parametrize("answer", ["reset"])
def test_a_create_that_was_not_carried_out_is_sent_again_and_nobody_is_lost(answer: int | str) -> None:
    with Standin() as standin:
        crew = standin.add_users(16)
        slow = set(crew[::4])
        standin.rules = [first_create(Act(answer, carry=False), slow.__contains__)]
        runs = [standin.run(standin.event(), **EVENT)]
        assert_truthful(standin, runs[0], 16)
        while runs[-1].code and len(runs) < 3:
            standin.ahead += 60
            runs.append(standin.run(standin.event(), **EVENT))
        assert_told_once(standin, crew, runs=runs)


@pytest.mark.promise(number=2)
def test_an_inbox_in_any_order_is_read_whole() -> None:
    with Standin() as standin:
        standin.inbox = lambda _user, notes: random.sample(notes, len(notes))
        crew = standin.add_users(12)
        for user in crew:
            standin.add_old_notes(user, 15)
        standin.rules = [first_create(Act(502), lambda user: user in crew[:6])]
        ran = standin.run(standin.event(), **EVENT)
        assert ran.code == 0, ran.out
        assert_told_once(standin, crew, runs=[ran])


# ---- 3: slow answers


@pytest.mark.promise(number=3)
def test_slow_answers_starve_no_heartbeat_and_the_same_event_a_second_later_tells_nobody_twice() -> None:
    with Standin() as standin:
        crew = standin.add_users(120)
        standin.rules = [creates(Act(wait=9))]
        one = standin.start(standin.event(), **EVENT)
        standin.until(lambda: bool(standin.counts))
        sleep(1)
        two = standin.start(standin.event(), **EVENT)
        runs = [one.wait(), two.wait()]
        assert_told_once(standin, crew, runs=runs)
        told = [told.at for told in standin.told]
        wrote = [request.at for request in standin.sent_requests(lambda request: bool(request.rows))]
        during = [told[0], *[at for at in wrote if told[0] < at < told[-1]], told[-1]]
        gaps = [after - before for before, after in itertools.pairwise(during)]
        assert max(gaps) <= 5.7, f"no row for {max(gaps):.1f} s"


@pytest.mark.promise(number=3, real=True)
@pytest.mark.waits(39)
def test_slow_reads_of_the_inbox_hold_up_no_heartbeat() -> None:
    with Standin() as standin:
        crew = standin.add_users(80)
        standin.rules = [
            first_create(Act(502), lambda user: user in crew[:60]),
            lambda request: Act(wait=9) if request.is_inbox else None,
        ]
        ran = standin.run(standin.event(), time_budget="40s", **EVENT)
        assert_nobody_twice(standin, runs=[ran])
        wrote = [request.at for request in standin.sent_requests(lambda request: bool(request.rows))]
        gaps = [after - before for before, after in itertools.pairwise(wrote)]
        assert max(gaps) <= 5.7, f"no row for {max(gaps):.1f} s"


# ---- 4: a run that was away


@pytest.mark.promise(number=4)
@pytest.mark.parametrize("away", [18, 30])
def test_a_frozen_run_tells_nobody_whom_another_told_meanwhile(away: float) -> None:
    with Standin() as standin:
        crew = standin.add_users(240)
        standin.rules = [creates(Act(wait=2))]
        frozen = standin.start(standin.event(), **EVENT)
        standin.until(lambda: len(standin.told) > 45)
        frozen.freeze()
        sleep(0.5)
        other = standin.start(standin.event(), **EVENT)
        sleep(away - 0.5)
        frozen.thaw()
        runs = [frozen.wait(), other.wait()]
        while len(set(standin.counted())) < 240 and len(runs) < 4:
            standin.ahead += 60
            runs.append(standin.run(standin.event(), **EVENT))
        assert_told_once(standin, crew, runs=runs)


@pytest.mark.promise(number=4)
@pytest.mark.parametrize("later", [2, 12.5])
def test_a_run_cut_from_its_journal_tells_nobody_whom_another_told_meanwhile(later: float) -> None:
    with Standin() as standin:
        crew = standin.add_users(400)
        standin.rules = [creates(Act(wait=1.5))]
        one = standin.start(standin.event(), **EVENT)
        standin.until(lambda: len(standin.told) > 45)
        with rule_of(standin, journal(Act(503, carry=False))):
            sleep(later)
            two = standin.start(standin.event(), **EVENT)
            sleep(14 - later)
        runs = [one.wait(), two.wait()]
        while len(set(standin.counted())) < 400 and len(runs) < 4:
            standin.ahead += 60
            runs.append(standin.run(standin.event(), **EVENT))
        assert_told_once(standin, crew, runs=runs)


# ---- 5: rows that show late


@pytest.mark.promise(number=5)
@pytest.mark.parametrize("late", [0.1, 1, 5])
def test_two_runs_of_one_event_at_once_on_a_journal_that_shows_late_tell_nobody_twice(late: float) -> None:
    with Standin(rows_show_after=late) as standin:
        crew = standin.add_users(60)
        standin.rules = [creates(Act(wait=0.2))]
        started = [standin.start(standin.event(), **EVENT) for _ in range(2)]
        runs = [run.wait() for run in started]
        assert_nobody_twice(standin, runs=runs)
        rest = 0
        while len(standin.counted()) < 60 and rest < 2:
            rest += 1
            standin.ahead += 60
            runs.append(standin.run(standin.event(), **EVENT))
        assert_told_once(standin, crew, runs=runs)


@pytest.mark.promise(number=5, real=True)
@pytest.mark.waits(18)
def test_two_runs_that_find_the_same_leftover_on_a_journal_that_shows_late_tell_nobody_twice() -> None:
    with Standin() as standin:
        crew = standin.add_users(80)
        standin.rules = [creates(Act(wait=1))]
        killed = standin.start(standin.event(), **EVENT)
        standin.until(lambda: len(standin.told) > 30)
        killed.kill()
        killed.wait()
        standin.rules = []
        standin.rows_show_after = 3
        standin.ahead += 60
        started = [standin.start(standin.event(), **EVENT) for _ in range(2)]
        runs = [run.wait() for run in started]
        if len(standin.counted()) < 80:
            standin.ahead += 60
            runs.append(standin.run(standin.event(), **EVENT))
        assert_told_once(standin, crew, runs=runs)


# ---- 6: an outage is not a refusal


@pytest.mark.promise(number=6)
@pytest.mark.parametrize("answer", [502, 503, "reset"])
def test_an_outage_of_15_seconds_makes_nobody_failed_and_loses_nobody(answer: int | str) -> None:
    with Standin() as standin:
        crew = standin.add_users(100)
        # Ten are told before it begins: so there is a list that can show something known to be there.
        standin.rules = [for_seconds(creates(Act(answer, carry=False), set(crew[10:]).__contains__), 15)]
        runs = [standin.run(standin.event(), time_budget="60s", **EVENT)]
        assert not summary_of(runs[0]).figures["failed"], runs[0].out
        assert_truthful(standin, runs[0], 100)
        while len(standin.counted()) < 100 and len(runs) < 3:
            standin.ahead += 60
            runs.append(standin.run(standin.event(), time_budget="60s", **EVENT))
        assert_told_once(standin, crew, runs=runs)


@pytest.mark.promise(number=6, real="reset")
@pytest.mark.parametrize("answer", [502, "reset"])
def test_an_outage_that_outlasts_the_time_budget_is_left_to_the_next_run(answer: int | str) -> None:
    with Standin() as standin:
        crew = standin.add_users(40)
        standin.rules = [creates(Act(answer, carry=False), lambda user: user in crew[10:])]
        runs = [standin.run(standin.event(), time_budget="12s", **EVENT)]
        figures = summary_of(runs[0]).figures
        assert runs[0].code == 1
        assert not figures["failed"], runs[0].out
        assert figures["pending"] + figures["unknown"] == 30, runs[0].out
        assert_truthful(standin, runs[0], 40)
        standin.rules = []
        while len(standin.counted()) < 40 and len(runs) < 3:
            standin.ahead += 60
            runs.append(standin.run(standin.event(), **EVENT))
        assert_told_once(standin, crew, runs=runs)


@pytest.mark.promise(number=6)
def test_a_definite_rejection_is_failed_and_everybody_else_is_told() -> None:
    with Standin() as standin:
        crew = standin.add_users(20)
        denied = Act(401, carry=False, message="Authorization Denied")
        standin.rules = [creates(denied, lambda user: user == crew[7])]
        ran = standin.run(standin.event(), **EVENT)
        assert ran.code == 1
        assert summary_of(ran).figures["failed"] == 1, ran.out
        assert "Authorization Denied" in ran.out
        assert_truthful(standin, ran, 20)
        assert_told_once(standin, [user for user in crew if user != crew[7]])


# ---- 7: a wait that ends in an error


@pytest.mark.promise(number=7, real="403")
@pytest.mark.parametrize("look", [500, 403, "reset"])
def test_a_look_that_fails_makes_nobody_wait_a_minute_and_nobody_failed(look: int | str) -> None:
    with Standin() as standin:
        crew = standin.add_users(140)

        looks: Counter[str] = Counter()

        def trouble(request: Request) -> Act | None:
            """Some lose their answer, those at the known limits among them; the first look shows nothing yet."""
            if request.is_create and request.nth == 1 and request.arrival in lost:
                return Act(502)
            if not request.is_inbox:
                return None
            looks[request.user] += 1
            if looks[request.user] == 1:
                return Act(raw=b'{"status":true,"result":[]}')
            return Act(look, carry=False, message="Authorization Denied")

        lost = {1, *range(58, 64), *range(98, 104)}
        standin.rules = [trouble]
        hook = f"json://127.0.0.1:{standin.port}/hook"
        ran = standin.run(standin.event(), fallback=hook, time_budget="50s", **EVENT)
        assert_nobody_twice(standin, runs=[ran])
        assert_truthful(standin, ran, 140)
        assert not summary_of(ran).figures["failed"], ran.out
        assert not standin.hooked, "told by another channel though TagoRUN may have told them"
        first = standin.requests[0].at
        assert len(standin.counted()) == 140
        assert max(told.at for told in standin.told) - first < 20, "somebody waited for the window"
        standin.rules = []
        standin.ahead += 60
        again = standin.run(standin.event(), fallback=hook, **EVENT)
        assert_told_once(standin, crew, runs=[ran, again])
        assert not standin.hooked


# ---- 8: the same text twice, and clocks that are off


@pytest.mark.promise(number=8, real=True)
def test_two_events_with_the_same_text_and_no_buttons_at_once_are_both_told_to_everybody() -> None:
    with Standin() as standin:
        crew = standin.add_users(40)
        standin.rules = [creates(Act(wait=0.1))]
        started = [standin.start(standin.event(number), notification=PLAIN, **EVENT) for number in (1, 2)]
        runs = [run.wait() for run in started]
        assert [ran.code for ran in runs] == [0, 0], runs[0].out + runs[1].out
        assert standin.counted() == dict.fromkeys(crew, 2)


@pytest.mark.promise(number=8)
def test_two_events_with_the_same_text_are_both_told_even_where_answers_are_lost() -> None:
    with Standin() as standin:
        crew = standin.add_users(20)

        def lost(request: Request) -> Act | None:
            return Act(502, carry=False) if request.is_create and request.arrival in (3, 9, 14, 21, 30) else None

        standin.rules = [lost, creates(Act(wait=0.2))]
        started = [standin.start(standin.event(number), notification=PLAIN, **EVENT) for number in (1, 2)]
        runs = [run.wait() for run in started]
        counted = standin.counted()
        assert max(counted.values()) <= 2
        said = sum(summary_of(ran).figures["sent"] for ran in runs)
        assert said <= sum(counted.values()), (
            f"{said} said sent, {sum(counted.values())} were\n{runs[0].out}{runs[1].out}"
        )
        figures = summary_of(runs[0]).figures + summary_of(runs[1]).figures
        missing = 40 - sum(counted.values())
        assert missing <= figures["unknown"] + figures["pending"], runs[0].out + runs[1].out
        standin.ahead += 60
        runs += [standin.run(standin.event(number), notification=PLAIN, **EVENT) for number in (1, 2)]
        assert max(standin.counted().values()) <= 2, "\n".join(ran.out for ran in runs)
        assert set(standin.counted()) == set(crew)


@pytest.mark.promise(number=8, real="before, buttons")
@pytest.mark.parametrize(
    ("off", "notification"), [(-420, PLAIN), (420, PLAIN), (420, "")], ids=["behind", "before", "before, buttons"]
)
def test_a_clock_that_is_minutes_off_and_no_date_header_tell_nobody_twice(off: float, notification: str) -> None:
    with Standin(date="none", ahead=off) as standin:
        crew = standin.add_users(16)
        standin.rules = [first_create(Act(502), lambda user: user in crew[:8])]
        ran = standin.run(standin.event(), notification=notification, **EVENT)
        assert_told_once(standin, crew, runs=[ran])
        assert_truthful(standin, ran, 16)
        again = standin.run(standin.event(), notification=notification, **EVENT)
        assert_told_once(standin, crew, runs=[ran, again])


@pytest.mark.promise(number=8)
def test_two_runs_at_once_without_a_date_header_and_a_clock_that_is_off_tell_nobody_twice() -> None:
    with Standin(date="none", ahead=-300) as standin:
        crew = standin.add_users(120)
        standin.rules = [creates(Act(wait=1.5))]
        started = [standin.start(standin.event(), **EVENT)]
        standin.until(lambda: len(standin.told) > 30)
        started.append(standin.start(standin.event(), **EVENT))
        runs = [run.wait() for run in started]
        assert_told_once(standin, crew, runs=runs)


# ---- whoever has begun an event may be gone


@pytest.mark.promise(number=5)
@pytest.mark.parametrize("late", [0, 5])
def test_an_event_whose_run_died_right_after_it_began_is_told_by_the_run_that_found_it(late: float) -> None:
    with Standin(rows_show_after=late) as standin:
        crew = standin.add_users(12)
        event = standin.event()
        holder: list[Run] = []

        def die(request: Request) -> Act | None:
            if not any(row.get("value") == "started" for row in request.rows):
                return None
            standin.perform(request)
            holder[0].kill()
            return Act("reset", carry=False)

        standin.rules = [die]
        holder.append(standin.start(event, **EVENT))
        holder[0].wait()
        standin.rules = []
        ran = standin.run(event, **EVENT)
        assert_told_once(standin, crew, runs=[ran])
        assert ran.code == 0, ran.out


@pytest.mark.promise(number=4, real=True)
@pytest.mark.waits(50)
def test_a_run_frozen_while_it_reads_its_own_rows_keeps_its_journal() -> None:
    with Standin(rows_show_after=1.5) as standin:
        crew = standin.add_users(12)
        event = standin.event()
        run = standin.start(event, **EVENT)
        standin.until(lambda: any(row.get("value") == "started" for row in standin.rows))
        run.freeze()
        sleep(27)
        run.thaw()
        first = run.wait()
        assert "JOURNAL IS GONE" not in first.out, first.out
        assert_told_once(standin, crew, runs=[first])
        second = standin.run(event, **EVENT)
        assert_told_once(standin, crew, runs=[first, second])


@pytest.mark.promise(number=8)
def test_an_old_notification_with_the_same_text_is_no_proof_where_tagoio_tells_no_time() -> None:
    with Standin(date="none") as standin:
        crew = standin.add_users(3)
        for user in crew:
            standin._keep({"run_user": user, **json.loads(PLAIN)}, standin.now() - 1200)
        standin.rules = [first_create(Act(502, carry=False))]
        ran = standin.run(None, journal=False, notification=PLAIN, time_budget="60s")
        said = outcomes_of(ran, standin)
        assert "sent" not in said.values() or len(standin.told) == 3, ran.out
