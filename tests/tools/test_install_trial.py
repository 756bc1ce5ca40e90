"""The first live contact: dry runs by hand and on each condition, and what the last lines say is next."""

from pathlib import Path
from typing import Any

import pytest

from lib.tools.install.__main__ import main
from lib.tools.install.conditions import Condition, met_by
from lib.tools.install.triggers import when
from lib.tools.install.wanted import difference
from lib.tools.sandbox.server import Sandbox
from lib.tools.terminal import typed
from tests.tools.installing import command, install, only, secrets, story, variables
from tests.tools.terminals import CTRL_D, at_terminal

FRIDGE = ("--when", "temperature > 8", "--clear", "temperature < 7", "--device-tag", "kind=fridge")
TYPO = ("it is at {measured}", "it is at {measurd}")


@pytest.fixture
def fridge(bare: Sandbox) -> Sandbox:
    bare.store.add_device({"name": "Shelf", "tags": [{"key": "kind", "value": "shelf"}]})
    bare.store.add_device({"name": "Fridge 7", "tags": [{"key": "kind", "value": "fridge"}]})
    return bare


# ---- with the data of an Action


def test_the_alarm_is_composed_before_the_first_warm_fridge(fridge: Sandbox) -> None:
    ran = command(fridge, *FRIDGE, "--journal")
    assert ran.code == 0, ran.out + ran.err
    by_hand, warm, cold = ran.out.split("A dry run ")[1:]
    assert "Test of the fridge alarm" in by_hand
    assert "with what an Action on temperature > 8 hands in, nobody is told" in warm
    assert "(temperature = 9 of Fridge 7, by hand, so without the id of an Action)" in warm
    assert "this event would raise it" in warm
    assert "Fridge 7 is warm" in warm
    assert "an Action on temperature < 7 hands in, nobody is told (temperature = 6 of Fridge 7" in cold
    assert "none is open, so there would be nothing to end" in cold
    assert not fridge.store.notifications


def test_the_conditions_of_an_earlier_run_are_tried_too_and_those_of_an_unlock(fridge: Sandbox) -> None:
    shelf = next(iter(fridge.store.devices))
    ends = ("--when", "temperature > 8", "--clear", "temperature < 7", "--device", shelf)
    command(fridge, "--untried", *ends)
    ran = command(fridge)
    assert ran.out.count("A dry run with what an Action on temperature ") == 2
    assert "temperature = 9 of Shelf" in ran.out
    assert "temperature = 6 of Shelf" in ran.out


def test_without_a_device_the_data_is_nobodys(bare: Sandbox) -> None:
    ran = command(bare, *FRIDGE)
    assert ran.code == 0, ran.out + ran.err
    assert "temperature = 9 of no device" in ran.out
    assert "A fridge is warm" in ran.out


def test_a_mistake_in_the_text_of_the_alarm_keeps_it_from_going_live(
    fridge: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("lib.tools.install.__main__.ROOT", story(tmp_path, TYPO))
    for name, value in {
        "TAGOIO_API": fridge.api, "TAGOIO_SSE": f"{fridge.api}/events", "account_token": fridge.store.profile_token,
        "tag_key": "group", "tag_value": "maintenance",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    assert main([*FRIDGE, "--live"]) == 1
    said = capsys.readouterr().out
    assert "Test of the fridge alarm" in said
    assert "compose failed: NameError: name 'measurd' is not defined" in said
    assert "so dry_run = true stays set" in said
    assert "temperature < 7" not in said.split("compose failed")[1]
    assert variables(fridge)["dry_run"] == "true"
    assert main(["--live", "--untried"]) == 0
    assert "dry_run" not in variables(fridge)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("t > 8", 9), ("t < 8", 7), ("t = 8", 8), ("t ! 8", 9), ("t >< 2,8", 5), ("t >< 2,3", 2.5), ("t > -0.5", 0.5),
        ("t > 0.1", 1.1), ("t *", 1), ("door = open", "open"), ("door ! shut", "not shut"),
    ],
)  # fmt: skip
def test_a_value_that_meets_a_condition(text: str, value: Any) -> None:
    (wire,) = when([text], "d", "")[0].trigger
    assert met_by(wire) == value
    assert Condition(wire).text == text
    assert Condition(wire, "d", "Fridge").point == {"variable": wire["variable"], "value": value, "device": "d"}


