"""What somebody switched off, narrowed or removed on TagoIO: the installer leaves it so, and names it."""

from typing import Any

import pytest

from lib.tools.sandbox.server import Sandbox
from tests.tools.installing import command, install, only, rights

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
