"""analysis.py itself, in a process of its own against the sandbox: what each way to run it, and each mistake, shows."""

import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from lib.tools.sandbox.server import Sandbox
from lib.tools.sandbox.trouble import Fault
from tests.conftest import ANALYSIS, MAINTENANCE, ROOT, Ran, names_told, run_python

Run = Callable[..., Ran]
SANDBOX_HINT = "python -m lib.tools.sandbox"


@pytest.mark.parametrize("data", ["null", "[]", "", '[{"variable": "door", "value": 12}]', '{"a": 1}', "{broken"])
def test_by_hand_it_tells_the_tagged_users_that_it_is_a_test(peopled: Sandbox, run_inside: Run, data: str) -> None:
    ran = run_inside(data)
    assert ran.code == 0, ran.out + ran.err
    assert names_told(peopled) == MAINTENANCE
    assert "Notified 7 of 8 users" in ran.out
    assert "inactive user: Grace Lim" in ran.out
    (analysis_id,) = peopled.store.analyses
    for note in peopled.store.notifications.values():
        assert note["title"] == "Test of the fridge alarm"
        assert "this is a test: nothing was measured. When a fridge is warmer than 8," in note["message"]
        assert len(note["message"]) <= 140
        assert [button["label"] for button in note["buttons"]] == ["Acknowledge"]
        assert note["buttons"][0]["analysis"] == analysis_id
        assert note["buttons_autodisable"] is False


def action(sandbox: Sandbox, value: object, kind: str = "condition", unit: str = "°C") -> dict[str, str]:
    device, _ = sandbox.store.add_device({"name": "Fridge 7"})
    point = {"variable": "temperature", "value": value, "unit": unit, "device": device["id"]}
    return {"data": json.dumps([point]), "_action_id": "a" * 24, "_action_type": kind}


@pytest.mark.parametrize("value", [8.5, "8.5", 12])
def test_a_warm_fridge_is_told_of_by_its_name_with_what_was_measured(
    peopled: Sandbox, run_inside: Run, value: object
) -> None:
    assert run_inside(**action(peopled, value)).code == 0
    assert names_told(peopled) == MAINTENANCE
    note = next(note for note in peopled.store.notifications.values())
    assert note["title"] == "Fridge 7 is warm"
    assert f"it is at {value} °C, and more than 8 is too warm" in note["message"]


@pytest.mark.parametrize("value", [8, "8", 3.5, "door open", None, True])
def test_a_fridge_that_is_not_warm_tells_nobody_and_says_what_was_measured(
    peopled: Sandbox, run_inside: Run, value: object
) -> None:
    ran = run_inside(**action(peopled, value))
    assert ran.code == 0
    assert not peopled.store.notifications
    is_number = not isinstance(value, bool) and value not in (None, "door open")
    why = 'all clear of the alarm "temperature"' if is_number else "compose returned None"
    assert f"{why}; this run brought temperature = " in ran.out


def test_a_schedule_which_measured_nothing_tells_nobody(peopled: Sandbox, run_inside: Run) -> None:
    ran = run_inside(_action_id="a" * 24, _action_type="schedule")
    assert ran.code == 0
    assert not peopled.store.notifications
    assert "this run brought no data" in ran.out


def test_nothing_in_the_template_is_made_up() -> None:
    text = ANALYSIS.read_text()
    assert "example." not in text
    assert not re.search(r"[0-9a-f]{24}", text)


def test_once_from_a_laptop(peopled: Sandbox, run_once: Run) -> None:
    ran = run_once()
    assert ran.code == 0, ran.out + ran.err
    assert names_told(peopled) == MAINTENANCE
    assert not next(iter(peopled.store.notifications.values()))["buttons"]


def test_the_env_file_beside_it_is_read_from_any_folder(peopled: Sandbox, tmp_path: Path) -> None:
    import shutil

    shutil.copy(ANALYSIS, tmp_path)
    shutil.copytree(ROOT / "lib", tmp_path / "lib", ignore=shutil.ignore_patterns("tools", "__pycache__"))
    (tmp_path / ".env").write_text(
        f"account_token={peopled.store.profile_token}\ntag_key=role\ntag_value=manager\nTAGOIO_API={peopled.api}\n"
    )
    ran = run_python(tmp_path / "analysis.py", cwd=Path("/"))
    assert ran.code == 0, ran.out + ran.err
    assert names_told(peopled) == ["Jon O'Neil"]


