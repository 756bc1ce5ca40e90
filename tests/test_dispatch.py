"""A run with a journal, in processes of their own on the sandbox: events twice, time budgets, kills."""

import json
import random
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from lib.tools.sandbox.server import Sandbox
from lib.tools.sandbox.store import Identity
from lib.tools.sandbox.trouble import Fault
from tests.conftest import ANALYSIS, BARE, MAINTENANCE, Ran, names_told, run_python

EVENT = {"_action_id": "f" * 24, "_action_type": "condition"}
POINT = [
    {"id": "1", "variable": "temperature", "value": 12, "unit": "°C", "time": "2026-01-01T00:00:00Z", "device": "d"}
]


class Journaled:
    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.device, self.token = sandbox.store.add_device({"name": "journal"})

    def env(self, data: Any = None, **variables: str) -> dict[str, str]:
        (analysis,) = self.sandbox.store.analyses.values()
        given = {"tag_key": "group", "tag_value": "maintenance", "delivery_log_token": self.token}
        given |= {"log_level": "info", **variables}
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

    def outcomes(self) -> dict[str, str]:
        """The newest status of each user, by name."""
        found: dict[str, str] = {}
        for row in self.rows("notify_outcome"):
            found |= {self.name(user): row["value"] for user in row["metadata"]["users"].split()}
        return found

    def name(self, user: str) -> str:
        known = self.sandbox.store.users.get(user)
        return str(known["name"]) if known else user

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
    assert journaled.outcomes() == {**dict.fromkeys(MAINTENANCE, "sent"), "Grace Lim": "skipped"}
    assert [row["value"] for row in journaled.rows("notify_campaign")] == ["started", "finished"]
    sent = [row["metadata"] for row in journaled.rows("notify_outcome") if row["value"] == "sent"]
    sent_ids = {each for about in sent for each in about["notifications"].split()}
    assert sent_ids == set(journaled.sandbox.store.notifications)


def test_who_was_to_be_told_first_when_a_run_was_killed_is_told_though_no_list_had_shown_anything(
    journaled: Journaled,
) -> None:
    assert journaled.run(POINT, **EVENT).code == 0
    rows = journaled.sandbox.store.data[journaled.device["id"]]
    rows[:] = [row for row in rows if row["variable"] != "notify_outcome" and row["value"] != "finished"]
    journaled.sandbox.store.notifications.clear()  # as if it had been killed before it told the first
    journaled.age()
    ran = journaled.run(POINT, **EVENT)
    assert ran.code == 0, ran.out + ran.err
    assert len(journaled.sandbox.store.notifications) == 7


def test_an_event_handed_in_twice_is_one_campaign(journaled: Journaled) -> None:
    assert journaled.run(POINT, **EVENT).code == 0
    again = journaled.run(POINT, **EVENT)
    assert again.code == 0
    assert "this event was dealt with before" in again.out
    assert names_told(journaled.sandbox) == MAINTENANCE
    assert journaled.run([{**POINT[0], "id": "2", "device": "e"}], **EVENT).code == 0
    assert names_told(journaled.sandbox) == sorted(MAINTENANCE * 2)


def test_what_the_time_budget_leaves_the_next_run_tells(journaled: Journaled) -> None:
    sandbox = journaled.sandbox
    sandbox.trouble.rate_limit, sandbox.trouble.window = 4, 10**8
    started = time.monotonic()
    cut = journaled.run(POINT, time_budget="10s", **EVENT)
    assert time.monotonic() - started < 16  # a busy machine takes seconds to start; unbounded it is 20 and more
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
    sandbox.trouble.rate_limit, sandbox.trouble.window = 5, 10**8
    journaled.run(POINT, time_budget="10s", **EVENT)
    sandbox.trouble.rate_limit = None
    journaled.age()
    own = [{**POINT[0], "id": "2", "value": 20, "device": "e"}]
    ran = journaled.run(own, _action_id="e" * 24, _action_type="schedule")
    assert ran.code == 0
    assert names_told(sandbox) == sorted(MAINTENANCE * 2)
    warm = [note for note in sandbox.store.notifications.values() if "at 12 °C" in note["message"]]
    assert len(warm) == 7
    sixth = list(sandbox.store.notifications.values())[5]  # the first of a run goes ahead alone, and five were told
    assert "at 12 °C" in sixth["message"], "the rest comes first"


