import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.base.errors import SetupError
from lib.message.document import Condition, parse_document
from lib.message.notification import Button, Notification
from lib.message.trigger import DataPoint, Trigger

texts = st.text(max_size=30)


def parse(text: str) -> Notification:
    (variant,) = parse_document(text)
    return variant.notification


DOCUMENTED = """{
  "title": "title of your notification",
  "message": "see http://example.com // not a comment",
  "buttons": [
    {
      "label": "label of the button",
      "id": "id_of_the_button", // no space allowed
      "color": "red",
      "url": "https://example.com/path"
    }
  ],
  "buttons_autodisable": true // auto disable the buttons when one is clicked.
}"""


def test_the_documents_object_is_taken_with_its_comments() -> None:
    notification = parse(DOCUMENTED)
    assert notification.message == "see http://example.com // not a comment"
    assert notification.buttons == (
        Button("id_of_the_button", "label of the button", "red", link="https://example.com/path"),
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"title": "t",\n "message" "m"}', "not valid JSON: Expecting ':' delimiter at line 2, column 12"),
        ("[]", "must be a JSON object"),
        ('{"title": "t"}', "message is missing"),
        ('{"title": 5, "message": "m"}', "title must be text, not int"),
        ('{"title": "t", "message": "m", "buttons_autodisable": "yes"}', "buttons_autodisable must be true or false"),
        ('{"title": "t", "message": "m", "colour": "red"}', '"colour" is not known; it takes title, message,'),
        ('{"title": "t", "message": "m", "buttons": {}}', None),
        ('{"title": "t", "message": "m", "buttons": ["a"]}', "buttons must be a list of objects"),
        ('{"title": "t", "mesage": "m"}', 'did you mean "message"?'),
        ('{"title": "t", "message": "m", "when": {"variabel": "t"}}', 'did you mean "variable"?'),
        ('{"title": "t", "message": "m", "when": {"variable": "t", "valeu": 1}}', 'did you mean "value"?'),
        (
            '{"title": "t", "message": "m", "buttons": [{"id": "a", "lable": "A", "url": "https://a"}]}',
            'a button takes label, id, color, url, analysis; did you mean "label"?',
        ),
        (
            '{"title": "t", "message": "m", "buttons": [{"id": "a", "label": "A", "url": "/x", "analysis": "this"}]}',
            "Button 1: has both url and analysis; a button does exactly one thing",
        ),
        (
            '{"title": "t", "message": "m", "buttons": [{"id": "a", "label": "A", "url": "www.tago.io"}]}',
            'Button 1: url "www.tago.io" is neither a page of TagoIO',
        ),
        (
            '{"title": "t", "message": "m", "buttons": [{"id": "a", "value": "a", "label": "A", "url": "https://a"}]}',
            'Button 1: "value" is not known; a button takes label, id, color, url, analysis',
        ),
    ],
)
def test_a_mistake_in_the_notification_variable_is_explained(text: str, problem: str | None) -> None:
    if problem is None:
        assert parse(text).buttons == ()
        return
    with pytest.raises(SetupError) as caught:
        parse(text)
    assert problem in str(caught.value)


def test_a_mistake_in_the_json_is_shown_with_a_mark_under_the_place() -> None:
    with pytest.raises(SetupError) as caught:
        parse('{"title": "t",\n\t"message" "m"}')
    said, line, mark = str(caught.value).split("\n")
    assert said.endswith("Expecting ':' delimiter at line 2, column 12")
    assert (line, mark) == (' "message" "m"}', " " * 11 + "^")
    with pytest.raises(SetupError) as caught:
        parse('{"title": "' + "x" * 500 + '" "message": "' + "y" * 500 + '"}')
    _, line, mark = str(caught.value).split("\n")
    assert len(line) <= 80
    assert line[mark.index("^") :].startswith('"message"')


