"""The journal of the installed Analysis, found where .env does not name its token."""

import pytest

from lib.tools.sandbox.server import Sandbox
from lib.tools.sandbox.store import Identity
from lib.tools.sandbox.trouble import Fault
from lib.tools.terminal import typed
from tests.conftest import ROOT, Ran, run_python
from tests.tools.installing import install, only, secrets

RAN = ("--journal", "--run")


def campaign(sandbox: Sandbox, *arguments: str, **env: str) -> Ran:
    given = {"TAGOIO_API": sandbox.api, "account_token": sandbox.store.profile_token}
    return run_python("-m", "lib.tools.campaign", *arguments, cwd=ROOT, env={**given, **env})


@pytest.mark.parametrize("arguments", [["show", "last"], ["list"], ["recall", "last", "--yes"]])
def test_who_followed_the_readme_sees_what_was_sent(bare: Sandbox, arguments: list[str]) -> None:
    install(bare, *RAN)
    ran = campaign(bare, *arguments)
    assert ran.code == 0, ran.out + ran.err
    assert {"show": "8 users; ", "list": "7 sent", "recall": "7 recalled"}[arguments[0]] in ran.out
    assert secrets(bare)["delivery_log_token"] not in ran.out + ran.err


def test_a_token_among_the_variables_is_the_one_that_the_analysis_uses(bare: Sandbox) -> None:
    _, mine = bare.store.add_device({"name": "Mine"})
    bare.trouble.faults = [Fault("404", route=("GET", "/am/settings"), attempts=1)]  # so Secrets cannot be used
    install(bare, "--run", delivery_log_token=mine)
    ran = campaign(bare, "show", "last")
    assert ran.code == 0, ran.out + ran.err
    assert mine not in ran.out + ran.err


def test_a_token_that_cannot_be_used_is_passed_over(bare: Sandbox) -> None:
    """TagoIO lists one that may only write, one of which it shows a part, and one that is right."""
    install(bare, *RAN)
    device = only(bare.store.devices)
    right = secrets(bare)["delivery_log_token"]
    shown = [("write", right), ("full", f"{right[:4]}****"), ("full", ""), ("full", right)]
    listed = [{"name": "Default", "permission": permission, "token": token} for permission, token in shown]
    answers = answering(bare, device["id"], listed)
    assert answers.code == 0, answers.err
    assert "8 users; " in answers.out
    none = answering(bare, device["id"], listed[:-1])
    assert none.code == 1
    assert "TagoIO shows no token of the journal's device that can be used: copy one with full permission" in none.err
    page = f"{bare.api}/page/admin/devices"
    assert f"from the page of the device {device['name']} ({device['id']}) into .env: {page}" in none.err
    assert right not in none.out + none.err


def answering(sandbox: Sandbox, device_id: str, listed: list[dict[str, str]]) -> Ran:
    """The command, where TagoIO lists these tokens."""
    code = f"""
import sys
from lib.tools.install.platform import PooledAllDevices
from lib.tools.campaign.__main__ import main
PooledAllDevices.tokenList = lambda self, device, query: {listed!r} if device == "{device_id}" else []
sys.exit(main(["show", "last"]))
"""
    env = {"TAGOIO_API": sandbox.api, "account_token": sandbox.store.profile_token, "PYTHONPATH": str(ROOT)}
    return run_python("-c", code, cwd=ROOT, env=env)


@pytest.mark.parametrize("has_device", [True, False])
def test_an_installation_without_a_journal_is_said(bare: Sandbox, has_device: bool) -> None:
    install(bare, *(["--journal"] if has_device else []))
    bare.store.devices.clear()
    ran = campaign(bare, "show", "last")
    assert ran.code == 1
    assert f"has no journal that {typed('lib.tools.install')} --journal made" in ran.err


def test_a_profile_that_may_not_be_looked_at_is_said(bare: Sandbox) -> None:
    token = bare.store.token_for(Identity("analysis", bare.store.add_analysis({"name": "mine"})["id"]))
    bare.trouble.faults = [Fault("403", route=("GET", "/analysis"), attempts=9)]
    ran = campaign(bare, "list", account_token=token)
    assert ran.code == 1
    assert "the installed Analysis cannot be looked up: 403" in ran.err
    assert "Traceback" not in ran.err