def test_with_nothing_set_it_names_what_is_missing_and_points_to_the_sandbox(tmp_path: Path) -> None:
    ran = run_python(ANALYSIS, cwd=tmp_path)
    assert ran.code == 1
    for name in ("account_token is not set", "tag_key is not set", "tag_value is not set", SANDBOX_HINT):
        assert name in ran.out
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"account_token": "p-wrong"}, "does not accept the token in account_token"),
        ({"account_token": "u-0123456789"}, "account_token holds a TagoRUN user token"),
        ({"tag_value": ""}, "tag_value is not set"),
        ({"tag_value": "nobody"}, 'No TagoRUN user has the tag "group" = "nobody"'),
        ({"notification": '{"title": "t"\n"message": "m"}'}, "line 2, column 1"),
        ({"send_to": "Nobody At All"}, 'no TagoRUN user has the id, e-mail or name "Nobody At All"'),
        ({"max_recipients": "3"}, "7 users would be told, more than max_recipients (3)"),
        ({"TAGOIO_API": "http://127.0.0.1:9"}, "http://127.0.0.1:9 cannot be reached"),
        (
            {
                "notification": '{"title": "t", "message": "m", "buttons": [{"id": "call me", "label": "x", "url": "https://a"}]}'
            },
            'Button 1: id "call me" contains a space; use "call_me"',
        ),
    ],
)
@pytest.mark.waits(15)
def test_bad_input_gets_one_clear_message_and_nobody_is_told(
    peopled: Sandbox, run_once: Run, variables: dict[str, str], said: str
) -> None:
    ran = run_once(**variables)
    assert ran.code == 1
    assert said in ran.out
    assert ran.out.startswith("Nobody was notified. Please fix:")
    assert "Traceback" not in ran.err
    assert not peopled.store.notifications


def test_a_page_that_cannot_be_read_leaves_everyone_untold(peopled: Sandbox, run_inside: Run) -> None:
    peopled.store.page_cap = 3
    peopled.store.users[list(peopled.store.users)[5]]["id"] = None
    ran = run_inside()
    assert ran.code == 1
    assert "it has no id" in ran.out
    assert not peopled.store.notifications


def test_the_notification_variable_replaces_compose(peopled: Sandbox, run_inside: Run) -> None:
    assert run_inside(notification='{"title": "Hi", "message": "there"}').code == 0
    assert {note["title"] for note in peopled.store.notifications.values()} == {"Hi"}


def test_a_dry_run_sends_nothing_and_writes_nothing(peopled: Sandbox, run_inside: Run) -> None:
    ran = run_inside(dry_run="true")
    assert ran.code == 0
    assert "8 users match; 7 would be told." in ran.out
    assert "Ana Souza, this is a test: nothing was measured." in ran.out
    assert {method for method, _ in peopled.store.log} == {"GET"}


def test_failed_users_are_named_with_the_reason_and_the_exit_code_is_1(peopled: Sandbox, run_inside: Run) -> None:
    ana = next(user for user in peopled.store.users.values() if user["name"] == "Ana Souza")
    permissions = next(iter(peopled.store.policies.values()))["permissions"]
    permissions.append({"effect": "deny", "action": ["create_notification"], "resource": ["run_user", "id", ana["id"]]})
    ran = run_inside()
    assert ran.code == 1
    assert re.search(
        r"failed +1 .*\n.*Authorization Denied: allow Run User / Create notification.*: Ana Souza", ran.out
    )
    assert names_told(peopled) == MAINTENANCE[1:]


@pytest.mark.parametrize("kind", ["502", "429", "cut"])
@pytest.mark.waits(52)
def test_a_fault_on_every_first_try_loses_and_doubles_nobody(peopled: Sandbox, run_inside: Run, kind: str) -> None:
    (ana,) = [user for user in peopled.store.users.values() if user["name"] == "Ana Souza"]
    peopled.store.notify({"run_user": ana["id"], "title": "an older one", "message": "so her list can be believed"})
    peopled.trouble.faults = [Fault(kind, processed=kind == "cut")]
    assert run_inside().code == 0
    assert names_told(peopled) == sorted(["Ana Souza", *MAINTENANCE])


def test_tokens_never_appear_whatever_the_log_level(peopled: Sandbox, run_inside: Run, run_once: Run) -> None:
    for ran in (
        run_inside(log_level="debug"),
        run_once(log_level="debug"),
        run_once(account_token="p-0123456789abcdef"),
    ):
        for token in (*peopled.store.tokens, "0123456789abcdef"):
            assert token not in ran.out + ran.err


def test_importing_it_runs_nothing(tmp_path: Path) -> None:
    ran = run_python("-c", "import analysis; print('imported')", cwd=ROOT)
    assert (ran.code, ran.out, ran.err) == (0, "imported\n", "")


def test_it_is_short_and_its_header_names_what_requirements_txt_does() -> None:
    text = ANALYSIS.read_text()
    assert len(text.splitlines()) <= 125
    header = re.match(r"# /// script\n((?:# .*\n)+)# ///\n", text)
    assert header
    dependencies = tomllib.loads(header[1].replace("# ", ""))["dependencies"]
    required = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if line and line[0] != "#"]
    assert dependencies == required
