"""The sandbox's page as a developer uses it: Chromium, the served sandbox, the Analysis in a process of its own."""

import asyncio
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Dialog, Locator, Page, expect

from lib.tools.sandbox.page.desk import Desk
from lib.tools.sandbox.page.guard import CLOSED
from lib.tools.sandbox.store import Identity
from tests.conftest import BARE, ROOT
from tests.test_fallback import Mailbox, mailbox  # noqa: F401  # a fixture
from tests.tools.test_page import post, serving

OpenPage = Callable[[], Page]
ALARM = "Refrigerator 7 is warm"
TEST = "Test of the fridge alarm"  # what a run by hand sends
WARM = {
    "title": "Fridge is warm", "message": "It is at $VALUE$ $UNIT$", "alarm": "temperature",
    "all_clear": "Back to normal: $VALUE$ $UNIT$", "when": {"variable": "temperature", "is": ">", "value": 8},
    "buttons": [{"id": "acknowledge", "label": "Acknowledge", "analysis": "this"}],
}  # fmt: skip
HOT = {
    "title": "Fridge is hot", "priority": "high", "when": {"variable": "temperature", "is": ">", "value": 20},
}  # fmt: skip
HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>"


def run_by_hand(page: Page) -> None:
    page.get_by_role("button", name="Run", exact=True).click()


def said(page: Page) -> Locator:
    return page.locator("#said")


def verdict(page: Page) -> Locator:
    return page.locator("#board .verdict")


def ring(page: Page) -> None:
    page.locator("#ring").click()


def show(page: Page, name: str, place: int = 1) -> Locator:
    """The phone at that place, once it is this user's."""
    page.locator(f"#whose-{place}").select_option(label=name)
    phone = page.locator(f"#phone-{place}")
    expect(phone).to_have_attribute("aria-label", f"Phone of {name}")
    return phone


def newest(phone: Locator) -> Locator:
    return phone.locator(".card").first


def open_tab(page: Page, name: str) -> None:
    page.locator(".tabs").get_by_role("link", name=name, exact=True).click()
    expect(page.locator(".tabs [aria-current]")).to_have_text(name)


def set_variable(page: Page, **variables: str) -> None:
    open_tab(page, "Variables")
    form = page.locator("#variables-form")
    for name, value in variables.items():
        form.locator("input[placeholder=key]").first.fill(name)
        form.locator("textarea[placeholder=value]").first.fill(value)
        form.get_by_role("button", name="Save").click()
        expect(form.get_by_label(f"Value of {name}")).to_have_value(value)
    open_tab(page, "Run")


def test_both_phones_ring_and_the_other_closes_when_one_acknowledges(desk: Desk, open_page: OpenPage) -> None:
    page, other = open_page(), open_page()
    expect(page.locator("#board")).to_contain_text("Press the red button")
    expect(page.locator("#phone-1")).to_contain_text("No notifications yet")
    page.locator("#degrees").fill("41.5")
    expect(page.locator("#ring")).to_have_text("Refrigerator 7 is at 41.5 °C")
    ring(page)
    for number, name in ((1, "Ana Souza"), (2, "Ben Carter")):
        phone = page.locator(f"#phone-{number}")
        expect(phone.locator(".push")).to_contain_text(f"{ALARM} {name}, it is at 41.5 °C")
        expect(newest(phone).get_by_role("button", name="Acknowledge")).to_be_enabled()
        expect(phone.locator(".heading .unread")).to_have_text("unread: 1")
    expect(page.locator("#event .answer")).to_have_text("Refrigerator 7: temperature 41.5 °C")
    expect(said(page)).to_contain_text("Run 1: exit code 0, 7 sent, 1 skipped")
    expect(verdict(page)).to_have_text("Nobody lost, nobody told twice")
    expect(page.locator("#left-out")).to_have_text("Grace Lim: skipped: inactive user")
    expect(page.locator("#console")).to_contain_text("Notified 7 of 8 users")
    expect(page.locator("#runs tbody tr")).to_have_count(8)

    ana, ben = newest(page.locator("#phone-1")), newest(page.locator("#phone-2"))
    ana.get_by_role("button", name="Acknowledge").click()
    for card in (ana, ben, newest(other.locator("#phone-2"))):
        expect(card.get_by_role("button", name="Acknowledge")).to_be_disabled()
        expect(card.locator(".added")).to_have_text(re.compile(r"Acknowledged by Ana Souza, \d\d:\d\d"))
    expect(page.locator("#board tbody tr", has_text="Ana Souza")).to_contain_text("answered")
    expect(page.locator("#board tbody tr", has_text="Ben Carter")).to_contain_text("told once, closed")
    expect(page.locator("#runs h3").first).to_contain_text("Ana Souza pressed Acknowledge")
    assert ratio(ben.get_by_role("button", name="Acknowledge")) >= 4.5
    ben.locator("> summary").click()
    expect(ben.locator(".dot")).to_have_count(0)
    open_tab(page, "Delivery")
    for figure, value in {"sent": "7", "read": "2", "pressed": "1", "held": "0", "failed": "0"}.items():
        expect(page.locator(f"#figures div.{figure} dd")).to_have_text(value)
    expect(page.locator("#figures svg path.sent")).to_have_count(1)


CLOCK = """() => {
    const times = window.times = {};
    const note = (name) => { times[name] ??= performance.now() };
    document.getElementById("ring").addEventListener("click", () => note("click"), { capture: true });
    new MutationObserver(() => {
        for (const place of [1, 2]) if (document.querySelector(`#phone-${place} .push`)?.checkVisibility()) note(place);
    }).observe(document.body, { childList: true, subtree: true });
}"""


def test_both_phones_ring_after_the_big_button_within_a_second_unless_the_machine_is_busy(open_page: OpenPage) -> None:
    page = open_page()
    page.evaluate(CLOCK)
    pushes = page.locator(".phone .push")
    expect(pushes).to_have_count(0)
    assert page.evaluate("times") == {}
    ring(page)
    expect(pushes).to_have_count(2)
    times = page.evaluate("times")
    assert sorted(times, key=times.get)[0] == "click"
    assert set(times) == {"click", "1", "2"}
    print(f"Both phones rang {(max(times['1'], times['2']) - times['click']) / 1000:.2f} s after the big button")


def ratio(element: Locator) -> float:
    """WCAG's contrast of a text with its own background."""
    colors = element.evaluate("each => [getComputedStyle(each).color, getComputedStyle(each).backgroundColor]")
    lights = []
    for color in colors:
        parts = [float(part) / 255 for part in re.findall(r"[\d.]+", color)[:3]]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        lights.append(0.2126 * red + 0.7152 * green + 0.0722 * blue)
    return (max(lights) + 0.05) / (min(lights) + 0.05)


