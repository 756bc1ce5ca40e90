"""What users and devices write is data: it forges no line, colours no terminal, and keeps nobody else untold."""

import csv
import io
import json
import re
import sys
import unicodedata
from collections.abc import Callable
from typing import Any

import pytest
import structlog

from lib.base.log import set_up_log
from lib.base.text import MISLEADING, harmless
from lib.message.content import Content
from lib.message.document import parse_document
from lib.message.notification import Button, Notification
from lib.message.placeholders import local_time
from lib.message.trigger import Trigger, read_trigger
from lib.message.user import User, read_user, without_contact
from lib.tools.campaign.reading import Line
from lib.tools.campaign.shown import as_csv
from lib.tools.sandbox.server import Sandbox
from lib.tools.sandbox.trouble import Fault
from tests.conftest import MAINTENANCE, ROOT, Ran, run_python
from tests.test_decision import ids_of, messages, press
from tests.test_dispatch import Journaled, journaled  # noqa: F401  # a fixture

Run = Callable[..., Ran]
EVIL = "Eve\r\nNotified 9 of 9\x1b[2J\x9b31m\u202e\u061c\u2028\ud800"
CLEAN = "Eve Notified 9 of 9[2J31m \ufffd"
SPREADSHEET = ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", " =1", "＝1", "\u3000＝1", "＋1", "－1", "＠x", "\u200b=1"]


def user_named(sandbox: Sandbox, name: str) -> dict[str, Any]:
    return next(user for user in sandbox.store.users.values() if user["name"] == name)


def test_a_text_of_somebodys_is_one_line_of_letters() -> None:
    assert harmless(EVIL) == CLEAN
    assert harmless("José 😀 名 نص") == "José 😀 名 نص"
    every = "".join(map(chr, range(sys.maxunicode + 1)))
    left = {each for each in harmless(every) if unicodedata.category(each) in ("Cc", "Zl", "Zp", "Cs")}
    assert left == set()
    assert {each for each in harmless(every) if unicodedata.bidirectional(each) in BIDI} == set()


BIDI = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")


def test_it_is_made_so_where_it_comes_in() -> None:
    names = ("name", "company", "phone", "email")
    user = read_user({"id": "u", **dict.fromkeys(names, EVIL), "tags": [{"key": "site", "value": EVIL}]})
    assert {getattr(user, name) for name in names} == {user.tag("site")} == {CLEAN}
    trigger = read_trigger([], [{"variable": "v", "value": EVIL, "unit": EVIL}])
    assert {trigger.text("v"), trigger.points[0].value, trigger.points[0].unit} == {CLEAN}


def test_a_tag_is_compared_as_tagoio_has_it() -> None:
    assert read_user({"id": "u", "tags": [{"key": "k", "value": "a\u200fb"}]}).tags == (("k", "a\u200fb"),)


def test_an_evil_name_forges_no_line_anywhere(journaled: Journaled) -> None:  # noqa: F811
    user_named(journaled.sandbox, "Ana Souza")["name"] = EVIL.replace("\ud800", "")
    dry = journaled.run(dry_run="true")
    ran = journaled.run()
    ids = ids_of(journaled, EVIL.replace("\ud800", ""))
    pressed = journaled.run(**ids)
    for text in (dry.out, dry.err, ran.out, ran.err, pressed.out, pressed.err):
        assert not MISLEADING.sub("", text).count("\x1b")
        assert set(MISLEADING.findall(text)) <= {"\n"}
        assert "\nNotified 9 of 9" not in text
    assert "it counts" in pressed.out
    for message in messages(journaled):
        assert message.count("\n") == 1, message
        assert re.search(r"\nAcknowledged by Eve Notified 9 of 9\[2J31m , \d\d:\d\d$", message)
    report = run_python("-m", "lib.tools.campaign", "show", "last", cwd=ROOT, env=report_env(journaled))
    assert set(MISLEADING.findall(report.out)) <= {"\n"}
    assert "Eve Notified 9 of 9" in report.out


