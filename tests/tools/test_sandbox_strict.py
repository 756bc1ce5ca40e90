"""The sandbox as strict as TagoIO's documents: Actions that fire, Access Management, the open questions, https."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import requests

from lib.tools.sandbox.runner import Run
from lib.tools.sandbox.seed import DEVELOPER
from lib.tools.sandbox.server import Sandbox
from lib.tools.sandbox.store import Identity, Record
from lib.tools.sandbox.tls import AUTHORITY
from tests.conftest import ROOT
from tests.tools.test_sandbox import call

HOT = {"variable": "temperature", "is": ">", "value": "35", "value_type": "number"}
COOL = {"variable": "temperature", "is": "<", "value": "30", "value_type": "number", "unlock": True}
PATIENCE = 5.0  # seconds


@pytest.fixture
def listener(peopled: Sandbox) -> Record:
    """An external Analysis, which starts no process here."""
    return peopled.store.add_analysis({"name": "Listener", "run_on": "external"})


@pytest.fixture
def fridge(peopled: Sandbox) -> tuple[Record, str]:
    return peopled.store.add_device({"name": "Fridge", "tags": [{"key": "kind", "value": "fridge"}]})


def action(listener: Record, kind: str, *triggers: Record, **more: Any) -> Record:
    target = {"type": "script", "script": [listener["id"]]}
    return {"name": "Alarm", "type": kind, "trigger": list(triggers), "action": target, **more}


def created(sandbox: Sandbox, given: Record) -> Record:
    status, answer = call(sandbox, "POST", "/action", json=given)
    assert status == 200, answer
    return sandbox.store.actions[answer["result"]["action"]]


def push(sandbox: Sandbox, token: str, *values: Any) -> None:
    rows = [{"variable": "Temperature", "value": value, "unit": "°C"} for value in values]
    assert call(sandbox, "POST", "/data", token, json=rows)[0] == 200


def runs_of(sandbox: Sandbox, listener: Record) -> list[Run]:
    """Oldest first."""
    return sorted((run for run in sandbox.runner.runs if run.analysis_id == listener["id"]), key=lambda run: run.number)


def wait_for(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.02)


# ---- Actions


def test_an_action_of_one_device_locks_until_it_is_unlocked(
    peopled: Sandbox, listener: Record, fridge: tuple[Record, str]
) -> None:
    device, token = fridge
    own = {"device": device["id"]}
    made = created(peopled, action(listener, "condition", {**own, **HOT}, {**own, **COOL}))
    push(peopled, token, 20)
    assert runs_of(peopled, listener) == []
    push(peopled, token, 40, 41)  # once, however many rows meet it
    push(peopled, token, 42)  # it is locked
    (run,) = runs_of(peopled, listener)
    assert run.extra["_action_id"] == made["id"]
    assert run.extra["_device_id"] == device["id"]
    assert [row["value"] for row in run.scope] == [40, 41]
    push(peopled, token, 25)
    push(peopled, token, 43)
    assert len(runs_of(peopled, listener)) == 2


def test_an_action_may_run_when_it_is_unlocked_too(
    peopled: Sandbox, listener: Record, fridge: tuple[Record, str]
) -> None:
    device, token = fridge
    own = {"device": device["id"]}
    created(peopled, action(listener, "condition", {**own, **HOT}, {**own, **COOL}, trigger_when_unlock=True))
    push(peopled, token, 20)  # nothing to unlock yet
    push(peopled, token, 40)
    push(peopled, token, 20)
    assert [run.scope[0]["value"] for run in runs_of(peopled, listener)] == [40, 20]


def test_an_action_by_tag_fires_for_each_push_of_such_devices_only(
    peopled: Sandbox, listener: Record, fridge: tuple[Record, str]
) -> None:
    _, other = peopled.store.add_device({"name": "Oven"})
    made = created(peopled, action(listener, "condition", {"tag_key": "kind", "tag_value": "fridge", **HOT}))
    for token in (fridge[1], other, fridge[1]):
        push(peopled, token, 40)
    assert len(runs_of(peopled, listener)) == 2
    assert call(peopled, "PUT", f"/action/{made['id']}", json={"active": False})[0] == 200
    push(peopled, fridge[1], 40)
    assert len(runs_of(peopled, listener)) == 2


@pytest.mark.parametrize(
    ("trigger", "value", "fires"),
    [
        ({"is": "><", "value": "2", "second_value": "8", "value_type": "number"}, 5, True),
        ({"is": "><", "value": "2", "second_value": "8", "value_type": "number"}, 9, False),
        ({"is": "=", "value": "open", "value_type": "string"}, "open", True),
        ({"is": "!", "value": "open", "value_type": "string"}, "open", False),
        ({"is": "=", "value": "true", "value_type": "boolean"}, True, True),
        ({"is": "*", "value_type": "*"}, "anything", True),
        ({"is": ">", "value": "5", "value_type": "number"}, "warm", False),
    ],
)
def test_a_condition_compares_as_its_type_says(
    peopled: Sandbox, listener: Record, fridge: tuple[Record, str], trigger: Record, value: Any, fires: bool
) -> None:
    created(peopled, action(listener, "condition", {"device": fridge[0]["id"], "variable": "temperature", **trigger}))
    push(peopled, fridge[1], value)
    assert bool(runs_of(peopled, listener)) is fires


@pytest.mark.parametrize(
    ("kind", "trigger", "later"),
    [
        ("interval", {"interval": "15 minutes"}, 15 * 60 + 1),
        ("schedule", {"cron": "0 8 * * *", "timezone": "Europe/Paris"}, 24 * 3600 + 1),
    ],
)
def test_intervals_and_cron_run_by_the_sandboxs_clock(
    peopled: Sandbox, listener: Record, kind: str, trigger: Record, later: int
) -> None:
    made = created(peopled, action(listener, kind, trigger))
    time.sleep(0.5)  # two looks at the clock: it is known, and not due
    assert runs_of(peopled, listener) == []
    peopled.store.ahead += later
    wait_for(lambda: len(runs_of(peopled, listener)) == 1)
    (run,) = runs_of(peopled, listener)
    assert run.extra["_action_type"] == kind
    assert "_device_id" not in run.extra
    assert made["last_triggered"] is not None


@pytest.mark.parametrize(
    ("kind", "trigger", "said"),
    [
        ("condition", {"tag_key": "a", "tag_value": "b", **HOT, "unlock": False}, "Unrecognized key(s)"),
        ("condition", {"device": "d", "variable": "t", "is": "*", "value": ""}, "at least 1 character"),
        ("condition", {"device": "d", "variable": "t", "is": ">"}, "value: Required"),
        ("condition", HOT, "device: Required"),
        ("interval", {"interval": "5 seconds"}, "at least that"),
        ("schedule", {"cron": "0 99 * * *", "timezone": "UTC"}, "Invalid cron expression"),
        ("schedule", {"cron": "0 8 * * *", "timezone": "Mars/Base"}, "Invalid timezone"),
        ("sometimes", {}, "type: Expected one of"),
    ],
)
def test_an_action_that_tagoio_cannot_do_is_refused(
    peopled: Sandbox, listener: Record, kind: str, trigger: Record, said: str
) -> None:
    status, answer = call(peopled, "POST", "/action", json=action(listener, kind, trigger))
    assert status == 400
    assert said in answer["message"]
    assert peopled.store.actions == {}


# ---- Access Management


def token_with(sandbox: Sandbox, *permissions: Record) -> str:
    """Of an Analysis with a policy of these, or with none."""
    analysis = sandbox.store.add_analysis({"name": "Asks"})
    if permissions:
        policy = {"name": "p", "targets": [["analysis", "id", analysis["id"]]], "permissions": list(permissions)}
        assert call(sandbox, "POST", "/am", json=policy)[0] == 200
    return sandbox.store.token_for(Identity("analysis", analysis["id"]))


def rule(effect: str, action: str, *resource: str) -> Record:
    return {"effect": effect, "action": [action], "resource": list(resource)}


@pytest.mark.parametrize(
    ("permission", "named"),
    [
        (rule("allow", "access", "profil"), "run_user"),
        (rule("allow", "push", "run_user"), "create_notification"),
        (rule("permit", "access", "run_user"), "deny"),
    ],
)
def test_a_policy_with_one_wrong_name_is_refused_whole_and_the_valid_ones_are_named(
    peopled: Sandbox, permission: Record, named: str
) -> None:
    before = len(peopled.store.policies)
    policy = {
        "name": "p",
        "targets": [["analysis", "id", "x"]],
        "permissions": [rule("allow", "access", "run_user"), permission],
    }
    status, answer = call(peopled, "POST", "/am", json=policy)
    assert status == 400
    assert named in str(answer["message"])
    assert len(peopled.store.policies) == before


def test_every_name_that_the_settings_list_is_taken_by_a_policy(peopled: Sandbox) -> None:
    listed = call(peopled, "GET", "/am/settings")[1]["result"]["settings"]["analysis"]
    rules = [rule("allow", grant["value"], resource) for resource, grants in listed.items() for grant in grants]
    assert token_with(peopled, *rules)
    assert len(rules) > 60


@pytest.mark.parametrize(
    ("path", "resource"),
    [("/device", "device"), ("/action", "action"), ("/analysis", "analysis"), ("/am", "access_management")],
)
def test_lists_have_what_a_policy_allows_and_single_ones_are_denied(
    peopled: Sandbox, listener: Record, fridge: tuple[Record, str], path: str, resource: str
) -> None:
    created(peopled, action(listener, "interval", {"interval": "1 hour"}))
    without = token_with(peopled)
    assert call(peopled, "GET", path, without) == (200, {"status": True, "result": []})
    assert call(peopled, "GET", path, token_with(peopled, rule("allow", "access", resource)))[1]["result"]
    (one,) = call(peopled, "GET", path, params={"amount": "1"})[1]["result"]
    status, answer = call(peopled, "GET", f"{path}/{one['id']}", without)
    assert (status, answer["message"]) == (401, "Authorization Denied")


def test_a_deny_takes_from_what_is_allowed(peopled: Sandbox, fridge: tuple[Record, str]) -> None:
    oven, _ = peopled.store.add_device({"name": "Oven"})
    token = token_with(peopled, rule("deny", "access", "device", "id", oven["id"]), rule("allow", "access", "device"))
    assert [each["name"] for each in call(peopled, "GET", "/device", token)[1]["result"]] == ["Fridge"]
    assert call(peopled, "GET", f"/device/{oven['id']}", token)[0] == 401
    assert call(peopled, "GET", f"/device/{fridge[0]['id']}", token)[0] == 200


# ---- what the documents leave open


def test_each_open_question_is_played_either_way(peopled: Sandbox) -> None:
    user, token = next(iter(peopled.store.users)), token_with(peopled)
    told = {"run_user": user, "title": "t", "message": "m" * 141}

    def at(fact: str, value: str, method: str, path: str, bearer: str = "", **more: Any) -> tuple[int, Any]:
        before = peopled.store.facts[fact]
        peopled.store.set_fact(fact, value)
        status, answer = call(peopled, method, path, bearer, **more)
        peopled.store.set_fact(fact, before)
        return status, answer.get("result")

    assert at("denied_list", "error", "GET", f"/run/notification/{user}", token)[0] == 401
    assert at("denied_list", "empty", "GET", f"/run/notification/{user}", token) == (200, [])
    assert at("denied_create", "403", "POST", "/run/notification", token, json=told)[0] == 403
    assert at("long_message", "refused", "POST", "/run/notification", json=told)[0] == 400
    _, cut = at("long_message", "cut", "POST", "/run/notification", json=told)
    assert len(peopled.store.notifications[cut["id"]]["message"]) == 140
    _, whole = at("long_message", "taken", "POST", "/run/notification", json=told)
    assert len(peopled.store.notifications[whole["id"]]["message"]) == 141
    assert at("notifications_show_after", "10", "GET", f"/run/notification/{user}") == (200, [])
    assert at("user_options", "refused", "GET", "/run/users", params={"fields": "options"})[0] == 400
    assert at("page_past_end", "empty", "GET", "/run/users", params={"page": "9"}) == (200, [])
    assert at("page_past_end", "error", "GET", "/run/users", params={"page": "9"})[0] == 400
    with pytest.raises(ValueError, match="long_message"):
        peopled.store.set_fact("long_message", "perhaps")


def test_qty_counts_per_variable_and_skip_as_the_switch_says(peopled: Sandbox, fridge: tuple[Record, str]) -> None:
    token = fridge[1]
    rows = [{"variable": name, "value": value} for value in range(4) for name in ("a", "b")]
    assert call(peopled, "POST", "/data", token, json=rows)[0] == 200

    def read(**query: Any) -> list[Record]:
        return list(call(peopled, "GET", "/data", token, params={"variables": ["a", "b"], **query})[1]["result"])

    assert sorted(row["variable"] for row in read(qty=2)) == ["a", "a", "b", "b"]
    peopled.store.set_fact("skip_counts", "rows")
    assert len(read(qty=4, skip=6)) == 2
    peopled.store.set_fact("skip_counts", "per_variable")
    assert len(read(qty=4, skip=3)) == 2
    count = call(peopled, "GET", "/data", token, params={"query": "count", "variables": "a", "values": ["1", "2"]})
    assert count[1]["result"] == 2


def test_data_reads_as_official_code_reads_it(peopled: Sandbox, fridge: tuple[Record, str]) -> None:
    device, token = fridge
    rows = [{"variable": "a", "value": value} for value in (10, 20, 30)]
    assert call(peopled, "POST", "/data", token, json=rows)[0] == 200
    (newest,) = call(peopled, "GET", "/data", token, params={"query": "last_item", "variables": "a"})[1]["result"]
    assert newest["value"] == 30  # of rows of one moment, the one that came last
    lowest = call(peopled, "GET", "/data", token, params={"query": "min", "variables": "a"})[1]["result"]
    assert isinstance(lowest, int)  # the Python SDK takes no 10.0
    assert call(peopled, "GET", f"/device/{device['id']}")[1]["result"]["bucket"]["id"] == device["id"]
    (listed,) = call(peopled, "GET", "/device", params={"fields": "bucket"})[1]["result"]
    assert (listed["bucket"], listed["tags"]) == (device["id"], device["tags"])


def test_each_documented_query_selects_its_own_and_no_other_is_taken(
    peopled: Sandbox, fridge: tuple[Record, str]
) -> None:
    rows = [
        {"variable": "a", "value": 1, "time": "2026-01-01T00:00:00Z"},
        {"variable": "a", "value": 5, "time": "2026-01-03T00:00:00Z"},
        {"variable": "a", "location": {"lat": 1, "lng": 2}, "time": "2026-01-04T00:00:00Z"},
        {"variable": "a", "value": 3, "time": "2026-01-02T00:00:00Z"},
    ]
    assert call(peopled, "POST", "/data", fridge[1], json=rows)[0] == 200

    def days(**query: str) -> Any:
        status, answer = call(peopled, "GET", "/data", fridge[1], params={"variables": "a", **query})
        return [int(row["time"][8:10]) for row in answer["result"]] if status == 200 else answer["message"]

    singled = {mode: days(query=mode) for mode in ("last_item", "last_value", "last_location", "first_item")}
    assert singled == {"last_item": [4], "last_value": [3], "last_location": [4], "first_item": [1]}
    since = {"query": "conditional", "start_date": "2025-12-31"}
    assert days(**since, function="gte", value="3") == [3, 2]
    assert "gte" in days(**since, function="over", value="3")
    assert days(query="avg") == "start_date: Required"
    assert "last_location" in days(query="newest")
    assert "does not play" in days(query="aggregate")


def test_deleting_counts_per_variable_too(peopled: Sandbox, fridge: tuple[Record, str]) -> None:
    rows = [{"variable": name, "value": value} for name in ("a", "b") for value in range(3)]
    assert call(peopled, "POST", "/data", fridge[1], json=rows)[0] == 200
    query = {"variables": ["a", "b"], "qty": "2"}
    assert call(peopled, "DELETE", "/data", fridge[1], params=query)[1]["result"] == "4 Data Removed"


# ---- other routes


def test_a_services_right_is_a_policys_and_ended_ones_say_so(peopled: Sandbox) -> None:
    path, mail = "/analysis/services/notification/send", "/analysis/services/email/send"
    given = {"title": "t", "message": "m"}
    assert call(peopled, "POST", path, token_with(peopled), json=given)[1]["message"] == "Authorization Denied"
    token = token_with(peopled, rule("allow", "send_notification", "service"), rule("allow", "send_email", "service"))
    assert call(peopled, "POST", path, token, json=given)[0] == 200
    assert call(peopled, "POST", mail, token, json=given)[1]["message"] == "This service has ended"
    assert call(peopled, "POST", path, json=given)[0] == 401  # they are an Analysis' own


@pytest.mark.parametrize(("fact", "handed_over"), [("list", []), ("null", None)])
def test_a_press_hands_over_the_scope_that_the_switch_says(
    peopled: Sandbox, listener: Record, fact: str, handed_over: Any
) -> None:
    peopled.store.set_fact("press_scope", fact)
    user = next(iter(peopled.store.users))
    button = {"id": "ack", "label": "Ack", "analysis": listener["id"]}
    told = {"run_user": user, "title": "t", "message": "m", "buttons": [button]}
    note = call(peopled, "POST", "/run/notification", json=told)[1]["result"]["id"]
    token = call(peopled, "GET", f"/run/users/{user}/login")[1]["result"]["token"]
    assert call(peopled, "PUT", f"/run/{peopled.store.run_url}/notification/{note}/ack", token)[0] == 200
    (run,) = runs_of(peopled, listener)
    assert (run.scope, run.extra) == (handed_over, {"button_id": "ack", "user_id": user, "notification_id": note})


def test_a_devices_tokens_are_uuids_and_can_be_taken_back(peopled: Sandbox, fridge: tuple[Record, str]) -> None:
    device, token = fridge
    made = call(peopled, "POST", "/device/token", json={"device": device["id"], "name": "n"})[1]["result"]["token"]
    assert [str(UUID(each)) for each in (token, made)] == [token, made]
    assert call(peopled, "GET", "/info", made)[1]["result"]["id"] == device["id"]
    assert call(peopled, "DELETE", f"/device/token/{made}")[0] == 200
    assert call(peopled, "GET", "/info", made)[0] == 401


def test_an_analysis_tells_its_console_and_one_that_is_not_there_has_words_of_its_own(peopled: Sandbox) -> None:
    (analysis,) = peopled.store.analyses.values()
    run = Run(analysis["id"])
    peopled.runner.runs.append(run)
    peopled.runner.print_line(analysis["id"], "Hello", run)
    path = f"/analysis/{analysis['id']}"
    assert call(peopled, "GET", path)[1]["result"]["console"] == ["Hello"]
    assert call(peopled, "DELETE", path)[0] == 200
    status, answer = call(peopled, "GET", path)
    assert (status, answer["message"]) == (400, "Analysis can't be found")


def test_who_is_removed_takes_the_tokens_along(peopled: Sandbox, listener: Record) -> None:
    first = next(iter(peopled.store.users))
    user_token = call(peopled, "GET", f"/run/users/{first}/login")[1]["result"]["token"]
    token = call(peopled, "GET", f"/analysis/{listener['id']}/token")[1]["result"]["analysis_token"]
    assert call(peopled, "DELETE", f"/run/users/{first}")[0] == 200
    assert call(peopled, "DELETE", f"/analysis/{listener['id']}")[0] == 200
    assert call(peopled, "GET", f"/run/{peopled.store.run_url}/info", user_token)[0] == 401
    assert call(peopled, "GET", "/info", token)[0] == 401


def test_a_device_is_made_by_a_connector_of_the_marketplace(peopled: Sandbox) -> None:
    (connector,) = call(peopled, "GET", "/integration/connector/")[1]["result"]
    known = call(peopled, "GET", f"/integration/connector/{connector['id']}")[1]["result"]
    (network,) = known["networks"]
    assert call(peopled, "GET", f"/integration/network/{network}")[0] == 200
    assert call(peopled, "GET", "/integration/network/", params={"filter[public]": "false"})[1]["result"] == []
    assert call(peopled, "GET", "/integration/connector/", token_with(peopled))[1]["result"] == []
    given = {"name": "d", "network": network, "connector": connector["id"], "type": "mutable"}
    assert call(peopled, "POST", "/device", json=given)[0] == 200


def test_an_admins_notifications_answer_in_the_sdks_words(peopled: Sandbox) -> None:
    button = {"id": "b", "label": "B"}
    given = {"title": "t", "message": "m", "buttons": [button]}
    note = call(peopled, "POST", "/notification", json=given)[1]["result"]["id"]
    read = {"notification_ids": [note], "read": True}
    assert [
        call(peopled, "PUT", "/notification/read", json=read)[1]["result"],
        call(peopled, "PUT", "/notification/markallread")[1]["result"],
        call(peopled, "PUT", f"/notification/{note}/b")[1]["result"],
    ] == [
        "TagoIO Notification Run Successfully Updated",
        "All TagoIO Notification Run Successfully Updated",
        "Button action processed",
    ]


def test_e_mails_are_unique_and_the_developer_can_log_in_as_a_user(peopled: Sandbox) -> None:
    given = {"name": "Ana", "email": "ANA@example.com", "timezone": "UTC"}
    status, answer = call(peopled, "POST", "/run/users", json=given)
    assert (status, answer["message"]) == (400, "This email is already in use")
    first = next(iter(peopled.store.users))
    token = call(peopled, "GET", f"/run/users/{first}/login")[1]["result"]["token"]
    assert call(peopled, "GET", f"/run/{peopled.store.run_url}/info", token)[1]["result"]["id"] == first


def test_an_account_logs_in_and_gets_a_profiles_token(peopled: Sandbox) -> None:
    known = {"email": DEVELOPER, "password": peopled.store.account_password}
    assert call(peopled, "POST", "/account/login", json={**known, "password": "no"})[0] == 401
    (profile,) = call(peopled, "POST", "/account/login", json=known)[1]["result"]["profiles"]
    asked = {**known, "profile_id": profile["id"], "name": "n"}
    token = call(peopled, "POST", "/account/profile/token", json=asked)[1]["result"]["token"]
    assert call(peopled, "GET", "/info", token)[0] == 200
    assert call(peopled, "GET", "/account", token)[1]["result"]["email"] == DEVELOPER


def test_run_on_resets_the_token(peopled: Sandbox) -> None:
    made = call(peopled, "POST", "/analysis", json={"name": "n", "run_on": "external"})[1]["result"]
    assert call(peopled, "GET", "/info", made["token"])[0] == 200
    for place in ("tago", "external"):
        assert call(peopled, "PUT", f"/analysis/{made['id']}", json={"run_on": place})[0] == 200
    assert call(peopled, "GET", "/info", made["token"])[0] == 401
    fresh = call(peopled, "GET", f"/analysis/{made['id']}/token")[1]["result"]["analysis_token"]
    assert call(peopled, "GET", "/info", fresh)[0] == 200


def test_https_is_trusted_by_its_own_authority_and_by_nothing_else(tmp_path: Path) -> None:
    command = [sys.executable, "-u", "-m", "lib.tools.sandbox", "--serve", "--tls", str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as served:
        assert served.stdout
        try:
            page = served.stdout.readline().split()[-1]
            assert page.startswith("https://localhost:")
            with pytest.raises(requests.exceptions.SSLError):
                requests.get(page, timeout=5)
            assert requests.get(page, timeout=5, verify=str(tmp_path / AUTHORITY)).status_code == 200
        finally:
            served.send_signal(signal.SIGINT)
            said = served.stdout.read()
    assert served.returncode == 0
    assert f"export NODE_EXTRA_CA_CERTS={tmp_path / AUTHORITY}" in said
