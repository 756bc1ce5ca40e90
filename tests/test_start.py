"""The external Analysis: the SDK's own listener on the sandbox's stream, in a process of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from lib.tools.sandbox.seed import seed_analysis, seed_users
from lib.tools.sandbox.server import Sandbox
from lib.tools.sandbox.store import Identity
from tests.conftest import ANALYSIS, BARE, MAINTENANCE, names_told, run_python


def until(condition: Callable[[], Any], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that in time"
        time.sleep(0.05)


class Listener:
    def __init__(self, sandbox: Sandbox, log: Path) -> None:
        self.sandbox = sandbox
        (self.analysis,) = sandbox.store.analyses.values()
        self.analysis["run_on"] = "external"
        token = sandbox.store.token_for(Identity("analysis", self.analysis["id"]))
        self.env = {**BARE, "T_ANALYSIS_TOKEN": token, "TAGOIO_API": sandbox.api, "TAGOIO_SSE": f"{sandbox.api}/events"}
        self.log = log
        with log.open("w") as output:
            command = [sys.executable, "-u", str(ANALYSIS)]
            self.process = subprocess.Popen(command, env=self.env, stdout=output, stderr=subprocess.STDOUT)
        until(self.is_listening)

    def is_listening(self) -> bool:
        return bool(self.sandbox.runner.listeners[f"analysis_trigger.{self.analysis['id']}"])

    def trigger(self, scope: Any = None) -> None:
        answer = requests.post(
            f"{self.sandbox.api}/analysis/{self.analysis['id']}/run",
            json={"scope": scope},
            headers={"token": self.sandbox.store.profile_token},
            timeout=5,
        )
        answer.raise_for_status()

    def said(self, text: str) -> int:
        return self.log.read_text().count(text)


@pytest.fixture
def listener(peopled: Sandbox, tmp_path: Path) -> Iterator[Listener]:
    listening = Listener(peopled, tmp_path / "log")
    yield listening
    listening.process.kill()
    listening.process.wait()


def test_every_trigger_runs_it_and_the_console_gets_the_summary(listener: Listener) -> None:
    console: list[str] = []
    listener.sandbox.runner.echo = console.append
    listener.trigger([{"variable": "temperature", "value": 12}])
    listener.trigger()
    until(lambda: listener.said("Notified 7 of 8") == 2)
    assert names_told(listener.sandbox) == sorted(MAINTENANCE * 2)
    until(lambda: len(console) == 2)  # one request for each run's summary
    assert "Notified 7 of 8 users" in console[0]
    assert "inactive user: Grace Lim" in console[0]


def test_the_listener_survives_a_run_that_fails_and_a_bad_event(listener: Listener) -> None:
    channel = f"analysis_trigger.{listener.analysis['id']}"
    variables = listener.analysis["variables"]
    listener.analysis["variables"] = []
    listener.trigger()
    until(lambda: listener.said("Nobody was notified"))
    events: list[Any] = [[], {"payload": 5}, {"payload": None}, {"payload": {"data": 7}}]
    for event in events:
        listener.sandbox.publish(channel, event)
    listener.analysis["variables"] = variables
    listener.trigger()
    until(lambda: listener.said("Notified 7 of 8"))
    assert listener.process.poll() is None


def test_the_listener_survives_a_dropped_stream(listener: Listener) -> None:
    channel = f"analysis_trigger.{listener.analysis['id']}"
    listener.sandbox.publish(channel, "")  # the server closes it
    until(lambda: listener.said("Reconnecting in"))
    until(listener.is_listening)
    listener.trigger()
    until(lambda: listener.said("Notified 7 of 8"))
    assert names_told(listener.sandbox) == MAINTENANCE


def test_the_listener_survives_a_restarted_server(tmp_path: Path) -> None:
    first = Sandbox()
    seed_users(first.store)
    seed_analysis(first.store, {"tag_key": "group", "tag_value": "maintenance"})
    with first.running():
        listening = Listener(first, tmp_path / "log")
    port = int(first.api.rsplit(":", 1)[1])
    try:
        until(lambda: listening.said("Reconnecting in"))
        second = Sandbox(first.store)
        with second.running(port):
            listening.sandbox = second
            until(listening.is_listening)
            listening.trigger()
            until(lambda: listening.said("Notified 7 of 8"))
        assert names_told(second) == MAINTENANCE
    finally:
        listening.process.kill()
        listening.process.wait()


def test_the_listener_ends_in_order_on_an_interrupt(listener: Listener) -> None:
    listener.process.send_signal(signal.SIGINT)
    assert listener.process.wait(10) == 0
    assert listener.said("Traceback") == 0


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"T_ANALYSIS_TOKEN": "a-wrong"}, "does not accept T_ANALYSIS_TOKEN"),
        ({"TAGOIO_SSE": ""}, "TAGOIO_SSE is not set, but TAGOIO_API is"),
    ],
)
def test_a_listener_that_cannot_work_says_so_and_ends(peopled: Sandbox, env: dict[str, str], said: str) -> None:
    (analysis,) = peopled.store.analyses.values()
    token = peopled.store.token_for(Identity("analysis", analysis["id"]))
    given = {"T_ANALYSIS_TOKEN": token, "TAGOIO_API": peopled.api, "TAGOIO_SSE": f"{peopled.api}/events"}
    ran = run_python(ANALYSIS, env={**given, **env})
    assert ran.code == 1
    assert said in ran.out
    assert "Traceback" not in ran.err
    assert os.environ.get("T_ANALYSIS_TOKEN") is None
