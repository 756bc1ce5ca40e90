"""A run with a journal, in processes of their own on the sandbox: events twice, time budgets, kills."""

import json
import random
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta
from typing import Any

import pytest

from lib.tools.sandbox.server import Sandbox
from lib.tools.sandbox.store import Identity
from lib.tools.sandbox.trouble import Fault
from tests.conftest import ANALYSIS, BARE, MAINTENANCE, Ran, names_told, run_python

EVENT = {"_action_id": "f" * 24, "_action_type": "condition"}
POINT = [{"id": "1", "variable": "temperature", "value": 12, "time": "2026-01-01T00:00:00Z", "device": "d"}]


class Journaled:
    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.device, self.token = sandbox.store.add_device({"name": "journal"})

    def env(self, data: Any = None, **variables: str) -> dict[str, str]:
        (analysis,) = self.sandbox.store.analyses.values()
        given = {"tag_key": "group", "tag_value": "maintenance", "delivery_log_token": self.token, **variables}
        return {
            **BARE,
            "T_ANALYSIS_CONTEXT": "tago-io",
            "T_ANALYSIS_TOKEN": self.sandbox.store.token_for(Identity("analysis", analysis["id"])),
            "T_ANALYSIS_ID": analysis["id"],
            "T_ANALYSIS_ENV": json.dumps([{"key": key, "value": value} for key, value in given.items()]),
            "T_ANALYSIS_DATA": json.dumps(data),
            "TAGOIO_API": self.sandbox.api,
        }

    def run(self, data: Any = None, **variables: str) -> Ran:
        return run_python(ANALYSIS, env=self.env(data, **variables))

    def rows(self, variable: str) -> list[dict[str, Any]]:
        return [row for row in self.sandbox.store.data[self.device["id"]] if row["variable"] == variable]

    def age(self) -> None:
        """As if the last run had been a minute ago: no wait for signs of life."""
        for row in self.sandbox.store.data[self.device["id"]]:
            at = datetime.fromisoformat(row["time"]) - timedelta(minutes=1)
            row["time"] = at.isoformat()


@pytest.fixture
def journaled(peopled: Sandbox) -> Journaled:
    return Journaled(peopled)


def test_the_journal_says_what_became_of_each(journaled: Journaled) -> None:
    ran = journaled.run()
    assert ran.code == 0, ran.out + ran.err
    outcomes = {row["metadata"]["name"]: row["value"] for row in journaled.rows("notify_outcome")}
    assert outcomes == {**dict.fromkeys(MAINTENANCE, "sent"), "Grace Lim": "skipped"}
    assert [row["value"] for row in journaled.rows("notify_campaign")] == ["started", "finished"]
    sent_ids = {row["metadata"]["notification"] for row in journaled.rows("notify_outcome")} - {""}
    assert sent_ids == set(journaled.sandbox.store.notifications)


def test_an_event_handed_in_twice_is_one_campaign(journaled: Journaled) -> None:
    assert journaled.run(POINT, **EVENT).code == 0
    again = journaled.run(POINT, **EVENT)
    assert again.code == 0
    assert "this event was dealt with before" in again.out
    assert names_told(journaled.sandbox) == MAINTENANCE
    assert journaled.run([{**POINT[0], "id": "2"}], **EVENT).code == 0
    assert names_told(journaled.sandbox) == sorted(MAINTENANCE * 2)


def test_what_the_time_budget_leaves_the_next_run_tells(journaled: Journaled) -> None:
    sandbox = journaled.sandbox
    sandbox.trouble.rate_limit, sandbox.trouble.window = 4, 3600
    started = time.monotonic()
    cut = journaled.run(POINT, time_budget="10s", **EVENT)
    assert time.monotonic() - started < 12
    assert cut.code == 1
    assert cut.finished["sent"] == 4
    assert cut.finished["pending"] == 3
    assert "time budget used up" in cut.out
    assert len(sandbox.store.notifications) == 4
    sandbox.trouble.rate_limit = None
    journaled.age()
    rest = journaled.run(POINT, **EVENT)
    assert rest.code == 0, rest.out + rest.err
    assert "took up campaign" in rest.out
    assert names_told(sandbox) == MAINTENANCE


