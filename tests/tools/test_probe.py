"""The probe, as a command against the sandbox: it finds out each way in which TagoIO may answer, and leaves nothing."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lib.tagoio.transport import Client
from lib.tools.probe.costly import edit_pushes, full_device, press, quota_spent
from lib.tools.probe.lab import TAG, Lab
from lib.tools.probe.questions import rows, showing
from lib.tools.sandbox.server import Sandbox
from lib.tools.sandbox.trouble import Fault
from lib.tools.sandbox.unknowns import UNKNOWNS, Facts, default_facts
from tests.conftest import BARE, ROOT, Ran, run_python

COMMAND = ("-m", "lib.tools.probe")
FLAGGED = ("edit_pushes", "full_device", "quota_spent")
# Each value of every unknown that needs no flag, in as few runs as can be.
ODD: Facts = {
    "denied_list": "empty", "denied_create": "403", "press_scope": "null", "press_user_id": "set",
    "long_message": "cut", "button_form": "url", "icons": "web_only", "limit_text": "bare", "limit_header": "present",
    "edit_costs": "yes", "rows_show_after": "3", "notifications_show_after": "1", "quota_readable": "no",
    "user_options": "refused", "page_past_end": "error", "disabled_buttons": "left_out", "inbox_lists": "newest_20",
    "user_dates": "odd", "skip_counts": "per_variable",
}  # fmt: skip
THIRD: Facts = {
    "long_message": "refused", "button_form": "triggers", "icons": "none", "rows_show_after": "1",
    "disabled_buttons": "left_out",
}  # fmt: skip
SLOW: Facts = {"notifications_show_after": "3", "rows_show_after": "10"}  # each asked alone
SLOWEST: Facts = {"notifications_show_after": "10"}


ASKED = {"notifications_show_after": showing, "rows_show_after": rows}


@pytest.fixture(autouse=True)
def documented_limits(peopled: Sandbox) -> None:
    peopled.trouble.set_plan("starter")


def environment(sandbox: Sandbox) -> dict[str, str]:
    return {
        "TAGOIO_API": sandbox.api, "TAGOIO_SSE": f"{sandbox.api}/events",
        "account_token": sandbox.store.profile_token,
    }  # fmt: skip


def probe(sandbox: Sandbox, output: Path, *flags: str) -> Ran:
    return run_python(*COMMAND, "-o", output, *flags, cwd=ROOT, env=environment(sandbox))


def what_is_there(sandbox: Sandbox) -> list[set[str]]:
    store = sandbox.store
    kinds: list[dict[str, Any]] = [store.users, store.analyses, store.policies, store.devices, store.notifications]
    return [set(records) for records in kinds]


def test_every_value_is_covered_by_these_runs() -> None:
    for name, unknown in UNKNOWNS.items():
        if name not in FLAGGED:
            covered = {facts.get(name, unknown.values[0]) for facts in ({}, ODD, THIRD, SLOW, SLOWEST)}
            assert covered == set(unknown.values), name


@pytest.mark.parametrize("facts", [{}, ODD, THIRD], ids=["documented", "odd", "third"])
def test_it_finds_out_what_the_platform_does_and_leaves_nothing(peopled: Sandbox, tmp_path: Path, facts: Facts) -> None:
    peopled.store.facts.update(facts)
    before = what_is_there(peopled)
    ran = probe(peopled, tmp_path / "facts.json", "--yes")
    assert ran.code == 0, ran.out + ran.err
    found = json.loads((tmp_path / "facts.json").read_text())
    expected = {name: value for name, value in peopled.store.facts.items() if name not in FLAGGED}
    for name in ASKED:  # what is measured takes longer on a busy machine, and never less
        assert float(found["facts"].pop(name)) >= float(expected.pop(name)), name
    assert found["facts"] == expected
    assert found["api"] == peopled.api
    assert found["probed_at"].startswith("20")
    assert what_is_there(peopled) == before
    planned = re.search(r"At most (\d+) push units and (\d+) requests", ran.out)
    assert planned, ran.out
    assert sum(event.kind == "sent" for event in peopled.store.events) <= int(planned[1])
    assert len(peopled.store.log) <= int(planned[2])
    told = {event.user_id for event in peopled.store.events if event.kind == "sent"}
    assert len(told) == 1
    assert not told & set(peopled.store.users)  # the test user only, who is gone
    assert peopled.store.profile_token not in ran.out + ran.err


@pytest.fixture
def lab(peopled: Sandbox) -> Lab:
    lab = Lab(Client(peopled.api), peopled.store.profile_token, f"{peopled.api}/events")
    lab.make()
    return lab


@pytest.mark.parametrize(
    ("name", "value", "ask"), [(name, value, ASKED[name]) for facts in (SLOW, SLOWEST) for name, value in facts.items()]
)
def test_how_long_it_takes_to_show(
    peopled: Sandbox, lab: Lab, name: str, value: str, ask: Callable[[Lab], Facts]
) -> None:
    peopled.store.facts[name] = value
    assert ask(lab)[name] == value


@pytest.mark.parametrize("pushes", ["no", "yes"])
def test_whether_an_edit_is_pushed_again_is_told_by_a_person_with_a_phone(
    peopled: Sandbox, lab: Lab, pushes: str
) -> None:
    peopled.store.facts["edit_pushes"] = pushes
    seen = 0

    def person(question: str) -> bool:
        nonlocal seen
        before, seen = seen, len(peopled.store.pushes)
        return seen > before

    assert edit_pushes(lab, person) == {"edit_pushes": pushes}


@pytest.mark.parametrize("value", ["refused", "oldest_dropped"])
def test_what_a_full_device_answers(peopled: Sandbox, lab: Lab, value: str) -> None:
    peopled.store.facts["full_device"] = value
    assert full_device(lab) == {"full_device": value}


@pytest.mark.parametrize("value", ["taken", "dropped", "refused"])
def test_what_comes_past_the_push_quota(peopled: Sandbox, lab: Lab, value: str) -> None:
    lab.patience = 0.5
    peopled.store.facts["quota_spent"] = value
    peopled.store.limits["push_notification"] = peopled.store.used["push_notification"] + 3
    assert quota_spent(lab) == {"quota_spent": value}


def test_a_press_by_a_person_where_the_test_user_may_not_log_in(peopled: Sandbox, lab: Lab) -> None:
    """TagoRUN may ask for a second factor; then somebody taps."""
    password, lab.password = lab.password, "wrong"
    asked: list[str] = []

    def person(question: str) -> bool:
        asked.append(question)
        (note,) = peopled.store.notifications.values()
        base, given = f"/run/{peopled.store.run_url}", {"email": lab.email, "password": password}
        token = lab.client.request("POST", f"{base}/login", token="", body=given)["token"]
        lab.client.request("PUT", f"{base}/notification/{note['id']}/probe", token=token, body={})
        return True

    assert press(lab, person) == {name: default_facts()[name] for name in ("press_scope", "press_user_id")}
    assert "tap [Probe]" in asked[0]


@pytest.mark.parametrize("requests", [2, 5, 20])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_one_that_was_cut_off_is_tidied_up(
    peopled: Sandbox, tmp_path: Path, requests: int, how: signal.Signals
) -> None:
    peopled.trouble.latency = 0.02
    before, made = what_is_there(peopled), len(peopled.store.log)
    command = [sys.executable, *COMMAND, "--yes", "-o", str(tmp_path / "facts.json")]
    with subprocess.Popen(
        command, cwd=ROOT, env={**BARE, **environment(peopled)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        wait_for(lambda: creations(peopled, made) >= requests or process.poll() is not None)
        process.send_signal(how)
    if how != signal.SIGKILL:
        assert what_is_there(peopled) == before
        return
    assert any(TAG in user["tags"] for user in peopled.store.users.values())
    assert probe(peopled, tmp_path / "facts.json", "--yes").code == 0
    assert what_is_there(peopled) == before


@pytest.mark.parametrize("kind", ["403", pytest.param("502", marks=pytest.mark.waits(25))])
def test_what_could_not_be_removed_is_said_and_goes_with_the_next(peopled: Sandbox, tmp_path: Path, kind: str) -> None:
    before, output = what_is_there(peopled), tmp_path / "facts.json"
    peopled.trouble.faults = [Fault(kind, route=("DELETE", "/run/users"), attempts=99)]
    ran = probe(peopled, output, "--yes")
    assert ran.code == 1
    assert "NOT removed: " in ran.out
    assert "run it again" in ran.out
    assert json.loads(output.read_text())["facts"]  # what was seen is kept
    peopled.trouble.faults = []
    assert probe(peopled, output, "--yes").code == 0
    assert what_is_there(peopled) == before


def creations(sandbox: Sandbox, since: int) -> int:
    return sum(method == "POST" for method, _ in list(sandbox.store.log)[since:])


def wait_for(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not is_so() and time.monotonic() < until:
        time.sleep(0.005)
    assert is_so()


def test_a_dry_run_shows_the_plan_and_what_it_costs_and_asks_nothing(peopled: Sandbox, tmp_path: Path) -> None:
    made = len(peopled.store.log)
    ran = probe(peopled, tmp_path / "facts.json", "--dry-run")
    assert ran.code == 0
    assert "At most 30 push units and " in ran.out
    assert "Not asked: edit_pushes, full_device, quota_spent (--phone, --fill-device, --spend-quota)" in ran.out
    assert "50,000 data input units" in probe(peopled, tmp_path / "x", "--dry-run", "--fill-device").out
    assert len(peopled.store.log) == made
    assert not (tmp_path / "facts.json").exists()


def test_without_a_yes_nothing_is_done(peopled: Sandbox, tmp_path: Path) -> None:
    made = len(peopled.store.log)
    ran = probe(peopled, tmp_path / "facts.json")
    assert ran.code == 1
    assert "Nothing was done (--yes does it without a question)" in ran.out
    assert len(peopled.store.log) == made


def test_what_cannot_be_found_out_stays_unknown(peopled: Sandbox, tmp_path: Path) -> None:
    """A plan without Access Management: no policy, so neither the quota's right nor a 429 can be had."""
    peopled.store.room["Access management"] = 0
    ran = probe(peopled, tmp_path / "facts.json", "--yes")
    assert ran.code == 0, ran.err
    assert "the quota, read by an Analysis: not found out (402 You have exceeded" in ran.out
    found = json.loads((tmp_path / "facts.json").read_text())["facts"]
    assert not {"quota_readable", "limit_text", "limit_header"} & set(found)
    assert found["long_message"] == "taken"


