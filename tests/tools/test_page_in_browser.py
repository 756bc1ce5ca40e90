"""The sandbox's page as a developer uses it: Chromium, the served sandbox, the Analysis in a process of its own."""

import asyncio
import json
import re
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Dialog, Locator, Page, expect

from lib.tools.sandbox.page.desk import Desk
from tests.test_fallback import Mailbox, mailbox  # noqa: F401  # a fixture
from tests.tools.test_page import post, serving

OpenPage = Callable[[], Page]
ALARM = "Refrigerator alarm"
HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>"


def run_by_hand(page: Page) -> None:
    page.get_by_role("button", name="Run", exact=True).click()


def said(page: Page) -> Locator:
    return page.get_by_role("status")


def open_inbox(page: Page, name: str) -> Locator:
    page.locator("#users").get_by_role("link", name=name).click()
    inbox = page.locator("#inbox")
    expect(inbox.get_by_role("heading", level=2)).to_contain_text(name)
    return inbox


def open_newest(inbox: Locator) -> Locator:
    inbox.get_by_role("button", name="Open").first.click()
    card = inbox.locator("article").first
    expect(card.locator("h3 .dot")).to_have_count(0)
    return card


def set_variable(page: Page, **variables: str) -> None:
    form = page.locator("#variables-form")
    for name, value in variables.items():
        form.locator("input[placeholder=key]").first.fill(name)
        form.locator("textarea[placeholder=value]").first.fill(value)
        form.get_by_role("button", name="Save").click()
        expect(form.get_by_label(f"Value of {name}")).to_have_value(value)


def test_the_whole_circle(desk: Desk, open_page: OpenPage) -> None:
    """Run, see who has it, open an inbox, acknowledge, and see it close for another user in another window."""
    page, other = open_page(), open_page()
    expect(page.locator("#inbox")).to_contain_text("No notifications yet")
    run_by_hand(page)
    expect(said(page)).to_contain_text("Run 1: exit code 0, 7 sent, 1 skipped")
    expect(page.locator("#console")).to_contain_text("Notified 7 of 8 users")
    expect(page.locator("#runs tbody tr")).to_have_count(8)
    expect(page.locator("#runs tbody tr").last).to_contain_text("skippedGrace Liminactive user")
    expect(page.locator("#runs")).to_contain_text(f"{desk.sandbox.runner.runs[-1].seconds_billed} s billed")

    bens = open_newest(open_inbox(other, "Ben Carter"))
    expect(bens.get_by_role("button", name="Acknowledge")).to_be_enabled()

    anas_row = page.locator("#users").get_by_role("link", name="Ana Souza")
    expect(anas_row.locator(".unread")).to_have_text(", unread: 1")
    anas = open_newest(open_inbox(page, "Ana Souza"))
    expect(anas_row.locator(".unread")).to_have_count(0)
    expect(anas).to_contain_text("Ana Souza, the refrigerator is at 9 °C")
    expect(anas).to_contain_text("opens help.tago.io")
    expect(anas).to_contain_text("opens the TagoIO page /dashboards/info/")
    expect(anas.get_by_role("link", name="Call service")).to_have_attribute("href", "https://example.com/service")

    anas.get_by_role("button", name="Acknowledge").click()
    expect(anas.get_by_role("button", name="Acknowledge")).to_be_disabled()
    expect(anas).to_contain_text(re.compile(r"Acknowledged by Ana Souza, \d\d:\d\d"))
    expect(page.locator("#runs h3").first).to_contain_text("Ana Souza pressed Acknowledge")
    expect(bens.get_by_role("button", name="Acknowledge")).to_be_disabled()
    expect(bens.get_by_role("button", name="Call service")).to_be_disabled()
    expect(bens).to_contain_text("Acknowledged by Ana Souza")
    for figure, value in {"sent": "7", "read": "2", "pressed": "1", "held": "0", "failed": "0"}.items():
        expect(page.locator(f"#figures div.{figure} dd")).to_have_text(value)
    expect(page.locator("#figures svg path.sent")).to_have_count(1)


async def _pause() -> None:
    await asyncio.sleep(1.5)


def test_a_rate_limit_leaves_users_pending_and_the_next_run_tells_them(desk: Desk, open_page: OpenPage) -> None:
    page = open_page()
    trouble = page.locator("#trouble-form")
    trouble.get_by_label("other").first.check()
    trouble.get_by_label("Requests a minute").fill("3")
    trouble.get_by_role("button", name="Apply").click()
    expect(said(page)).to_contain_text("3 a minute")
    set_variable(page, time_budget="10s")
    run_by_hand(page)
    pending = page.locator("#runs tbody tr", has_text="pending")
    expect(pending.first).to_be_visible(timeout=20_000)
    expect(said(page)).to_contain_text("exit code 1", timeout=20_000)
    assert pending.count() >= 1
    expect(pending.first).to_contain_text("time budget used up")
    expect(page.locator("#users .status.pending")).to_have_count(pending.count())
    trouble.get_by_label("none").check()
    trouble.get_by_role("button", name="Apply").click()
    expect(said(page)).to_contain_text("no rate limit")
    run_by_hand(page)
    expect(page.locator("#users .status.pending")).to_have_count(0, timeout=30_000)
    inboxes = [len(desk.store.inbox(user["id"])) for user in desk.store.users.values()]
    assert sorted(inboxes) == [0] * 5 + [1] * 7, "nobody lost, nobody told twice"


