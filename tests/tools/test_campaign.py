"""What was sent, shown and taken back: the command against the sandbox."""

import csv
import io
import json
import os
import re
import subprocess
import sys
from itertools import combinations
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, FloatRect, Page, expect

from lib.tools.campaign.page import as_html
from lib.tools.campaign.reading import Found, Line, iso
from lib.tools.campaign.shown import as_list
from lib.tools.terminal import typed
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


@pytest.mark.parametrize("arguments", [[], ["list"], ["show"], ["show", "nosuchkey1"]])
def test_without_a_key_or_with_a_wrong_one_it_lists_the_campaigns_with_what_was_sent(
    campaign: Journaled, arguments: list[str]
) -> None:
    key = campaign.rows("notify_campaign")[0]["group"]
    ran = command(campaign, *arguments)
    assert ran.code == len(arguments) // 2, ran.err
    (line,) = [line for line in (ran.out + ran.err).splitlines() if key in line]
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


@pytest.mark.parametrize(
    ("letters", "arguments"),
    [("latin-1", ["list"]), ("ascii", ["list"]), ("ascii", ["show", "last"]), ("utf-8", ["list"])],
)
def test_a_table_has_a_rule_in_letters_that_there_are(campaign: Journaled, letters: str, arguments: list[str]) -> None:
    ran = command(campaign, *arguments, PYTHONIOENCODING=letters)
    assert ran.code == 0, ran.err
    assert "\\u2" not in ran.out
    assert ("-" * 9 in ran.out) is (letters != "utf-8")


def test_nothing_of_a_table_is_cut_off() -> None:
    table = as_list([Found("k" * 40, "2026-01-01", "t" * 90, "n" * 90)])
    assert "…" not in table
    assert [sum(line.count(letter) for line in table.splitlines()[3:-1]) for letter in "ktn"] == [40, 90, 90]


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
    assert re.search(r">acknowledge \(counts\)</td><td[^>]*>\d+\.\d s</td>", page)
    assert "&lt;script&gt;" in page
    assert "http" not in page.replace("http://www.w3.org", "")
    drawing = ElementTree.fromstring(page[page.index("<svg") : page.index("</svg>") + 6])  # noqa: S314  # ours
    drawn = [path.get("class") for path in drawing.iter("path")]
    assert drawn == ["grid", "axis", "read level", "sent", "pressed"]
    assert re.findall(r"<li class=.*?>(.*?)</li>", page) == ["sent 7", "pressed 1", "read 2; TagoIO does not say when"]


def wide(lines: int, span: float) -> str:
    """The page of a campaign whose names are long and whose reasons are longer."""
    at = 1_770_000_000.0
    users = [
        Line(
            f"{number:024x}", "Maximiliane-Alexandra_von-der-Donaudampfschifffahrt" if number % 3 else "Ana",
            "sent" if number % 4 else "failed", "" if number % 4 else f"404 Not Found: https://example.com/{'x' * 90}",
            notification=f"n{number}", sent_at=iso(at + number / 10), read="yes",
            read_at=iso(at + span * number / lines) if number % 2 else "", pressed="acknowledge" if number == 1 else "",
            pressed_at=iso(at + span) if number == 1 else "", counts="yes",
        )
        for number in range(1, lines + 1)
    ]  # fmt: skip
    return as_html("k3yofcampaign", users, "Refrigerator 7 is warm", "recalled, 2026-02-02T02:40:00")


NARROW = """() => {
    const hasText = (each) => [...each.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
    const texts = [...document.querySelectorAll("body *")].filter((each) => each.checkVisibility() && hasText(each));
    const outside = (box) => box.left < -0.5 || box.right > innerWidth + 0.5;
    return {
        width: document.documentElement.scrollWidth,
        small: texts.filter((each) => parseFloat(getComputedStyle(each).fontSize) < 14).map((each) => each.outerHTML),
        outside: texts.filter((each) => outside(each.getBoundingClientRect())).map((each) => each.outerHTML),
        scrolling: [...document.querySelectorAll("main *")].filter((each) => each.scrollWidth > each.clientWidth + 1
            && getComputedStyle(each).overflowX !== "visible").map((each) => each.outerHTML),
    };
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_is_readable_on_a_phone_and_at_a_desk(
    campaign: Journaled, browser: Browser, tmp_path: Path, scheme: Literal["light", "dark"], width: int
) -> None:
    path = tmp_path / "report.html"
    assert command(campaign, "show", "last", "--html", "-o", str(path)).code == 0
    (tmp_path / "wide.html").write_text(wide(40, 3000.0), encoding="utf-8")
    window = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)
    page = window.new_page()
    for name, title in (("report", "Test of the fridge alarm"), ("wide", "Refrigerator 7 is warm")):
        page.goto((tmp_path / f"{name}.html").as_uri())
        expect(page).to_have_title(title)
        expect(page.locator("h1")).to_have_text(title)
        expect(page.locator(".plot")).to_be_visible()
        assert page.evaluate(NARROW) == {"width": width, "small": [], "outside": [], "scrolling": []}
        assert overlapping(page) == [], "each label of an axis can be read"
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
    window.close()


def overlapping(page: Page) -> list[str]:
    boxes = [(each.text_content(), each.bounding_box()) for each in page.locator(".field span").all()]
    return [
        f"{one[0]} and {other[0]}"
        for one, other in combinations(boxes, 2)
        if one[1] and other[1] and _meet(one[1], other[1], "x", "width") and _meet(one[1], other[1], "y", "height")
    ]


def _meet(one: FloatRect, other: FloatRect, start: Literal["x", "y"], size: Literal["width", "height"]) -> bool:
    return one[start] < other[start] + other[size] and other[start] < one[start] + one[size]


def test_a_deleted_notification_is_said_to_be(campaign: Journaled) -> None:
    store = campaign.sandbox.store
    store.remove_notification(next(iter(store.notifications)))
    found = json.loads(command(campaign, "show", "last", "--json").out)
    assert sorted(user["read"] for user in found["users"]) == ["", "deleted", *["no"] * 5, "yes"]


@pytest.mark.parametrize(
    ("arguments", "env", "said"),
    [
        (["show", "nosuchkey1"], {}, "The journal knows no campaign nosuchkey1; there are, the newest first:\n"),
        (
            [],
            {"delivery_log_token": ""},
            f"delivery_log_token is not set, and no Analysis of {typed('lib.tools.install')}",
        ),
        ([], {"account_token": ""}, "account_token is not set: put a profile token (p-…) into .env"),
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