def test_the_installer_takes_the_facts_and_the_dry_run_says_when(peopled: Sandbox, tmp_path: Path) -> None:
    peopled.store.analyses.clear()
    peopled.store.policies.clear()
    facts = {"quota_readable": "no", "icons": "none", "long_message": "refused"}
    content = {"probed_at": "2026-11-25T10:00:00+00:00", "api": peopled.api, "facts": facts}
    (tmp_path / "facts.json").write_text(json.dumps(content))
    document = json.dumps({"title": "t", "message": "m" * 150, "icon": "warning"})
    command = ("-m", "lib.tools.install")
    env = {**environment(peopled), "notification": document, "tag_key": "group", "tag_value": "maintenance"}
    env["PYTHONPATH"] = str(ROOT)
    ran = run_python(*command, cwd=tmp_path, env=env)
    assert ran.code == 0, ran.out + ran.err
    assert "WARNING: the message has 150 characters; this TagoIO refuses more than 140" in ran.out
    assert "WARNING: the notification has an icon; this TagoIO takes none" in ran.out
    assert "TagoIO: not probed" not in ran.out
    (policy,) = peopled.store.policies.values()
    assert not [each for each in policy["permissions"] if "access_profile" in each["action"]]
    content["api"] = "https://elsewhere.example.com"
    (tmp_path / "facts.json").write_text(json.dumps(content))
    (analysis,) = peopled.store.analyses.values()
    analysis["variables"] = [each for each in analysis["variables"] if each["key"] != "probed"]
    assert "TagoIO: not probed" in run_python(*command, cwd=tmp_path, env=env).out