def test_a_condition_says_what_it_was_compared_with() -> None:
    assert Condition("t", ">", 8).explained(at(5)) == "t is 5, not > 8"
    assert Condition("t", "><", 8, 9).explained(at("warm")) == "t is warm, not >< 8 9"
    assert Condition("t", "*").explained(Trigger()) == "this run brought no t"


@given(texts.filter(str.strip), texts.filter(str.strip))
def test_what_json_says_is_what_is_sent(title: str, message: str) -> None:
    notification = parse(json.dumps({"title": title, "message": message}))
    assert (notification.title, notification.message) == (title, message)


def at(value: Any, variable: str = "t") -> Trigger:
    return Trigger("action", (DataPoint("other", 1), DataPoint("t", "old"), DataPoint(variable, value)))


@pytest.mark.parametrize(
    ("operator", "value", "second", "holding", "failing"),
    [
        ("<", 8, None, [7, "7.5", -1], [8, 9, "x", True, None]),
        (">", "8", None, [8.1, "9"], [8, 7, "", None]),
        ("=", 8, None, [8, "8", 8.0], [9, "x", True]),
        ("=", "open", None, ["open"], ["Open", 1]),
        ("=", True, None, [True, "true"], [False, 1]),
        ("!", "open", None, ["closed", 5], ["open"]),
        ("!", 0, None, [1, "x", False], [0, "0", 0.0]),
        ("><", 2, 8, [2, 5, 8, "3"], [1, 9, "x"]),
        ("><", 8, 2, [5], [9]),
        ("*", None, None, [0, "", False, "x"], [None]),
    ],
)
def test_a_condition_holds_as_an_actions_does(
    operator: str, value: Any, second: Any, holding: list[Any], failing: list[Any]
) -> None:
    condition = Condition("t", operator, value, second)
    assert [each for each in holding if not condition.holds(at(each))] == []
    assert [each for each in failing if condition.holds(at(each))] == []


def test_a_variable_that_the_trigger_does_not_bring_fulfils_nothing() -> None:
    assert not Condition("nowhere", "!", 5).holds(at(1))
    assert not Condition("t", "*").holds(Trigger())


def test_variants_come_with_their_conditions() -> None:
    hot, otherwise = parse_document(
        """[{"title": "Hot", "message": "m", "when": {"variable": "t", "is": ">", "value": 30}},
            {"title": "Fine", "message": "m"}]"""
    )
    assert hot.condition == Condition("t", ">", 30)
    assert (otherwise.notification.title, otherwise.condition) == ("Fine", None)


@pytest.mark.parametrize(
    ("when", "problem"),
    [
        ("5", "when must be an object such as"),
        ('{"is": "<"}', "when: variable is missing: "),
        ('{"variable": "t", "is": "=="}', 'is "==" is not one of < > = ! >< *'),
        ('{"variable": "t", "is": "<"}', "value is missing"),
        ('{"variable": "t", "is": "<", "value": "warm"}', 'value "warm" is not a number'),
        ('{"variable": "t", "is": "><", "value": 1}', "needs a number as second_value"),
        ('{"variable": "t", "values": 1}', '"values" is not known'),
    ],
)
def test_a_mistake_in_a_condition_is_explained(when: str, problem: str) -> None:
    with pytest.raises(SetupError) as caught:
        parse_document(f'[{{"title": "a", "message": "m"}}, {{"title": "b", "message": "m", "when": {when}}}]')
    assert "notification: variant 2: " in str(caught.value)
    assert problem in str(caught.value)


def test_everything_a_notification_has_can_be_said_in_json() -> None:
    notification = parse(
        """{"title": "t", "message": "m", "priority": "high", "icon": "warning", "subject": "s",
            "buttons": [{"id": "ack", "label": "OK", "analysis": "this"}],
            "translations": {"pt": {"title": "T", "buttons": {"ack": "Certo"}}}}"""
    )
    assert (notification.priority, notification.icon, notification.subject) == ("high", "warning", "s")
    assert notification.in_language("pt-BR").buttons[0].label == "Certo"
