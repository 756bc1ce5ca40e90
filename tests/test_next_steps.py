"""What is due of a campaign, line by line of the table in lib/campaign/next_steps.py."""

from typing import Any

import pytest

from lib.campaign.lease import DAY, GIVEN_UP, LATE, MARGIN
from lib.campaign.next_steps import (
    Close,
    Decide,
    Policy,
    SayUnknown,
    TakeStep,
    Tell,
    TellOtherwise,
    Update,
    is_let_be,
    next_steps,
    wakes_at,
)
from lib.campaign.rows import (
    CHANGE,
    DECISION,
    HEARTBEATS,
    PRESS,
    Row,
    campaign_row,
    closed_rows,
    decision_row,
    ended_row,
    fallback_rows,
    outcome_rows,
    started_rows,
    updated_rows,
)
from lib.campaign.state import CampaignState
from lib.message.escalation import Step
from tests.test_state import KEY, TRIGGER, A, B, stamped, told

ME = Policy("e" * 12, has_fallback=True, remind_after=900.0)
PRESS_RUN = "c" * 12


def campaign(*outcomes: Any, escalate: str = "", left: bool = True) -> CampaignState:
    state = CampaignState(KEY)
    state.take(stamped(started_rows(KEY, A, TRIGGER, ["u1", "u2"], started_at=99.0, escalate=escalate, first=""), 100))
    state.take(stamped(outcome_rows(KEY, outcomes), 102))
    state.take(stamped([campaign_row(KEY, "left", A)] if left else [], 103))
    return state


def pressed(state: CampaignState, at: float = 110, run: str = PRESS_RUN, verdict: str = "verified") -> CampaignState:
    about = {"run": run, "user": "u1", "button": "ack", "notification": "n-u1"}
    state.take(stamped([Row(KEY, PRESS, "ack", about)], at))
    if verdict:
        state.take(stamped([decision_row(KEY, verdict, run, run, name="Ana", label="Ack")], at + 0.5))
    return state


def answered(state: CampaignState, at: float = 111) -> CampaignState:
    about = {"run": PRESS_RUN, "press": PRESS_RUN, "line": "by Ana"}
    state.take(stamped([Row(KEY, DECISION, "answered", about)], at))
    return state


BOTH = (told("u1"), told("u2"))


def test_nothing_is_due_of_whom_all_were_told_and_nothing_will_be() -> None:
    assert next_steps(campaign(*BOTH), 200, ME) == []
    assert wakes_at(campaign(*BOTH), 200, ME) is None


@pytest.mark.parametrize(
    "outcomes", [[told("u1")], [told("u1"), told("u2", "pending")], [told("u1"), told("u2", "held")]]
)
def test_who_has_no_outcome_or_is_pending_or_held_is_told(outcomes: list[Any]) -> None:
    assert next_steps(campaign(*outcomes), 200, ME) == [Tell({"u2": 0.0})]
    assert wakes_at(campaign(*outcomes), 200, ME) == 200


def test_whom_a_dead_run_may_have_told_is_asked_about_first() -> None:
    (tell,) = next_steps(campaign(told("u1"), left=False), 200, ME)
    assert isinstance(tell, Tell)
    assert tell.users["u2"] == pytest.approx(102 + MARGIN + LATE, abs=0.1)
    (tell,) = next_steps(campaign(told("u1"), told("u2", "unknown")), 200, ME)
    assert isinstance(tell, Tell)
    assert tell.users["u2"] == pytest.approx(102 + LATE, abs=0.1)


def test_a_step_is_taken_when_its_time_has_come_and_once() -> None:
    state = campaign(*BOTH, escalate='[[900, "x"], [3600, "y"]]')
    assert next_steps(state, 1000, ME) == []
    assert wakes_at(state, 1000, ME) == pytest.approx(1002, abs=0.1)
    assert next_steps(state, 1003, ME) == [TakeStep(1, Step(900, "x"))]
    assert [step.number for step in next_steps(state, 9000, ME) if isinstance(step, TakeStep)] == [1, 2]
    state.take(stamped([campaign_row(KEY, "escalated", B, step=1, to="x")], 1003))
    assert next_steps(state, 1004, ME) == []
    assert wakes_at(state, 1004, ME) == 102 + 3600


def test_a_step_and_a_reminder_are_due_in_the_second_for_which_they_wake() -> None:
    assert next_steps(campaign(*BOTH, escalate='[[900, "x"]]'), 1002, ME) == [TakeStep(1, Step(900, "x"))]
    state = campaign(told("u1", priority="high"), told("u2"))
    at = wakes_at(state, 200, ME)
    assert at == pytest.approx(1002, abs=0.1)
    assert next_steps(state, at or 0, ME) == [TellOtherwise("u1", "unread", "not read within 15 min", "n-u1")]