def test_one_sitting_raises_repeats_worsens_answers_and_clears_an_alarm(desk: Desk, open_page: OpenPage) -> None:
    page = open_page()
    set_variable(page, notification=json.dumps([{**WARM, **HOT}, WARM]))
    alarms, phones = page.locator("#alarms"), [page.locator("#phone-1"), page.locator("#phone-2")]
    expect(alarms).to_contain_text("None is open")

    def reaches(degrees: int) -> None:
        page.locator("#degrees").fill(str(degrees))
        ring(page)

    reaches(9)
    expect(alarms.locator(".open")).to_have_text(
        re.compile(
            r"Refrigerator 7: temperature\s+open since \d\d:\d\d, 1 event; 7 of 7 copies open;\s+nobody has answered"
        )
    )
    reaches(10)
    expect(alarms.locator(".open")).to_contain_text("2 events; 7 of 7 copies open")
    expect(verdict(page)).to_have_text("Nobody told anew, 7 copies brought up to date")
    for phone in phones:
        expect(phone.locator(".card")).to_have_count(1)
        expect(newest(phone).locator(".message")).to_contain_text(re.compile(r"It is at 10 °C\s+2nd time since"))

    reaches(38)
    expect(alarms.locator(".open")).to_contain_text("1 event; 7 of 7 copies open")
    expect(alarms.locator(".over")).to_have_text(
        re.compile(r"The last that ended:.*replaced by a worse one at .*“→ Fridge is hot”; 2 events since", re.DOTALL)
    )
    expect(verdict(page)).to_have_text("Nobody lost, nobody told twice")
    expect(page.locator("#board tbody tr", has_text="Ana Souza")).to_contain_text("older copy closed")
    for phone in phones:
        expect(phone.locator(".card.closed .added")).to_contain_text("→ Fridge is hot")

    newest(phones[0]).get_by_role("button", name="Acknowledge").click()
    expect(alarms.locator(".open")).to_have_text(
        re.compile(r"0 of 7 copies open;\s+answered by Ana Souza, Acknowledge, \d\d:\d\d")
    )
    expect(newest(phones[1]).locator(".added")).to_contain_text("Acknowledged by Ana Souza")

    reaches(4)
    expect(alarms).to_contain_text("None is open")
    expect(alarms.locator(".over")).to_have_text(
        re.compile(r"cleared at .*“Back to normal: 4 °C”; 1 event since .*, answered by Ana Souza", re.DOTALL)
    )
    expect(verdict(page)).to_have_text("Nobody told anew, 7 copies closed")
    for phone in phones:
        expect(newest(phone).locator(".added")).to_contain_text("Back to normal: 4 °C")
    assert sorted(len(desk.store.inbox(user)) for user in desk.store.users) == [0] * 5 + [2] * 7
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 844})
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_push_shows_140_characters_and_the_phone_all_of_it(desk: Desk, open_page: OpenPage) -> None:
    page = open_page()
    user = next(iter(desk.store.users))
    message = "word " * 60
    desk.store.notify({"run_user": user, "title": "Long", "message": message.strip()})
    post(desk, "/page/clock", {"minutes": "0"})
    page.reload()
    shown = page.locator("#phone-1 .push").text_content() or ""
    assert len(shown.replace("Long", "").strip()) == 140
    expect(newest(page.locator("#phone-1")).locator(".message")).to_have_text(message.strip())


def test_a_502_is_seen_user_by_user_and_a_plain_loop_loses_some_or_tells_them_twice(
    desk: Desk, open_page: OpenPage
) -> None:
    page = open_page()
    place = page.locator("#panels").bounding_box()
    page.get_by_role("button", name="502").first.click()
    expect(page.locator("#presets .answer")).to_contain_text("answers some with 502")
    expect(page.locator("#badges")).to_contain_text("Trouble is on")
    ring(page)
    ben = page.locator("#board tbody tr", has_text="Ben Carter")
    expect(ben.locator(".chip").first).to_have_text("in doubt")
    expect(verdict(page)).to_contain_text("told so far")
    ana = page.locator("#board tbody tr", has_text="Ana Souza")
    expect(ana.locator(".chips")).to_contain_text("asked: found")
    expect(ben.locator(".chips")).to_contain_text("sent again", timeout=60_000)
    expect(verdict(page)).to_have_text("Nobody lost, nobody told twice", timeout=60_000)
    assert sorted(len(desk.store.inbox(user)) for user in desk.store.users) == [0] * 5 + [1] * 7
    assert page.locator("#panels").bounding_box() == place, "nothing has jumped meanwhile"
    page.get_by_role("button", name="The same day with a plain SDK loop").click()
    ends = page.locator("#board tfoot .plain")
    expect(ends).to_have_text(["2 lost, 0 told twice", "0 lost, 3 told twice"], timeout=30_000)
    expect(ben.locator(".plain")).to_have_text(["lost", "told once"])
    expect(ana.locator(".plain")).to_have_text(["told once", "told twice"])
    assert sorted(len(desk.store.inbox(user)) for user in desk.store.users) == [0] * 5 + [1] * 7, "on users of its own"
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        board = page.locator("#board-scroll")
        assert board.evaluate("each => each.scrollWidth <= each.clientWidth"), "no column is cut off"


def test_a_run_that_is_killed_is_handed_the_same_event_again(desk: Desk, open_page: OpenPage) -> None:
    page = open_page()
    page.get_by_role("button", name="Killed").click()
    expect(page.locator("#presets .answer")).to_contain_text("Killed after 3 notifications")
    ring(page)
    expect(page.locator("#runs-list li")).to_have_count(2)
    expect(page.locator("#runs-list li").last).to_contain_text("stopped")
    expect(page.locator("#board tbody tr")).to_have_count(7)
    expect(page.locator("#alarms .open")).to_contain_text("3 of 3 copies open")
    expect(page.locator("#board-waits")).to_contain_text("watching")
    expect(verdict(page)).to_have_text("Nobody lost, nobody told twice", timeout=90_000)
    assert sorted(len(desk.store.inbox(user)) for user in desk.store.users) == [0] * 5 + [1] * 7


def test_an_alarm_that_is_repeated_and_ends_loses_nobody_on_the_board(desk: Desk, open_page: OpenPage) -> None:
    page = open_page()
    ring(page)
    expect(verdict(page)).to_have_text("Nobody lost, nobody told twice")
    rows = page.locator("#board tbody tr")
    for degrees, shown, end, heading in (
        ("39", "brought up to date", "told before", "Nobody told anew, 7 copies brought up to date"),
        ("5", "closed", "told before, closed", "Nobody told anew, 7 copies closed"),
    ):
        page.locator("#degrees").fill(degrees)
        ring(page)
        expect(verdict(page)).to_have_text(heading)
        expect(rows).to_have_count(7)
        expect(rows.locator(".chip")).to_have_text([shown] * 7)
        expect(rows.locator(".end")).to_have_text([end] * 7)
        expect(page.locator("#compare")).to_have_count(0)
    expect(newest(page.locator("#phone-1"))).to_contain_text("Back to normal: 5 °C")


