from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.base.errors import SetupError
from lib.message.notification import PLACEHOLDER, Button, Notification
from lib.message.placeholders import fill, fill_text, local_time, placeholder_values
from lib.message.trigger import DataPoint, Trigger
from lib.message.user import User

POINT = DataPoint("temperature", 12.0, "°C", "2026-03-01T22:30:00.000Z", "dev1", location={"lat": 43.05, "lng": -86.45})
TRIGGER = Trigger("action", (DataPoint("old", 1), POINT), action_state="unlocked")
ANA = User(
    "u", "Ana & Co", "ana@x.io", timezone="America/Sao_Paulo", company="Polar", phone="+55", tags=(("site no", "re/1"),)
)


def values(trigger: Trigger = TRIGGER, user: User = ANA) -> Any:
    return placeholder_values(trigger, user, lambda device: f"Fridge {device}")


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("$VARIABLE$ is $VALUE$ $UNIT$", "temperature is 12 °C"),
        ("at $TIME$", "at 2026-03-01 19:30"),
        ("$LOCATION$", "43.05,-86.45"),
        ("$DEVICE$ is $DEVICE.NAME$", "dev1 is Fridge dev1"),
        ("$ACTION.STATE$", "unlocked"),
        ("$USER.NAME$, $USER.EMAIL$, $USER.COMPANY$, $USER.PHONE$", "Ana & Co, ana@x.io, Polar, +55"),
        ("$USER.TAG.site no$", "re/1"),
        ("$user.name$ $value$", "Ana & Co 12"),
        ("$$VALUE$$ costs $5 or 6$", "$VALUE$ costs $5 or 6$"),
        ("$$$VALUE$$$", "$12$"),
        ("#FRIDGE.ALARM# stays", "#FRIDGE.ALARM# stays"),
    ],
)
def test_each_placeholder_is_filled(text: str, filled: str) -> None:
    assert fill_text(text, values()) == filled


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (12.5, "12.5"),
        (12.0, "12"),
        (True, "true"),
        (0, "0"),
        ("x $VALUE$", "x $VALUE$"),
        ({"coordinates": [-86, 43]}, "43,-86"),
    ],
)
def test_values_are_written_as_tagoio_writes_them(value: Any, text: str) -> None:
    assert fill_text("$VALUE$", values(Trigger("action", (DataPoint("v", value),)))) == text


def test_labels_and_links_are_filled_too_and_links_escaped() -> None:
    button = Button("a", "For $USER.NAME$", link="https://x.io/?who=$USER.NAME$&site=$USER.TAG.site no$")
    page = Button("b", "Page", page="/dashboards/info/x?device=$DEVICE$")
    filled = fill(Notification("$VARIABLE$", "m", (button, page)), values())
    assert filled.title == "temperature"
    assert filled.buttons[0].label == "For Ana & Co"
    assert filled.buttons[0].link == "https://x.io/?who=Ana%20%26%20Co&site=re%2F1"
    assert filled.buttons[1].page == "/dashboards/info/x?device=dev1"
    assert filled.subject == "$VARIABLE$"


@pytest.mark.parametrize("name", ["$VALUES$", "$USER.TAG.none$", "$USER.ID$", "$FOO.BAR$"])
def test_what_cannot_be_filled_is_named_with_what_can(name: str) -> None:
    with pytest.raises(SetupError) as caught:
        fill_text(f"a {name} b", values())
    assert f"{name} cannot be filled" in str(caught.value)
    assert "$VALUE$" in str(caught.value)


def test_without_data_there_is_no_value_to_fill() -> None:
    with pytest.raises(SetupError) as caught:
        fill_text("$VALUE$", values(Trigger()))
    assert "$VALUE$ cannot be filled" in str(caught.value)
    assert "this run has $USER.NAME$" in str(caught.value)


def test_the_device_is_asked_for_only_if_used() -> None:
    def never(device: str) -> str:
        raise AssertionError("asked")

    assert fill_text("$VALUE$", placeholder_values(TRIGGER, ANA, never)) == "12"


@given(st.text())
def test_plain_text_is_left_alone_and_filling_again_changes_nothing(text: str) -> None:
    plain = PLACEHOLDER.sub("", text)
    if PLACEHOLDER.search(plain):
        return
    assert fill_text(plain, values()) == plain


parts = st.lists(
    st.one_of(st.sampled_from(["$VALUE$", "$USER.NAME$", "$$", "$DEVICE$"]), st.text(alphabet="abc 5,.#ä", max_size=5))
)


@given(parts)
def test_no_placeholder_survives_and_no_text_is_eaten(pieces: list[str]) -> None:
    known = {"$VALUE$": "12", "$USER.NAME$": "Ana & Co", "$$": "$", "$DEVICE$": "dev1"}
    expected = "".join(known.get(piece, piece) for piece in pieces)
    assert fill_text("".join(pieces), values()) == expected


@pytest.mark.parametrize(
    ("user", "text"),
    [
        (User("u"), "2026-03-01 22:30"),
        (User("u", timezone="Asia/Kolkata"), "2026-03-02 04:00"),
        (User("u", timezone="Nowhere/At_All", date_format="DD-MM-YYYY"), "01-03-2026 22:30"),
        (User("u", timezone="America/New_York", date_format="MM/DD/YYYY", time_format="12"), "03/01/2026 05:30 PM"),
    ],
)
def test_times_are_in_the_users_zone_and_format(user: User, text: str) -> None:
    assert local_time("2026-03-01T22:30:00.000Z", user) == text


def test_a_time_that_is_none_is_shown_as_it_is() -> None:
    assert local_time("yesterday", User("u")) == "yesterday"
