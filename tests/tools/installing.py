"""The installer as a command against the sandbox, for its tests."""

from pathlib import Path
from typing import Any

import pytest

from lib.tools.install.__main__ import main
from lib.tools.sandbox.server import Sandbox
from tests.conftest import ROOT, Ran, run_python

WRITES = ("POST", "PUT", "DELETE")


def install(sandbox: Sandbox, *flags: str, **variables: str) -> Ran:
    """Without the dry run on TagoIO, and live at once."""
    return command(sandbox, "--untried", "--live", *flags, **variables)


def command(sandbox: Sandbox, *flags: str, **variables: str) -> Ran:
    env = {"TAGOIO_API": sandbox.api, "account_token": sandbox.store.profile_token}
    env |= {"TAGOIO_SSE": f"{sandbox.api}/events", "tag_key": "group", "tag_value": "maintenance"}
    return run_python("-m", "lib.tools.install", *flags, cwd=ROOT, env={**env, **variables})


def only(records: dict[str, Any]) -> Any:
    (record,) = records.values()
    return record


def variables(sandbox: Sandbox) -> dict[str, str]:
    return {each["key"]: each["value"] for each in only(sandbox.store.analyses)["variables"]}


def secrets(sandbox: Sandbox) -> dict[str, str]:
    return {each["key"]: each["value"] for each in sandbox.store.kept_secrets.values()}


def rights(sandbox: Sandbox) -> set[tuple[str, ...]]:
    permissions = only(sandbox.store.policies)["permissions"]
    return {(action, *each["resource"]) for each in permissions for action in each["action"]}


def writes(sandbox: Sandbox) -> int:
    return sum(method in WRITES for method, _ in sandbox.store.log)


def in_process(sandbox: Sandbox, root: Path, patch: pytest.MonkeyPatch, *flags: str) -> int:
    """The installer, with an analysis.py of one's own."""
    patch.setattr("lib.tools.install.__main__.ROOT", root)
    patch.setenv("TAGOIO_API", sandbox.api)
    patch.setenv("account_token", sandbox.store.profile_token)
    return main(["--untried", "--live", *flags])


def story(tmp_path: Path, *changes: tuple[str, str]) -> Path:
    """A project whose analysis.py differs in these places."""
    (tmp_path / "lib").symlink_to(ROOT / "lib")
    text = (ROOT / "analysis.py").read_text()
    for change in changes:
        assert text.count(change[0]) == 1
        text = text.replace(*change)
    (tmp_path / "analysis.py").write_text(text)
    return tmp_path