def test_what_was_said_beside_a_button_goes_with_the_next_press(open_page: OpenPage) -> None:
    page = open_page()
    page.get_by_role("button", name="Start over").click()
    expect(page.locator("#anew .answer")).to_have_text("Inboxes and journal are empty")
    ring(page)
    expect(page.locator("#event .answer")).to_have_text("Refrigerator 7: temperature 38 °C")
    expect(page.locator("#anew .answer")).to_have_text("")


def test_what_was_wrong_goes_with_the_next_run_or_when_all_starts_over(desk: Desk, open_page: OpenPage) -> None:
    page, other = open_page(), open_page()
    wrong = page.locator("#answer-ring")

    def go_wrong() -> None:
        page.locator("#chosen").select_option(label="Notify (external)")
        expect(page.locator("#runs-chosen")).to_be_visible()
        ring(page)
        expect(wrong).to_contain_text("Nobody listens for")
        page.locator("#chosen").select_option(label="Notify")
        expect(page.locator("#runs-chosen")).to_have_count(0)
        expect(wrong).to_contain_text("Nobody listens for")

    go_wrong()
    run_by_hand(page)
    expect(wrong).to_be_empty()
    go_wrong()
    page.get_by_role("button", name="Start over").click()
    expect(wrong).to_be_empty()
    go_wrong()
    run_by_hand(other)
    expect(wrong).to_be_empty()


def test_a_repeated_alarm_does_not_look_solved(open_page: OpenPage) -> None:
    page = open_page()
    card = newest(page.locator("#phone-1"))
    for _ in range(2):
        ring(page)
        expect(said(page)).to_contain_text("exit code 0")
    expect(card.locator(".message")).to_contain_text("2nd time since")
    expect(card.locator(".added")).to_have_count(0)
    card.get_by_role("button", name="Acknowledge").click()
    expect(card.locator(".added")).to_have_text(re.compile(r"Acknowledged by Ana Souza, \d\d:\d\d"))
    expect(card.locator(".message")).to_contain_text("2nd time since")


def test_a_stopped_run_has_its_whole_audience_on_the_board_and_the_next_shows_whom_it_told(
    desk: Desk, open_page: OpenPage
) -> None:
    page = open_page()
    rows = page.locator("#board tbody tr")
    page.get_by_role("button", name="Rate limit").click()
    page.wait_for_timeout(1000 * max(0.0, 15 - (45 - time.time() % 60)))  # the window must not end meanwhile
    ring(page)
    expect(verdict(page)).to_have_text("4 of 7 told so far")
    expect(page.locator("#board-waits")).to_contain_text("Run 1 says: Rate limit reached; going on in")
    expect(rows).to_have_count(7)
    page.get_by_role("button", name="Stop this run").click()
    expect(verdict(page)).to_have_text("3 not told, nobody told twice")
    expect(rows.locator(".end", has_text="not told")).to_have_count(3)
    expect(page.locator("#alarms .open")).to_contain_text("4 of 4 copies open")
    page.get_by_role("button", name="All is well").click()
    ring(page)
    expect(page.locator("#board-waits")).to_contain_text("watching", timeout=30_000)
    expect(verdict(page)).to_have_text("Nobody lost, nobody told twice", timeout=90_000)
    expect(page.locator("#board-about")).to_contain_text("Run 2.")
    expect(rows.locator(".end", has_text="told once")).to_have_count(3)
    expect(rows.locator(".end", has_text="told before")).to_have_count(4)
    expect(page.locator("#board-waits")).to_be_empty()
    page.locator("#run-1").click()
    expect(page.locator("#board-about")).to_contain_text("Run 1.")
    expect(rows.locator(".end", has_text="told once")).to_have_count(7)


@pytest.mark.parametrize("width", [390, 1280])
def test_hundreds_of_users_scroll_within_the_board(desk: Desk, open_page: OpenPage, width: int) -> None:
    tags = next(iter(desk.store.users.values()))["tags"]
    for number in range(200):
        desk.store.add_user({"name": f"Worker {number}", "email": f"w{number}@x.io", "active": True, "tags": tags})
    page = open_page()
    page.set_viewport_size({"width": width, "height": 844})
    ring(page)
    expect(verdict(page)).to_have_text("Nobody lost, nobody told twice", timeout=60_000)
    expect(page.locator("#board tbody tr")).to_have_count(207)
    board, console = page.locator("#board").bounding_box(), page.locator("#runs").bounding_box()
    assert board
    assert board["height"] < 844
    assert console
    assert console["height"] < 1200
    heading = page.locator("#board thead th").first
    page.locator("#board tbody tr").last.scroll_into_view_if_needed()
    if width > 1000:
        expect(heading).to_be_in_viewport()
    expect(page.locator("#compare-button")).to_be_in_viewport()
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_a_long_board_begins_with_whoever_was_not_plainly_told(desk: Desk, open_page: OpenPage) -> None:
    tags = next(iter(desk.store.users.values()))["tags"]
    for number in range(10):
        desk.store.add_user({"name": f"Worker {number}", "email": f"w{number}@x.io", "active": True, "tags": tags})
    last = list(desk.store.users.values())[-1]
    rule = {"effect": "deny", "action": ["create_notification"], "resource": ["run_user", "id", last["id"]]}
    desk.store.policies["seeded"]["permissions"].append(rule)
    page = open_page()
    ring(page)
    expect(verdict(page)).to_have_text("1 not told, nobody told twice")
    expect(page.locator("#board tbody th").first).to_have_text("Worker 9")
    expect(page.locator("#fault-ring")).to_contain_text(re.compile("^failed: .*: Worker 9; Notified 16 of 18 users"))


def test_what_is_not_as_usual_stands_beside_the_button_that_runs_by_hand(open_page: OpenPage) -> None:
    page = open_page()
    open_tab(page, "Trouble")
    page.get_by_label("Push notifications left").fill("3")
    page.locator("#trouble-form").get_by_role("button", name="Apply").click()
    expect(page.locator("#answer-trouble")).to_contain_text("no faults, 3 push notifications left")
    open_tab(page, "Variables")
    page.get_by_label("New key 1").fill("cooldown")
    open_tab(page, "Run")
    page.get_by_role("button", name="Run", exact=True).scroll_into_view_if_needed()
    for badge in (page.locator("#hand-badges .badge"), page.locator("#hand-unsaved")):
        expect(badge).to_be_in_viewport()
    expect(page.locator("#hand-badges .badge")).to_have_text("Trouble is on")
    page.locator("#hand-unsaved").click()
    expect(page.locator(".tabs [aria-current]")).to_have_text("Variables")


