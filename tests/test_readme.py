"""What the README shows to be pasted works."""

import json
import re
from collections.abc import Callable
from pathlib import Path

from lib.tools.sandbox.server import Sandbox
from tests.conftest import ROOT, Ran

Run = Callable[..., Ran]
README = (ROOT / "README.md").read_text()
INFORM, ALERT, APPROVAL = re.findall(r"```json\n(.*?)```", README.split("## Three examples")[1], re.DOTALL)


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
    assert note["buttons_autodisable"] is True


def test_the_files_that_the_readme_names_exist() -> None:
    for name in re.findall(r"`((?:lib|tests)/[\w/.]+|[\w.]+\.(?:py|txt|example))`", README):
        assert (ROOT / Path(name)).exists(), name
