"""The sandbox against what tagoio-platform.md says, through the official Python SDK and plain requests."""

import json
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from tagoio_sdk import Device, Resources

from lib.tools.install.wanted import JOURNAL_STORAGE
from lib.tools.sandbox.page.desk import Desk
from lib.tools.sandbox.page.forms import BadInput
from lib.tools.sandbox.runner import Run
from lib.tools.sandbox.server import Sandbox
from lib.tools.sandbox.storage import MUTABLE_ROWS, first_kept
from lib.tools.sandbox.store import Identity, new_id
from lib.tools.sandbox.trouble import Fault
from tests.conftest import MAINTENANCE, ROOT, run_python


@pytest.fixture
def sdk(peopled: Sandbox) -> Resources:
    region = {"api": peopled.api, "sse": f"{peopled.api}/events"}
    return Resources({"token": peopled.store.profile_token, "region": region})


def call(sandbox: Sandbox, method: str, path: str, token: str = "", **more: Any) -> tuple[int, dict[str, Any]]:
    headers = {"token": token or sandbox.store.profile_token}
    answer = requests.request(method, f"{sandbox.api}{path}", headers=headers, timeout=10, **more)
    return answer.status_code, answer.json()


def test_the_command_shows_console_and_inboxes_and_ends_with_the_exit_code(tmp_path: Path) -> None:
    ran = run_python("-m", "lib.tools.sandbox", cwd=ROOT)
    assert ran.code == 0, ran.err
    assert "Notified 7 of 8 users" in ran.out
    for name in MAINTENANCE:
        assert f"{name}, this is a test" in ran.out
    assert "[Acknowledge] runs the Analysis" in ran.out
    assert "{" not in ran.out, "no JSON among what a newcomer reads"
    assert "exit code 0" in ran.out
    failed = run_python("-m", "lib.tools.sandbox", "--no-policy", cwd=ROOT)
    assert failed.code == 1
    assert "Access Management policy" in failed.out


LINK = 'notification={"title": "t", "message": "m", "buttons": [{"id": "c", "label": "Call", "url": "https://example.com/"}]}'
NAMED = 'notification={"title": "$DEVICE.NAME$", "message": "m"}'


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--press", "ack"], 0, "pressed acknowledge: it counts"),
        (["--press", "Acknowledge"], 0, "pressed acknowledge: it counts"),
        (["--set", LINK, "--press", "Call"], 1, "[Call] opens https://example.com/; only a button that runs"),
        (
            ["--press", "aknowledge"],
            1,
            'Nobody has a button aknowledge; there are: acknowledge; did you mean "acknowledge"?',
        ),
        (["--trigger", "temperature=12"], 0, "it is at 12 °C"),
        (
            ["--trigger", "temperature=5"],
            0,
            'all clear of the alarm "temperature"; this run brought temperature = 5 °C',
        ),
        (["--set", "dry_run=true"], 0, "Nobody has received anything."),
        (["--set", "dry_run=true"], 0, "never logged in to TagoRUN, so may not see it: Emi Tanaka"),
        (
            ["--set", NAMED],
            1,
            "this run has no device; run it by an Action on data, in the sandbox by Run as Action or --trigger",
        ),
        (["--set", "tag_value=maintainance"], 1, 'did you mean "group = maintenance"?'),
        (["--fault", "502"], 0, "7 answers were lost on the way"),
        (["--set", "dry_rum=true"], 1, "is dry_run meant?"),
        (["--set", "dry_run"], 2, ""),
    ],
)
@pytest.mark.waits(52)
def test_each_flag_shows_what_it_says(arguments: list[str], code: int, said: str) -> None:
    ran = run_python("-m", "lib.tools.sandbox", *arguments, cwd=ROOT)
    assert (ran.code, "Traceback" in ran.err) == (code, False)
    assert said in ran.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--port", "8765"], "--port belongs to --serve, which is not given"),
        (["--state", "kept.json"], "--state belongs to --serve"),
        (["--tls", "keys"], "--tls belongs to --serve"),
        (["--serve", "--trigger", "temperature=9"], "--trigger does not go with --serve: the page has it"),
        (["--serve", "--press", "acknowledge"], "--press does not go with --serve"),
    ],
)
def test_no_flag_is_ignored_in_silence(arguments: list[str], said: str) -> None:
    ran = run_python("-m", "lib.tools.sandbox", *arguments, cwd=ROOT)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err