def test_start_over_empties_inboxes_and_journal(desk: Desk, open_page: OpenPage) -> None:
    page = open_page()
    ring(page)
    expect(verdict(page)).to_contain_text("Nobody lost")
    assert any(desk.store.data.values())
    page.get_by_role("button", name="Start over").click()
    expect(page.locator("#anew .answer")).to_have_text("Inboxes and journal are empty")
    expect(page.locator("#phone-1")).to_contain_text("No notifications yet")
    expect(page.locator("#board")).to_contain_text("Press the red button")
    assert not any(desk.store.data.values())
    assert desk.store.notifications == {}
    ring(page)
    expect(verdict(page)).to_contain_text("Nobody lost")


def test_edits_that_are_not_saved_and_what_is_wrong_stand_where_they_matter(desk: Desk, open_page: OpenPage) -> None:
    page = open_page()
    expect(page.locator("#unsaved")).to_be_hidden()
    open_tab(page, "Variables")
    page.get_by_label("New value 1").fill("without a name")
    expect(page.locator("#unsaved")).to_be_visible()
    page.locator("#variables-form").get_by_role("button", name="Save").click()
    answer = page.locator("#variables-form .answer")
    expect(answer).to_contain_text("has no name")
    assert "wrong" in (answer.get_attribute("class") or "")
    page.get_by_label("New key 1").fill("cooldown")
    page.get_by_label("New value 1").fill("5m")
    page.locator("#variables-form").get_by_role("button", name="Save").click()
    expect(answer).to_contain_text("Saved 4 variables")
    expect(page.locator("#unsaved")).to_be_hidden()
    page.get_by_label("Value of cooldown").fill("6m")
    expect(answer).to_be_empty()
    expect(page.locator("#unsaved")).to_be_visible()
    page.get_by_label("Key 4", exact=True).fill("")
    page.locator("#variables-form").get_by_role("button", name="Save").click()
    expect(answer).to_contain_text("has no name")
    expect(said(page)).to_be_empty()


def test_trouble_that_is_not_applied_is_said_beside_the_big_button(open_page: OpenPage) -> None:
    page = open_page()
    badge, on = page.locator("#unapplied"), page.locator("#badges")
    open_tab(page, "Trouble")
    page.get_by_label("Latency").fill("1")
    page.locator("#open-questions-title").click()
    page.locator("select[name=press_scope]").select_option("null")
    expect(badge).to_be_visible()
    expect(page.locator("#unsaved")).to_be_hidden()
    page.locator("#facts-form").get_by_role("button", name="Apply").click()
    expect(on).to_contain_text("Trouble is on")
    expect(badge).to_be_visible()
    page.locator("#trouble-form").get_by_role("button", name="Apply").click()
    expect(badge).to_be_hidden()
    page.get_by_role("button", name="All is well").click()
    expect(on).to_be_empty()
    expect(page.locator("select[name=press_scope]")).to_have_value("list")


def test_two_phones_swap_their_users_when_one_is_to_show_the_other_s(desk: Desk, open_page: OpenPage) -> None:
    page = open_page()
    show(page, "Emi Tanaka", 1)
    show(page, "Femi Okafor", 2)
    show(page, "Femi Okafor", 1)
    expect(page.locator("#phone-2")).to_have_attribute("aria-label", "Phone of Emi Tanaka")
    show(page, "Femi Okafor", 2)
    expect(page.locator("#phone-1")).to_have_attribute("aria-label", "Phone of Emi Tanaka")
    ring(page)
    page.locator("#board tbody a", has_text="Femi Okafor").click()
    expect(page.locator("#phone-1")).to_have_attribute("aria-label", "Phone of Femi Okafor")
    expect(page.locator("#phone-2")).to_have_attribute("aria-label", "Phone of Emi Tanaka")


def test_an_external_run_that_nobody_hears_is_not_green(desk: Desk, open_page: OpenPage) -> None:
    installed = desk.store.add_analysis({"name": "Installed", "run_on": "external"})
    page = open_page()
    page.locator("#hand select").select_option(label="Installed")
    expect(page.locator("#runs-chosen")).to_have_text("Runs Installed")
    expect(page.locator("#variables-heading")).to_have_text("Variables of Installed")
    run_by_hand(page)
    answer = page.locator("#hand .answer")
    expect(answer).to_have_text("Nobody listens for Installed: start it, then do this again")
    expect(answer).to_have_class("answer wrong")
    state = page.locator("#runs-list li span").first
    expect(state).to_have_text("nobody listens")
    assert state.get_attribute("class") == "failed"
    expect(verdict(page)).to_have_text("Nobody listens for this Analysis")
    assert desk.sandbox.runner.runs[-1].analysis_id == installed["id"]
    user = next(iter(desk.store.users))
    buttons = [{"id": "a", "label": "Acknowledge", "analysis": installed["id"]}]
    desk.store.notify({"run_user": user, "title": "t", "message": "m", "buttons": buttons})
    page.reload()
    newest(page.locator("#phone-1")).get_by_role("button", name="Acknowledge").click()
    expect(page.locator("#wrong")).to_have_text("Nobody listens for Installed: start it, then do this again")


@contextmanager
def listening(desk: Desk) -> Iterator[None]:
    """The external Analysis in a process of its own, as the page says under Other clients."""
    external = desk.analyses[1]
    token = desk.store.token_for(Identity("analysis", external["id"]))
    env = {**BARE, "TAGOIO_API": desk.sandbox.api, "TAGOIO_SSE": f"{desk.sandbox.api}/events"}
    env |= {"T_ANALYSIS_TOKEN": token, "T_ANALYSIS_ID": external["id"]}
    heard = desk.sandbox.runner.listeners[f"analysis_trigger.{external['id']}"]
    with subprocess.Popen([sys.executable, "analysis.py"], cwd=ROOT, env=env, stdout=subprocess.DEVNULL) as process:
        try:
            until = time.monotonic() + 30
            while not heard:
                assert process.poll() is None
                assert time.monotonic() < until
                time.sleep(0.05)
            yield
        finally:
            process.kill()


