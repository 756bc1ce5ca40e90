import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.errors import SetupError
from lib.notification import Button, Notification, parse_notification, wire_form

ANALYSIS_ID = "5f5a8f3351d4db99c40dece5"
LINK = Button("site", "Open", link="https://example.com")


@pytest.mark.parametrize(
    ("button", "problem"),
    [
        (Button("call me", "Call", link="https://a.io"), 'Button 1: id "call me" contains a space; use "call_me"'),
        (Button("ärger", "Call", link="https://a.io"), "other than letters, digits"),
        (Button("", "Call", link="https://a.io"), "Button 1: id is missing"),
        (Button("a", "  ", link="https://a.io"), "Button 1: label is missing"),
        (Button("a", "A"), "Button 1: does nothing"),
        (Button("a", "A", link="https://a.io", analysis=ANALYSIS_ID), "has 2 behaviours (link, analysis)"),
        (Button("a", "A", link="javascript:alert(1)"), 'link "javascript:alert(1)" is not a web address'),
        (Button("a", "A", link="https://a b.io"), "is not a web address"),
        (Button("a", "A", link="https://[x"), "is not a web address"),
        (Button("a", "A", page="//evil.example"), "is neither a path"),
        (Button("a", "A", page="javascript:alert(1)"), "is neither a path"),
        (Button("a", "A", analysis="123"), "is not an Analysis id: 24 hex digits"),
        (Button("a", "A", color="#12", link="https://a.io"), 'color "#12" is neither a name'),
        (Button(7, "A", link="https://a.io"), "id must be text, not int 7"),  # type: ignore[arg-type]
    ],
)
def test_a_bad_button_is_named_with_what_is_wrong(button: Button, problem: str) -> None:
    with pytest.raises(SetupError) as caught:
        Notification("t", "m", (button,))
    assert problem in str(caught.value)


def test_every_problem_is_reported_at_once() -> None:
    with pytest.raises(SetupError) as caught:
        Notification("", "m", (LINK, LINK, Button("a b", "", link="x"), LINK, LINK))
    assert len(caught.value.problems) == 6
    assert "5 buttons; TagoIO shows at most 4" in str(caught.value)
    assert '4 buttons have the id "site"' in str(caught.value)


def test_the_wire_form_is_the_documented_one_with_the_mark_behind_each_id() -> None:
    notification = Notification(
        "T",
        "M",
        (
            Button("ack", "Ack", "green", analysis=ANALYSIS_ID),
            Button("dash", "Dash", page="/dashboards/info/x"),
            Button("tago", "Tago", page="https://admin.tago.io/devices"),
            LINK,
        ),
    )
    assert wire_form(notification, "-nabc") == {
        "title": "T",
        "message": "M",
        "buttons": [
            {"id": "ack-nabc", "label": "Ack", "color": "green", "analysis": ANALYSIS_ID},
            {"id": "dash-nabc", "label": "Dash", "url": "https://admin.tago.io/dashboards/info/x"},
            {"id": "tago-nabc", "label": "Tago", "url": "https://admin.tago.io/devices"},
            {"id": "site-nabc", "label": "Open", "url": "https://example.com"},
        ],
        "buttons_enabled": True,
        "buttons_autodisable": True,
    }
    assert wire_form(Notification("T", "M")) == {"title": "T", "message": "M"}


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
    notification = parse_notification(DOCUMENTED)
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
        ('{"title": "t", "message": "m", "colour": "red"}', '"colour" is not known; it takes buttons,'),
        ('{"title": "t", "message": "m", "buttons": {}}', None),
        ('{"title": "t", "message": "m", "buttons": ["a"]}', "buttons must be a list of objects"),
        (
            '{"title": "t", "message": "m", "buttons": [{"id": "a", "value": "a", "label": "A", "url": "https://a"}]}',
            'Button 1: "value" is not known; a button takes label, id, color, url, analysis',
        ),
    ],
)
def test_a_mistake_in_the_notification_variable_is_explained(text: str, problem: str | None) -> None:
    if problem is None:
        assert parse_notification(text).buttons == ()
        return
    with pytest.raises(SetupError) as caught:
        parse_notification(text)
    assert problem in str(caught.value)


texts = st.text(max_size=30)


@given(st.lists(st.builds(Button, *[texts] * 6), max_size=6), texts, texts)
def test_whatever_is_constructed_is_valid_and_whatever_is_not_says_why(
    buttons: list[Button], title: str, message: str
) -> None:
    try:
        notification = Notification(title, message, tuple(buttons))
    except SetupError as error:
        if not error.problems:
            raise AssertionError("refused without a word") from error
        return
    wire = wire_form(notification)
    assert len(wire.get("buttons", [])) <= 4
    for button in wire.get("buttons", []):
        assert " " not in button["id"]
        assert ("url" in button) != ("analysis" in button)
        assert button.get("url", "https://").startswith(("https://", "http://", "HTTP"))


@given(texts.filter(str.strip), texts.filter(str.strip))
def test_what_json_says_is_what_is_sent(title: str, message: str) -> None:
    notification = parse_notification(json.dumps({"title": title, "message": message}))
    assert (notification.title, notification.message) == (title, message)


def test_a_message_beyond_140_characters_is_noticed() -> None:
    assert not Notification("t", "x" * 140).is_too_long_for_push
    assert Notification("t", "x" * 141).is_too_long_for_push