def test_a_user_who_left_or_was_deactivated_meanwhile_is_not_told(journaled: Journaled) -> None:
    sandbox = journaled.sandbox
    sandbox.trouble.rate_limit, sandbox.trouble.window = 1, 10**8
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


def test_a_wrong_journal_token_is_a_mistake_to_be_mended_before_anyone_is_told(journaled: Journaled) -> None:
    ran = journaled.run(delivery_log_token="wrong-device-token")
    assert ran.code == 1
    assert "The journal cannot be read (delivery_log_token)" in ran.out
    assert not journaled.sandbox.store.notifications


def test_a_journal_that_takes_no_rows_stops_nobody_and_says_so(journaled: Journaled) -> None:
    journaled.sandbox.trouble.faults = [Fault("403", route=("POST", "/data"), attempts=99)]
    ran = journaled.run()
    assert ran.code == 1
    assert "THE JOURNAL IS GONE" in ran.out
    assert names_told(journaled.sandbox) == MAINTENANCE


def test_a_dry_run_with_a_journal_writes_nothing(journaled: Journaled) -> None:
    assert journaled.run(dry_run="true").code == 0
    assert {method for method, _ in journaled.sandbox.store.log} == {"GET"}


def leave_some(journaled: Journaled, number: int = 3) -> None:
    """A campaign (12 °C) of which so many were told, and the others not."""
    trouble = journaled.sandbox.trouble
    trouble.rate_limit, trouble.window = number, 10**8
    assert journaled.run(POINT, time_budget="10s", **EVENT).code == 1
    trouble.rate_limit = None
    journaled.age()


def told_at(journaled: Journaled, degrees: int) -> list[str]:
    store = journaled.sandbox.store
    notes = [note for note in store.notifications.values() if f"at {degrees} °C" in note["message"]]
    return sorted(store.users[note["run_user"]]["name"] for note in notes)


@pytest.mark.waits(50)
def test_two_runs_that_find_the_same_leftover_tell_it_once(journaled: Journaled) -> None:
    leave_some(journaled)
    journaled.sandbox.trouble.latency = 0.1
    events = [{**POINT[0], "id": str(degrees), "value": degrees, "device": f"d{degrees}"} for degrees in (20, 30)]
    threads = [threading.Thread(target=journaled.run, args=([point],), kwargs=EVENT) for point in events]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [told_at(journaled, degrees) for degrees in (12, 20, 30)] == [MAINTENANCE] * 3