def test_the_installer_tells_the_run_what_an_edit_costs_and_warns_of_it_where_there_is_an_alarm(
    peopled: Sandbox, tmp_path: Path
) -> None:
    peopled.store.analyses.clear()
    peopled.store.policies.clear()
    facts = {"edit_costs": "yes", "edit_pushes": "no", "icons": "any"}
    content = {"probed_at": "2026-11-25T10:00:00+00:00", "api": peopled.api, "facts": facts}
    (tmp_path / "facts.json").write_text(json.dumps(content))
    env = {**environment(peopled), "tag_key": "group", "tag_value": "maintenance", "PYTHONPATH": str(ROOT)}
    command = ("-m", "lib.tools.install", "--untried")
    ran = run_python(*command, cwd=tmp_path, env=env)
    assert ran.code == 0, ran.out + ran.err
    (analysis,) = peopled.store.analyses.values()
    values = {each["key"]: each["value"] for each in analysis["variables"]}
    assert values["probed"] == "2026-11-25 edit_pushes=no edit_costs=yes"
    warned = [line for line in ran.out.splitlines() if "each repeat of an alarm changes every copy" in line]
    assert len(warned) == 1, ran.out
    assert "WARNING: an edit costs a unit of the push quota" in warned[0]
    plain = {**env, "notification": '{"title": "t", "message": "m"}'}
    assert "each repeat of an alarm" not in run_python(*command, cwd=tmp_path, env=plain).out


@pytest.mark.parametrize("flags", [("--dry-run",), ("--yes",)])
@pytest.mark.parametrize("sse", ["https://sse.tago.io/events", ""])
def test_a_password_in_the_address_is_refused_before_anything_shows(flags: tuple[str, ...], sse: str) -> None:
    env = {"TAGOIO_API": "https://ana:s3cr3t@api.example", **({"TAGOIO_SSE": sse} if sse else {})}
    ran = run_python(*COMMAND, *flags, cwd=ROOT, env=env)
    assert (ran.code, ran.out) == (1, "")
    assert "holds a user or a password" in ran.err
    assert "s3cr3t" not in ran.err


def test_a_region_that_would_lead_to_another_host_is_refused() -> None:
    ran = run_python(*COMMAND, "--dry-run", "--region", "evil.example/x#", cwd=ROOT, env={})
    assert (ran.code, ran.out) == (1, "")
    assert "a region has letters, digits and hyphens only" in ran.err
