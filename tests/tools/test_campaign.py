"""What was sent, shown and taken back: the command against the sandbox."""

import csv
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.conftest import ROOT, Ran, run_python
from tests.test_decision import press
from tests.test_dispatch import Journaled, journaled  # noqa: F401  # a fixture


@pytest.fixture
def campaign(journaled: Journaled) -> Journaled:  # noqa: F811
    """Seven told, one skipped, two have read it, one pressed."""
    store = journaled.sandbox.store
    next(user for user in store.users.values() if user["name"] == "Ben Carter")["name"] = "=cmd|<script>"
    journaled.run()
    press(journaled, "Ana Souza")
    for note in list(store.notifications.values())[:2]:
        note["read"] = True
    return journaled


def command(campaign: Journaled, *arguments: str, **env: str) -> Ran:
    given = {
        "TAGOIO_API": campaign.sandbox.api,
        "account_token": campaign.sandbox.store.profile_token,
        "delivery_log_token": campaign.token,
    }
    return run_python("-m", "lib.tools.campaign", *arguments, cwd=ROOT, env={**given, **env})


def test_the_last_campaign_as_a_table(campaign: Journaled) -> None:
    ran = command(campaign, "show", "last")
    assert ran.code == 0, ran.err
    assert "8 users; 7 sent, 1 skipped; 2 read" in ran.out or "8 users; 1 skipped, 7 sent; 2 read" in ran.out
    assert "pressed acknowledge: 1" in ran.out
    assert "acknowledge (counts)" in ran.out
    assert "inactive user: 1" in ran.out
    assert "TagoIO does not say when" in ran.out


def test_without_a_key_it_lists_the_campaigns_with_what_was_sent(campaign: Journaled) -> None:
    key = campaign.rows("notify_campaign")[0]["group"]
    ran = command(campaign, "list")
    assert ran.code == 0, ran.err
    (line,) = [line for line in ran.out.splitlines() if key in line]
    assert "Test of the fridge alarm" in line
    assert "7 sent" in line
    assert "1 skipped" in line


def test_a_reader_that_has_read_enough_is_no_error(campaign: Journaled) -> None:
    env = {"TAGOIO_API": campaign.sandbox.api, "account_token": campaign.sandbox.store.profile_token}
    env |= {"delivery_log_token": campaign.token, "PATH": os.environ["PATH"]}
    given = [sys.executable, "-m", "lib.tools.campaign", "show", "last", "--json"]
    with subprocess.Popen(
        given, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read().strip() == ""
        assert process.wait(30) == 0


def test_a_file_that_cannot_be_written_is_said(campaign: Journaled, tmp_path: Path) -> None:
    ran = command(campaign, "show", "last", "-o", str(tmp_path / "missing" / "x.txt"))
    assert (ran.code, "Traceback" in ran.err) == (1, False)
    assert "x.txt cannot be written: No such file or directory" in ran.err


def test_as_json_by_key(campaign: Journaled) -> None:
    key = campaign.rows("notify_campaign")[0]["group"]
    found = json.loads(command(campaign, "show", key, "--json").out)
    assert found["campaign"] == key
    assert found["outcomes"] == {"sent": 7, "skipped": 1}
    assert (found["read"], found["pressed"], found["seconds_to_read"]) == (2, {"acknowledge": 1}, None)
    assert 0 <= found["seconds_to_press"] < 60
    (pressed,) = [user for user in found["users"] if user["pressed"]]
    assert (pressed["name"], pressed["counts"]) == ("Ana Souza", "yes")


def test_as_csv_that_no_spreadsheet_takes_for_a_formula(campaign: Journaled) -> None:
    rows = list(csv.DictReader(io.StringIO(command(campaign, "show", "last", "--csv").out)))
    assert len(rows) == 8
    assert "'=cmd|<script>" in [row["name"] for row in rows]


def test_as_one_page_with_a_plot_where_no_name_becomes_script(campaign: Journaled, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    assert command(campaign, "show", "last", "--html", "-o", str(path)).code == 0
    page = path.read_text(encoding="utf-8")
    assert "<script" not in page
    assert "<title>Test of the fridge alarm</title>" in page
    assert re.search(r"<td>acknowledge \(counts\)<td>\d+\.\d s", page)
    assert "&lt;script&gt;" in page
    assert "http" not in page.replace("http://www.w3.org", "")
    drawing = ElementTree.fromstring(page[page.index("<svg") : page.index("</svg>") + 6])  # noqa: S314  # ours
    assert [text.text for text in drawing.iter("text")][:3] == ["read 2, when?", "sent 7", "pressed 1"]


def test_a_deleted_notification_is_said_to_be(campaign: Journaled) -> None:
    store = campaign.sandbox.store
    store.remove_notification(next(iter(store.notifications)))
    found = json.loads(command(campaign, "show", "last", "--json").out)
    assert sorted(user["read"] for user in found["users"]) == ["", "deleted", *["no"] * 5, "yes"]


@pytest.mark.parametrize(
    ("arguments", "env", "said"),
    [
        (["show", "nosuchkey1"], {}, "The journal knows no campaign nosuchkey1; there are, the newest first: "),
        ([], {"delivery_log_token": ""}, "delivery_log_token not set"),
        ([], {"delivery_log_token": "wrong"}, "The journal cannot be read"),
        ([], {"TAGOIO_API": "http://127.0.0.1:9"}, "cannot be reached"),
    ],
)
@pytest.mark.waits(24)
def test_what_is_wrong_is_said(campaign: Journaled, arguments: list[str], env: dict[str, str], said: str) -> None:
    ran = command(campaign, *arguments, **env)
    assert ran.code == 1
    assert said in ran.err
    assert "Traceback" not in ran.err
