"""The sandbox with its page, in this process, and a browser to look at it."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from lib.tools.sandbox.page.desk import Desk
from lib.tools.sandbox.page.routes import add_page
from lib.tools.sandbox.seed import seed_users
from lib.tools.sandbox.serve import set_up
from lib.tools.sandbox.server import Sandbox
from tests.conftest import ROOT
from tests.tools.browser import CHROMIUM, launched

PATIENCE = 20_000  # milliseconds for whatever a run brings about: on a busy machine it takes seconds to begin
REFUSED = "status of 400"  # Chromium's own remark on a form that the sandbox refuses


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A served sandbox with the dozen users, running a copy of analysis.py that may be changed."""
    script = tmp_path / "analysis.py"
    shutil.copy(ROOT / "analysis.py", script)
    (tmp_path / "lib").symlink_to(ROOT / "lib")
    sandbox = Sandbox()
    seed_users(sandbox.store)
    desk = set_up(sandbox, script, {})
    with sandbox.running(extend=lambda app: add_page(app, desk)):
        yield desk
        sandbox.call(desk.end())


@pytest.fixture
def bare(peopled: Sandbox) -> Sandbox:
    """Users, and nothing installed."""
    peopled.store.analyses.clear()
    peopled.store.policies.clear()
    return peopled


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("CI needs Chromium")
        pytest.skip("Chromium is not on this machine")
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = launched(playwright)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser, desk: Desk) -> Iterator[Callable[[], Page]]:
    """Opens the page in a window of its own; whatever its console says is an error, and so is any request elsewhere."""
    said: list[str] = []
    windows = []

    def open_one() -> Page:
        window = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
        windows.append(window)
        page = window.new_page()
        page.on("console", lambda message: None if REFUSED in message.text else said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: None if desk.sandbox.api in request.url else said.append(request.url))
        page.goto(desk.address)
        return page

    yield open_one
    for window in windows:
        window.close()
    assert said == []
