"""What the README and docs/ show to be pasted works, and what they point to is there."""

import json
import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest

from lib.message.notification import Button, Notification
from lib.message.trigger import Trigger
from lib.message.user import User
from lib.presses.verify import Press
from lib.tools.sandbox.server import Sandbox
from tests.conftest import ROOT, Ran

Run = Callable[..., Ran]
README = (ROOT / "README.md").read_text()
DOCS = {path: path.read_text() for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]}
EXAMPLES = DOCS[ROOT / "docs" / "notification.md"].split("## Three examples")[1]
INFORM, ALERT, APPROVAL = re.findall(r"```json\n(.*?)```", EXAMPLES, re.DOTALL)


def scope(sandbox: Sandbox, temperature: float) -> str:
    device, _ = sandbox.store.add_device({"name": "Fridge 7"})
    point = {"variable": "temperature", "value": temperature, "unit": "°C", "time": "2026-03-01T22:30:00Z"}
    return json.dumps([{**point, "device": device["id"]}])


def test_the_example_that_informs(peopled: Sandbox, run_inside: Run) -> None:
    assert run_inside(notification=INFORM).code == 0
    titles = [note["title"] for note in peopled.store.notifications.values()]
    assert sorted(set(titles)) == ["Maintenance complete", "Manutenção concluída"]


def test_the_example_that_alerts(peopled: Sandbox, run_inside: Run) -> None:
    assert run_inside(scope(peopled, 36), notification=ALERT).code == 0
    critical = list(peopled.store.notifications.values())
    assert {note["title"] for note in critical} == {"CRITICAL: Fridge 7 at 36 °C"}
    assert all(note["buttons"][0]["analysis"] in peopled.store.analyses for note in critical)
    assert run_inside(scope(peopled, 32), notification=ALERT).code == 0
    assert {note["title"] for note in peopled.store.notifications.values()} >= {"Fridge 7 is getting warm"}
    ran = run_inside(scope(peopled, 5), notification=ALERT)
    assert "no condition (when) of the notification holds" in ran.out
    assert len(peopled.store.notifications) == 14


def test_the_example_that_asks_for_approval(peopled: Sandbox, run_inside: Run) -> None:
    assert run_inside(notification=APPROVAL).code == 0
    note = next(iter(peopled.store.notifications.values()))
    assert [button["label"] for button in note["buttons"]] == ["Approve", "Reject"]
    assert note["buttons_autodisable"] is False


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_the_files_that_are_named_exist(path: Path) -> None:
    text = DOCS[path]
    for name in re.findall(r"`((?:lib|tests)/[\w/.]+|[\w.]+\.(?:txt|example))`", text):
        assert (ROOT / name).exists(), name
    for name in re.findall(r"-m ((?:lib|tests)\.[\w.]+)", text):
        module = ROOT / name.replace(".", "/")
        assert module.with_suffix(".py").exists() or (module / "__main__.py").exists(), name


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_the_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]*#?[^)]*)\)", DOCS[path]):
        name, _, heading = target.partition("#")
        if name.startswith("https://"):
            continue
        there = path.parent / name
        assert there.exists(), target
        if heading:
            headings = re.findall(r"^#+ (.+)$", there.read_text(), re.MULTILINE)
            assert heading in [re.sub(r"[^\w -]", "", each).lower().replace(" ", "-") for each in headings], target


def test_the_readme_is_short_and_says_first_what_was_not_tried() -> None:
    lines = README.splitlines()
    assert len(lines) <= 130
    assert any("Nothing was tried against the live TagoIO service yet" in line for line in lines[:15])


def test_the_tables_name_every_part_of_a_notification_and_nothing_else() -> None:
    table = README.split("| `Notification(…)` |")[1].split("\n## ")[0]
    named = {name for line in table.splitlines() for name in re.findall(r"`(\w+)`", line.split(" | ")[0])}
    parts = {field.name for field in [*fields(Notification), *fields(Button)]}
    assert parts - named == {"buttons_enabled"}  # of use only for a copy that is born closed
    assert named <= parts


def test_the_tables_name_what_there_is_in_compose_and_decide() -> None:
    shown = README.split("| in `compose` |")[1].split("| `Notification(…)` |")[0]
    for kind, known in (("trigger", Trigger), ("user", User), ("press", Press)):
        for line in shown.splitlines():
            first = line.split(" | ")[0]
            if f"`{kind}." in first:
                for name in re.findall(r"\.(\w+)", first):
                    assert name in dir(known), f"{kind}.{name}"
