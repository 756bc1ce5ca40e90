import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.campaign.key import campaign_key, mark_of, marked_parts
from lib.message.trigger import DataPoint, Trigger

EVENT = Trigger("action", (DataPoint("t", 9, id="1", time="x"),), action_id="a")


def test_the_same_event_handed_in_twice_is_one_campaign_and_others_are_not() -> None:
    later = Trigger("action", (DataPoint("t", 9, id="2", time="y"),), action_id="a")
    assert campaign_key(EVENT) == campaign_key(EVENT)
    assert campaign_key(EVENT) != campaign_key(later)
    assert campaign_key(Trigger()) != campaign_key(Trigger())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Trigger("action", (DataPoint("t", 9),)), Trigger("action", (DataPoint("t", 8),))),
        (Trigger("action", (DataPoint("t", 9, id="1"),)), Trigger("action", (DataPoint("t", 9, id="2"),))),
        (Trigger("action", (DataPoint("t", time="x"),)), Trigger("action", (DataPoint("t", time="y"),))),
        (
            Trigger("action", EVENT.points, analysis_id="ab", action_id="c"),
            Trigger("action", EVENT.points, analysis_id="a", action_id="bc"),
        ),
        (Trigger("action"), Trigger("action")),  # without data no event is known again
        (Trigger("manual", EVENT.points), Trigger("manual", EVENT.points)),
    ],
)
def test_events_that_differ_in_anything_are_campaigns_of_their_own(one: Trigger, other: Trigger) -> None:
    assert campaign_key(one) != campaign_key(other)


def test_an_event_with_an_id_is_the_same_whatever_else_is_said_of_it() -> None:
    point = DataPoint("t", 9, device="d", id="1", time="x")
    assert campaign_key(Trigger("action", (point,), action_id="a")) == campaign_key(EVENT)


def test_a_name_that_cannot_be_written_as_utf_8_gives_a_key_too() -> None:
    assert len(campaign_key(Trigger("action", (DataPoint("\ud83d", 1),)))) == 10


@given(st.from_regex(r"[\w.-]{1,30}", fullmatch=True))
def test_the_mark_comes_off_a_pressed_buttons_id(button_id: str) -> None:
    key = campaign_key(Trigger())
    assert marked_parts(button_id + mark_of(key)) == (button_id, key, False)
    assert marked_parts(button_id + mark_of(key, "each")) == (button_id, key, True)


@pytest.mark.parametrize("button_id", ["acknowledge", "ack-btn-614edef", "-nabcdefghij", "x-nABCDEFGHIJ"])
def test_an_id_without_a_mark_is_taken_as_it_is(button_id: str) -> None:
    assert marked_parts(button_id) == (button_id, "", False)
