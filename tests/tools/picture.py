"""`python -m tests.tools.picture FILE`: the picture of the page in the README, taken of the real page in
Chromium."""

import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from lib.tools.sandbox.page.routes import add_page
from lib.tools.sandbox.seed import seed_users
from lib.tools.sandbox.serve import set_up
from lib.tools.sandbox.server import Sandbox
from tests.tools.browser import launched

ANALYSIS = Path(__file__).resolve().parents[2] / "analysis.py"


def acknowledged(page: Page) -> None:
    """Both phones ring; the first user acknowledges; the other phone has closed, and the push has gone."""
    page.locator("#ring").click()
    page.locator("#phone-1").get_by_role("button", name="Acknowledge").click(timeout=20_000)
    page.locator("#phone-2 .added").wait_for(timeout=20_000)
    page.locator("#board .verdict.good").wait_for(timeout=20_000)
    page.wait_for_timeout(7000)
    page.evaluate("scrollTo(0, 0)")  # the press may have moved it


def take(file: Path) -> None:
    sandbox = Sandbox()
    seed_users(sandbox.store)
    desk = set_up(sandbox, ANALYSIS, {})
    with sandbox.running(extend=lambda app: add_page(app, desk)), sync_playwright() as playwright:
        browser = launched(playwright)
        page = browser.new_page(viewport={"width": 1280, "height": 880}, color_scheme="light")
        page.goto(desk.address)
        acknowledged(page)
        page.screenshot(path=file)
        browser.close()
        sandbox.call(desk.end())


if __name__ == "__main__":
    take(Path(sys.argv[1]))