def test_it_serves_until_it_is_stopped_and_prints_what_to_set() -> None:
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "lib.tools.sandbox", "--serve"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(8)]
    given = dict(line.removeprefix("export ").strip().split("=", 1) for line in lines if line.startswith("export "))
    assert given["tag_value"] == "maintenance"
    assert given["TAGOIO_API"].startswith("http://127.0.0.1:")
    answer = requests.get(f"{given['TAGOIO_API']}/run/users", headers={"token": given["account_token"]}, timeout=5)
    assert len(answer.json()["result"]) == 12
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    process.stdout.close()


def test_the_official_python_sdk_finds_what_it_expects(peopled: Sandbox, sdk: Resources) -> None:
    created = sdk.run.userCreate({"name": "New", "email": "new@example.com", "timezone": "UTC", "password": "x"})
    user = sdk.run.userInfo(created["user"])
    assert (user["name"], user["active"], user["last_login"]) == ("New", False, None)
    note = sdk.run.notificationCreate(created["user"], {"title": "t", "message": "m"})
    (listed,) = sdk.run.notificationList(created["user"])
    assert listed["id"] == note["id"]
    assert set(listed) == {
        "id", "title", "message", "read", "buttons", "buttons_enabled", "buttons_autodisable", "created_at",
    }  # fmt: skip
    assert sdk.run.notificationDelete(note["id"]) == "Successfully Removed"
    assert sdk.run.info()["url"] == peopled.store.run_url
    assert sdk.profile.info("current")["info"]["id"] == peopled.store.profile_id
    assert sdk.profile.summary(peopled.store.profile_id)["limit_used"]["push_notification"] == 1
    analysis = sdk.analysis.create({"name": "A", "runtime": "python-rt2025", "tags": []})
    assert analysis["token"] == ""
    assert sdk.analysis.info(analysis["id"])["name"] == "A"
    assert sdk.access.list() == [{"id": "seeded", "name": "notify", "tags": []}]


def test_a_device_keeps_its_data(peopled: Sandbox) -> None:
    region = {"api": peopled.api, "sse": peopled.api}
    _, token = peopled.store.add_device({"name": "d"})
    device = Device({"token": token, "region": region})
    assert device.info()["name"] == "d"
    assert (
        device.sendData([{"variable": "a", "value": 1, "group": "g"}, {"variable": "b", "value": 2}]) == "2 Data Added"
    )
    assert [point["value"] for point in device.getData({"variables": "a", "groups": "g"})] == [1]
    assert device.deleteData({"variables": ["a"]}) == "1 Data Removed"
    assert len(device.getData()) == 1


DAILY = {"type": "immutable", "chunk_period": "day", "chunk_retention": 31}
NEW = {"name": "d", "network": "n", "connector": "c"}


def test_a_mutable_devices_rows_are_edited_and_it_takes_fifty_thousand(peopled: Sandbox) -> None:
    device, token = peopled.store.add_device({"name": "d", "type": "mutable"})
    call(peopled, "POST", "/data", token, json=[{"variable": "a", "value": 1}, {"variable": "a", "value": 2}])
    (row, _) = peopled.store.data[device["id"]]
    answer = call(peopled, "PUT", "/data", token, json=[{"id": row["id"], "value": 3}])
    assert answer == (200, {"status": True, "result": "1 item(s) updated"})
    assert [each["value"] for each in peopled.store.data[device["id"]]] == [3, 2]
    peopled.store.data[device["id"]] *= MUTABLE_ROWS // 2
    full = "The device has reached the limit of 50000 data registers"
    assert call(peopled, "POST", "/data", token, json={"variable": "a"}) == (400, {"status": False, "message": full})
    assert len(peopled.store.data[device["id"]]) == 50_000
    assert call(peopled, "POST", f"/device/{device['id']}/empty")[1]["result"] == "Data Successfully Removed"
    assert call(peopled, "POST", "/data", token, json={"variable": "a"})[0] == 200


@pytest.mark.parametrize("kind", [{"type": "legacy"}, {"type": "mutable"}, DAILY])
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"value": 1}, "variable: Required"),
        ({"variable": "a b"}, "variable: a b has a character that is not allowed"),
        ({"variable": "a.b"}, "variable: a.b has a character that is not allowed"),
        ({"variable": "a" * 101}, "variable: String must contain at most 100 character(s)"),
        ({"variable": "a", "group": "g" * 101}, "group: String must contain at most 100 character(s)"),
        ({"variable": "a", "unit": "u" * 26}, "unit: String must contain at most 25 character(s)"),
        ({"variable": "a", "value": "v" * 6_000}, "value: larger than 6 kB"),
        ({"variable": "a", "metadata": {"users": "u" * 10_000}}, "metadata: larger than 10 kB"),
        ({"variable": "a", "metadata": ["u"]}, "metadata: Expected object"),
        ([{"variable": "a", "metadata": {"users": "u" * 9_900}}] * 21, "The maximum payload size is 200 kB"),
    ],
)
def test_a_row_that_is_too_large_or_misnamed_is_refused_and_all_with_it(
    peopled: Sandbox, kind: dict[str, Any], given: Any, said: str
) -> None:
    device, token = peopled.store.add_device({"name": "d", **kind})
    rows = given if isinstance(given, list) else [{"variable": "fine"}, given]
    assert call(peopled, "POST", "/data", token, json=rows) == (400, {"status": False, "message": said})
    assert peopled.store.data[device["id"]] == []