def test_what_an_external_run_does_shows_on_the_board(desk: Desk, open_page: OpenPage) -> None:
    page = open_page()
    page.locator("#hand select").select_option(label="Notify (external)")
    rows = page.locator("#board tbody tr")
    with listening(desk):
        run_by_hand(page)
        expect(page.locator("#hand .answer")).to_have_text("Runs Notify (external) by hand")
        expect(verdict(page)).to_have_text("Run elsewhere: 7 told, nobody told twice")
        assert "good" not in str(verdict(page).get_attribute("class")), "whom it meant to tell, nobody here knows"
        expect(rows).to_have_count(7)
        expect(rows.locator(".end")).to_have_text(["told once"] * 7)
        expect(page.locator("#compare")).to_have_count(0)
        newest(page.locator("#phone-1")).get_by_role("button", name="Acknowledge").click()
        expect(page.locator("#phone-2 .added")).to_contain_text("Acknowledged by Ana Souza")
        expect(rows.locator(".end")).to_have_text(["answered", *["told once, closed"] * 6])
        expect(page.locator("#board-about")).to_contain_text("Runs 1 to 2")


def test_on_a_narrow_screen_there_is_one_phone_at_a_time_and_targets_are_large(desk: Desk, open_page: OpenPage) -> None:
    page = open_page()
    page.set_viewport_size({"width": 390, "height": 844})
    ring(page)
    expect(page.locator("#phone-1 .card")).to_be_in_viewport()
    expect(page.locator("#phone-2 .card")).not_to_be_in_viewport()
    current = page.locator("#switch [aria-current=true]")
    expect(current).to_have_text(re.compile("^Ana Souza"))
    page.locator("#switch-2").click()
    expect(page.locator("#phone-2 .card")).to_be_in_viewport()
    expect(current).to_have_text(re.compile("^Ben Carter"))
    newest(page.locator("#phone-2")).get_by_role("button", name="Acknowledge").click()
    expect(page.locator("#phone-1 .added")).to_contain_text("Acknowledged by Ben Carter")
    for tab in ("Variables", "Trouble", "Other clients", "Delivery", "Run"):
        open_tab(page, tab)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        small = page.evaluate(
            """[...document.querySelectorAll("button, summary, select, textarea, .tabs a, input:not([type=hidden])")]
            .filter((each) => each.checkVisibility() && !each.matches("[type=checkbox], [type=radio]"))
            .filter((each) => each.getBoundingClientRect().height < 43.9).map((each) => each.outerHTML)"""
        )
        assert small == []


@pytest.mark.parametrize("width", [390, 1280])
def test_long_names_and_values_wrap_and_nothing_sticks_out(desk: Desk, open_page: OpenPage, width: int) -> None:
    for user, name in zip(desk.store.users.values(), ("N" * 120, f"{HOSTILE}{'a' * 80}@example.com"), strict=False):
        user["name"] = name
    page = open_page()
    page.set_viewport_size({"width": width, "height": 900})
    open_tab(page, "Variables")
    values = (json.dumps(WARM, separators=(",", ":")), f"{'a' * 68}@example.com", "/" + "a" * 399)
    for number, value in enumerate(values, 1):
        page.get_by_label(f"New value {number}").fill(value)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    key = page.get_by_label("Key 1", exact=True).bounding_box()
    assert key
    assert key["width"] >= 300
    open_tab(page, "Run")
    ring(page)
    expect(verdict(page)).to_have_text("Nobody lost, nobody told twice")
    for tab in ("Run", "Variables"):
        open_tab(page, tab)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    board = page.locator("#board-scroll")
    assert board.evaluate("each => each.scrollWidth <= each.clientWidth"), "no column is cut off"
    for shown in page.locator("#board tbody a span").all():
        assert shown.evaluate("each => each.scrollWidth <= each.clientWidth"), "no name is cut off"


def test_a_name_is_read_in_its_own_direction(desk: Desk, open_page: OpenPage) -> None:
    next(iter(desk.store.users.values()))["name"] = "مريم عبد الرحمن"
    page = open_page()
    ring(page)
    name = page.locator("#board tbody a span").first
    expect(name).to_have_text("مريم عبد الرحمن")
    expect(name).to_have_css("direction", "rtl")
    expect(page.locator("#whose-1")).to_have_css("direction", "rtl")
    expect(page.locator("#whose-2")).to_have_css("direction", "ltr")


def test_a_push_has_the_icon_of_its_notification(desk: Desk, open_page: OpenPage) -> None:
    user = next(iter(desk.store.users))
    address = f"{desk.sandbox.api}/page/static/bell.svg?own"
    desk.store.notify(
        {"run_user": user, "title": "t", "message": "m", "icon": {"image_url": address, "bg_color": "red"}}
    )
    page = open_page()
    for place in (".push", ".card"):
        icon = page.locator(f"#phone-1 {place} .icon")
        expect(icon).to_have_css("background-color", "rgb(255, 0, 0)")
        expect(icon.locator("img")).to_have_attribute("src", address)


def test_lines_of_the_plot_that_lie_on_each_other_show_through(desk: Desk, open_page: OpenPage) -> None:
    page = open_page()
    ring(page)
    expect(verdict(page)).to_have_text("Nobody lost, nobody told twice")
    for number in (1, 2):
        newest(page.locator(f"#phone-{number}")).locator("summary").first.click()
    newest(page.locator("#phone-1")).get_by_role("button", name="Acknowledge").click()
    open_tab(page, "Delivery")
    dashes = [
        page.locator(f"#figures path.{name}").evaluate("each => getComputedStyle(each).strokeDasharray")
        for name in ("sent", "read", "pressed")
    ]
    assert len(set(dashes)) == 3
    assert dashes[0] == "none"


async def _pause() -> None:
    await asyncio.sleep(1.5)


def test_a_rate_limit_leaves_users_pending_and_the_next_run_tells_them(desk: Desk, open_page: OpenPage) -> None:
    page = open_page()
    open_tab(page, "Trouble")
    trouble = page.locator("#trouble-form")
    trouble.get_by_label("other").first.check()
    trouble.get_by_label("Requests a minute").fill("3")
    trouble.get_by_role("button", name="Apply").click()
    expect(said(page)).to_contain_text("3 a minute")
    set_variable(page, time_budget="10s")
    run_by_hand(page)
    pending = page.locator("#runs tbody tr", has_text="pending")
    expect(pending.first).to_be_visible(timeout=20_000)
    expect(said(page)).to_contain_text("exit code 1")
    assert pending.count() >= 1
    expect(pending.first).to_contain_text("time budget used up")
    expect(verdict(page)).to_contain_text("left to the next run")
    open_tab(page, "Trouble")
    trouble.get_by_label("none").check()
    trouble.get_by_role("button", name="Apply").click()
    expect(said(page)).to_contain_text("no rate limit")
    open_tab(page, "Run")
    run_by_hand(page)
    expect(said(page)).to_contain_text("exit code 0", timeout=30_000)
    inboxes = [len(desk.store.inbox(user["id"])) for user in desk.store.users.values()]
    assert sorted(inboxes) == [0] * 5 + [1] * 7, "nobody lost, nobody told twice"