@pytest.mark.waits(42)
def test_the_same_event_handed_in_twice_at_once_is_told_once(journaled: Journaled) -> None:
    journaled.sandbox.trouble.latency = 0.1
    threads = [threading.Thread(target=journaled.run, args=(POINT,), kwargs=EVENT) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names_told(journaled.sandbox) == MAINTENANCE


def test_a_leftover_that_cannot_be_composed_keeps_no_alarm_back(journaled: Journaled) -> None:
    leave_some(journaled)
    point = [{"id": "2", "variable": "humidity", "value": 20}]
    ran = journaled.run(point, notification='{"title": "$LOCATION$", "message": "at 20 °C"}', **EVENT)
    assert ran.code == 1  # $LOCATION$ of this run cannot be filled either: a mistake of its own
    ran = journaled.run([{**point[0], "location": {"lat": 1, "lng": 2}}], notification=LOCATED, **EVENT)
    assert ran.code == 1
    assert "pending      4" in ran.out
    assert "$LOCATION$ cannot be filled" in ran.out
    assert told_at(journaled, 20) == MAINTENANCE
    journaled.run([{**point[0], "id": "3"}], notification='{"title": "t", "message": "mended"}', **EVENT)
    messages = [note["message"] for note in journaled.sandbox.store.notifications.values()]
    assert messages.count("mended") == 7 + 4, "nobody of those left is lost"


LOCATED = (
    '{"title": "t", "message": "$LOCATION$ at 20 °C", "buttons": [{"id": "a", "label": "A", "url": "https://a.io"}]}'
)


def test_what_is_left_and_does_not_fit_the_quota_waits_and_keeps_no_alarm_back(journaled: Journaled) -> None:
    leave_some(journaled)
    journaled.sandbox.store.used["push_notification"] = journaled.sandbox.store.limits["push_notification"] - 8
    ran = journaled.run([{**POINT[0], "id": "2", "value": 20, "device": "e"}], **EVENT)
    assert "does not fit the push quota (8 left) and waits" in ran.out
    assert told_at(journaled, 20) == MAINTENANCE


def test_a_run_by_hand_begins_its_own_round_when_only_held_users_are_left(journaled: Journaled) -> None:
    ana = next(user for user in journaled.sandbox.store.users.values() if user["name"] == "Ana Souza")
    now = datetime.now(ZoneInfo(ana["timezone"]))
    hours = f"{now - timedelta(minutes=20):%H:%M}-{now + timedelta(minutes=20):%H:%M}"
    assert journaled.run(quiet_hours=hours).finished["held"] >= 1
    journaled.age()
    ran = journaled.run(quiet_hours=hours, notification='{"title": "second", "message": "at 20 °C"}')
    assert ran.code == 0
    assert told_at(journaled, 20) == [name for name in MAINTENANCE if name not in ("Ana Souza", "Hugo Silva")]


def test_held_users_of_two_rounds_with_the_same_text_get_both(journaled: Journaled) -> None:
    text = '{"title": "same", "message": "text"}'
    fifteen, sixteen = (datetime.now(UTC) - timedelta(hours=hours) for hours in (15, 16))
    quiet = {"quiet_hours": f"{fifteen:%H:%M}-{sixteen:%H:%M}"}  # nearly the whole day, somewhere
    for number in ("1", "2"):
        ran = journaled.run([{**POINT[0], "id": number}], notification=text, **quiet, **EVENT)
        assert ran.code == 0, ran.out
        journaled.age()
    held = 14 - len(journaled.sandbox.store.notifications)
    assert held > 0
    ran = journaled.run(notification=text, send_to="Kavya Rao")
    assert ran.code == 0, ran.out
    told = names_told(journaled.sandbox)
    assert all(told.count(name) == 2 for name in MAINTENANCE)


def test_a_policy_that_is_gone_for_a_while_loses_nobody(journaled: Journaled) -> None:
    store = journaled.sandbox.store
    for number in range(60):
        tags = [{"key": "group", "value": "maintenance"}]
        store.add_user({"name": f"n{number}", "email": f"{number}@x.io", "active": True, "tags": tags})
    leave_some(journaled, 5)
    policies = dict(store.policies)
    store.policies.clear()
    ran = journaled.run(POINT, **EVENT)
    assert ran.code == 1
    assert "waits for the next run" in ran.out
    assert "pending     62   not told yet" in ran.out
    store.policies.update(policies)
    journaled.age()
    assert journaled.run(POINT, **EVENT).code == 0
    told = names_told(journaled.sandbox)
    assert len(told) == len(set(told)) == 67


def test_two_analyses_with_one_journal_tell_the_same_event_each(journaled: Journaled) -> None:
    assert journaled.run(POINT, **EVENT).code == 0
    env = {**journaled.env(POINT, **EVENT), "T_ANALYSIS_ID": "e" * 24}
    assert run_python(ANALYSIS, env=env).code == 0
    assert names_told(journaled.sandbox) == sorted(MAINTENANCE * 2)


def test_the_time_budget_bounds_the_lookup_too(journaled: Journaled) -> None:
    fault = Fault("429", route=("GET", "/run/users"), attempts=99)
    journaled.sandbox.trouble.faults = [fault]
    journaled.sandbox.trouble.retry_seconds = 20
    started = time.monotonic()
    assert journaled.run(time_budget="10s").code == 1
    assert time.monotonic() - started < 16  # a busy machine takes seconds to start; unbounded it is 20 and more


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