def test_the_largest_row_and_post_are_taken_and_names_are_in_lower_case(peopled: Sandbox) -> None:
    device, token = peopled.store.add_device({"name": "d", "type": "mutable"})
    rows = [{"variable": "Door_A1", "value": "v" * 5_998, "metadata": {"users": "u" * 9_980}}] * 12
    assert call(peopled, "POST", "/data", token, json=rows) == (200, {"status": True, "result": "12 Data Added"})
    assert {row["variable"] for row in peopled.store.data[device["id"]]} == {"door_a1"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"name": ""}, "name: Required"),
        ({"network": None}, "network: Required"),
        ({"connector": None}, "connector: Required"),
        ({"type": "immutable", "chunk_retention": 1}, "chunk_period: Required"),
        ({"type": "immutable", "chunk_period": "day"}, "chunk_retention: Required"),
        ({**DAILY, "chunk_period": "year"}, "chunk_period: Expected one of day, week, month, quarter"),
        ({**DAILY, "chunk_retention": 32}, "chunk_retention: Expected a number from 0 to 31"),
        ({**DAILY, "chunk_period": "week", "chunk_retention": 27}, "chunk_retention: Expected a number from 0 to 26"),
        ({**DAILY, "chunk_retention": -1}, "chunk_retention: Expected a number from 0 to 31"),
        ({**DAILY, "chunk_retention": "31"}, "chunk_retention: Expected a number from 0 to 31"),
    ],
)
def test_a_device_without_what_its_type_needs_is_not_made(peopled: Sandbox, given: dict[str, Any], said: str) -> None:
    assert call(peopled, "POST", "/device", json={**NEW, **given}) == (400, {"status": False, "message": said})
    assert not peopled.store.devices


def test_an_immutable_device_only_ever_gets_more_rows(peopled: Sandbox) -> None:
    created = call(peopled, "POST", "/device", json={**NEW, **DAILY})[1]["result"]
    token, place = created["token"], f"/device/{created['device_id']}/data"
    assert call(peopled, "POST", "/data", token, json=[{"variable": "a", "value": 1}])[0] == 200
    (row,) = call(peopled, "GET", "/data?variables=a", token)[1]["result"]
    for path, whose in (("/data", token), (place, "")):
        edited = call(peopled, "PUT", path, whose, json=[{"id": row["id"], "value": 2}])
        assert edited == (400, {"status": False, "message": "You cannot edit data on immutable device"})
        deleted = call(peopled, "DELETE", f"{path}?variables=a", whose)
        assert deleted == (400, {"status": False, "message": "Data in immutable devices cannot be deleted"})
        asked = call(peopled, "GET", f"{path}?ids={row['id']}", whose)
        assert asked[1]["message"] == "Filter using ID(s) is not supported on Immutable Storage Type"
    assert call(peopled, "GET", place)[1]["result"] == [row]
    peopled.store.data[row["device"]] *= MUTABLE_ROWS
    assert call(peopled, "POST", "/data", token, json={"variable": "a"})[0] == 200
    call(peopled, "POST", f"/device/{row['device']}/empty")
    assert call(peopled, "GET", "/data", token)[1]["result"] == []


