"""A mistake in `compose` or `decide` is explained in words that help."""

from collections.abc import Callable
from typing import Any

import pytest

from lib.base.errors import Rejected, SetupError
from lib.base.text import did_you_mean
from lib.message.alarm import AllClear
from lib.message.content import Content, composed
from lib.message.notification import Button, Notification
from lib.message.trigger import DataPoint, Trigger
from lib.message.user import User

WARM = Trigger("action", (DataPoint("temperature", 12, "C", device="d"),))


def said(compose: Callable[..., Any], trigger: Trigger = WARM) -> str:
    with pytest.raises(SetupError) as caught:
        composed(User("u", "Ana"), lambda user: Content(compose, (), str)(trigger, user))
    return str(caught.value)


def test_a_notification_that_is_dropped_asks_for_return_with_its_line() -> None:
    def compose(trigger: Trigger, user: User) -> None:
        Notification("t", "m")

    line = compose.__code__.co_firstlineno + 1
    expected = f"compose makes a Notification in line {line} and does not return it: is `return` missing?"
    assert said(compose) == expected


def test_one_that_is_dropped_in_one_branch_only_is_found_too() -> None:
    def compose(trigger: Trigger, user: User) -> Notification | None:
        if trigger.kind == "manual":
            return Notification("t", "m")
        Notification("warm", "m")
        return None

    assert "does not return it: is `return` missing?" in said(compose)


def test_an_all_clear_that_is_dropped_would_be_a_false_alarm_to_everybody() -> None:
    def compose(trigger: Trigger, user: User) -> Notification:
        if (trigger.value("temperature") or 0) < 8:
            AllClear("temperature", "Back to normal")
        return Notification("warm", "m")

    line = compose.__code__.co_firstlineno + 2
    assert said(compose) == f"compose makes an AllClear in line {line} and does not return it: is `return` missing?"


def test_a_placeholder_of_the_json_is_not_sent_as_it_stands() -> None:
    def compose(trigger: Trigger, user: User) -> Notification:
        """Not here: $VALUE$."""
        return Notification("warm", f"{user.name}: $DEVICE.NAME$", repeated="$NTH$ time")

    expected = f"compose has $DEVICE.NAME$ in line {compose.__code__.co_firstlineno + 2}: placeholders are filled in"
    assert said(compose).startswith(expected)


def test_one_that_is_kept_and_never_returned_asks_for_return() -> None:
    def compose(trigger: Trigger, user: User) -> None:
        made = Notification("t", "m")
        print(made.title)

    assert "does not return it: is `return` missing?" in said(compose)


def test_none_on_purpose_is_no_mistake() -> None:
    def compose(trigger: Trigger, user: User) -> Notification | None:
        if (trigger.value("temperature") or 0) < 20:
            return None
        return Notification("t", "m")

    assert Content(compose, (), str)(WARM, User("u")) == "compose returned None; this run brought temperature = 12 C"
    assert Content(lambda trigger, user: None, (), str)(WARM, User("u")).startswith("compose returned None")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("compose", "near"),
    [
        (lambda trigger, user: Notification("t", "m", buttens=()), '"buttons"'),  # type: ignore[call-arg]
        (lambda trigger, user: Notification("t", "m", prio="high"), '"priority"'),  # type: ignore[call-arg]
        (lambda trigger, user: Notification("t", "m", (Button("a", "A", colour="red"),)), '"color"'),  # type: ignore[call-arg]
        (lambda trigger, user: Notification("t", text="m"), '"message"'),  # type: ignore[call-arg]
        (lambda trigger, user: Notification("t", "m", (Button("a", "A", url="https://a.b"),)), '"link"'),  # type: ignore[call-arg]
        (lambda trigger, user: AllClear("t", mesage="m"), '"message"'),  # type: ignore[call-arg]
        (lambda trigger, user: Notificaton("t", "m"), '"Notification"'),  # type: ignore[name-defined]  # noqa: F821
        (lambda trigger, user: Notification("t", str(usr)), '"user"'),  # type: ignore[name-defined]  # noqa: F821
        (lambda trigger, user: Notification("t", "m", priority="hihg"), '"high"'),
        (lambda trigger, user: Notification("t", user.nmae), '"name"'),
        (lambda trigger, user: Notification("t", trigger.devicename), '"device_name"'),
    ],
)
def test_a_misspelt_name_is_answered_with_the_one_that_is_meant(compose: Callable[..., Any], near: str) -> None:
    assert f"; did you mean {near}?" in said(compose)


def test_the_line_is_that_of_compose_however_deep_the_error_is() -> None:
    def helper() -> int:
        return 1 // 0

    def compose(trigger: Trigger, user: User) -> Notification:
        return Notification("t", str(helper()))

    assert f"in line {compose.__code__.co_firstlineno + 1}" in said(compose)


@pytest.mark.parametrize(
    ("compose", "hint"),
    [
        (lambda trigger, user: trigger.value("temperature") < "8", "one is text and the other a number"),
        (lambda trigger, user: trigger.value("temperature") < (8, 5), "a decimal has a point, 8.5"),
        (lambda trigger, user: trigger.value("humidity") < 8, "something here is None"),
        (lambda trigger, user: Notification("t", "m", Button("a", "A")), "buttons takes a list"),  # type: ignore[arg-type]
        (lambda trigger, user: Notification(5, "m"), "title must be text"),  # type: ignore[arg-type]
    ],
)
def test_what_python_says_of_types_comes_with_what_to_do(compose: Callable[..., Any], hint: str) -> None:
    assert hint in said(compose)
    assert said(compose).endswith(f", in line {compose.__code__.co_firstlineno}")


def test_a_notification_that_is_not_valid_is_named_by_the_line_that_makes_it() -> None:
    def compose(trigger: Trigger, user: User) -> Notification:
        return Notification("t", "m", (Button("a b", "A", page="/x"),))

    expected = f'Button 1: id "a b" contains a space; use "a_b", in line {compose.__code__.co_firstlineno + 1}'
    assert said(compose) == expected


def test_a_compose_of_other_arguments_is_told_how_it_is_called() -> None:
    def compose(trigger: Trigger) -> Notification:
        return Notification("t", "m")

    assert said(compose).endswith("2 were given; it is called as compose(trigger, user)")


def test_a_value_that_only_looks_like_a_number_is_said_to_be_none() -> None:
    odd = Trigger("action", (DataPoint("temperature", "9,5", "°C"), DataPoint("door", "open")))
    assert odd.brought == "this run brought temperature = 9,5 °C (which is no number), door = open"


def test_a_method_without_its_brackets_never_reaches_a_person() -> None:
    assert "brackets are missing" in said(lambda trigger, user: Notification("t", f"it is at {trigger.unit}"))


def test_a_device_whose_name_cannot_be_had_is_called_by_its_id() -> None:
    def denied(device: str) -> str:
        raise Rejected("Authorization Denied", status=401)

    def compose(trigger: Trigger, user: User) -> Notification:
        return Notification(f"{trigger.device_name} is warm", "m")

    for name_of, title in ((denied, "d is warm"), (lambda device: f"Fridge {device}", "Fridge d is warm")):
        given = Content(compose, (), name_of)(WARM, User("u"))
        assert isinstance(given, Notification)
        assert given.title == title


def test_nothing_is_meant_where_nothing_is_near() -> None:
    assert did_you_mean("qqq", ["title", "message"]) == ""
    assert did_you_mean("Titel", ["title", "message"]) == '; did you mean "title"?'
