"""The bundle: readable, deterministic, ruff-clean, and the same Analysis as the modules, run by uv as on TagoIO."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lib.tools.bundle import LARGEST, BundleError, bundle
from lib.tools.sandbox.server import Sandbox
from lib.tools.sandbox.store import Identity
from tests.conftest import MAINTENANCE, ROOT, names_told, run_python


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundle") / "notify.py"
    ran = run_python("-m", "lib.tools.bundle", "-o", path, cwd=ROOT)
    assert ran.code == 0, ran.err
    assert "KiB of 1024 KiB" in ran.out
    return path


def test_it_is_small_and_the_same_each_time(script: Path) -> None:
    assert script.stat().st_size < LARGEST
    assert script.read_text(encoding="utf-8") == bundle(ROOT)


def test_it_is_readable_with_the_part_to_edit_first_and_the_entrypoint_last(script: Path) -> None:
    text = script.read_text(encoding="utf-8")
    places = [
        text.index(mark) for mark in ("# /// script", '"""Notify', "EDIT ME", "# lib/base/errors.py", "the entrypoint")
    ]
    assert places == sorted(places)
    assert "from lib" not in text
    assert "# docs rate-limits-hard-limits.md: the count starts anew at :00" in text
    assert text.rstrip().endswith("sys.exit(start(notify, Path(__file__).parent))")


def test_ruff_finds_nothing_in_it(script: Path) -> None:
    command = [sys.executable, "-m", "ruff", "check", "--config", str(ROOT / "pyproject.toml"), str(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def run_with_uv(sandbox: Sandbox, script: Path, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """As TagoIO does: an empty folder, and nothing but its variables."""
    (analysis,) = sandbox.store.analyses.values()
    given = {"tag_key": "group", "tag_value": "maintenance", **variables}
    kept = {name: os.environ[name] for name in os.environ if name.startswith(("UV_", "PIP_", "SSL_"))}
    env = {
        **kept,
        "UV_SYSTEM_CERTS": "true",  # whom this machine trusts, uv trusts
        "UV_NATIVE_TLS": "true",  # the same, for an older uv
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/tmp"),  # noqa: S108  # uv's cache
        "T_ANALYSIS_CONTEXT": "tago-io",
        "T_ANALYSIS_TOKEN": sandbox.store.token_for(Identity("analysis", analysis["id"])),
        "T_ANALYSIS_ID": analysis["id"],
        "T_ANALYSIS_ENV": json.dumps([{"key": key, "value": value} for key, value in given.items()]),
        "T_ANALYSIS_DATA": "null",
        "TAGOIO_API": sandbox.api,
    }
    folder.mkdir(exist_ok=True)
    shutil.copy(script, folder / "analysis.py")
    command = [sys.executable, "-m", "uv", "run", "--script", "analysis.py"]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=300, check=False)


def test_uv_runs_it_alone_with_the_same_outcomes_and_it_answers_a_press(
    peopled: Sandbox, script: Path, tmp_path: Path
) -> None:
    done = run_with_uv(peopled, script, tmp_path / "run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Notified 7 of 8 users" in done.stdout
    assert names_told(peopled) == MAINTENANCE
    note = next(iter(peopled.store.notifications.values()))
    ids = {"button_id": note["buttons"][0]["id"], "user_id": note["run_user"], "notification_id": note["id"]}
    pressed = run_with_uv(peopled, script, tmp_path / "press", **ids)
    assert pressed.returncode == 0, pressed.stdout + pressed.stderr
    assert "pressed acknowledge: it counts" in pressed.stdout
    assert not any(note["buttons_enabled"] for note in peopled.store.notifications.values())


def project(tmp_path: Path, **modules: str) -> Path:
    (tmp_path / "lib").mkdir()
    for name, code in modules.items():
        (tmp_path / "lib" / f"{name}.py").write_text(code)
    imports = "".join(f"from lib.{name} import x_{name}\n" for name in modules)
    parts = ('"""Doc."""', imports, "# ---- EDIT ME", "def compose(): ...", "# ---- the entrypoint", "x = 1")
    (tmp_path / "analysis.py").write_text("\n\n".join(parts) + "\n")
    return tmp_path


@pytest.mark.parametrize(
    ("modules", "said"),
    [
        ({"a": "x_a = 1\nsame = 1", "b": "x_b = 1\nsame = 2"}, "same is defined in lib/a.py and in lib/b.py"),
        ({"a": "from lib.b import x_b as y\nx_a = 1", "b": "x_b = 1"}, "a, line 1: an import from lib with an alias"),
        (
            {"a": "from lib.b import *\nx_a = 1", "b": "x_b = 1"},
            "alias or a star",
        ),
        ({"a": "import time\nx_a = 1", "b": "from datetime import time\nx_b = 1"}, "time means two things"),
        (
            {"a": "import json\nx_a = 1", "b": "json = 1\nx_b = 1"},
            "json is imported in lib/a.py and defined in",
        ),
        ({"a": "from lib.b import x_b\nx_a = 1", "b": "from lib.a import x_a\nx_b = 1"}, "in a circle: a -> b -> a"),
        ({"a": "compose = 1\nx_a = 1"}, "compose is defined in analysis.py and in lib/a.py"),
    ],
)
def test_what_cannot_be_laid_into_one_file_is_named(tmp_path: Path, modules: dict[str, str], said: str) -> None:
    with pytest.raises(BundleError, match=said):
        bundle(project(tmp_path, **modules))