def test_an_immutable_device_drops_what_is_older_than_its_retention(peopled: Sandbox) -> None:
    _, token = peopled.store.add_device({"name": "d", **DAILY, "chunk_retention": 1})
    today = datetime.fromtimestamp(peopled.store.clock(), UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for days, status in ((-2, 400), (-1, 200), (0, 200), (1, 200), (2, 400)):
        moment = (today + timedelta(days=days)).isoformat()
        answer = call(peopled, "POST", "/data", token, json={"variable": "a", "value": days, "time": moment})
        assert answer[0] == status, answer
    refused = call(peopled, "POST", "/data", token, json={"variable": "a", "time": "2015-11-03 13:44:33"})
    assert (
        refused[1]["message"]
        == f"Time must be between {today - timedelta(1):%Y-%m-%d} and {today + timedelta(1):%Y-%m-%d}"
    )
    assert call(peopled, "POST", "/data", token, json={"variable": "a", "time": "soon"})[1]["message"] == (
        "time: Invalid date"
    )

    def kept() -> list[int]:
        return [row["value"] for row in call(peopled, "GET", "/data?qty=99", token)[1]["result"]]

    assert kept() == [1, 0, -1]
    peopled.store.ahead = 86_400.0
    assert kept() == [1, 0]
    peopled.store.ahead = 3 * 86_400.0
    assert kept() == []


@pytest.mark.parametrize(
    ("period", "kept", "first"),
    [
        ("day", 0, "2026-03-05"),
        ("day", 31, "2026-02-02"),
        ("week", 0, "2026-03-02"),
        ("week", 1, "2026-02-23"),
        ("month", 0, "2026-03-01"),
        ("month", 3, "2025-12-01"),
        ("quarter", 0, "2026-01-01"),
        ("quarter", 5, "2024-10-01"),
    ],
)
def test_retention_is_whole_periods_and_the_one_that_runs(period: str, kept: int, first: str) -> None:
    thursday = datetime(2026, 3, 5, 23, 59, tzinfo=UTC).timestamp()
    device = {"chunk_period": period, "chunk_retention": kept}
    assert f"{first_kept(device, thursday):%Y-%m-%d %H:%M}" == f"{first} 00:00"


def test_the_pages_journal_is_of_the_installers_kind_and_its_data_points_are_checked(desk: Desk) -> None:
    (journal,) = desk.store.devices.values()
    assert JOURNAL_STORAGE.items() <= journal.items()
    with pytest.raises(BadInput, match="variable: a b has a character that is not allowed"):
        desk.sandbox.call(desk.run({"how": "action", "variable": "A b", "value": "1"}))


def test_a_device_that_is_removed_takes_its_data_and_its_tokens_along(peopled: Sandbox) -> None:
    device, token = peopled.store.add_device({"name": "d"})
    call(peopled, "POST", "/data", token, json={"variable": "a"})
    assert call(peopled, "DELETE", f"/device/{device['id']}")[0] == 200
    assert call(peopled, "GET", "/info", token) == (401, {"status": False, "message": "Invalid token"})
    assert device["id"] not in peopled.store.data


@pytest.mark.parametrize(("took", "billed"), [(0.2, 1), (1.0, 1), (1.01, 2), (61.5, 62)])
def test_a_run_is_billed_by_the_second_and_one_outside_is_free(took: float, billed: int) -> None:
    assert Run("a", started=100, ended=100 + took).seconds_billed == billed
    assert Run("a", started=100, ended=100 + took, is_external=True).seconds_billed == 0


@pytest.mark.parametrize("path", ["/run/notification", "/run/notification/"])
def test_a_notification_is_created_with_and_without_the_slash(peopled: Sandbox, path: str) -> None:
    user = next(iter(peopled.store.users))
    status, answer = call(peopled, "POST", path, json={"run_user": user, "title": "t", "message": "m"})
    assert (status, answer["status"], len(answer["result"]["id"])) == (200, True, 24)


@pytest.mark.parametrize(
    ("method", "path", "token", "status", "message"),
    [
        ("GET", "/run/users", "p-wrong", 401, "Invalid token"),
        ("GET", f"/run/users/{'f' * 24}", "", 404, "User Not Found"),
        ("GET", "/run/users?orderBy=email,asc", "", 400, "Invalid orderBy parameter"),
        ("GET", "/nothing", "", 404, "Route not found"),
        ("GET", "/am?fields=permissions", "", 500, "Sorry, Internal Error"),
        ("POST", "/am", "", 400, "Required"),
    ],
)
def test_refusals_bear_tagoios_words(
    peopled: Sandbox, method: str, path: str, token: str, status: int, message: str
) -> None:
    assert call(peopled, method, path, token) == (status, {"status": False, "message": message})


def test_an_analysis_without_a_policy_gets_an_empty_list_and_is_denied_the_rest(peopled: Sandbox) -> None:
    (analysis,) = peopled.store.analyses.values()
    token = peopled.store.token_for(Identity("analysis", analysis["id"]))
    user = next(iter(peopled.store.users))
    assert len(call(peopled, "GET", "/run/users", token)[1]["result"]) == 12
    peopled.store.policies.clear()
    assert call(peopled, "GET", "/run/users", token) == (200, {"status": True, "result": []})
    note = {"run_user": user, "title": "t", "message": "m"}
    assert call(peopled, "POST", "/run/notification", token, json=note)[0] == 401
    assert call(peopled, "GET", f"/run/notification/{user}", token)[0] == 401
    assert call(peopled, "GET", "/run", token)[0] == 401


def press(sandbox: Sandbox, user: dict[str, Any], note: dict[str, Any], button: str) -> tuple[int, dict[str, Any]]:
    token = sandbox.store.log_in(user["email"], "sandbox")
    return call(sandbox, "PUT", f"/run/{sandbox.store.run_url}/notification/{note['id']}/{button}", token)


@pytest.mark.parametrize("form", ["analysis", "triggers"])
def test_a_press_runs_the_analysis_with_what_tagoio_hands_it(peopled: Sandbox, tmp_path: Path, form: str) -> None:
    (analysis,) = peopled.store.analyses.values()
    script = tmp_path / "pressed.py"
    script.write_text("import os; print(os.environ['T_ANALYSIS_ENV'], os.environ['T_ANALYSIS_DATA'])")
    peopled.store.scripts[analysis["id"]] = script
    user, other = list(peopled.store.users.values())[:2]
    leads = {"analysis": analysis["id"]} if form == "analysis" else {"triggers": [{"analysis_id": analysis["id"]}]}
    buttons = [{"id": "ack", "label": "Ack", **leads}]
    note = peopled.store.notify(
        {"run_user": user["id"], "title": "t", "message": "m", "buttons": buttons, "buttons_autodisable": True}
    )
    assert press(peopled, other, note, "ack")[0] == 404
    assert press(peopled, user, note, "nope")[0] == 404
    assert press(peopled, user, note, "ack")[0] == 200
    peopled.call(peopled.runner.settled())
    (run,) = peopled.runner.runs
    environment, data = run.lines[0].rsplit(" ", 1)
    assert data == "[]"
    handed = {entry["key"]: entry["value"] for entry in json.loads(environment)}
    assert handed == {
        "tag_key": "group", "tag_value": "maintenance",
        "button_id": "ack", "user_id": user["id"], "notification_id": note["id"],
    }  # fmt: skip
    assert note["buttons_enabled"] is False
    assert press(peopled, user, note, "ack") == (400, {"status": False, "message": "Buttons are disabled"})


def test_a_rate_limit_counts_per_clock_window_and_says_when_to_come_back(peopled: Sandbox) -> None:
    peopled.trouble.rate_limit, peopled.trouble.window = 2, 2.0
    user = next(iter(peopled.store.users))
    note = {"run_user": user, "title": "t", "message": "m"}
    time.sleep(2 - time.time() % 2)
    answers = [call(peopled, "POST", "/run/notification/", json=note) for _ in range(3)]
    assert [status for status, _ in answers] == [200, 200, 429]
    assert answers[2][1]["message"] == "Too many requests (Retry-After: 2)"
    time.sleep(2 - time.time() % 2)
    assert call(peopled, "POST", "/run/notification/", json=note)[0] == 200


@pytest.mark.parametrize("processed", [True, False])
def test_a_fault_strikes_the_first_tries_before_or_after_processing(peopled: Sandbox, processed: bool) -> None:
    peopled.trouble.faults = [Fault("500", processed=processed, attempts=2)]
    user = next(iter(peopled.store.users))
    note = {"run_user": user, "title": "t", "message": "m"}
    assert [call(peopled, "POST", "/run/notification/", json=note)[0] for _ in range(3)] == [500, 500, 200]
    assert len(peopled.store.notifications) == (3 if processed else 1)


def test_a_late_request_is_carried_out_though_nobody_waits_any_more(peopled: Sandbox) -> None:
    peopled.trouble.faults = [Fault("late", seconds=0.5)]
    note = {"run_user": next(iter(peopled.store.users)), "title": "t", "message": "m"}
    with pytest.raises(requests.ReadTimeout):
        requests.post(
            f"{peopled.api}/run/notification", json=note, headers={"token": peopled.store.profile_token}, timeout=0.1
        )
    assert not peopled.store.notifications
    time.sleep(0.8)
    assert len(peopled.store.notifications) == 1


def test_it_listens_on_loopback_only(peopled: Sandbox) -> None:
    assert peopled.api.startswith("http://127.0.0.1:")


def test_of_two_records_of_one_moment_the_later_has_the_greater_id() -> None:
    ids = [new_id() for _ in range(200)]
    assert ids == sorted(ids)