def test_while_nobody_could_be_told_no_step_counts_and_there_is_something_to_do_now() -> None:
    state = campaign(told("u1", "held"), told("u2", "held"), escalate='[[900, "x"]]')
    assert next_steps(state, 5000, ME) == [Tell({"u1": 0.0, "u2": 0.0})]
    assert wakes_at(state, 5000, ME) == 5000


def test_who_failed_is_told_by_fallback_unless_that_was_begun() -> None:
    state = campaign(told("u1"), told("u2", "failed", reason="404"))
    assert next_steps(state, 200, ME) == [TellOtherwise("u2", "failed", "404", "")]
    assert TellOtherwise("u2", "failed", "404").notification_id == ""
    assert next_steps(state, 200, Policy("e" * 12)) == [], "without fallback"
    state.take(stamped(fallback_rows(KEY, ["u2"], "begun", ME.run), 150))
    assert next_steps(state, 200, ME) == []


def test_without_a_journal_the_unknown_and_the_pending_are_told_by_fallback_too() -> None:
    state = campaign(told("u1", "unknown"), told("u2", "pending"))
    lone = Policy("e" * 12, has_fallback=True, has_memory=False)
    due = [action for action in next_steps(state, 200, lone) if isinstance(action, TellOtherwise)]
    assert {action.user_id: action.why for action in due} == {"u1": "unknown", "u2": "failed"}
    state = campaign(told("u1"), told("u2", "failed", reason="404"))
    assert next_steps(state, 200, lone) == [TellOtherwise("u2", "failed", "404")]


def test_an_urgent_one_that_nobody_answered_is_a_reminder_after_its_time() -> None:
    state = campaign(told("u1", priority="high"), told("u2"))
    assert next_steps(state, 1001, ME) == []
    assert wakes_at(state, 1001, ME) == pytest.approx(1002, abs=0.1)
    assert next_steps(state, 1003, ME) == [TellOtherwise("u1", "unread", "not read within 15 min", "n-u1")]


@pytest.mark.parametrize(
    "policy",
    [Policy("e" * 12), Policy("e" * 12, has_fallback=True), Policy("e" * 12, remind_after=900.0)],
)
def test_nobody_is_reminded_without_a_time_and_a_fallback(policy: Policy) -> None:
    state = campaign(told("u1", priority="high"), told("u2"))
    assert next_steps(state, 5000, policy) == []
    assert wakes_at(state, 5000, policy) is None


def repeated(state: CampaignState) -> CampaignState:
    state.take(stamped([Row(KEY, CHANGE, "repeated", {"run": B, "event": "e2", "points": 1})], 120))
    return state


def test_a_copy_of_an_earlier_event_of_the_alarm_is_brought_up_to_date() -> None:
    state = repeated(campaign(*BOTH))
    state.take(stamped(updated_rows(KEY, ["n-u1"], B, 2), 121))
    assert next_steps(state, 200, ME) == [Update({"u2": "n-u2"})]
    assert wakes_at(state, 200, ME) == 200
    state.take(stamped(updated_rows(KEY, ["n-u2"], B, 2), 122))
    assert next_steps(state, 200, ME) == []


def test_at_the_end_of_an_alarm_its_copies_are_closed_and_not_brought_up_to_date() -> None:
    state = repeated(campaign(*BOTH))
    state.take(stamped([ended_row(KEY, B, "cleared", "Over", {})], 130))
    assert next_steps(state, 200, ME) == [Close({"u1": "n-u1", "u2": "n-u2"})]


def test_the_run_that_gave_the_last_word_closes_the_copies_while_it_lives_unless_another_holds_the_lease() -> None:
    state = answered(pressed(campaign(*BOTH)))
    copies = Close({"u1": "n-u1", "u2": "n-u2"})
    state.take(stamped([Row(KEY, HEARTBEATS, "answering", {"run": PRESS_RUN})], 112))
    assert next_steps(state, 113, Policy("e" * 12)) == []
    assert next_steps(state, 113, Policy("e" * 12, is_holder=True)) == [copies]
    assert next_steps(state, 113 + GIVEN_UP, Policy("e" * 12)) == [copies]


def test_a_fallback_that_was_cut_off_is_said() -> None:
    state = campaign(told("u1"), told("u2", "failed"))
    state.take(stamped(fallback_rows(KEY, ["u2"], "begun", B), 150))
    assert next_steps(state, 200, ME) == [SayUnknown(("u2",))]


