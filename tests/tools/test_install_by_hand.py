"""What somebody switched off, narrowed or removed on TagoIO: the installer leaves it so, and names it."""

from typing import Any

import pytest

from lib.tools.sandbox.server import Sandbox
from lib.tools.sandbox.trouble import Fault
from tests.tools.installing import command, install, only, rights, secrets, variables

EVERY = ("--every", "15 minutes")
LIVE = "It is live, and its Actions start it"
RUN_USERS = ("run_user", "tag.key", "group", "tag.value", "maintenance")


def last(out: str) -> str:
    return out.strip().splitlines()[-1]


def test_an_action_that_was_switched_off_stays_so_and_the_last_line_names_it(bare: Sandbox) -> None:
    assert LIVE in install(bare, *EVERY).out
    only(bare.store.actions)["active"] = False
    for flags in (EVERY, ("--every", "20 minutes"), ()):
        ran = install(bare, *flags)
        assert only(bare.store.actions)["active"] is False
        assert "It is live, but nothing starts it: Action every is switched off on TagoIO" in last(ran.out)
        assert ("Action every (interval) is switched off on TagoIO and stays so (--overwrite" in ran.out) is bool(flags)
    assert LIVE in last(install(bare, *EVERY, "--overwrite").out)
    assert only(bare.store.actions)["active"] is True


def test_an_action_that_was_deleted_or_starts_another_analysis_starts_nothing(bare: Sandbox) -> None:
    install(bare, *EVERY)
    only(bare.store.actions)["action"]["script"] = ["0" * 24]
    assert "nothing starts it: Action every does not start this Analysis any more" in last(install(bare).out)
    bare.store.actions.clear()
    ran = install(bare)
    assert "It is live, but nothing starts it: Action every was deleted on TagoIO" in last(ran.out)
    ran = install(bare, "--cron", "0 8 * * *", "--timezone", "UTC")
    assert f"{LIVE}, but Action every was deleted on TagoIO" in last(ran.out)
    assert "Actions of earlier runs stay beside" not in ran.out


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"active": False}, "the Analysis is switched off on TagoIO and stays so"),
        ({"run_on": "external"}, "the Analysis is set to run external on TagoIO"),
    ],
)
def test_an_analysis_that_does_not_run_on_tagoio_is_not_called_live(
    bare: Sandbox, change: dict[str, Any], named: str
) -> None:
    for before in ((), ("--untried", "--live", *EVERY)):
        command(bare, *before)
        analysis = only(bare.store.analyses)
        analysis.update(change)
        ran = command(bare, *EVERY, "--live")
        assert ran.code == 1
        assert f"WARNING: {named}" in ran.out
        assert f"As it stands on TagoIO it tells nobody: {named}" in last(ran.out)
        assert f"WARNING: {named}" in command(bare, "--dry-run").out
        assert {name: analysis[name] for name in change} == change
        analysis.update(active=True, run_on="tago")


def test_overwrite_switches_the_analysis_on(bare: Sandbox) -> None:
    install(bare, *EVERY)
    only(bare.store.analyses)["active"] = False
    ran = install(bare, "--overwrite", *EVERY)
    assert "Analysis switched on" in ran.out
    assert only(bare.store.analyses)["active"] is True
    assert LIVE in last(ran.out)


def test_a_policy_that_was_switched_off_stays_so_and_it_is_not_called_live(bare: Sandbox) -> None:
    install(bare, *EVERY)
    only(bare.store.policies)["active"] = False
    for more in ({}, {"notification": '{"title": "$DEVICE.NAME$", "message": "m"}'}):
        ran = install(bare, *EVERY, **more)
        assert only(bare.store.policies)["active"] is False
        assert "WARNING: the policy for the Analysis' own token is switched off on TagoIO and stays so" in ran.out
        assert "it tells nobody" in last(ran.out)
    assert LIVE in last(install(bare, "--overwrite", *EVERY).out)
    assert only(bare.store.policies)["active"] is True


def test_a_right_that_was_taken_out_is_put_back_and_named(bare: Sandbox) -> None:
    install(bare)
    for permission in only(bare.store.policies)["permissions"]:
        permission["action"] = [each for each in permission["action"] if each not in ("edit_notification", "access")]
    ran = install(bare)
    assert "Right Run User / Access is not there and is put back: without it, nobody can be told" in ran.out
    edit = "Right Run User / Edit notification is not there and is put back: without it, the other copies stay open"
    assert edit in ran.out
    assert "Create notification is not there" not in ran.out
    assert {("access", *RUN_USERS), ("edit_notification", *RUN_USERS)} <= rights(bare)
    assert "put back" not in install(bare).out


def test_a_right_that_was_narrowed_is_named_before_what_a_run_needs_is_put_there(bare: Sandbox) -> None:
    install(bare)
    for permission in only(bare.store.policies)["permissions"]:
        if permission["resource"][0] == "run_user":
            permission["resource"] = ["run_user", "id", "0" * 24]
    ran = install(bare)
    assert "Rights are there with other limits, and what a run needs is put there: Run User / Access, " in ran.out
    assert "is put back" not in ran.out


# ---- names, schedules, a profile without Secrets


def test_another_name_than_the_installed_one_is_said_and_never_removes_it(bare: Sandbox) -> None:
    install(bare, "--name", "Fridges")
    ran = install(bare, "--name", "Freezers", *EVERY)
    assert "The installed Analysis is named Fridges, not Freezers; it goes on with that one" in ran.out
    assert [each["name"] for each in bare.store.actions.values()] == ["Fridges: every"]
    assert "it goes on with that one" not in install(bare).out
    refused = install(bare, "--name", "Freezers", "--uninstall", "--yes")
    assert refused.code == 1
    assert "The installed Analysis is named Fridges, not Freezers: nothing is removed" in refused.err
    assert only(bare.store.analyses)["name"] == "Fridges"
    assert install(bare, "--name", "Fridges", "--uninstall", "--yes").code == 0
    assert not bare.store.analyses


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--name", " "), "--name is empty"),
        (("--cron", "99 8 * * *", "--timezone", "UTC"), '--cron "99 8 * * *" is no cron expression'),
        (("--cron", "0 8 30 2 *", "--timezone", "UTC"), '--cron "0 8 30 2 *" is no cron expression'),
        (("--cron", "0 8 * * mox", "--timezone", "UTC"), "is no cron expression"),
        (("--region", "evil.example/x#"), "a region has letters, digits and hyphens only"),
    ],
)
@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_what_is_mistyped_is_refused_before_anything_is_made(
    bare: Sandbox, flags: tuple[str, ...], said: str, dry: tuple[str, ...]
) -> None:
    ran = install(bare, *flags, *dry)
    assert (ran.code, ran.out) == (1, "")
    assert said in ran.err
    assert not bare.store.log


@pytest.mark.parametrize("kind", ["403", "404"])
def test_a_profile_that_may_not_read_secrets_gets_variables(bare: Sandbox, kind: str) -> None:
    faults = [Fault(kind, route=(method, "/secrets"), attempts=99) for method in ("GET", "POST")]
    bare.trouble.faults = faults
    ran = install(bare, "--journal")
    assert ran.code == 0, ran.err
    assert not secrets(bare)
    assert variables(bare)["delivery_log_token"]
    assert "Nothing to change" in install(bare, "--journal").out
    assert install(bare, "--uninstall", "--yes").code == 0