def test_a_scheduled_run_takes_up_the_rest_before_its_own_round(journaled: Journaled) -> None:
    sandbox = journaled.sandbox
    sandbox.trouble.rate_limit, sandbox.trouble.window = 5, 3600
    journaled.run(POINT, time_budget="10s", **EVENT)
    sandbox.trouble.rate_limit = None
    journaled.age()
    ran = journaled.run(_action_id="e" * 24, _action_type="schedule")
    assert ran.code == 0
    assert names_told(sandbox) == sorted(MAINTENANCE * 2)
    warm = [note for note in sandbox.store.notifications.values() if "at 12 °C" in note["message"]]
    assert len(warm) == 7


def test_a_user_who_left_or_was_deactivated_meanwhile_is_not_told(journaled: Journaled) -> None:
    sandbox = journaled.sandbox
    sandbox.trouble.rate_limit, sandbox.trouble.window = 1, 3600
    journaled.run(POINT, time_budget="10s", **EVENT)
    sandbox.trouble.rate_limit = None
    journaled.age()
    told = {note["run_user"] for note in sandbox.store.notifications.values()}
    others = [user for user in sandbox.store.users.values() if user["name"] in MAINTENANCE and user["id"] not in told]
    others[0]["active"] = False
    del sandbox.store.users[others[1]["id"]]
    ran = journaled.run(POINT, **EVENT)
    assert len(sandbox.store.notifications) == 5
    assert "no longer a TagoRUN user" in ran.out
    assert f"inactive user: {others[0]['name']}" in ran.out


def test_a_journal_that_cannot_be_written_stops_the_run(journaled: Journaled) -> None:
    ran = journaled.run(delivery_log_token="wrong-device-token")
    assert ran.code == 1
    assert "The journal cannot be read (delivery_log_token)" in ran.out
    journaled.sandbox.trouble.faults = [Fault("403", route=("POST", "/data"), attempts=99)]
    ran = journaled.run()
    assert ran.code == 1
    assert "The journal cannot be written (delivery_log_token)" in ran.out
    assert not journaled.sandbox.store.notifications


def test_a_dry_run_with_a_journal_writes_nothing(journaled: Journaled) -> None:
    assert journaled.run(dry_run="true").code == 0
    assert {method for method, _ in journaled.sandbox.store.log} == {"GET"}


def test_a_run_by_hand_again_after_a_kill_goes_on_where_it_was(journaled: Journaled) -> None:
    kill_and_rerun(journaled, 0.35)


@pytest.mark.parametrize("seed", range(3))
def test_an_event_killed_at_any_instant_and_run_again(journaled: Journaled, seed: int) -> None:
    kill_and_rerun(journaled, random.Random(seed).uniform(0.2, 1.0), POINT, **EVENT)


def kill_and_rerun(journaled: Journaled, after: float, data: Any = None, **variables: str) -> None:
    sandbox = journaled.sandbox
    sandbox.trouble.latency = 0.05
    for number in range(200):
        tags = [{"key": "group", "value": "maintenance"}]
        sandbox.store.add_user({"name": f"n{number}", "email": f"{number}@x.io", "active": True, "tags": tags})
    process = subprocess.Popen(
        [sys.executable, str(ANALYSIS)], env=journaled.env(data, **variables), stdout=subprocess.DEVNULL
    )
    time.sleep(after)
    process.send_signal(signal.SIGKILL)
    process.wait()
    time.sleep(0.2)
    journaled.age()
    ran = journaled.run(data, **variables)
    assert ran.code == 0, ran.out + ran.err
    told = names_told(sandbox)
    assert len(told) == len(set(told)) == 207
