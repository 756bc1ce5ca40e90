"""The state as a fold of rows, in whatever order and however often they come."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.campaign.lease import LATE, MARGIN
from lib.campaign.outcome import Outcome
from lib.campaign.rows import (
    CAMPAIGN,
    DECISION,
    HEARTBEATS,
    METADATA,
    PRESS,
    Row,
    audience_rows,
    campaign_row,
    closed_rows,
    fallback_rows,
    outcome_rows,
    outcomes_of,
    read_row,
    size_of,
    started_rows,
)
from lib.campaign.state import CampaignState
from lib.message.trigger import DataPoint, Trigger

KEY, A, B = "kkkkkkkkkk", "a" * 12, "b" * 12
TRIGGER = Trigger(
    "action", (DataPoint("t", 9, "C", "2026", "d", "g", "1"), DataPoint("t", 10)), "act", "on", "dev", "an"
)


def stamped(rows: Any, at: float) -> list[Row]:
    return [replace(row, at=at + number / 1000, id=f"{at}-{number}") for number, row in enumerate(rows)]


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
    cut = [replace(row, about={**row.about, "users": "u1"}) if row.kind == "notify_audience" else row for row in rows]
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
    assert read_row({**row.wire(), "time": "2026-01-01T00:00:00Z", "id": "x"}) == replace(row, at=1767225600.0, id="x")
    assert CAMPAIGN == "notify_campaign"


def test_the_ids_of_a_large_audience_are_in_memory_once() -> None:
    state = CampaignState(KEY)
    ids = [f"user-{number}" for number in range(3)]
    state.take(stamped(audience_rows(KEY, [*ids, "gone"]), 1.0))
    state.share(ids)
    assert state.audience == {**dict.fromkeys(ids, 0), "gone": 0}
    assert all(mine is theirs for mine, theirs in zip(state.audience, ids, strict=False))
