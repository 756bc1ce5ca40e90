import base64
import re
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.base.errors import SetupError
from lib.message.notification import Button, Icon, Notification, wire_form

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
        (Button(["a"], "A", link="https://a.io"), "id must be text, not list"),  # type: ignore[arg-type]
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
        "buttons_autodisable": False,
    }
    assert wire_form(Notification("T", "M")) == {"title": "T", "message": "M"}


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


def test_a_message_beyond_140_characters_is_noticed() -> None:
    assert not Notification("t", "x" * 140).is_too_long_for_push
    assert Notification("t", "x" * 141).is_too_long_for_push


@pytest.mark.parametrize(
    ("icon", "wire"),
    [
        ("https://a.io/i.png", {"image_url": "https://a.io/i.png"}),
        ({"image_url": "https://a.io/i.png", "fit": "cover"}, {"image_url": "https://a.io/i.png", "fit": "cover"}),
        (
            {"svg_url": "https://a.io/i.svg", "svg_color": "#fff"},
            {"svg_url": "https://a.io/i.svg", "svg_color": "#fff"},
        ),
        *(
            (whole, whole)
            for whole in (
                {"image_url": "https://a.io/i.png", "fit": "cover", "bg_color": "#000"},
                {"svg_url": "https://a.io/i.svg", "svg_color": "#fff", "bg_color": "#000"},
            )
        ),
    ],
)
def test_an_icon_is_tagoios_object_or_an_address(icon: Icon, wire: dict[str, str]) -> None:
    assert wire_form(Notification("t", "m", icon=icon))["icon"] == wire


@pytest.mark.parametrize("name", ["success", "info", "warning", "critical"])
def test_a_built_in_icon_is_a_drawing_of_its_own(name: str) -> None:
    icon = wire_form(Notification("t", "m", icon=name))["icon"]
    drawing = base64.b64decode(icon["svg_url"].removeprefix("data:image/svg+xml;base64,"))
    assert ElementTree.fromstring(drawing).tag.endswith("svg")  # noqa: S314  # our own drawing
    assert icon["bg_color"].startswith("#")


NAMES = "success, info, warning, critical"


def test_no_two_built_in_icons_look_alike() -> None:
    icons = [
        wire_form(Notification("t", "m", icon=name))["icon"] for name in ("success", "info", "warning", "critical")
    ]
    drawings = [base64.b64decode(icon["svg_url"].partition(",")[2]).decode() for icon in icons]
    assert len({re.sub('fill="#.*?"', "", drawing) for drawing in drawings}) == 4, "a sign of its own"
    assert all('<path d="M' in drawing for drawing in drawings)
    assert len({icon["bg_color"] for icon in icons}) == 4, "a colour of its own"


FIELDS = "icon takes image_url (with bg_color, fit) or svg_url (with svg_color, bg_color), a web address (https://)"


@pytest.mark.parametrize(
    ("icon", "problem"),
    [
        ("alarm", f'icon "alarm" is neither one of {NAMES} nor the web address (https://) of a picture'),
        ("javascript:x", f'icon "javascript:x" is neither one of {NAMES} nor the web address (https://) of a picture'),
        (5, f"icon must be one of {NAMES}, a web address, or TagoIO's object with image_url or svg_url"),
        ({}, FIELDS),
        ({"image_url": "x"}, FIELDS),
        ({"image_url": "https://a.io", "size": "1"}, FIELDS),
        ({"image_url": "https://a.io", "fit": 1}, FIELDS),
        ({"image_url": "https://a.io", "svg_color": "#fff"}, FIELDS),
        ({"svg_url": "https://a.io", "fit": "cover"}, FIELDS),
    ],
)
def test_an_icon_that_is_none_is_refused_for_what_is_wrong_with_it(icon: Any, problem: str) -> None:
    with pytest.raises(SetupError) as caught:
        Notification("t", "m", icon=icon)
    assert caught.value.problems == (f"Notification: {problem}",)


ACK = Button("ack", "Acknowledge", analysis="this")
TRANSLATED = Notification(
    "Alarm",
    "It is warm",
    (ACK, LINK),
    translations={"pt": {"message": "Está quente", "buttons": {"ack": "Confirmar"}}, "pt_PT": {"title": "Alarme"}},
)


@pytest.mark.parametrize(
    ("language", "title", "message", "label"),
    [
        ("pt", "Alarm", "Está quente", "Confirmar"),
        ("pt-BR", "Alarm", "Está quente", "Confirmar"),
        ("PT-pt", "Alarme", "It is warm", "Acknowledge"),
        ("fr", "Alarm", "It is warm", "Acknowledge"),
        ("", "Alarm", "It is warm", "Acknowledge"),
    ],
)
def test_the_language_falls_back_from_the_region_to_the_language_to_the_text(
    language: str, title: str, message: str, label: str
) -> None:
    given = TRANSLATED.in_language(language)
    assert (given.title, given.message, given.buttons[0].label, given.buttons[1]) == (title, message, label, LINK)
    assert given.subject == "Alarm"


@pytest.mark.parametrize(
    ("translations", "problem"),
    [
        ("pt", "translations must be an object"),
        ({"pt": "Olá"}, "pt: takes title, message, repeated, all_clear and buttons"),
        ({"pt": {"text": "x"}}, "pt: takes title, message, repeated, all_clear and buttons"),
        ({"pt": {"buttons": ["x"]}}, "pt: buttons gives labels by button id"),
        ({"pt": {"buttons": {"no": "x"}}}, 'pt: there is no button "no"'),
        ({"pt": {"title": ""}}, "pt: each text must be text, and not empty"),
    ],
)
def test_a_mistake_in_a_translation_is_explained(translations: Any, problem: str) -> None:
    with pytest.raises(SetupError, match=problem):
        Notification("t", "m", (ACK,), translations=translations)


def test_priority_and_subject_never_go_on_the_wire() -> None:
    assert wire_form(Notification("t", "m", priority="high", subject="s")) == {"title": "t", "message": "m"}
    with pytest.raises(SetupError, match='priority "urgent" is not one of high, normal, low'):
        Notification("t", "m", priority="urgent")


def test_this_analysis_is_the_one_that_sends() -> None:
    assert Notification("t", "m", (ACK,)).run_by(ANALYSIS_ID).buttons[0].analysis == ANALYSIS_ID
    with pytest.raises(SetupError, match='runs "this" Analysis, but no Analysis is running'):
        Notification("t", "m", (ACK,)).run_by("")
    assert Notification("t", "m", (LINK,)).run_by("").buttons == (LINK,)


def test_a_subject_is_text() -> None:
    with pytest.raises(SetupError, match="subject must be text, not int"):
        Notification("t", "m", subject=35)  # type: ignore[arg-type]