def test_a_fault_is_watched_and_nobody_is_lost(desk: Desk, open_page: OpenPage) -> None:
    page = open_page()
    open_tab(page, "Trouble")
    trouble = page.locator("#trouble-form")
    trouble.get_by_label("502").check()
    trouble.get_by_label("carries the request out").check()
    trouble.get_by_label("Latency").fill("0.05")
    trouble.get_by_role("button", name="Apply").click()
    expect(said(page)).to_contain_text("502")
    open_tab(page, "Run")
    for rounds in (1, 2):  # the fault strikes in each run anew
        run_by_hand(page)
        expect(said(page)).to_contain_text(f"Run {rounds}: exit code 0")
        expect(page.locator("#console")).to_contain_text("7 had arrived")
        expect(verdict(page)).to_have_text("Nobody lost, nobody told twice")
        assert len(desk.store.notifications) == 7 * rounds


def test_hostile_text_stays_text(desk: Desk, open_page: OpenPage) -> None:
    for user in desk.store.users.values():
        user["name"] = f"{HOSTILE} {user['name']}"
        user["tags"].append({"key": HOSTILE, "value": '"><script>alert(3)</script>'})
    page = open_page()
    dialogs: list[str] = []

    def note_down(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", note_down)
    first = next(iter(desk.store.users))
    desk.store.notify(
        {
            "run_user": first,
            "title": HOSTILE,
            "message": f"</textarea>{HOSTILE}",
            "icon": {"image_url": "javascript:alert(4)", "bg_color": "red;background:url(https://example.com)"},
            "buttons": [
                {"id": "a", "label": HOSTILE, "url": "javascript:alert(5)", "color": 'red" onclick="alert(6)'},
                {"id": '"><b>', "label": "b", "url": "https://example.com/'\"><script>alert(7)</script>"},
                {"id": "..", "label": "c", "analysis": desk.analyses[0]["id"]},
            ],
        }
    )
    set_variable(page, hostile=f"</textarea>{HOSTILE}")
    run_by_hand(page)
    expect(said(page)).to_contain_text("exit code 0")
    card = page.locator("#phone-1 .card").last
    card.locator("> summary").click()
    expect(card.locator(".message")).to_contain_text(HOSTILE)
    card.get_by_text("Details").click()
    expect(card).to_contain_text("javascript:alert(5) is no web address")
    expect(card.get_by_role("button", name=HOSTILE)).to_be_disabled()
    expect(page.locator("#board")).to_contain_text(HOSTILE)
    card.get_by_role("button", name="c", exact=True).click()
    expect(page.locator("#runs")).to_contain_text("..: it counts")
    assert page.locator("script:not([src])").count() == 0
    assert page.locator("img[onerror], [onclick], a[href^=javascript]").count() == 0
    assert dialogs == []


def test_an_action_s_data_point_reaches_the_analysis(desk: Desk, open_page: OpenPage) -> None:
    page = open_page()
    page.get_by_label("Value", exact=True).fill("41.5")
    page.get_by_role("button", name="Run as Action").click()
    expect(page.locator("#runs h3").first).to_contain_text("Action: temperature = 41.5 °C")
    expect(newest(show(page, "Emi Tanaka", 2))).to_contain_text("at 41.5 °C")


def test_errors_of_settings_are_shown_as_the_analysis_prints_them(desk: Desk, open_page: OpenPage) -> None:
    page = open_page()
    set_variable(page, dry_rum="true")
    run_by_hand(page)
    expect(page.locator("#console")).to_contain_text('"dry_rum" is not a variable of this Analysis; is dry_run meant?')
    expect(said(page)).to_contain_text("exit code 1")
    open_tab(page, "Variables")
    page.get_by_label("Key 4").fill("dry_run")
    page.locator("#variables-form").get_by_role("button", name="Save").click()
    expect(page.get_by_label("Value of dry_run")).to_have_value("true")
    open_tab(page, "Run")
    run_by_hand(page)
    expect(page.locator("#console")).to_contain_text("8 users match; 7 would be told")
    expect(verdict(page)).to_have_text("Nobody was told: dry run")
    assert desk.store.notifications == {}


def test_it_runs_the_file_on_the_disk(desk: Desk, open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page()
    run_by_hand(page)
    expect(page.locator("#phone-1")).to_contain_text(TEST)
    script = tmp_path / "analysis.py"
    script.write_text(script.read_text().replace(f'title="{TEST}"', 'title="Door open"'))
    run_by_hand(page)
    expect(page.locator("#phone-1")).to_contain_text("Door open")


def test_a_schedule_runs_again_and_again_until_it_is_stopped(desk: Desk, open_page: OpenPage) -> None:
    page = open_page()
    page.locator("#schedule").get_by_label("Every").fill("1")
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.locator("#runs-list li")).to_have_count(3)
    expect(page.locator("#runs-list li").first).to_contain_text("on schedule")
    page.get_by_role("button", name="Stop schedule").click()
    expect(page.locator("#schedule-state")).to_have_text("off")
    desk.sandbox.call(desk.sandbox.runner.settled())
    count = len(desk.sandbox.runner.runs)
    desk.sandbox.call(_pause())
    assert len(desk.sandbox.runner.runs) == count


def test_many_windows_stay_up_to_date(desk: Desk, browser: Browser) -> None:
    """A browser keeps six connections to a server: the windows share one stream."""
    window = browser.new_context()
    pages = [window.new_page() for _ in range(8)]
    for page in pages:
        page.goto(desk.address)
    run_by_hand(pages[0])
    for page in pages:
        expect(said(page)).to_contain_text("exit code 0")
    pages[0].close()
    pages[1].wait_for_timeout(500)
    run_by_hand(pages[1])
    expect(said(pages[7])).to_contain_text("Run 2: exit code 0")
    window.close()


def test_scrolling_focus_and_what_was_typed_survive_the_news(desk: Desk, open_page: OpenPage) -> None:
    user = next(iter(desk.store.users))
    for number in range(30):
        desk.store.notify({"run_user": user, "title": f"T{number}", "message": "m"})
    page = open_page()
    phone = page.locator("#list-1")
    phone.evaluate("each => each.scrollTop = 900")
    open_tab(page, "Variables")
    page.get_by_label("New key 1").fill("half")
    page.get_by_label("New key 1").focus()
    desk.store.notify({"run_user": user, "title": "Newest", "message": "m"})
    post(desk, "/page/clock", {"minutes": "5"})
    expect(phone).to_contain_text("Newest")
    assert phone.evaluate("each => each.scrollTop") >= 900
    expect(page.get_by_label("New key 1")).to_have_value("half")
    expect(page.get_by_label("New key 1")).to_be_focused()
    card = phone.locator(".card", has=page.locator(".title", has_text=re.compile("^T5")))
    card.locator("> summary").focus()
    page.keyboard.press("Enter")
    expect(card.locator(".dot")).to_have_count(0)
    expect(card.locator(".message")).to_be_visible()
    expect(card.locator("> summary")).to_be_focused()


def test_the_console_follows_its_end_and_a_run_can_be_stopped(desk: Desk, open_page: OpenPage, tmp_path: Path) -> None:
    lines = "import time\nfor n in range(600):\n    print('line', n, flush=True)\n    time.sleep(.03)"
    (tmp_path / "analysis.py").write_text(lines)
    page = open_page()
    run_by_hand(page)
    console = page.locator("#console")
    expect(console).to_contain_text("line 60")
    assert console.evaluate("each => each.scrollHeight - each.scrollTop - each.clientHeight") < 30
    place = console.evaluate("each => each.offsetTop")
    page.get_by_role("button", name="Stop this run").click()
    expect(said(page)).to_contain_text("Run 1: stopped")
    expect(page.locator("#stop-run")).to_have_count(0)
    assert console.evaluate("each => each.offsetTop") == place, "nothing has jumped meanwhile"


def test_beside_the_button_of_a_run_that_failed_nothing_is_green(desk: Desk, open_page: OpenPage) -> None:
    page = open_page()
    set_variable(page, notification="{")
    ring(page)
    fault, answer = page.locator("#fault-ring"), page.locator("#answer-ring")
    expect(fault).to_contain_text("Nobody was notified: ")
    expect(answer).to_be_hidden()
    open_tab(page, "Variables")
    fault.get_by_role("link", name="Console").click()
    expect(page.locator("#console")).to_be_focused()
    open_tab(page, "Variables")
    page.get_by_label("Value of notification").fill(json.dumps(WARM))
    page.locator("#variables-form").get_by_role("button", name="Save").click()
    expect(page.locator("#unsaved")).to_be_hidden()
    ring(page)
    expect(verdict(page)).to_have_text("Nobody lost, nobody told twice")
    expect(fault).to_be_empty()
    expect(answer).to_be_visible()


def test_without_a_temperature_there_is_nothing_to_press(open_page: OpenPage) -> None:
    page = open_page()
    page.locator("#degrees").fill("")
    expect(page.locator("#ring")).to_be_disabled()
    expect(page.locator("#ring")).to_have_text("Refrigerator 7 is at 38 °C")
    page.locator("#degrees").fill("0")
    expect(page.locator("#ring")).to_have_text("Refrigerator 7 is at 0 °C")


def test_what_is_wrong_stays_until_it_is_mended(desk: Desk, open_page: OpenPage) -> None:
    page, other = open_page(), open_page()
    open_tab(page, "Variables")
    wrong = page.locator("#variables-form .answer")
    set_variable(other, cooldown="5m")
    expect(page.get_by_label("Value of cooldown")).to_have_value("5m")
    page.get_by_label("New key 1").fill("mine")
    set_variable(other, quiet_hours="22:00-07:00")
    page.locator("#variables-form").get_by_role("button", name="Save").click()
    expect(wrong).to_contain_text("were changed elsewhere meanwhile")
    post(desk, "/page/clock", {"minutes": "5"})
    page.wait_for_timeout(500)
    expect(wrong).to_contain_text("There quiet_hours is 22:00-07:00, is no mine")
    ring(other)
    expect(verdict(page)).to_have_text("Nobody lost, nobody told twice")
    expect(wrong).to_contain_text("were changed elsewhere meanwhile")
    expect(page.get_by_label("New key 1")).to_have_value("mine")
    page.locator("#variables-form").get_by_role("button", name="Save").click()
    expect(wrong).to_contain_text("Saved 5 variables")
    assert [each["key"] for each in desk.variables][-2:] == ["cooldown", "mine"]


def test_a_restarted_sandbox_asks_for_its_new_key_and_is_loaded_anew(browser: Browser) -> None:
    with serving("--fault", "502", "--latency", "0.2") as (_, given, address):
        port = given["TAGOIO_API"].rsplit(":", 1)[1]
        window = browser.new_context()
        page = window.new_page()
        page.goto(f"{address}&tab=trouble")
        expect(page.get_by_label("502")).to_be_checked()
        expect(page.locator("#badges")).to_contain_text("Trouble is on")
        expect(page.locator("#presets [aria-pressed=true]")).to_have_count(0)
    expect(said(page)).to_contain_text("does not answer")
    with serving("--port", port) as (_, _, address):
        expect(said(page)).to_have_text(CLOSED)
        with page.expect_event("load", timeout=25_000):
            window.new_page().goto(address)
        expect(page.get_by_label("502")).not_to_be_checked()
        expect(page.locator("#badges")).to_have_text("")
        expect(page.locator("#presets [aria-pressed=true]")).to_have_text("All is well")
        ring(page)
        expect(said(page)).to_contain_text("exit code 0")
        window.close()


def test_a_link_that_is_opened_counts_as_a_press_and_says_truly_where_it_leads(desk: Desk, open_page: OpenPage) -> None:
    user = next(iter(desk.store.users))
    buttons = [
        {"id": "a", "label": "Liar", "url": "https://evil.example\\@admin.tago.io/x"},
        {"id": "b", "label": "Here", "url": f"{desk.sandbox.api}/page/static/bell.svg"},
    ]
    note = {
        "run_user": user,
        "title": "t",
        "message": "m",
        "buttons": buttons,
        "buttons_autodisable": True,
        "read": True,
    }
    desk.store.notify(note)
    page = open_page()
    card = page.locator("#phone-1 .card")
    card.get_by_text("Details").click()
    expect(card.get_by_role("button", name="Liar")).to_be_disabled()
    expect(card).to_contain_text("is no web address")
    here = card.get_by_role("link", name="Here")
    expect(here).to_have_attribute("href", str(buttons[1]["url"]))
    with page.expect_popup():
        here.click()
    expect(card.get_by_role("button", name="Here")).to_be_disabled()
    open_tab(page, "Delivery")
    expect(page.locator("#figures div.pressed dd")).to_have_text("1")


@pytest.mark.parametrize("width", [1280, 390])
def test_a_button_to_a_page_of_tagoio_shows_in_the_phone_where_it_leads(
    desk: Desk, open_page: OpenPage, width: int
) -> None:
    user = next(iter(desk.store.users))
    buttons = [
        {"id": "a", "label": "Open dashboard", "url": "/dashboards/info/5b16b4c86ba351000105badc", "color": "green"},
        {"id": "b", "label": "Acknowledge", "analysis": desk.analyses[0]["id"]},
    ]
    note = {"run_user": user, "title": "t", "message": "m", "buttons": buttons, "buttons_autodisable": True}
    desk.store.notify({**note, "read": True})
    page = open_page()
    page.set_viewport_size({"width": width, "height": 844})
    phone = page.locator("#phone-1")
    button, screen = phone.locator(".opens > summary"), phone.locator(".screen")
    expect(button).to_have_text("Open dashboard", use_inner_text=True)
    button.click()
    expect(screen).to_contain_text("https://admin.tago.io/dashboards/info/5b16b4c86ba351000105badc")
    expect(button).to_have_text("‹ Back", use_inner_text=True)
    acknowledge = phone.locator("button.button")
    expect(acknowledge).to_be_hidden()
    expect(acknowledge).to_be_disabled()  # as TagoIO does after any press of one with buttons_autodisable
    expect(screen).to_be_visible()
    assert len(page.context.pages) == 1, "nothing has left the page"
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    inner, outer = screen.bounding_box(), phone.locator(".bezel").bounding_box()
    assert inner is not None
    assert outer is not None
    assert outer["x"] <= inner["x"] <= inner["x"] + inner["width"] <= outer["x"] + outer["width"]
    assert outer["y"] <= inner["y"] <= inner["y"] + inner["height"] <= outer["y"] + outer["height"]
    button.focus()
    page.keyboard.press("Enter")
    expect(screen).to_be_hidden()
    expect(acknowledge).to_be_visible()
    open_tab(page, "Delivery")
    expect(page.locator("#figures div.pressed dd")).to_have_text("1")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_the_keyboard_is_enough(desk: Desk, open_page: OpenPage) -> None:
    page = open_page()

    def tab_to(element: Locator) -> None:
        for _ in range(60):
            page.keyboard.press("Tab")
            if element.evaluate("each => each === document.activeElement"):
                return
        raise AssertionError("not reached by Tab")

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the phones")).to_be_focused()
    tab_to(page.locator("#degrees"))
    page.keyboard.press("Enter")  # the big button's form
    acknowledge = newest(page.locator("#phone-2")).get_by_role("button", name="Acknowledge")
    expect(acknowledge).to_be_enabled()
    tab_to(acknowledge)
    page.keyboard.press("Enter")
    expect(page.locator("#phone-1 .added")).to_contain_text("Acknowledged by Ben Carter")
    assert page.evaluate("document.activeElement !== document.body"), "the focus is not lost"
    tab_to(page.locator("#tab-trouble"))
    page.keyboard.press("Enter")
    expect(page.locator("#trouble")).to_be_visible()
    expect(page.locator("#running")).to_be_hidden()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 390), ("dark", 390)])
