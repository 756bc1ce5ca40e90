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


@given(st.from_regex(r"[\w.-]{1,30}", fullmatch=True))
def test_the_mark_comes_off_a_pressed_buttons_id(button_id: str) -> None:
    key = campaign_key(Trigger())
    assert marked_parts(button_id + mark_of(key)) == (button_id, key, False)
    assert marked_parts(button_id + mark_of(key, "each")) == (button_id, key, True)


@pytest.mark.parametrize("button_id", ["acknowledge", "ack-btn-614edef", "-nabcdefghij", "x-nABCDEFGHIJ"])
def test_an_id_without_a_mark_is_taken_as_it_is(button_id: str) -> None:
    assert marked_parts(button_id) == (button_id, "", False)
