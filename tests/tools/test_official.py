"""Official code from the registries, unchanged, against the sandbox; what was run by hand is in docs/fidelity.md."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lib.tools.install.wanted import CONNECTOR, NETWORK
from lib.tools.sandbox.server import Sandbox
from lib.tools.sandbox.store import Identity
from lib.tools.sandbox.tls import make_tls

pytestmark = pytest.mark.skipif(shutil.which("npm") is None, reason="Node.js is not on this machine")

GRANTED = [("send_data", "device"), ("send_notification", "service")]
# What the methods answer, in the words of both SDKs' documentation and of their tests (C).
WORDS = {
    "run.edit": "TagoIO Run Successfully Updated",
    "run.userEdit": "TagoIO Run User Successfully Updated",
    "run.userDelete": "Successfully Removed",
    "run.notificationEdit": "TagoIO Notification User Successfully Updated",
    "run.notificationDelete": "Successfully Removed",
    "analysis.edit": "Successfully Updated",
    "devices.edit": "Successfully Updated",
    "Device.sendData": "3 Data Added",
    "devices.delete": "Successfully Removed",
    "devices.deleteDeviceData": "3 Data Removed",
    "actions.edit": "Successfully Updated",
    "accessManagement.edit": "Access Management Successfully Updated",
    "notifications.markAsRead": "TagoIO Notification Run Successfully Updated",
    "notifications.markAllAsRead": "All TagoIO Notification Run Successfully Updated",
}


def run_script(folder: Path, script: str, sandbox: Sandbox, **variables: str) -> str:
    """What a script of tests/javascript prints."""
    env = {
        "PATH": os.environ["PATH"],
        "TAGOIO_API": sandbox.api,
        "TAGOIO_SSE": f"{sandbox.api}/events",
        "PROFILE_TOKEN": sandbox.store.profile_token,
        **variables,
    }
    command = ["node", script]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def saw(javascript: Path, peopled: Sandbox) -> dict[str, Any]:
    """By method of the JavaScript SDK: its result, or what it was refused with."""
    analysis = peopled.store.add_analysis({"name": "Asks"})
    peopled.store.policies["asks"] = {
        "id": "asks",
        "active": True,
        "targets": [["analysis", "id", analysis["id"]]],
        "permissions": [{"effect": "allow", "action": [action], "resource": [kind]} for action, kind in GRANTED],
    }
    out = run_script(
        javascript,
        "methods.js",
        peopled,
        ANALYSIS=analysis["id"],
        ANALYSIS_TOKEN=peopled.store.token_for(Identity("analysis", analysis["id"])),
        NETWORK=NETWORK,
        CONNECTOR=CONNECTOR,
        RUN_URL=peopled.store.run_url,
        PASSWORD=peopled.store.account_password,
    )
    found: dict[str, Any] = json.loads(out)
    return found


def test_the_javascript_sdk_finds_every_method_of_a_tagorun_analysis(saw: dict[str, Any]) -> None:
    refused = {name: seen["refused"] for name, seen in saw.items() if isinstance(seen, dict) and "refused" in seen}
    # A profile may not send (C mcp handlers.ts).
    assert refused == {"devices.sendDeviceData, no right": "Authorization Denied"}
    assert len(saw) == 79
    assert {name: saw[name] for name in WORDS} == WORDS
    (user,) = saw["run.listUsers"]
    assert user == {"id": saw["run.userCreate"]["user"], "name": "Jane Doe", "tags": [{"key": "group", "value": "new"}]}
    (note,) = saw["run.notificationList"]
    assert (note["id"], note["title"], note["read"]) == (saw["run.notificationCreate"]["id"], "Hello", False)
    (pressed,) = saw["RunUser.notificationList"]
    assert (pressed["message"], pressed["buttons_enabled"]) == ("Everybody", False)
    assert saw["analysis.info"]["console"] == ["it ran"]
    assert saw["Device.getData count"][0]["value"] == 3
    assert [row["value"] for row in saw["Device.getData"]] == [3, 2]
    assert saw["profiles.summary"]["limit_used"]["push_notification"] == 2


def test_the_clis_parts_follow_a_console_over_https(javascript: Path, tmp_path: Path) -> None:
    sandbox = Sandbox()
    analysis = sandbox.store.add_analysis({"name": "Prints", "runtime": "python-rt2025"})
    script = tmp_path / "prints.py"
    script.write_text("import os\nprint('scope', os.environ['T_ANALYSIS_DATA'])\n")
    sandbox.store.scripts[analysis["id"]] = script
    context, trusted = make_tls(tmp_path)
    with sandbox.running(ssl=context):
        assert sandbox.api.startswith("https://")
        event = json.loads(run_script(javascript, "console.js", sandbox, ANALYSIS=analysis["id"], **trusted))
        sandbox.call(sandbox.runner.settled())
    assert event["payload"]["message"] == 'scope [{"variable": "x", "value": 1}]'
    assert isinstance(event["payload"]["timestamp"], int)
