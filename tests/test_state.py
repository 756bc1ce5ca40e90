"""The state as a fold of rows, in whatever order and however often they come."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.campaign.fold import Answer, Ending, Presence, PressFact, Try, Verdict
from lib.campaign.lease import GIVEN_UP, LATE, MARGIN
from lib.campaign.outcome import DECIDED, Outcome
from lib.campaign.rows import (
    CAMPAIGN,
    CHANGE,
    DECISION,
    HEARTBEATS,
    METADATA,
    PRESS,
    Row,
    anew_rows,
    audience_rows,
    campaign_row,
    closed_rows,
    decision_row,
    ended_row,
    fallback_rows,
    joining_rows,
    outcome_rows,
    outcomes_of,
    passed_rows,
    point_rows,
    read_row,
    replaced_row,
    size_of,
    started_rows,
    told_row,
    updated_rows,
)
from lib.campaign.state import CampaignState, Word
from lib.message.trigger import DataPoint, Trigger

KEY, A, B = "kkkkkkkkkk", "a" * 12, "b" * 12
TRIGGER = Trigger(
    "action", (DataPoint("t", 9, "C", "2026", "d", "g", "1"), DataPoint("t", 10)), "act", "on", "dev", "an"
)


def stamped(rows: Any, at: float) -> list[Row]:
    return [row._replace(at=at + number / 1000, id=f"{at}-{number}") for number, row in enumerate(rows)]


def told(user: str, status: Any = "sent", run: str = A, **more: Any) -> Outcome:
    return Outcome(user, "", status, notification_id=f"n-{user}" if status == "sent" else "", run=run, **more)


def history() -> Iterator[Row]:
    """Run A tells two of four and dies; run B resumes, settles the others, leaves; u1 presses, and is answered."""
    yield from stamped(
        started_rows(KEY, A, TRIGGER, ["u1", "u2", "u3", "u4"], started_at=100.0, escalate='[[900, "x"]]', first="u1"),
        100,
    )
    yield from stamped(outcome_rows(KEY, [told("u1"), told("u2")]), 102)
    yield from stamped([Row(KEY, HEARTBEATS, "telling", {"run": A})], 104)
    yield from stamped([campaign_row(KEY, "resumed", B, first="")], 130)
    yield from stamped(outcome_rows(KEY, [told("u3", "failed", B), told("u4", "pending", B)]), 131)
    yield from stamped(fallback_rows(KEY, ["u3"], "begun", B), 132)
    yield from stamped(fallback_rows(KEY, ["u3"], "taken", B, "mailto"), 133)
    yield from stamped([campaign_row(KEY, "escalated", B, step=1, to="x"), *audience_rows(KEY, ["u5"], 1)], 134)
    yield from stamped([campaign_row(KEY, "left", B)], 135)
    press = {"run": "c" * 12, "user": "u1", "name": "Ana", "button": "ack", "label": "Ack", "notification": "n-u1"}
    yield from stamped([Row(KEY, PRESS, "ack", press), Row(KEY, PRESS, "ack", {**press, "run": "d" * 12})], 140)
    yield from stamped([Row(KEY, DECISION, "answered", {"run": "c" * 12, "press": "c" * 12, "line": "by Ana"})], 141)
    yield from stamped(closed_rows(KEY, ["n-u1"], "c" * 12), 142)


def fold(rows: Any) -> CampaignState:
    state = CampaignState(KEY)
    state.take(rows)
    return state


def facts(state: CampaignState) -> Any:
    users = ("u1", "u2", "u3", "u4", "u5", "stranger")
    return (
        state.trigger, state.started_at, state.steps, state.steps_taken, state.missing, state.newest(),
        state.is_finished,
        dict(sorted(state.audience.items())), {user: state.outcomes.get(user) for user in users}, state.tries,
        state.decision, state.answers, state.copies(), sorted(state.unsettled()), state.first_sent_at,
        [state.may_have_it(user, "f" * 12) for user in users],
    )  # fmt: skip


@given(st.randoms(), st.integers(0, 5))
def test_the_order_of_rows_and_their_repetition_change_nothing(random: Any, repeated: int) -> None:
    rows = list(history())
    shuffled = rows + [random.choice(rows) for _ in range(repeated)]
    random.shuffle(shuffled)
    assert facts(fold(shuffled)) == facts(fold(rows))


def test_what_it_says() -> None:
    state = fold(history())
    assert state.trigger == TRIGGER
    assert state.audience == {"u1": 0, "u2": 0, "u3": 0, "u4": 0, "u5": 1}
    assert {user: each.status for user, each in state.outcomes.items()} == {
        "u1": "sent", "u2": "sent", "u3": "failed", "u4": "pending",
    }  # fmt: skip
    assert sorted(state.unsettled()) == ["u4", "u5"], "the fallback has u3"
    assert state.copies() == {"u2": "n-u2"}
    assert state.decision
    assert (state.decision.run, state.answers[state.decision.run].line) == ("c" * 12, "by Ana")
    assert state.first_sent_at == 102


def test_who_may_have_it_of_a_run_that_died() -> None:
    rows = list(history())[:-10]
    begun = [row for row in rows if row.at < 101]
    doubtful = 100 + MARGIN + LATE
    state = fold(begun)
    assert state.may_have_it("u1", B) == pytest.approx(doubtful, abs=0.1), "whom it tells before all others"
    assert state.may_have_it("u2", B) == 0
    assert state.may_hide_it("u2", B), "it may have lost its journal then, and told everybody"
    assert not state.may_hide_it("u2", A)
    state = fold([row for row in rows if row.at < 105])
    assert state.may_have_it("u3", B) == pytest.approx(104 + MARGIN + LATE, abs=0.1), "it had told somebody: so anybody"
    assert state.may_have_it("u3", A) == 0, "it knows itself"


def test_who_is_pending_in_good_order_is_not_in_doubt() -> None:
    state = fold(stamped(started_rows(KEY, A, TRIGGER, ["u1", "u2"], started_at=1.0, first=""), 100))
    state.take(stamped([*outcome_rows(KEY, [told("u1", "pending"), told("u2", "unknown")])], 102))
    assert state.may_have_it("u1", B) == 0, "the run itself says that it did not"
    state.take(stamped([campaign_row(KEY, "left", A)], 103))
    assert state.may_have_it("u1", B) == 0
    assert state.may_have_it("u2", B) == pytest.approx(102 + LATE, abs=0.1)


def test_who_was_told_was_told_whatever_another_run_writes_later() -> None:
    state = fold(stamped(outcome_rows(KEY, [told("u1")]), 100))
    state.take(stamped(outcome_rows(KEY, [told("u1", "skipped", B)]), 200))
    assert state.outcomes["u1"].status == "sent"


def test_an_audience_that_was_cut_is_known_to_be() -> None:
    rows = stamped(started_rows(KEY, A, TRIGGER, ["u1", "u2", "u3"], started_at=1.0, first=""), 100)
    cut = [row._replace(about={**row.about, "users": "u1"}) if row.kind == "notify_audience" else row for row in rows]
    assert fold(cut).missing == 2
    assert fold(rows).missing == 0


@pytest.mark.parametrize(
    ("statuses", "at"),
    [
        ({}, 0),
        ({"u1": "held"}, 0),
        ({"u1": "held", "u2": "held"}, 0),
        ({"u1": "skipped", "u2": "skipped"}, 50),
        ({"u1": "failed", "u2": "held"}, 50),
        ({"u1": "failed", "u2": "pending"}, 0),
        ({"u1": "held", "u2": "sent"}, 102),
        ({"u1": "failed", "u2": "fallback"}, 102),
    ],
)
def test_steps_count_from_the_first_sending(statuses: dict[str, str], at: float) -> None:
    state = fold(stamped(started_rows(KEY, A, TRIGGER, ["u1", "u2"], started_at=50.0, first=""), 100))
    state.take(stamped(outcome_rows(KEY, [told(user, status) for user, status in statuses.items()]), 102))
    assert state.first_sent_at == pytest.approx(at, abs=0.01)


def test_rows_are_dense_and_fit() -> None:
    outcomes = [told(f"{number:024}") for number in range(1000)]
    rows = list(outcome_rows(KEY, outcomes))
    assert len(rows) < 10
    assert all(size_of(row) < METADATA + 1000 for row in rows)
    assert [each.user_id for row in rows for each in outcomes_of(row)] == [each.user_id for each in outcomes]


@pytest.mark.parametrize(
    "row",
    [
        None, 5, [], {}, {"variable": "notify_campaign", "value": "started", "group": KEY, "metadata": None},
        {"variable": "notify_campaign", "value": "started", "group": None},
        {"variable": "notify_audience", "group": KEY, "metadata": {"users": 5}},
        {"variable": "notify_outcome", "value": "sent", "group": KEY, "metadata": "x"},
        {"variable": "notify_press", "value": "x", "group": KEY, "metadata": {"run": {}}},
        {"variable": "notify_heartbeat", "value": "telling", "group": KEY, "time": "9999-99-99"},
        {"variable": None, "group": KEY},
    ],
)  # fmt: skip
def test_rows_that_somebody_else_wrote_do_no_harm(row: Any) -> None:
    state, before = fold(history()), fold(history())
    read = read_row(row)
    state.take([read] if read else [])
    state.audience.pop("5", None)
    assert facts(state) == facts(before)


def test_the_row_of_a_campaign_travels_as_the_readme_says() -> None:
    (row,) = closed_rows(KEY, ["n1", "n2"], A)
    assert row.wire() == {
        "variable": "notify_closed", "value": 2, "group": KEY, "metadata": {"notifications": "n1 n2", "run": A},
    }  # fmt: skip
    assert read_row({**row.wire(), "time": "2026-01-01T00:00:00Z", "id": "x"}) == row._replace(at=1767225600.0, id="x")
    assert CAMPAIGN == "notify_campaign"


def test_the_ids_of_a_large_audience_are_in_memory_once() -> None:
    state = CampaignState(KEY)
    ids = [f"user-{number}" for number in range(3)]
    state.take(stamped(audience_rows(KEY, [*ids, "gone"]), 1.0))
    state.share(ids)
    assert state.audience == {**dict.fromkeys(ids, 0), "gone": 0}
    assert all(mine is theirs for mine, theirs in zip(state.audience, ids, strict=False))


def of(*rows: Row, at: float = 100) -> CampaignState:
    """The state after these rows, each a second after the one before."""
    return fold(row if row.at else row._replace(at=at + n, id=f"r{n}") for n, row in enumerate(rows))


def mark(value: str, run: str = A, **about: Any) -> Row:
    return campaign_row(KEY, value, run, **about)


def beat(value: str = "telling", run: str = A) -> Row:
    return Row(KEY, HEARTBEATS, value, {"run": run})


def press(run: str = "c" * 12, user: str = "u1", **about: Any) -> Row:
    return Row(KEY, PRESS, "ack", {"run": run, "user": user, "notification": f"n-{user}", **about})


def repeat(event: str, points: int = 0, **about: Any) -> Row:
    return Row(KEY, CHANGE, "repeated", {"run": B, "event": event, "points": points, **about})


def end(why: str = "cleared", line: str = "Over", lines: Any = None) -> Row:
    return ended_row(KEY, B, why, line, lines or {})


def verdict(value: str, press: str = "c" * 12, run: str = B, **about: Any) -> Row:
    return decision_row(KEY, value, run, press, **about)


@pytest.mark.parametrize(
    ("language", "line"),
    [("pt-BR", "Brasil"), ("pt_br", "Brasil"), ("PT-PT", "Portugal e mais"), ("pt", "Portugal e mais"), ("de", "All")],
)
def test_an_answer_is_read_in_the_readers_language(language: str, line: str) -> None:
    answer = Answer("All", {"pt-br": "Brasil", "pt": "Portugal e mais"})
    assert answer.for_reader(language) == line


@pytest.mark.parametrize(
    ("given", "lines"),
    [
        ('{"PT_br": "x", "de": 5}', {"pt-br": "x", "de": "5"}),
        ({"de": "y"}, {"de": "y"}),
        ("{", {}),
        ("[1]", {}),
        (None, {}),
        ("", {}),
    ],
)
def test_lines_by_language_are_read_whoever_wrote_them(given: Any, lines: dict[str, str]) -> None:
    state = of(verdict("answered", line="All", lines=given))
    assert state.answers == {"c" * 12: Answer("All", lines, B)}


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([mark("started", first="u1")], Presence(100, 0, "u1", False, True)),
        ([mark("resumed", first="")], Presence(100, 0, "", False, True)),
        ([mark("started", first="u1"), mark("started", first="u1")], Presence(101, 0, "u1", False, True)),
        ([mark("started", first="u1"), mark("resumed", first="u2")], Presence(101, 0, "", False, True)),
        ([mark("started", first="u1"), mark("left")], Presence(100, 101, "u1", False, True)),
        ([mark("finished")], Presence(0, 100, None, False, False)),
        ([mark("escalated", step=1)], None),
        ([beat()], Presence(100, 0, None, False, True)),
        ([beat("answering")], Presence(100, 0, None, False, False)),
        ([beat(), beat("answering")], Presence(101, 0, None, False, True)),
        (outcome_rows(KEY, [told("u1")]), Presence(100, 0, None, True, True)),
        (outcome_rows(KEY, [told("u1", "unknown")]), Presence(100, 0, None, True, True)),
        (outcome_rows(KEY, [told("u1", "failed")]), Presence(100, 0, None, True, True)),
        (outcome_rows(KEY, [told("u1", "pending")]), Presence(100, 0, None, False, True)),
        (
            [*outcome_rows(KEY, [told("u1")]), *outcome_rows(KEY, [told("u2", "held")])],
            Presence(101, 0, None, True, True),
        ),
    ],
)
def test_a_run_is_known_by_the_rows_it_wrote(rows: Any, expected: Presence | None) -> None:
    rows = list(rows)
    given = [row._replace(at=100.0 + n, id=f"r{n}") for n, row in enumerate(rows)]
    begins = [row.at for row in given if row.value in ("started", "resumed") and row.run == A]
    for order in (given, reversed(given)):
        found = fold(order).presences.get(A)
        assert found == (expected and replace(expected, since=min(begins, default=float("inf"))))


def test_a_run_that_left_in_the_instant_of_its_last_sign_is_over() -> None:
    assert Presence(at=100, left_at=100).is_over
    assert not Presence(at=100, left_at=99).is_over


@pytest.mark.parametrize(
    ("row", "sign"),
    [
        (mark("started"), False),
        (mark("resumed"), False),
        (mark("left"), True),
        (mark("finished"), True),
        (beat(), False),
        (beat("answering"), None),
        (mark("escalated", step=1), None),
    ],
)
def test_the_lease_goes_by_rows_of_those_who_tell(row: Row, sign: bool | None) -> None:
    signs = [(each.run, each.at, each.id, each.is_end) for each in of(row).signs.values()]
    assert signs == ([] if sign is None else [(A, 100, "r0", sign)])
    assert not fold([row]).signs, "a row without a time is none"
    unseen = beat()._replace(at=5.0)
    assert len(fold([unseen, unseen._replace(at=6.0)]).signs) == 2, "rows that have no id yet"


def test_the_oldest_row_that_begins_a_campaign_is_its_beginning() -> None:
    first, second = mark("started", device="d1")._replace(at=100), mark("started", B, device="d2")._replace(at=101)
    for rows in ([first, second], [second, first], [first, second._replace(at=100.0)], [first, mark("left")]):
        assert fold(rows).trigger.device_id == "d1"
    assert fold([mark("left")]).started is None


@pytest.mark.parametrize(
    ("kind", "read"),
    [("schedule", "schedule"), ("action", "action"), ("manual", "manual"), ("press", "manual"), (None, "manual")],
)
def test_a_trigger_is_of_a_kind_that_begins_a_campaign(kind: Any, read: str) -> None:
    assert of(mark("started", trigger=kind)).trigger.kind == read
    assert of().trigger == Trigger()


@pytest.mark.parametrize(("given", "at"), [(5, 5.0), (5.5, 5.5), ("5", 0.0), (None, 0.0)])
def test_a_start_that_is_no_number_is_none(given: Any, at: float) -> None:
    assert of(mark("started", started_at=given)).started_at == at
    assert of().started_at == 0.0


def test_what_only_the_first_row_tells_is_nothing_without_it() -> None:
    state = of(mark("started", buttons="ack off", escalate='[[900, "x"]]'))
    assert (state.answer_buttons, len(state.steps)) == (["ack", "off"], 1)
    assert (of().answer_buttons, of().steps, of().missing) == ([], (), 0)


@pytest.mark.parametrize(
    ("size", "rows", "missing"),
    [
        (3, [("u1 u2 u3", 3, 0)], 0),
        (3, [("u1 u2", 2, 0)], 1),
        (3, [("u1", 3, 0)], 2),
        (1, [("u1", 1, 0), ("u2", 1, 1)], 0),
        (2, [("u1", 1, 0), ("u2", 1, 1)], 1),
        (1, [("u1 u2", 2, 0)], 0),
        (1, [("u1", 1, 0), ("u2", 4, 1), ("u3", 3, 2)], 5),
        (1, [("u1", 1, 0), ("u2", 4, 1), ("u3 u4", 0, 2)], 3),
    ],
)
def test_users_that_no_row_names_are_counted(size: int, rows: list[tuple[str, int, int]], missing: int) -> None:
    audience = [Row(KEY, "notify_audience", value, {"users": users, "step": step}) for users, value, step in rows]
    assert of(mark("started", size=size), *audience).missing == missing


def test_who_is_in_two_audiences_belongs_to_the_first() -> None:
    assert of(*audience_rows(KEY, ["u1"]), *audience_rows(KEY, ["u1", "u2"], 2)).audience == {"u1": 0, "u2": 2}


@pytest.mark.parametrize(
    ("rows", "finished"),
    [
        ([mark("finished", seen=0)], True),
        ([mark("left")], False),
        ([press(), mark("finished", seen=1)], True),
        ([press(), mark("finished", seen=0)], False),
        ([repeat("e2"), mark("finished", seen=1)], False),
        ([repeat("e2"), mark("finished", seen=2)], True),
        ([end(), mark("finished", seen=0)], False),
        ([end(), mark("finished", seen=1)], True),
        ([press(), mark("finished", seen=1), mark("finished", seen=0)], True),
    ],
)
def test_what_its_last_run_had_not_seen_opens_it_again(rows: list[Row], finished: bool) -> None:
    assert of(*rows).is_finished is finished


def test_the_newest_row_of_another_run_that_tells_and_has_not_left() -> None:
    state = of(mark("started"), beat("answering", "c" * 12), mark("resumed", B), mark("left", B), beat())
    assert (state.newest(), state.newest(B), state.newest(A)) == (104, 104, 0.0)
    assert of(mark("started"), beat(run=B)).newest() == 101


@pytest.mark.parametrize(
    ("rows", "tried"),
    [
        ([("begun", A)], Try(A, 100)),
        ([("begun", A), ("begun", B)], Try(A, 100)),
        ([("begun", A), ("taken", A)], Try(A, 101, "taken", "mailto")),
        ([("begun", A), ("doubt", A), ("begun", B)], Try(A, 101, "doubt", "mailto")),
        ([("begun", A), ("left", A)], None),
        ([("begun", A), ("left", B)], Try(A, 100)),
        ([("left", A), ("begun", A)], None),
        ([("begun", A), ("left", A), ("begun", B)], Try(B, 102)),
    ],
)
def test_another_channel_is_tried_by_the_first_that_claims_it(rows: list[tuple[str, str]], tried: Try | None) -> None:
    made = [
        row
        for value, run in rows
        for row in fallback_rows(KEY, ["u1"], value, run, "" if value == "begun" else "mailto")
    ]
    assert of(*made).tries.get("u1") == tried


def test_of_two_claims_the_older_counts_whichever_shows_first() -> None:
    (older,), (newer,) = fallback_rows(KEY, ["u"], "begun", A), fallback_rows(KEY, ["u"], "begun", B)
    older, newer = older._replace(at=100.0), newer._replace(at=101.0)
    assert fold([newer, older]).tries == fold([older, newer]).tries == {"u": Try(A, 100.0)}
    same = newer._replace(at=100.0)
    assert fold([older, same]).tries == {"u": Try(A, 100.0)}


@pytest.mark.parametrize(
    ("rows", "copies", "outdated"),
    [
        ([], {"u1": "n-u1", "u2": "n-u2"}, {}),
        ([*closed_rows(KEY, ["n-u1"], B)], {"u2": "n-u2"}, {}),
        ([*closed_rows(KEY, ["n-u1"], B), end()], {"u1": "n-u1", "u2": "n-u2"}, {}),
        ([*closed_rows(KEY, ["n-u1"], B, ended=True), end()], {"u2": "n-u2"}, {}),
        ([*closed_rows(KEY, ["n-u1"], B, ended=True)], {"u2": "n-u2"}, {}),
        ([repeat("e2")], {"u1": "n-u1", "u2": "n-u2"}, {"u1": "n-u1", "u2": "n-u2"}),
        ([repeat("e2"), *updated_rows(KEY, ["n-u1"], B, 2)], {"u1": "n-u1", "u2": "n-u2"}, {"u2": "n-u2"}),
        (
            [
                repeat("e2"),
                repeat("e3"),
                *updated_rows(KEY, ["n-u1"], B, 3),
                *updated_rows(KEY, ["n-u1", "n-u2"], B, 2),
            ],
            {"u1": "n-u1", "u2": "n-u2"},
            {"u2": "n-u2"},
        ),
    ],
)
def test_which_copies_are_open_and_which_show_an_earlier_event(
    rows: list[Row], copies: dict[str, str], outdated: dict[str, str]
) -> None:
    state = of(*outcome_rows(KEY, [told("u1"), told("u2"), told("u3", "held")]), *rows)
    assert (state.copies(), state.outdated()) == (copies, outdated)


def test_what_was_pressed_is_a_copy_though_no_row_tells_who_sent_it() -> None:
    blind = [press("c" * 12, "u9"), verdict("verified")]
    assert of(*blind).copies() == {"u9": "n-u9"}
    assert of(press("c" * 12, "u9")).copies() == {}, "nobody has seen yet that it is true"
    assert of(press("c" * 12, "u9"), verdict("refused")).copies() == {}
    assert of(*blind, *closed_rows(KEY, ["n-u9"], B)).copies() == {}
    assert of(press("c" * 12, "u9", notification=""), verdict("verified")).copies() == {}
    assert of(*outcome_rows(KEY, [told("u1")]), press(notification="other"), verdict("verified")).copies() == {
        "u1": "n-u1"
    }


def test_the_oldest_end_is_the_end() -> None:
    first, second = end("cleared", "A", {"de": "a"})._replace(at=100.0), end("closed", "B")._replace(at=101.0)
    for rows in ([first, second], [second, first], [first, second._replace(at=100.0)]):
        state = fold(rows)
        assert state.ending == Ending(100.0, "cleared", Answer("A", {"de": "a"}, B))
        assert (state.is_over, state.is_decided, state.why_over) == (True, False, "cleared meanwhile")
        assert state.last_words == [Word(Answer("A", {"de": "a"}, B), 100.0, is_end=True)]
    other = Row(KEY, CHANGE, "other", {"run": B})
    assert (fold([other]).ending, fold([other]).repeats, fold([other]).why_over) == (None, 0, "decided meanwhile")


def test_a_decision_that_is_answered_after_the_end_gets_its_line_too() -> None:
    ended = [*outcome_rows(KEY, [told("u1")]), press(), end("cleared", "Over"), verdict("verified")]
    at_end = closed_rows(KEY, ["n-u1"], B, ended=True)
    answered = decision_row(KEY, "answered", B, "c" * 12, line="by Ana")
    state = of(*ended, *at_end)
    assert (state.copies(), [word.answer.line for word in state.last_words]) == ({}, ["Over"])
    late = of(*ended, *closed_rows(KEY, ["n-u1"], B, ended=True), answered)
    assert (late.copies(), [word.answer.line for word in late.last_words]) == ({"u1": "n-u1"}, ["by Ana", "Over"])
    assert late.closed_by(late.last_words[0]) == set()
    whole = of(*ended, answered, *closed_rows(KEY, ["n-u1"], B, ended=True), *closed_rows(KEY, ["n-u1"], B))
    assert whole.copies() == {}
    silent = decision_row(KEY, "answered", B, "c" * 12, line="")
    assert of(*ended, *closed_rows(KEY, ["n-u1"], B, ended=True), silent).copies() == {}


def added(*users: str, by: str = B) -> list[Row]:
    return [repeat("e2", added=len(users), run=by), *audience_rows(KEY, users, by=by)]


def test_whom_a_repeat_adds_is_to_be_told_whatever_a_run_said_that_had_begun_before() -> None:
    begun, left_out = mark("started"), list(outcome_rows(KEY, [told("u1", "skipped")]))
    for rows in ([begun, *left_out, *added("u1")], [begun, *added("u1"), *left_out]):
        state = of(*rows)
        assert (list(state.unsettled()), state.lacks("u1"), state.lacks_added) == (["u1"], True, False)
    for run in (B, "c" * 12):
        later = [*added("u1"), mark("resumed", run), *outcome_rows(KEY, [told("u1", "skipped", run)])]
        assert list(of(begun, *left_out, *later).unsettled()) == [], "a run that knew of the repeat said it"
    assert list(of(begun, *outcome_rows(KEY, [told("u1")]), *added("u1")).unsettled()) == []
    assert of(begun, *added("u1")).lacks("u2")
    assert not of(begun, *added("u1"), *outcome_rows(KEY, [told("u1")])).lacks("u1")


def test_a_repeat_whose_users_are_not_known_yet_says_so() -> None:
    assert of(repeat("e2", added=1)).lacks_added
    assert of(*added("u1"), repeat("e3", added=1, run="c" * 12)).lacks_added
    assert not of(*added("u1"), *added("u1", by="c" * 12)).lacks_added
    assert not of(repeat("e2")).lacks_added


def points(event: str, *values: int) -> list[Row]:
    trigger = Trigger("action", tuple(DataPoint("t", value) for value in values))
    return list(point_rows(KEY, trigger, event))


def test_the_trigger_has_the_data_of_the_newest_event() -> None:
    first = [*points("", 1), mark("started", trigger="action")]
    assert [point.value for point in of(*first).trigger.points] == [1]
    again = [*first, repeat("e2", 2), *points("e2", 20, 21)]
    assert [point.value for point in of(*again).trigger.points] == [20, 21]
    cut = of(*first, repeat("e2", 2))
    assert ([point.value for point in cut.trigger.points], cut.lacks_points) == ([1], True)
    assert of(*first, repeat("e2", 2), *points("e2", 20)).lacks_points
    assert not of(*again).lacks_points
    assert (of(*first).lacks_points, of(*first).repeats, of(*again).repeats) == (False, 0, 2)


def test_eleven_points_stay_in_their_order() -> None:
    rows = points("", *range(11))
    assert [point.value for point in of(*reversed(rows)).trigger.points] == list(range(11))


def test_an_event_whose_row_has_not_shown_yet_is_the_newest_until_it_shows() -> None:
    shown = repeat("e2")._replace(at=200.0, id="r2")
    unseen = repeat("e3")._replace(at=100.0)
    rows = [shown, *points("e2", 2), *points("e3", 3)]
    assert [point.value for point in fold([*rows, unseen]).trigger.points] == [3]
    seen = unseen._replace(id="r1")
    for order in ([*rows, unseen, seen], [*rows, seen, unseen]):
        assert [point.value for point in fold(order).trigger.points] == [2]


C, D = "c" * 12, "d" * 12


@pytest.mark.parametrize(
    ("rows", "standing", "decided", "deciding"),
    [
        ([press()], [C], None, [C]),
        ([press(), verdict("verified")], [C], C, [C]),
        ([press(), verdict("refused")], [], None, []),
        ([press(), verdict("refused"), verdict("verified")], [C], C, [C]),
        ([press(), verdict("verified"), verdict("refused")], [C], C, [C]),
        ([press(), press(D), verdict("verified", D)], [C, D], None, [C]),
        ([press(each=True), verdict("verified")], [C], None, [C]),
        ([press(each=True), press(D, each=True)], [C, D], None, [C]),
        ([press(each=True), press(D, "u2", each=True)], [C, D], None, [C, D]),
        ([end(), press()], [], None, []),
        ([press(), end()], [C], None, [C]),
        ([verdict("taken"), press()], [C], None, [C]),
        ([press(each="yes"), verdict("answered")], [C], C, [C]),
    ],
)
def test_which_presses_count(rows: list[Row], standing: list[str], decided: str | None, deciding: list[str]) -> None:
    state = of(*rows)
    assert [each.run for each in state.standing()] == standing
    assert (state.decision.run if state.decision else None) == decided
    assert [each.run for each in state.deciding()] == deciding
    assert state.is_decided == any(row.value == "verified" and not rows[0].about.get("each") for row in rows) or decided


def test_a_press_in_the_instant_of_the_end_still_stands_and_ties_go_by_id() -> None:
    state = fold([press()._replace(at=100.0, id="2"), press(D)._replace(at=100.0, id="1"), end()._replace(at=100.0)])
    assert [each.run for each in state.standing()] == [D, C]


def test_a_press_is_kept_as_tagoio_took_it_first() -> None:
    row = press(button="off")._replace(at=100.0, id="1")
    fact = PressFact(100.0, "1", C, "u1", "off", "n-u1", False)
    assert fold([row, row._replace(at=101.0, id="2")]).presses == {C: fact}
    assert fold([row._replace(at=101.0, id="2"), row]).presses == {C: fact}
    assert fold([row._replace(at=90.0, id=""), row]).presses == {C: fact}, "now it has shown"
    assert fold([press()]).presses[C].button == "ack"


def test_a_verdict_says_who_pressed_what() -> None:
    state = of(press(), verdict("verified", name="Ana", label="Ack"))
    assert state.verdicts == {C: Verdict(True, "Ana", "Ack")}
    assert of(verdict("refused", name="Ana")).verdicts == {C: Verdict(False, "Ana", "")}
    assert (of(verdict("taken")).verdicts, of(verdict("taken")).claims) == ({}, {C: [(100, "r0", B)]})
    assert of(press(), verdict("verified")).last_words == []
    state = of(press(), verdict("answered", line="by Ana"))
    assert state.last_words == [Word(Answer("by Ana", {}, B), 100)]


@pytest.mark.parametrize(
    ("rows", "now", "run"),
    [
        ([press()], 100 + GIVEN_UP, C),
        ([press()], 100.1 + GIVEN_UP, ""),
        ([press(), verdict("taken")], 100.1 + GIVEN_UP, B),
        ([press(), verdict("taken"), press()], 102 + GIVEN_UP, C),
        ([press(), verdict("taken", run=D), verdict("taken", run=B)], 100.1 + GIVEN_UP, D),
        ([press(), beat("answering", C)], 101 + GIVEN_UP, C),
        ([press(), beat("answering", C), mark("left", C)], 101 + GIVEN_UP, ""),
    ],
)
def test_the_first_run_that_is_not_gone_answers_a_press(rows: list[Row], now: float, run: str) -> None:
    state = of(*rows)
    assert state.claimant(state.presses[C], now) == run


def test_a_run_is_alive_for_a_while_after_its_last_sign() -> None:
    state = of(beat("answering"))
    assert state.is_alive(A, 100 + GIVEN_UP)
    assert not state.is_alive(A, 100.1 + GIVEN_UP)
    assert not state.is_alive(B, 100)
    assert not of(beat(), mark("left")).is_alive(A, 101)


@pytest.mark.parametrize(
    ("status", "unsettled", "due", "untold"),
    [
        (None, True, True, True),
        ("pending", True, True, True),
        ("unknown", True, True, False),
        ("held", True, False, False),
        ("skipped", False, True, False),
        ("sent", False, True, False),
    ],
)
def test_who_is_still_to_be_told(status: str | None, unsettled: bool, due: bool, untold: bool) -> None:
    state = of(*audience_rows(KEY, ["u1"]), *outcome_rows(KEY, [told("u1", status)] if status else []))
    assert (list(state.unsettled()) == ["u1"], state.is_due("u1"), state.is_untold("u1")) == (unsettled, due, untold)


def test_the_first_telling_counts_whichever_row_shows_first() -> None:
    first, second = told("u1", at=5.0), told("u2", "fallback", at=6.0)
    for outcomes in ([first, second], [second, first]):
        state = CampaignState(KEY)
        for each in outcomes:
            state.settle(each)
        assert state.first_sent_at == 5.0


def test_a_fact_read_once_more_does_not_take_the_time_of_the_first() -> None:
    state = CampaignState(KEY)
    state.settle(told("u1", at=5.0))
    state.settle(told("u1", at=6.0))
    assert state.outcomes["u1"].at == 5.0


@pytest.mark.parametrize(
    ("rows", "asking", "until", "hidden"),
    [
        ([mark("started", first="u1")], B, 100 + MARGIN + LATE, True),
        ([mark("started", first="u2")], B, 0, True),
        ([mark("started", first="")], B, 100 + MARGIN + LATE, True),
        ([beat()], B, 100 + MARGIN + LATE, True),
        ([beat()], A, 0, False),
        ([beat("answering")], B, 0, False),
        ([mark("started", first="u1"), mark("left")], B, 0, False),
        ([beat(), *outcome_rows(KEY, [told("u1", "pending", A)])], B, 0, False),
        ([beat(), *outcome_rows(KEY, [told("u1", "pending", D)]), mark("left", D)], B, 0, False),
        (
            [*outcome_rows(KEY, [told("u1", "pending", D)]), mark("left", D), beat()],
            B,
            102 + MARGIN + LATE,
            True,
        ),
        ([*outcome_rows(KEY, [told("u1", "unknown", A)]), mark("left")], B, 100 + LATE, True),
    ],
)
def test_until_when_a_notification_of_another_run_may_show(
    rows: list[Row], asking: str, until: float, hidden: bool
) -> None:
    state = of(*rows)
    assert (state.may_have_it("u1", asking), state.may_hide_it("u1", asking)) == (until, hidden)


def test_rows_of_other_campaigns_and_of_nobody_are_let_be() -> None:
    state = of(
        mark("left")._replace(key="other"), Row(KEY, "temperature", 5, {"run": A}), Row(KEY, CAMPAIGN, "left", {}),
        *audience_rows(KEY, ["u1"]), Row(KEY, "notify_outcome", "held", {"users": "u1"}),
    )  # fmt: skip
    assert (state.presences, list(state.audience), state.outcomes["u1"].status) == ({}, ["u1"], "held")


def test_nothing_is_said_but_what_a_row_gives() -> None:
    assert (Verdict(True), Answer(), Try("a", 1.0)) == (
        Verdict(True, "", ""),
        Answer("", {}, ""),
        Try("a", 1.0, "", ""),
    )
    assert not of(mark("started")).lacks_points
    assert repr(of(*audience_rows(KEY, ["u1"]))) == "CampaignState(kkkkkkkkkk, 1 users, 0 outcomes)"


def test_while_one_is_still_to_be_told_no_step_counts_though_another_is_held_and_a_third_failed() -> None:
    outcomes = [told("u1", "failed"), told("u2", "held"), told("u3", "pending")]
    rows = [mark("started", started_at=50.0), *audience_rows(KEY, ["u1", "u2", "u3"]), *outcome_rows(KEY, outcomes)]
    assert of(*rows).first_sent_at == 0.0


def test_a_campaign_is_spent_when_all_in_it_were_told_anew_and_nobody_else_is_in_it() -> None:
    begun = [campaign_row(KEY, "started", A, size=2)]
    anew = list(anew_rows(KEY, B, "n", ["u1", "u2", "stranger"], {"u1", "u2"}))
    assert [row.about["users"] for row in anew] == ["u1 u2", "stranger"]
    assert not fold([]).is_spent
    assert not fold(begun).is_spent
    assert not fold([*begun, *anew_rows(KEY, B, "n", ["u1", "stranger"], {"u1"})]).is_spent
    assert fold([*begun, *anew, *anew]).is_spent
    assert not fold([*begun, *anew, campaign_row(KEY, "escalated", A, step=1)]).is_spent
    joined = Row(KEY, CHANGE, "repeated", {"run": A, "event": "e", "added": 1})
    assert not fold([*begun, *anew, joined]).is_spent
    assert fold([campaign_row(KEY, "started", A, size=0)]).is_spent


def test_older_copies_get_the_word_of_what_came_in_their_place_and_all_others_that_of_the_end() -> None:
    rows = stamped(outcome_rows(KEY, [told("u1"), told("u2"), told("u3")]), 100)
    rows += stamped(
        [replaced_row(KEY, B, "n1", "told anew", "→ Hot", {}), *anew_rows(KEY, B, "n1", ["u1"], {"u1"})], 110
    )
    state = fold(rows)
    assert (state.tells_nobody, state.is_over, state.why_over) == (True, False, "told anew meanwhile")
    assert state.copies() == {"u1": "n-u1"}
    assert state.told == {"u2", "u3"}
    state.take(stamped(closed_rows(KEY, ["n-u1"], B, ended=True), 111))
    assert state.copies() == {}
    state.take(stamped([ended_row(KEY, B, "cleared", "Over", {})], 120))
    assert state.copies() == {"u2": "n-u2", "u3": "n-u3"}
    assert [(word.answer.line, word.is_for("u1"), word.is_for("u2")) for word in state.last_words] == [
        ("→ Hot", True, False),
        ("Over", False, True),
    ]


def test_who_is_told_anew_twice_reads_of_the_first() -> None:
    rows = [replaced_row(KEY, B, by, "told anew", f"→ {by}", {}) for by in ("n1", "n2")]
    rows += [*anew_rows(KEY, B, "n1", ["u1"], {"u1"}), *anew_rows(KEY, B, "n2", ["u1", "u2"], {"u1", "u2"})]
    listed = [*stamped(rows, 100), *stamped(outcome_rows(KEY, [told("u1"), told("u2")]), 90)]
    for order in (listed, listed[::-1]):
        words = fold(order).last_words
        assert {word.answer.line: [user for user in ("u1", "u2") if word.is_for(user)] for word in words} == {
            "→ n1": ["u1"],
            "→ n2": ["u2"],
        }


def test_users_who_join_what_was_finished_open_it_again() -> None:
    begun = stamped([campaign_row(KEY, "started", A, size=1), *audience_rows(KEY, ["u1"])], 100)
    rows = [*begun, *stamped(outcome_rows(KEY, [told("u1")]), 101)]
    state = fold(rows)
    finished = stamped([campaign_row(KEY, "finished", A, seen=state.seen)], 103)
    assert fold([*rows, *finished]).is_finished
    joined = stamped(joining_rows(KEY, B, ["u2", "u3"]), 102)  # which that run has not seen
    state = fold([*rows, *joined, *finished])
    assert not state.is_finished
    assert list(state.unsettled()) == ["u2", "u3"]


def test_what_it_replaces_is_all_that_any_run_which_began_it_has_seen() -> None:
    rows = [campaign_row(KEY, "started", run, size=1, replaces=older) for run, older in ((A, "o1"), (B, "o1 o2"))]
    for order in (rows, rows[::-1]):
        assert list(fold(stamped(order, 100)).replaces) == ["o1", "o2"]


def test_of_one_notification_that_two_runs_have_seen_the_first_counts_and_the_other_is_its_echo() -> None:
    first, second = told("u1", run=A, at=100.0), told("u1", run=B, at=101.0)
    for order in ([first, second], [second, first]):
        state = CampaignState(KEY)
        for outcome in order:
            state.settle(outcome)
        assert state.outcomes == {"u1": first}
        assert (list(state.echoes(A)), list(state.echoes(B))) == ([], [second])


def test_what_one_run_says_twice_or_two_of_two_notifications_is_no_echo() -> None:
    other = Outcome("u1", "", "sent", notification_id="n-2", run=B, at=101.0)
    for said in ([told("u1", at=100.0)] * 2, [told("u1", at=100.0), other]):
        state = CampaignState(KEY)
        for outcome in said:
            state.settle(outcome)
        assert [*state.echoes(A), *state.echoes(B)] == []


def test_who_has_passed_to_it_and_that_its_end_is_told_are_rows_of_their_own() -> None:
    assert (CampaignState(KEY).passed, CampaignState(KEY).is_end_told) == (set(), False)
    state = fold(stamped([*passed_rows(KEY, A, ["u1", "u2"]), told_row(KEY, A)], 100))
    assert (state.passed, state.is_end_told) == ({"u1", "u2"}, True)
    others = [mark("resumed", A, users="u1"), *joining_rows(KEY, A, ["u3"]), end()]
    state = fold(stamped(others, 100))
    assert (state.passed, state.is_end_told) == (set(), False)


def test_of_two_words_for_one_that_came_in_its_place_the_older_counts() -> None:
    older, newer = (
        replaced_row(KEY, A, "n1", "worse", line, {})._replace(at=at, id=line)
        for line, at in (("a", 100.0), ("b", 101.0))
    )
    another = replaced_row(KEY, A, "n2", "worse", "c", {})._replace(at=102.0, id="c")
    for order in ([older, newer, another], [another, newer, older]):
        lines = {by: ending.answer.line for by, ending in fold(order).replaced.items()}
        assert lines == {"n1": "a", "n2": "c"}


def test_a_run_is_there_since_it_planned_where_its_row_says_when() -> None:
    for planned, since in ((90.0, 90.0), (90, 90.0), ("90", 100.0), (None, 100.0)):
        row = mark("started", A, started_at=planned)._replace(at=100.0, id="r")
        assert fold([row]).presences[A].since == since


def test_what_a_run_says_later_of_other_things_does_not_change_how_many_it_adds() -> None:
    joined = next(joining_rows(KEY, B, ["u2", "u3"]))
    assert fold([joined, told_row(KEY, B), end()]).lacks_added


def test_all_lines_of_an_answer_are_each_there_once() -> None:
    answer = Answer("Done", {"de": "Fertig", "en": "Done"})
    assert answer.all_lines() == ["Done", "Fertig"]
    assert answer.about() == {"line": "Done", "lines": '{"de": "Fertig", "en": "Done"}'}


def test_whom_a_run_without_its_journal_has_told_is_written_at_its_end_and_counts() -> None:
    (written,) = outcome_rows(KEY, [told("u1", at=100.0)])
    state = fold([written._replace(kind=CHANGE, value="late", about={**written.about, "run": A}, at=100.0, id="r1")])
    assert [(each.user_id, each.status, each.notification_id) for each in state.outcomes.values()] == [
        ("u1", "sent", "n-u1")
    ]
    assert (state.seen, fold([written._replace(at=100.0, id="r1")]).seen) == (1, 0), "it opens what was finished"


def test_the_analysis_that_a_press_has_started_is_that_of_the_campaign_where_nothing_else_says_so() -> None:
    pressed = press(analysis="a1")._replace(at=100.0, id="1")
    later = press("d" * 12, analysis="a2")._replace(at=101.0, id="2")
    assert fold([pressed, later]).trigger.analysis_id == "a1"
    assert fold([mark("started", analysis="a0")._replace(at=99.0), pressed]).trigger.analysis_id == "a0"


def test_an_end_that_is_to_be_told_says_so_and_by_which_event() -> None:
    plain, by = (
        ended_row(KEY, B, "cleared", "Over", {}, tell=tell, by="e1")._replace(at=9.0) for tell in (False, True)
    )
    assert [(each.ending.tell, each.ending.by) for each in (fold([plain]), fold([by])) if each.ending] == [
        (False, ""),
        (True, "e1"),
    ]


def test_an_audience_of_which_a_row_was_cut_says_how_many_are_not_known() -> None:
    (row,) = audience_rows(KEY, ["u1", "u2", "u3"])
    cut = row._replace(about={**row.about, "users": "u1 u2"}, id="r1")
    assert [fold([each]).missing for each in (row, cut)] == [0, 1]


def test_a_change_that_nobody_knows_changes_nothing() -> None:
    assert fold([Row(KEY, CHANGE, "of a later release", {"run": A}, 100.0, "r1")]).seen == 0


def test_the_alarm_that_it_is_stands_in_the_row_that_began_it() -> None:
    assert fold([mark("started", alarm="temperature")]).alarm == "temperature"
    assert (fold([mark("started")]).alarm, fold([mark("resumed", alarm="x")]).alarm) == ("", "")


def test_each_user_who_was_told_anew_opens_what_was_finished() -> None:
    anew = [*anew_rows(KEY, A, "newer", ["u1", "u2"], {"u1", "u2"})]
    assert fold(stamped(anew, 100)).seen == 2


def test_only_who_was_told_counts_as_told() -> None:
    rows = outcome_rows(KEY, [told("u1"), told("u2", "failed"), told("u3", "fallback"), told("u4", "skipped")])
    assert fold(stamped(rows, 100)).told == {"u1", "u3"}


def test_what_tells_of_an_end_has_its_words_and_no_copy_to_close() -> None:
    rows = [mark("started", all_clear="temperature", line="Over"), *outcome_rows(KEY, [told("u1")])]
    state = fold(stamped(rows, 100))
    assert (state.all_clear, state.copies()) == (Answer("Over", {}, A), {})
    assert fold([mark("started", line="Over")]).all_clear is None


@pytest.mark.parametrize("rows", [[beat("answering", C)], [mark("left", C), beat("answering", C)]])
def test_a_run_that_has_not_left_answers_its_press_though_it_is_silent(rows: list[Row]) -> None:
    signs = [row._replace(at=90.0 + number, id=f"r{number}") for number, row in enumerate(rows)]
    state = fold([*signs, press()._replace(at=110.0, id="p")])
    assert state.claimant(state.presses[C], 109 + GIVEN_UP) == C


def test_whom_another_channel_is_telling_is_settled_though_no_outcome_says_so() -> None:
    rows = [*audience_rows(KEY, ["u1", "u2"]), *fallback_rows(KEY, ["u1"], "begun", A)]
    assert list(fold(stamped(rows, 100)).unsettled()) == ["u2"]


def test_whom_a_repeat_adds_in_the_instant_in_which_a_run_planned_is_to_be_told() -> None:
    skipped = [mark("started", A), *outcome_rows(KEY, [told("u1", "skipped", at=100.0)])]
    rows = [row._replace(at=100.0, id=f"r{number}") for number, row in enumerate(skipped)]
    (added,) = audience_rows(KEY, ["u1"], by=B)
    assert list(fold([*rows, added._replace(at=100.0, id="a")]).unsettled()) == ["u1"]
    assert list(fold([*rows, added._replace(at=99.9, id="a")]).unsettled()) == []


def test_a_run_that_showed_itself_when_another_gave_up_may_have_told_since() -> None:
    (outcome,) = outcome_rows(KEY, [told("u1", "pending", run=B)])
    rows = [beat(run=A)._replace(at=100.0, id="r1"), outcome._replace(at=100.0, id="r2")]
    assert fold(rows).may_hide_it("u1", C)
    assert not fold([rows[0], outcome._replace(at=100.1, id="r2")]).may_hide_it("u1", C)


def test_why_nobody_more_is_told_where_it_came_to_nothing_else() -> None:
    anew = [*anew_rows(KEY, B, "n1", ["u1"], {"u1"})]
    assert fold(stamped(anew, 100)).why_over == DECIDED, "the word on it has not shown yet"
    word = replaced_row(KEY, B, "n1", "told anew", "→ Hot", {})
    assert fold(stamped([word], 100)).last_words == [], "nobody has been told anew yet"
    decided = fold(stamped([press(), verdict("verified"), word, *anew], 100))
    assert (decided.is_decided, decided.why_over) == (True, DECIDED)
