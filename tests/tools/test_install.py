"""The installer, as a command against the sandbox: each flag, the second run, a run cut off, each refusal."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lib.base.errors import SetupError
from lib.tools.install.__main__ import addresses, admin_link
from lib.tools.install.rights import names_a_device
from lib.tools.install.triggers import PART, at_cron, every, when
from lib.tools.install.wanted import TAG
from lib.tools.sandbox.server import Sandbox
from lib.tools.sandbox.trouble import Fault
from tests.conftest import MAINTENANCE, ROOT, names_told
from tests.tools.installing import in_process, install, only, rights, secrets, story, variables, writes

HOT = {"device": "d1", "variable": "temperature", "value_type": "number"}


def test_it_makes_an_analysis_that_works_with_its_own_token(bare: Sandbox) -> None:
    ran = install(bare, "--run")
    assert ran.code == 0, ran.out + ran.err
    analysis = only(bare.store.analyses)
    assert (analysis["runtime"], analysis["run_on"], analysis["active"]) == ("python-rt2025", "tago", True)
    assert variables(bare) == {"tag_key": "group", "tag_value": "maintenance"}
    assert "Notified 7 of 8 users" in ran.out
    assert names_told(bare) == MAINTENANCE
    assert f"{bare.api}/page/admin/analysis/{analysis['id']}" in ran.out
    assert only(bare.store.policies)["targets"] == [["analysis", "id", analysis["id"]]]
    of_users = ("access", "create_notification", "access_notification", "edit_notification")
    tagged = ("run_user", "tag.key", "group", "tag.value", "maintenance")
    assert rights(bare) == {
        ("access_profile", "account"),
        ("access", "device"),
        *((action, *tagged) for action in of_users),
    }


def test_devices_may_be_read_only_where_the_notification_asks_for_the_name_of_one(bare: Sandbox) -> None:
    document = '{"title": "$Device.Name$ is warm", "message": "$VALUE$"}'
    install(bare, notification=document)
    assert ("access", "device") in rights(bare)
    assert install(bare).out.count("Nothing to change") == 1  # it stands on TagoIO, though not in .env any more
    install(bare, "--overwrite", notification='{"title": "t", "message": "$DEVICE$ NAME"}')
    assert ("access", "device") not in rights(bare)


@pytest.mark.parametrize(
    ("text", "is_named"),
    [("$DEVICE.NAME$", True), ("a $device.Name$ b", True), ("$DEVICE$.NAME$", False), ("DEVICE.NAME", False)],
)
def test_a_devices_name_is_asked_for_in_any_capitals(text: str, is_named: bool) -> None:
    assert names_a_device("", text) is is_named
    assert names_a_device(f'title = "{text}"', "") is is_named
    assert names_a_device(f"# {text}", "") is False
    assert names_a_device("def compose(trigger, user):\n    return trigger.device_name", "")


@pytest.mark.parametrize(
    ("change", "is_allowed"),
    [
        (("- EDIT ME\n", '- EDIT ME\n\nTITLE = "$device.name$ alarm"\n'), True),
        (("- EDIT ME\n", "- EDIT ME\n\n# $DEVICE.NAME$\n"), False),
        (("# Tell them, and say", "# $DEVICE.NAME$. Tell them, and say"), False),
        (('"""Notify TagoRUN users', '"""$DEVICE.NAME$. Notify TagoRUN users'), False),
    ],
)
def test_of_the_script_only_the_part_to_edit_counts_for_device_access(
    bare: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: tuple[str, str], is_allowed: bool
) -> None:
    no_name = ("trigger.device_name or ", "")
    assert in_process(bare, story(tmp_path, no_name, change), monkeypatch) == 0
    assert (("access", "device") in rights(bare)) is is_allowed


def test_a_marker_line_that_is_gone_is_an_error_before_anything_is_made(
    bare: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert in_process(bare, story(tmp_path, ("- EDIT ME", "- CHANGE ME")), monkeypatch) == 1
    assert "analysis.py needs one line '# ---- EDIT ME' and has 0" in capsys.readouterr().err
    assert writes(bare) == 0


def test_running_it_again_changes_nothing(bare: Sandbox) -> None:
    flags = ("--journal", "--every", "15 minutes")
    assert install(bare, *flags).code == 0
    before, count = json.dumps(bare.store.__dict__["analyses"]), writes(bare)
    again = install(bare, *flags)
    assert again.code == 0
    assert "Nothing to change" in again.out
    assert writes(bare) == count
    assert json.dumps(bare.store.__dict__["analyses"]) == before


def test_a_dry_run_shows_the_plan_and_writes_nothing(bare: Sandbox) -> None:
    ran = install(bare, "--dry-run", "--journal", "--cron", "0 8 * * 1-5", "--timezone", "America/Sao_Paulo", "--run")
    assert ran.code == 0, ran.err
    for said in (
        "Analysis Notify TagoRUN users created",
        "Script uploaded",
        "Variables set",
        "Policy",
        "Journal",
        "Action",
    ):
        assert f"would be: {said}" in ran.out
    assert writes(bare) == 0


def test_the_journals_token_is_set_and_works(bare: Sandbox) -> None:
    assert install(bare, "--journal", "--run").code == 0
    device = only(bare.store.devices)
    assert bare.store.tokens[secrets(bare)["delivery_log_token"]].id == device["id"]
    assert "delivery_log_token" not in variables(bare)
    rows = [row for row in bare.store.data[device["id"]] if row["variable"] == "notify_outcome"]
    assert sum(len(row["metadata"]["users"].split()) for row in rows) == 8


def test_the_journal_is_of_a_type_that_does_not_fill(bare: Sandbox) -> None:
    ran = install(bare, "--journal")
    assert "Journal device created: it keeps its rows for 31 days" in ran.out
    device = only(bare.store.devices)
    assert (device["type"], device["chunk_period"], device["chunk_retention"]) == ("immutable", "day", 31)
    assert "Journal device is there\n" in install(bare, "--journal").out


def test_an_older_journal_of_type_mutable_stays_and_is_replaced_once_it_is_removed(bare: Sandbox) -> None:
    install(bare, "--journal")
    old = only(bare.store.devices)
    del old["chunk_period"], old["chunk_retention"]
    old["type"] = "mutable"
    ran = install(bare, "--journal")
    (line,) = [line for line in ran.out.splitlines() if "Journal device" in line]
    assert "is there and stays, but it is of type mutable: it takes 50,000 rows and then no more. Remove it" in line
    assert "Nothing to change" in ran.out
    token = secrets(bare)["delivery_log_token"]
    bare.store.remove_device(old["id"])
    assert token not in bare.store.tokens
    assert "Secret delivery_log_token set anew" in install(bare, "--journal").out
    new = only(bare.store.devices)
    assert new["type"] == "immutable"
    assert bare.store.tokens[secrets(bare)["delivery_log_token"]].id == new["id"]
    assert "Nothing to change" in install(bare, "--journal").out


@pytest.mark.parametrize("place", ["secret", "variable"])
def test_a_journal_of_the_developers_own_stays_unless_told(bare: Sandbox, place: str) -> None:
    _, token = bare.store.add_device({"name": "Mine"})
    install(bare, delivery_log_token=token)
    if place == "variable":  # as an installation without Secrets left it
        bare.store.kept_secrets.clear()
        only(bare.store.analyses)["variables"].append({"key": "delivery_log_token", "value": token})
    standing = variables if place == "variable" else secrets
    ran = install(bare, "--journal")
    assert "is your own and stays (--overwrite sets another)" in ran.out
    assert standing(bare)["delivery_log_token"] == token
    assert len(bare.store.devices) == 1
    assert install(bare, "--journal", "--overwrite").code == 0
    assert secrets(bare)["delivery_log_token"] != token
    assert len(bare.store.devices) == 2


def test_a_value_changed_on_tagoio_stays_unless_told(bare: Sandbox) -> None:
    install(bare)
    only(bare.store.analyses)["variables"] = [{"key": "tag_key", "value": "site"}, {"key": "own", "value": "x"}]
    kept = install(bare, max_recipients="50")
    assert "tag_key is site on TagoIO and group in .env; it stays as it is on TagoIO (--overwrite" in kept.out
    assert variables(bare) == {"tag_key": "site", "own": "x", "tag_value": "maintenance", "max_recipients": "50"}
    install(bare, "--overwrite", max_recipients="50")
    assert variables(bare)["tag_key"] == "group"
    assert variables(bare)["own"] == "x"


@pytest.mark.parametrize(
    ("flags", "kind", "trigger"),
    [
        (["--every", "15 minutes"], "interval", [{"interval": "15 minutes"}]),
        (
            ["--cron", "0 8 * * 1-5", "--timezone", "Europe/Paris"],
            "schedule",
            [{"cron": "0 8 * * 1-5", "timezone": "Europe/Paris"}],
        ),
        (
            ["--when", "temperature > 35", "--device", "d1", "--unlock", "temperature < 30"],
            "condition",
            [
                {**HOT, "is": ">", "value": "35"},
                {**HOT, "is": "<", "value": "30", "unlock": True},
            ],
        ),
        (
            ["--when", "door = open", "--device-tag", "kind=fridge"],
            "condition",
            [
                {
                    "tag_key": "kind", "tag_value": "fridge", "variable": "door", "is": "=", "value": "open",
                    "value_type": "string",
                }
            ],
        ),
    ],
)  # fmt: skip
def test_an_action_starts_it(bare: Sandbox, flags: list[str], kind: str, trigger: Any) -> None:
    assert install(bare, *flags).code == 0
    action, analysis = only(bare.store.actions), only(bare.store.analyses)
    part = flags[0].removeprefix("--")
    assert (action["type"], action["trigger"]) == (kind, trigger)
    assert action["tags"] == [TAG, {"key": PART, "value": part}]
    assert action["action"] == {"type": "script", "script": [analysis["id"]]}
    assert f"Action {part} ({kind}) is there" in install(bare, *flags).out


def test_each_flag_is_an_action_of_its_own_and_the_others_stay(bare: Sandbox) -> None:
    install(bare, "--every", "1 hour")
    both = install(bare, "--when", "temperature > 35", "--device-tag", "kind=fridge", "--every", "15 minutes")
    assert "Action every (interval) changed" in both.out
    again = install(bare, "--cron", "0 8 * * *", "--timezone", "UTC")
    assert "Actions of earlier runs stay beside: every, when" in again.out
    assert sorted(each["type"] for each in bare.store.actions.values()) == ["condition", "interval", "schedule"]
    (interval,) = (each for each in bare.store.actions.values() if each["type"] == "interval")
    assert interval["trigger"] == [{"interval": "15 minutes"}]
    interval["action"]["script"].append("another")  # added by hand
    interval["active"] = False
    install(bare, "--every", "15 minutes", "--overwrite")
    assert interval["active"] is True
    assert interval["action"]["script"][1:] == ["another"]


def test_an_alarm_of_one_device_ends_by_its_unlock_and_that_of_a_tag_by_an_action(bare: Sandbox) -> None:
    ends = ("--when", "temperature > 35", "--clear", "temperature < 30")
    install(bare, *ends, "--device", "d1")
    action = only(bare.store.actions)
    assert action["trigger_when_unlock"] is True
    assert action["trigger"] == [
        {**HOT, "is": ">", "value": "35"},
        {**HOT, "is": "<", "value": "30", "unlock": True},
    ]
    install(bare, "--uninstall", "--yes")
    install(bare, *ends, "--device-tag", "kind=fridge")
    begins, stops = sorted(bare.store.actions.values(), key=lambda each: each["name"], reverse=True)
    assert not [each for each in (begins, stops) if "trigger_when_unlock" in each]
    assert [(each["is"], each["tag_key"], "unlock" in each) for each in begins["trigger"] + stops["trigger"]] == [
        (">", "kind", False),
        ("<", "kind", False),
    ]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--every", "soon"], '--every "soon" is not an interval'),
        (["--every", "0 minutes"], "is not an interval"),
        (["--cron", "0 8 * *", "--timezone", "UTC"], "has 4 fields; it needs five"),
        (["--cron", "0 8 * * *"], "--cron needs --timezone"),
        (["--when", "temperature > 35"], "--when needs either --device ID or --device-tag KEY=VALUE"),
        (["--when", "temperature >", "--device", "d"], "is not a condition"),
        (["--when", "hot", "--device", "d"], "is not a condition"),
        (["--when", "t >< 5", "--device", "d"], ">< compares numbers"),
        (["--when", "t > hot", "--device", "d"], "> compares numbers"),
        (["--when", "t >= 35", "--device", "d"], "TagoIO has <, >, =, !, >< and *, and one of them a condition"),
        (["--when", "t > 5", "--device-tag", "a=b", "--unlock", "t < 3"], "--unlock works with --device only"),
        (["--unlock", "t < 3"], "--unlock belongs to --when"),
        (["--clear", "t < 3"], "--clear belongs to --when"),
        (["--when", "t > 5", "--device", "d", "--clear", "t < 3", "--unlock", "t < 3"], "say the same to TagoIO"),
        (["--when", "t > 5", "--device-tag", "a=b", "--clear", "t < 8"], "--when and --clear both hold at t = 5.5"),
        (["--when", "t >< 5,9", "--device-tag", "a=b", "--clear", "t = 7"], "--when and --clear both hold at t = 7"),
        (["--when", "door = open", "--device", "d", "--clear", "door ! shut"], "both hold at door = open"),
        (["--when", "t > 5", "--device", "d", "--clear", "t *"], "would end the alarm at every reading"),
        (["--cron", "0 8 * * *", "--timezone", "Mars/Base"], "not Mars/Base"),
        (["--when", "t > 5", "--device-tag", "kind"], "is not KEY=VALUE"),
    ],
)
def test_a_flag_that_makes_no_sense_is_explained_before_anything_is_made(
    bare: Sandbox, flags: list[str], said: str
) -> None:
    ran = install(bare, *flags)
    assert ran.code == 1
    assert said in ran.err
    assert writes(bare) == 0


def test_intervals_and_conditions_are_written_as_tagoio_has_them() -> None:
    assert every("1 Hour".lower()).trigger == [{"interval": "1 hour"}]
    assert every("1 minutes").trigger == [{"interval": "1 minute"}]
    assert at_cron("0 8 * * *", "UTC").type == "schedule"
    assert when(["T >< 2,8"], "d", "")[0].trigger == [
        {"device": "d", "variable": "t", "is": "><", "value": "2", "value_type": "number", "second_value": "8"}
    ]
    assert when(["t *"], "d", "")[0].trigger == [{"device": "d", "variable": "t", "is": "*", "value_type": "*"}]
    with pytest.raises(SetupError):
        every("15")


@pytest.mark.parametrize("step", ["/analysis", "upload", "/am", "/device", "/action"])
@pytest.mark.waits(11)
def test_a_run_that_was_cut_off_is_completed_by_the_next(bare: Sandbox, step: str) -> None:
    """The connection breaks at one step, after TagoIO has carried it out."""
    flags = ("--journal", "--every", "15 minutes")
    if step == "upload":
        bare.trouble.faults = [Fault("reset", route=("PUT", "/analysis"), attempts=1)]
    route = {"/analysis": "/analysis", "/am": "/am", "/device": "/device", "/action": "/action"}.get(step)
    if route:
        bare.trouble.faults = [Fault("close", processed=True, route=("POST", route))]
    first = install(bare, *flags)
    assert first.code == 1
    assert "it goes on where it was" in first.err
    bare.trouble.faults = []
    assert install(bare, *flags, "--run").code == 0
    for records in (bare.store.analyses, bare.store.policies, bare.store.devices, bare.store.actions):
        assert len(records) == 1
    assert names_told(bare) == MAINTENANCE
    assert "Nothing to change" in install(bare, *flags).out


@pytest.mark.parametrize("kind", ["Analysis", "Action", "Access management"])
def test_a_limit_of_the_plan_is_said_with_what_to_do(bare: Sandbox, kind: str) -> None:
    bare.store.room[kind] = 0
    ran = install(bare, "--every", "15 minutes")
    assert ran.code == 1
    assert f"maximum limit of {kind} (0)" in ran.err
    assert "remove one you do not need, or upgrade" in ran.err
    bare.store.room.clear()
    assert install(bare, "--every", "15 minutes").code == 0
    assert len(bare.store.analyses) == len(bare.store.actions) == len(bare.store.policies) == 1


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"account_token": "p-wrong-0123456789abcdef"}, "Is account_token a profile token"),
        ({"account_token": "a-0123456789"}, "account_token is not a profile token"),
        ({"account_token": ""}, "account_token is not set"),
        ({"TAGOIO_API": "http://127.0.0.1:9"}, "cannot be reached"),
    ],
)
@pytest.mark.waits(16)
def test_a_token_or_an_address_that_is_wrong_is_said(bare: Sandbox, variables: dict[str, str], said: str) -> None:
    ran = install(bare, **variables)
    assert ran.code == 1
    assert said in ran.err
    assert "0123456789" not in ran.out + ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    ("region", "api", "admin"),
    [
        ("us-e1", "https://api.tago.io", "https://admin.tago.io"),
        ("eu-w1", "https://api.eu-w1.tago.io", "https://admin.eu-w1.tago.io"),
        ("68a1b2", "https://api.68a1b2.tagoio.net", "https://admin.68a1b2.tagoio.net"),
    ],
)
def test_a_region_is_a_name_or_a_tagodeploy_project(region: str, api: str, admin: str) -> None:
    assert (addresses(region)[0], admin_link(region, "x")) == (api, f"{admin}/x")


def test_the_analysis_of_another_region_is_told_its_region(
    bare: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("lib.tools.install.__main__.addresses", lambda region: (bare.api, f"{bare.api}/events"))
    assert in_process(bare, ROOT, monkeypatch, "--region", "eu-w1") == 0
    assert variables(bare)["region"] == "eu-w1"
    assert "https://admin.eu-w1.tago.io/analysis" in capsys.readouterr().out


@pytest.mark.skipif(shutil.which("npm") is None, reason="Node.js is not on this machine")
def test_the_official_javascript_sdk_finds_it_well_formed(bare: Sandbox, javascript: Path) -> None:
    install(bare, "--journal", "--when", "temperature > 35", "--device", "d1")
    env = {"PATH": os.environ["PATH"], "TAGOIO_API": bare.api, "PROFILE_TOKEN": bare.store.profile_token}
    command = ["node", "installed.js"]
    done = subprocess.run(command, cwd=javascript, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    saw = json.loads(done.stdout)
    assert saw["analysis"]["runtime"] == "python-rt2025"
    assert saw["action"]["action"]["script"] == [saw["analysis"]["id"]]
    assert saw["policy"]["targets"] == [["analysis", "id", saw["analysis"]["id"]]]
    device = {name: saw["device"][name] for name in ("type", "chunk_period", "chunk_retention")}
    assert device == {"type": "immutable", "chunk_period": "day", "chunk_retention": 31}