def test_a_condition_that_was_changed_by_hand_is_no_reason_to_stop() -> None:
    assert met_by({"variable": "t", "is": ">", "value": "warm", "value_type": "number"}) == "warm"
    assert met_by({"variable": "t", "is": "><", "value": "4", "value_type": "number"}) == 4


# ---- a variable that is another on TagoIO


MISSPELT = "tag_value is maintenence on TagoIO and maintenance in .env"


def test_without_a_terminal_a_value_on_tagoio_stays_and_the_last_lines_say_how_to_replace_it(bare: Sandbox) -> None:
    command(bare, tag_value="maintenence")
    for flags in ((), ("--dry-run",)):
        ran = command(bare, *flags)
        assert f"{MISSPELT}; it stays as it is on TagoIO (--overwrite replaces it)" in ran.out
        assert variables(bare)["tag_value"] == "maintenence"
    last = command(bare).out.rsplit("\n\n", 1)[1]
    assert f"Next, if .env is right about tag_value: {typed('lib.tools.install')} --overwrite puts" in last
    ran = command(bare, "--overwrite")
    assert variables(bare)["tag_value"] == "maintenance"
    assert ran.code == 0
    assert "--overwrite" not in ran.out


@pytest.mark.parametrize(("answer", "value"), [("y", "maintenance"), ("n", "maintenence"), (CTRL_D, "maintenence")])
def test_at_a_terminal_it_asks_for_each_value(bare: Sandbox, answer: str, value: str) -> None:
    install(bare, tag_value="maintenence", max_recipients="5")
    env = {"TAGOIO_API": bare.api, "TAGOIO_SSE": f"{bare.api}/events", "account_token": bare.store.profile_token}
    env |= {"tag_key": "group", "tag_value": "maintenance", "max_recipients": "50"}
    other = "max_recipients is 5 on TagoIO and 50 in .env"
    answers = {f"{MISSPELT}. Replace it there? [y/N] ": answer, f"{other}. Replace it there? [y/N] ": "n"}
    ran = at_terminal("lib.tools.install", answers=answers, **env)
    assert ran.code == 0, ran.out
    assert (variables(bare)["tag_value"], variables(bare)["max_recipients"]) == (value, "5")
    assert ("Next, if .env is right about max_recipients:" in ran.out) is (answer == "y")


def test_of_a_secret_no_value_shows(bare: Sandbox) -> None:
    _, mine = bare.store.add_device({"name": "Mine"})
    _, other = bare.store.add_device({"name": "Other"})
    install(bare, delivery_log_token=mine)
    bare.store.kept_secrets.clear()
    only(bare.store.analyses)["variables"].append({"key": "delivery_log_token", "value": mine})
    ran = install(bare, delivery_log_token=other)
    assert "delivery_log_token is another on TagoIO than in .env (both hidden); it stays" in ran.out
    assert mine not in ran.out + ran.err
    assert other not in ran.out + ran.err
    assert not secrets(bare)


def test_of_long_values_that_part_shows_in_which_they_differ() -> None:
    there, wanted = "a" * 100 + "b" + "c" * 100, "a" * 100 + "X" + "c" * 100
    shown = difference("notification", there, wanted)
    assert f"…{'a' * 30}b{'c' * 29}… on TagoIO" in shown
    assert f"…{'a' * 30}X{'c' * 29}… in .env" in shown


# ---- what is next


def test_the_last_line_does_not_say_that_actions_start_it_where_no_device_can(bare: Sandbox) -> None:
    warned = "no device has the tag kind = fridge, so nothing starts it"
    ran = install(bare, *FRIDGE)
    assert warned in ran.out
    assert (
        "It is live, but nothing starts it: there is no device with the tag kind = fridge. Next: mend that" in ran.out
    )
    assert "its Actions start it" not in ran.out
    assert "It is live, but nothing starts it" in install(bare).out, "nor later"
    bare.store.add_device({"name": "Fridge 7", "tags": [{"key": "kind", "value": "fridge"}]})
    assert "It is live, and its Actions start it" in install(bare).out


def test_an_action_on_an_interval_starts_it_whatever_devices_there_are(bare: Sandbox) -> None:
    assert "It is live, and its Actions start it" in install(bare, *FRIDGE, "--every", "15 minutes").out
    ran = install(bare, "--when", "t > 5", "--device", "0" * 24)
    assert "its Actions start it" in ran.out
    install(bare, "--uninstall", "--yes")
    ran = install(bare, "--when", "t > 5", "--device", "0" * 24)
    assert f"nothing starts it: there is no device {'0' * 24}" in ran.out
