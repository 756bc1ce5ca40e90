"""The official JavaScript SDK finds in the sandbox what it finds in TagoIO."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from lib.tools.sandbox.server import Sandbox

pytestmark = pytest.mark.skipif(shutil.which("npm") is None, reason="Node.js is not on this machine")


def test_users_notifications_a_press_and_data(javascript: Path, peopled: Sandbox) -> None:
    (analysis,) = peopled.store.analyses
    _, device_token = peopled.store.add_device({"name": "journal"})
    env = {
        "PATH": os.environ["PATH"],
        "TAGOIO_API": peopled.api,
        "TAGOIO_SSE": f"{peopled.api}/events",
        "PROFILE_TOKEN": peopled.store.profile_token,
        "DEVICE_TOKEN": device_token,
        "RUN_URL": peopled.store.run_url,
        "ANALYSIS": analysis,
    }
    done = subprocess.run(
        ["node", "round.js"], cwd=javascript, env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    saw = json.loads(done.stdout)

    assert [user["name"] for user in saw["users"]] == ["Hugo Silva"]
    assert saw["all"] == 12
    assert [note["id"] for note in saw["listed"]] == [saw["created"]["id"]]
    assert saw["listed"][0]["title"] == "Hello"
    assert saw["inbox"][0]["buttons_enabled"] is True
    assert (saw["after"]["read"], saw["after"]["buttons_enabled"]) == (True, False)
    assert saw["stored"] == "2 Data Added"
    assert [(point["variable"], point["value"]) for point in saw["read"]] == [("b", 2)]
    assert "User Not Found" in saw["denied"]
    (run,) = peopled.runner.runs
    assert run.analysis_id == analysis