def report_env(journaled: Journaled) -> dict[str, str]:  # noqa: F811
    return {
        "TAGOIO_API": journaled.sandbox.api,
        "account_token": journaled.sandbox.store.profile_token,
        "delivery_log_token": journaled.token,
    }


@pytest.mark.parametrize("is_terminal", [True, False])
def test_the_log_holds_no_escape_either(monkeypatch: pytest.MonkeyPatch, is_terminal: bool) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    monkeypatch.setattr(stream, "isatty", lambda: is_terminal)
    monkeypatch.setattr(sys, "stderr", stream)
    set_up_log()
    structlog.get_logger().info("x", name=EVIL)
    stream.flush()
    written = stream.buffer.getvalue().decode()
    assert written.count("\n") == 1
    for sign in ("\x1b[2J", "\x9b", "\u202e", "\u2028", "\r"):
        assert sign not in written
    if not is_terminal:
        assert json.loads(written)["name"] == EVIL


@pytest.mark.parametrize("cell", SPREADSHEET)
def test_no_cell_of_the_report_is_a_formula(cell: str) -> None:
    text = as_csv([Line("u", cell, "sent", reason=cell, channel=cell)])
    (_, row) = csv.reader(io.StringIO(text))
    assert not any(re.match(r"[\s\u200b]*[=+\-@＝＋－＠]|[\t\r]", each) for each in row)
    assert len([each for each in row if each.endswith(cell[-1])]) == 3


def test_a_dot_dot_in_a_filled_link_stays_one_part_of_the_path() -> None:
    text = '{"title": "t", "message": "m", "buttons": [{"id": "a", "label": "A", "url": "https://x.io/$USER.NAME$/b"}]}'
    for name in ("..", ".", "../..", "a/../b"):
        given = Content(lambda *_: None, parse_document(text), str)(Trigger(), User("u", name))
        assert isinstance(given, Notification)
        parts = given.buttons[0].link.split("/")
        assert len(parts) == 5
        assert parts[3].lower().replace("%2e", ".") not in (".", ".."), given.buttons[0].link
    in_query = text.replace("/$USER.NAME$/b", "/?a=$USER.NAME$")
    given = Content(lambda *_: None, parse_document(in_query), str)(Trigger(), User("u", ".."))
    assert isinstance(given, Notification)
    assert given.buttons[0].link == "https://x.io/?a=.."


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "never", "2026-13-45"])
@pytest.mark.parametrize("zone", ["America/Sao_Paulo", "Pacific/Kiritimati"])
def test_a_time_out_of_range_is_shown_as_it_came(time: str, zone: str) -> None:
    shown = local_time(time, User("u", timezone=zone))
    assert shown == time or shown.startswith(("0001-01-01", "9999-12-31"))


EMPTY_LABEL = json.dumps(
    {"title": "t", "message": "m", "buttons": [{"id": "a", "label": "$USER.COMPANY$", "url": "https://x.io"}]}
)


def test_an_empty_company_in_a_label_keeps_nobody_untold(peopled: Sandbox, run_inside: Run) -> None:
    user_named(peopled, "Ana Souza")["company"] = ""
    user_named(peopled, "Ben Carter")["company"] = "Acme"
    assert run_inside(notification=EMPTY_LABEL).code == 0
    labels = {
        peopled.store.users[note["run_user"]]["name"]: note["buttons"][0]["label"]
        for note in peopled.store.notifications.values()
    }
    assert len(labels) == 7
    assert (labels["Ana Souza"], labels["Ben Carter"]) == ("-", "Acme")


def test_who_lacks_the_tag_of_a_text_is_failed_alone_and_the_others_are_told(peopled: Sandbox, run_inside: Run) -> None:
    for name in MAINTENANCE[1:]:
        user_named(peopled, name)["tags"].append({"key": "flat", "value": "7"})
    document = json.dumps({"title": "t", "message": "Flat $USER.TAG.flat$"})
    dry = run_inside(notification=document, dry_run="true")
    assert "cannot be told, $USER.TAG.flat$ cannot be filled" in dry.out
    ran = run_inside(notification=document)
    assert ran.code == 1
    assert "Notified 6 of 8 users" in ran.out
    assert re.search(r"failed +1 .*\n +\$USER\.TAG\.flat\$ cannot be filled.*: Ana Souza", ran.out)