def test_a_screen_reader_finds_its_way_and_nothing_sticks_out(
    desk: Desk, open_page: OpenPage, scheme: str, width: int
) -> None:
    page = open_page()
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.set_viewport_size({"width": width, "height": 900})

    def check() -> None:
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        assert page.evaluate("document.documentElement.scrollWidth") <= width

    check()
    ring(page)
    expect(said(page)).to_contain_text("exit code 0")
    check()
    newest(page.locator("#phone-1")).get_by_role("button", name="Acknowledge").click()
    expect(page.locator("#phone-1 .added")).to_be_visible()
    for tab in ("Variables", "Trouble", "Other clients", "Delivery"):
        open_tab(page, tab)
        if tab == "Trouble":
            page.locator("#open-questions-title").click()
        check()


def test_the_page_shows_the_step_of_an_escalation_and_the_channel_of_a_fallback(
    desk: Desk,
    open_page: OpenPage,
    mailbox: Mailbox,  # noqa: F811
) -> None:
    (emi,) = [user for user in desk.store.users.values() if user["name"] == "Emi Tanaka"]
    rule = {"effect": "deny", "action": ["create_notification"], "resource": ["run_user", "id", emi["id"]]}
    desk.store.policies["seeded"]["permissions"].append(rule)
    alarm = {
        "title": "Alarm",
        "message": "m",
        "when": {"variable": "temperature", "is": ">", "value": 8},
        "buttons": [{"id": "ack", "label": "Acknowledge", "analysis": "this"}],
        "escalate": [{"after": "15m", "to": "role=manager"}],
    }
    page = open_page()
    set_variable(page, notification=json.dumps(alarm), fallback=mailbox.address())
    page.get_by_role("button", name="Run as Action").click()
    expect(said(page)).to_contain_text("6 sent, 1 fallback, 1 skipped")
    expect(page.locator("#runs tbody")).to_contain_text("fallback by mailtoEmi Tanaka")
    expect(page.locator("#board tbody tr", has_text="Emi Tanaka")).to_contain_text("told by mailto")
    assert [to for to, _ in mailbox.mails] == ["emi@example.com"]
    open_tab(page, "Trouble")
    page.get_by_role("button", name="Move on").click()
    expect(page.locator("#clock")).to_contain_text("15 min ahead")
    page.get_by_role("button", name="Move on").click()
    expect(page.locator("#clock")).to_contain_text("30 min ahead")
    open_tab(page, "Run")
    run_by_hand(page)
    expect(page.locator("#console")).to_contain_text("goes on to role=manager (1 users)")
    card = newest(show(page, "Jon O'Neil", 2))
    expect(card).to_contain_text("No answer for 15 min")
    card.get_by_text("Details").click()
    expect(card).to_contain_text("step 1 of the escalation")
    card.get_by_role("button", name="Acknowledge").click()
    expect(newest(page.locator("#phone-1"))).to_contain_text("Acknowledge: Jon O'Neil")


@pytest.mark.parametrize("width", [1280, 1024, 800, 390])
def test_no_badge_moves_the_red_button(desk: Desk, open_page: OpenPage, width: int) -> None:
    page = open_page()
    page.set_viewport_size({"width": width, "height": 900})

    def place() -> list[int]:
        box = page.locator("#ring").bounding_box()
        assert box is not None
        return [round(box[side]) for side in ("x", "y", "width", "height")]

    before = place()
    page.get_by_role("button", name="502").click()
    expect(page.locator("#badges .badge")).to_have_count(1)
    places = [place()]
    for waiting in ("unsaved", "unapplied"):
        page.locator(f"#{waiting}").evaluate("each => each.hidden = false")
        places.append(place())
    page.goto(f"{desk.sandbox.api}/?analysis={desk.analyses[1]['id']}")
    expect(page.locator("#badges .badge")).to_have_count(2)
    places.append(place())
    assert places == [before] * 4