def test_a_press_is_answered_by_its_own_run_and_after_that_is_gone_by_any() -> None:
    state = pressed(campaign(*BOTH))
    assert next_steps(state, 111, ME) == []
    assert next_steps(state, 111, Policy(PRESS_RUN)) == [Decide(state.presses[PRESS_RUN])]
    assert next_steps(state, 111 + GIVEN_UP, ME) == [Decide(state.presses[PRESS_RUN])]
    state.take(stamped([Row(KEY, HEARTBEATS, "answering", {"run": PRESS_RUN})], 124))
    assert next_steps(state, 111 + GIVEN_UP, ME) == [], "decide takes long, and its run shows that it lives"
    claim = Row(KEY, DECISION, "taken", {"run": B, "press": PRESS_RUN})
    state.take(stamped([claim], 150))
    assert next_steps(state, 151, ME) == [], "another run has claimed it"
    assert next_steps(state, 151 + GIVEN_UP, ME) == [Decide(state.presses[PRESS_RUN])]


def test_of_two_presses_the_older_is_the_decision_even_if_its_row_shows_later() -> None:
    state = pressed(campaign(*BOTH), 112, "d" * 12)
    pressed(state, 110)
    assert state.decision
    assert state.decision.run == PRESS_RUN


def test_a_press_decides_nothing_before_it_is_verified_and_no_newer_one_overtakes_it() -> None:
    state = pressed(pressed(campaign(*BOTH), 110, verdict=""), 112, "d" * 12)
    assert state.decision is None
    assert next_steps(state, 113, Policy("d" * 12)) == [], "the older one is waited for"
    assert next_steps(state, 111 + GIVEN_UP, ME) == [Decide(state.presses[PRESS_RUN])]
    assert wakes_at(state, 113, ME) == 113
    state.take(stamped([decision_row(KEY, "refused", B, PRESS_RUN)], 114))
    assert state.decision == state.presses["d" * 12]
    state.take(stamped([decision_row(KEY, "verified", A, PRESS_RUN)], 115))
    assert state.decision == state.presses[PRESS_RUN], "whoever saw it once saw it"


def test_one_verified_press_ends_the_telling_though_an_older_one_may_yet_be_the_decision() -> None:
    state = campaign(told("u1", priority="high"), escalate='[[900, "x"]]')
    assert [type(each) for each in next_steps(state, 1100, ME)] == [Tell, TakeStep, TellOtherwise]
    pressed(pressed(state, 110, verdict=""), 112, "d" * 12)
    assert state.decision is None
    assert next_steps(state, 1100, ME) == [Decide(state.presses[PRESS_RUN]), Tell({"u2": 0.0}, only_ask=True)]


def test_a_press_that_nobody_had_seen_when_it_was_finished_opens_a_campaign_again() -> None:
    state = campaign(*BOTH)
    state.take(stamped([campaign_row(KEY, "finished", A, seen=0)], 104))
    assert state.is_finished
    assert not pressed(state, 103, verdict="").is_finished, "its row showed late"
    state.take(stamped([decision_row(KEY, "refused", PRESS_RUN, PRESS_RUN)], 112))
    state.take(stamped([campaign_row(KEY, "finished", PRESS_RUN, seen=1)], 113))
    assert state.is_finished


def test_an_open_copy_of_what_was_answered_is_closed_and_decided_wins_over_everything_else() -> None:
    state = answered(pressed(campaign(told("u1", priority="high"), told("u2", "failed"), escalate='[[900, "x"]]')))
    assert next_steps(state, 9000, ME) == [Close({"u1": "n-u1"})]
    assert wakes_at(state, 9000, ME) == 9000
    state.take(stamped(closed_rows(KEY, ["n-u1"], B), 8000))
    assert next_steps(state, 9000, ME) == []
    assert wakes_at(state, 9000, ME) is None


def test_who_was_not_told_when_it_was_decided_is_only_asked_about() -> None:
    state = answered(pressed(campaign(told("u1"))))
    assert Tell({"u2": 0.0}, only_ask=True) in next_steps(state, 9000, ME)


def test_a_campaign_older_than_a_day_is_let_be_unless_it_was_pressed_since() -> None:
    assert not is_let_be(campaign(), 100 + DAY - 60)
    assert is_let_be(campaign(), 100 + DAY + 60)
    assert not is_let_be(pressed(campaign(), DAY), 100 + DAY + 60)
    ended = campaign()
    ended.take(stamped([ended_row(KEY, B, "cleared", "Over", {})], DAY))
    assert not is_let_be(ended, 100 + DAY + 60)


def test_a_day_has_its_last_second() -> None:
    assert not is_let_be(campaign(), 99 + DAY)
    assert is_let_be(campaign(), 99 + DAY + 0.001)
