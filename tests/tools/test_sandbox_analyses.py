"""Analyses in the sandbox: the documented limits, and one that is switched off."""

import base64
from typing import Any

import pytest

from lib.tools.sandbox.server import Sandbox
from lib.tools.sandbox.store import Record
from tests.tools.test_sandbox import call
from tests.tools.test_sandbox_strict import HOT, action, created, push

SCRIPT = base64.b64encode(b"print(1)").decode()


@pytest.fixture
def analysis(peopled: Sandbox) -> Record:
    return peopled.store.add_analysis({"name": "Notify", "run_on": "external"})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"variables": [{"key": f"v{number}", "value": "x"} for number in range(21)]}, "at most 20 element(s)"),
        ({"variables": [{"key": "v", "value": 5}]}, "variables: value: Expected string"),
        ({"variables": {"v": "x"}}, "Expected array of key and value"),
    ],
)
def test_variables_beyond_the_documented_limits_are_refused(
    peopled: Sandbox, analysis: Record, given: Record, said: str
) -> None:
    for method, path in (("PUT", f"/analysis/{analysis['id']}"), ("POST", "/analysis")):
        status, answer = call(peopled, method, path, json={"name": "n", **given})
        assert (status, said in answer["message"]) == (400, True), answer
    assert analysis["variables"] == []
    twenty = [{"key": f"v{number}", "value": "x"} for number in range(20)]
    assert call(peopled, "PUT", f"/analysis/{analysis['id']}", json={"variables": twenty})[0] == 200


def test_runtimes_and_types_of_devices_are_closed_lists(peopled: Sandbox) -> None:
    status, answer = call(peopled, "POST", "/analysis", json={"name": "n", "runtime": "cobol"})
    assert (status, "runtime: Expected one of node, python" in answer["message"]) == (400, True)
    assert call(peopled, "POST", "/analysis", json={"name": "n", "runtime": "python-rt2025"})[0] == 200
    device = {"name": "d", "network": "n", "connector": "c"}
    status, answer = call(peopled, "POST", "/device", json={**device, "type": "elastic"})
    assert (status, "type: Expected one of mutable" in answer["message"]) == (400, True)
    assert call(peopled, "POST", "/device", json={**device, "type": "mutable"})[0] == 200


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"file": "n*t base64"}, "file: Invalid base64"),
        ({"file": "\u00e9"}, "file: Invalid base64"),
        ({"file": base64.b64encode(bytes(5_000_001)).decode()}, "file: larger than 5 MB"),
        ({"file": SCRIPT, "language": "cobol"}, "language: Expected one of"),
        ({"file": SCRIPT, "language": ["python"]}, "language: Expected one of"),
    ],
)
def test_an_upload_that_tagoio_would_not_take_is_refused(
    peopled: Sandbox, analysis: Record, given: dict[str, Any], said: str
) -> None:
    upload = {"file_name": "a.py", "language": "python-rt2025", **given}
    status, answer = call(peopled, "POST", f"/analysis/{analysis['id']}/upload", json=upload)
    assert (status, said in answer["message"]) == (400, True), answer
    assert analysis["id"] not in peopled.store.scripts


def test_an_analysis_that_is_switched_off_does_not_run(peopled: Sandbox, analysis: Record) -> None:
    device, token = peopled.store.add_device({"name": "Fridge"})
    alarm = created(peopled, action(analysis, "condition", {**HOT, "device": device["id"]}))
    user = next(iter(peopled.store.users))
    button = {"id": "go", "label": "Go", "analysis": analysis["id"]}
    note = peopled.store.notify({"run_user": user, "title": "t", "message": "m", "buttons": [button]})
    _, logged_in = call(peopled, "GET", f"/run/users/{user}/login")
    call(peopled, "PUT", f"/analysis/{analysis['id']}", json={"active": False})
    status, answer = call(peopled, "POST", f"/analysis/{analysis['id']}/run", json={"scope": None})
    assert (status, answer["message"]) == (400, "Analysis not found or not active")
    push(peopled, token, 40)
    assert alarm["last_triggered"]
    path = f"/run/{peopled.store.run_url}/notification/{note['id']}/go"
    assert call(peopled, "PUT", path, logged_in["result"]["token"])[0] == 200
    assert not peopled.runner.runs
    call(peopled, "PUT", f"/analysis/{analysis['id']}", json={"active": True})
    push(peopled, token, 41)
    assert len(peopled.runner.runs) == 1