def test_a_fault_is_watched_and_nobody_is_lost(desk: Desk, open_page: OpenPage) -> None:
    page = open_page()
    trouble = page.locator("#trouble-form")
    trouble.get_by_label("502").check()
    trouble.get_by_label("carries the request out").check()
    trouble.get_by_label("Latency").fill("0.05")
    trouble.get_by_role("button", name="Apply").click()
    expect(said(page)).to_contain_text("502")
    for rounds in (1, 2):  # the fault strikes in each run anew
        run_by_hand(page)
        expect(page.locator("#console")).to_contain_text("7 had arrived", timeout=20_000)
        expect(page.locator("#figures div.sent dd")).to_have_text(str(7 * rounds))


def test_hostile_text_stays_text(desk: Desk, open_page: OpenPage) -> None:
    for user in desk.store.users.values():
        user["name"] = f"{HOSTILE} {user['name']}"
        user["tags"].append({"key": HOSTILE, "value": '"><script>alert(3)</script>'})
    page = open_page()
    dialogs: list[str] = []

    def note_it(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", note_it)
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
    card = page.locator("#inbox article").last
    card.get_by_role("button", name="Open").click()
    expect(card).to_contain_text(HOSTILE)
    expect(card).to_contain_text("javascript:alert(5) is no web address")
    expect(card.get_by_role("button", name=HOSTILE)).to_be_disabled()
    expect(page.locator("#users")).to_contain_text(HOSTILE)
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
    expect(open_newest(open_inbox(page, "Emi Tanaka"))).to_contain_text("at 41.5 °C")


def test_errors_of_settings_are_shown_as_the_analysis_prints_them(desk: Desk, open_page: OpenPage) -> None:
    page = open_page()
    set_variable(page, dry_rum="true")
    run_by_hand(page)
    expect(page.locator("#console")).to_contain_text('"dry_rum" is not a variable of this Analysis; is dry_run meant?')
    expect(said(page)).to_contain_text("exit code 1")
    page.get_by_label("Key 4").fill("dry_run")
    page.locator("#variables-form").get_by_role("button", name="Save").click()
    expect(page.get_by_label("Value of dry_run")).to_have_value("true")
    run_by_hand(page)
    expect(page.locator("#console")).to_contain_text("8 users match; 7 would be told")
    assert desk.store.notifications == {}


def test_it_runs_the_file_on_the_disk(desk: Desk, open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page()
    run_by_hand(page)
    expect(page.locator("#inbox")).to_contain_text(ALARM)
    script = tmp_path / "analysis.py"
    script.write_text(script.read_text().replace(f'title="{ALARM}"', 'title="Door open"'))
    run_by_hand(page)
    expect(page.locator("#inbox")).to_contain_text("Door open")


def test_a_schedule_runs_again_and_again_until_it_is_stopped(desk: Desk, open_page: OpenPage) -> None:
    page = open_page()
    page.get_by_label("Every", exact=True).fill("1")
    page.get_by_role("button", name="Start").click()
    expect(page.locator("#runs li")).to_have_count(3, timeout=15_000)
    expect(page.locator("#runs li").first).to_contain_text("on schedule")
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
        page.goto(desk.sandbox.api)
    run_by_hand(pages[0])
    for page in pages:
        expect(said(page)).to_contain_text("exit code 0", timeout=10_000)
    pages[0].close()
    pages[1].wait_for_timeout(500)
    run_by_hand(pages[1])
    expect(said(pages[7])).to_contain_text("Run 2: exit code 0", timeout=10_000)
    window.close()


def test_scrolling_focus_and_what_was_typed_survive_the_news(desk: Desk, open_page: OpenPage) -> None:
    user = next(iter(desk.store.users))
    for number in range(30):
        desk.store.notify({"run_user": user, "title": f"T{number}", "message": "m"})
    page = open_page()
    phone = page.locator("#phone")
    phone.evaluate("each => each.scrollTop = 900")
    page.get_by_label("New key 1").fill("half")
    page.get_by_label("New key 1").focus()
    post(desk, "/page/clock", {"minutes": "5"})
    desk.store.notify({"run_user": user, "title": "Newest", "message": "m"})
    post(desk, "/page/clock", {"minutes": "5"})
    expect(phone).to_contain_text("Newest")
    assert phone.evaluate("each => each.scrollTop") >= 900
    expect(page.get_by_label("New key 1")).to_have_value("half")
    expect(page.get_by_label("New key 1")).to_be_focused()
    page.get_by_role("button", name="Open T5", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Open T5", exact=True)).to_have_count(0)
    assert page.evaluate("document.activeElement.closest('article').getAttribute('aria-label')") == "T5"


def test_the_console_follows_its_end_and_a_run_can_be_stopped(desk: Desk, open_page: OpenPage, tmp_path: Path) -> None:
    lines = "import time\nfor n in range(600):\n    print('line', n, flush=True)\n    time.sleep(.03)"
    (tmp_path / "analysis.py").write_text(lines)
    page = open_page()
    run_by_hand(page)
    console = page.locator("#console")
    expect(console).to_contain_text("line 60", timeout=10_000)
    assert console.evaluate("each => each.scrollHeight - each.scrollTop - each.clientHeight") < 30
    page.get_by_role("button", name="Stop this run").click()
    expect(said(page)).to_contain_text("exit code -9")


def test_what_is_wrong_stays_until_it_is_mended(desk: Desk, open_page: OpenPage) -> None:
    page, other = open_page(), open_page()
    wrong = page.get_by_role("alert")
    set_variable(other, cooldown="5m")
    expect(page.get_by_label("Value of cooldown")).to_have_value("5m")
    page.get_by_label("New key 1").fill("mine")
    set_variable(other, quiet_hours="22:00-07:00")
    page.locator("#variables-form").get_by_role("button", name="Save").click()
    expect(wrong).to_contain_text("were changed elsewhere meanwhile")
    post(desk, "/page/clock", {"minutes": "5"})
    page.wait_for_timeout(500)
    expect(wrong).to_contain_text("were changed elsewhere meanwhile")
    expect(page.get_by_label("New key 1")).to_have_value("mine")
    run_by_hand(page)
    expect(wrong).to_have_text("")
    page.context.clear_cookies()


def test_a_restarted_sandbox_is_loaded_anew(open_page: OpenPage, browser: Browser) -> None:
    with serving("--fault", "502") as (_, given, address):
        port = given["TAGOIO_API"].rsplit(":", 1)[1]
        window = browser.new_context()
        page = window.new_page()
        page.goto(address)
        expect(page.get_by_label("502")).to_be_checked()
    expect(page.get_by_role("status")).to_contain_text("does not answer", timeout=10_000)
    with ExitStack() as restarted:
        with page.expect_event("load", timeout=25_000):
            restarted.enter_context(serving("--port", port))
        expect(page.get_by_label("502")).not_to_be_checked()
        run_by_hand(page)
        expect(said(page)).to_contain_text("exit code 0", timeout=10_000)
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
    card = page.locator("#inbox article")
    expect(card.get_by_role("button", name="Liar")).to_be_disabled()
    expect(card).to_contain_text("is no web address")
    with page.expect_popup():
        card.get_by_role("link", name="Here").click()
    expect(card.get_by_role("button", name="Here")).to_be_disabled()
    expect(page.locator("#figures div.pressed dd")).to_have_text("1")


def test_the_keyboard_is_enough(desk: Desk, open_page: OpenPage) -> None:
    page = open_page()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the inbox")).to_be_focused()
    page.get_by_role("button", name="Run", exact=True).focus()
    page.keyboard.press("Enter")
    expect(said(page)).to_contain_text("exit code 0")
    page.locator("#users").get_by_role("link", name="Chloé Martin").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#inbox")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name=f"Open {ALARM}")).to_be_focused()
    page.keyboard.press("Enter")
    acknowledge = page.get_by_role("button", name="Acknowledge")
    acknowledge.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#inbox")).to_contain_text("Acknowledged by Chloé Martin")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1500), ("dark", 1500), ("light", 360)])
def test_a_screen_reader_finds_its_way_and_nothing_sticks_out(
    desk: Desk, open_page: OpenPage, scheme: str, width: int
) -> None:
    page = open_page()
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.set_viewport_size({"width": width, "height": 900})
    run_by_hand(page)
    expect(said(page)).to_contain_text("exit code 0")
    open_newest(open_inbox(page, "Ana Souza"))
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


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
    expect(said(page)).to_contain_text("6 sent, 1 fallback, 1 skipped", timeout=15_000)
    expect(page.locator("#runs tbody")).to_contain_text("fallback by mailtoEmi Tanaka")
    expect(page.locator("#users").get_by_role("link", name="Emi Tanaka")).to_contain_text("fallback · mailto")
    expect(page.locator("#figures div.fallback dd")).to_have_text("1")
    assert [to for to, _ in mailbox.mails] == ["emi@example.com"]
    page.get_by_role("button", name="Move on").click()
    expect(page.locator("#clock")).to_contain_text("15 min ahead")
    page.get_by_role("button", name="Move on").click()
    expect(page.locator("#clock")).to_contain_text("30 min ahead")
    run_by_hand(page)
    expect(page.locator("#console")).to_contain_text("goes on to role=manager (1 users)")
    expect(page.locator("#users").get_by_role("link", name="Jon O'Neil")).to_contain_text("sent · step 1")
    card = open_newest(open_inbox(page, "Jon O'Neil"))
    expect(card).to_contain_text("step 1 of the escalation")
    expect(card).to_contain_text("No answer for 15 min")
    card.get_by_role("button", name="Acknowledge").click()
    anas = open_inbox(page, "Ana Souza").locator("article").first
    expect(anas).to_contain_text("Acknowledge: Jon O'Neil", timeout=10_000)