def test_who_compose_falls_over_is_failed_alone(peopled: Sandbox, run_inside: Run, tmp_path: Any) -> None:
    (tmp_path / "lib").symlink_to(ROOT / "lib")
    script = tmp_path / "analysis.py"
    text = (ROOT / "analysis.py").read_text()
    script.write_text(text.replace("    temperature = trigger", "    user.company[0]\n    temperature = trigger", 1))
    for user in peopled.store.users.values():
        user["company"] = "" if user["name"] == "Ana Souza" else "Acme"
    ran = run_inside(script=script)
    assert "Notified 6 of 8 users" in ran.out, ran.out
    assert re.search(r"compose failed: IndexError.*: Ana Souza", ran.out)
    for user in peopled.store.users.values():
        user["company"] = ""
    before = len(peopled.store.notifications)
    ran = run_inside(script=script)
    assert "Nobody was notified" in ran.out, "what is wrong for everybody is the author's mistake"
    assert len(peopled.store.notifications) == before


def test_contacts_are_in_no_row_report_or_console(journaled: Journaled) -> None:  # noqa: F811
    """A label with a phone number, and a TagoIO that echoes what it refuses."""
    label = {"id": "a", "label": "Call $USER.PHONE$ or $USER.EMAIL$", "analysis": "this"}
    document = json.dumps({"title": "t", "message": "$USER.EMAIL$ $USER.PHONE$", "buttons": [label]})
    users = journaled.sandbox.store.users.values()
    for number, user in enumerate(users):
        user["phone"] = f"+1 555 0100 {number:03}"
    journaled.run(notification=document, log_level="debug")
    ran = press(journaled, "Ana Souza", notification=document)
    report = run_python("-m", "lib.tools.campaign", "show", "last", cwd=ROOT, env=report_env(journaled))
    rows = json.dumps(journaled.sandbox.store.data[journaled.device["id"]])
    for user in users:
        for private in (user["email"], user["phone"]):
            for text in (ran.out, ran.err, report.out, rows):
                assert private not in text


def test_a_refusal_that_echoes_is_told_without_contacts(journaled: Journaled) -> None:  # noqa: F811
    user = user_named(journaled.sandbox, "Ana Souza")
    user["phone"] = "+15550100"
    document = json.dumps({"title": "t", "message": "$USER.PHONE$ $USER.EMAIL$"})
    journaled.sandbox.trouble.faults = [Fault("400")]
    said = without_contact(f"400 message: {user['email']} {user['phone']} is refused", read_user(user))
    assert said == "400 message: *** *** is refused"
    ran = journaled.run(notification=document)
    assert user["phone"] not in ran.out + json.dumps(journaled.sandbox.store.data[journaled.device["id"]])


LINKED = json.dumps(
    {
        "title": "t",
        "message": "m",
        "buttons": [
            {"id": "acknowledge", "label": "A", "analysis": "this"},
            {"id": "look", "label": "L", "url": "https://x.io"},
        ],
    }
)


def test_a_button_that_only_opens_a_link_decides_nothing(journaled: Journaled) -> None:  # noqa: F811
    journaled.run(notification=LINKED)
    forged = press(journaled, "Ana Souza", 1)
    assert forged.code == 1
    assert "opens a link; it decides nothing" in forged.out
    assert all(note["buttons_enabled"] for note in journaled.sandbox.store.notifications.values())
    assert "it counts" in press(journaled, "Ana Souza").out


def test_and_neither_does_one_without_a_journal(peopled: Sandbox, run_inside: Run) -> None:
    run_inside(notification=LINKED)
    note = next(iter(peopled.store.notifications.values()))
    link = note["buttons"][1]
    ids = {"button_id": link["id"], "user_id": note["run_user"], "notification_id": note["id"]}
    ran = run_inside(**ids)
    assert ran.code == 1
    assert "opens a link" in ran.out
    assert Button("a", "A", link="https://x.io").analysis == ""
