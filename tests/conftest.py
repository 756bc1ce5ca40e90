"""A sandbox per test, and the Analysis run on it in a process of its own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings

from lib.tools.sandbox.seed import seed_analysis, seed_users
from lib.tools.sandbox.server import Sandbox
from lib.tools.sandbox.store import Identity, Record
from tests.processes import Started, is_for_a_fresh_one

ROOT = Path(__file__).parent.parent
# How fast texts are generated and tried says how busy the machine is, nothing of what is tested.
settings.register_profile("any machine", suppress_health_check=[HealthCheck.too_slow], deadline=None)
settings.load_profile("any machine")
# What is started in the background of a shell ignores Ctrl-C, and so would all that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)
ANALYSIS = ROOT / "analysis.py"
BARE = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Each worker begins with some of the tests that wait longest. xdist gives each a block of them all."""
    workers = getattr(config, "workerinput", {}).get("workercount", 1)
    long = sorted((item for item in items if seconds_of(item)), key=seconds_of, reverse=True)
    rest = [item for item in items if not seconds_of(item)]
    ordered: list[pytest.Item] = []
    for place in range(workers):
        block = long[place::workers]
        size = (len(items) - len(ordered)) // (workers - place)
        taken = max(0, size - len(block))
        ordered += block + rest[:taken]
        del rest[:taken]
    items[:] = ordered + rest


def seconds_of(item: pytest.Item) -> float:
    marker = item.get_closest_marker("waits")
    return float(marker.args[0]) if marker else 0.0


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox().running() as running:
        yield running


@pytest.fixture
def peopled(sandbox: Sandbox) -> Sandbox:
    """A sandbox with the dozen users and an Analysis that has its policy."""
    seed_users(sandbox.store)
    seed_analysis(sandbox.store, {"tag_key": "group", "tag_value": "maintenance"})
    return sandbox


@dataclass
class Ran:
    code: int
    out: str
    err: str

    @property
    def log(self) -> list[Record]:
        return [json.loads(line) for line in self.err.splitlines() if line.startswith("{")]

    @property
    def finished(self) -> Record:
        (line,) = [line for line in self.log if line["event"] == "run.finished"]
        return line


def run_python(*arguments: Any, cwd: Path | None = None, env: dict[str, str] | None = None) -> Ran:
    given = {**BARE, **(env or {})}
    if not is_for_a_fresh_one(arguments, given):
        ended = Started(*arguments, env=given, cwd=cwd).ended(120)
        return Ran(ended.code, ended.out, ended.err)
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        env=given,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def run_inside(peopled: Sandbox) -> Callable[..., Ran]:
    """Run analysis.py as TagoIO does; `data` is the text of T_ANALYSIS_DATA."""

    def run(data: str = "null", script: Path = ANALYSIS, **variables: str) -> Ran:
        (analysis,) = peopled.store.analyses.values()
        given = {"tag_key": "group", "tag_value": "maintenance", "log_level": "info", **variables}
        env = {
            "T_ANALYSIS_CONTEXT": "tago-io",
            "T_ANALYSIS_TOKEN": peopled.store.token_for(Identity("analysis", analysis["id"])),
            "T_ANALYSIS_ID": analysis["id"],
            "T_ANALYSIS_ENV": json.dumps([{"key": key, "value": value} for key, value in given.items()]),
            "T_ANALYSIS_DATA": data,
            "TAGOIO_API": peopled.api,
        }
        return run_python(script, env=env)

    return run


@pytest.fixture
def run_once(peopled: Sandbox) -> Callable[..., Ran]:
    """Run analysis.py from a laptop, with these variables in the environment."""

    def run(**variables: str) -> Ran:
        given = {"account_token": peopled.store.profile_token, "tag_key": "group", "tag_value": "maintenance"}
        return run_python(ANALYSIS, env={"TAGOIO_API": peopled.api, "log_level": "info", **given, **variables})

    return run


@pytest.fixture(scope="session")
def javascript() -> Path:
    """The folder where the official JavaScript SDK is installed, and what its scripts need beside it."""
    folder = ROOT / "tests" / "javascript"
    wanted = json.loads((folder / "package.json").read_text())["dependencies"]
    with FileLock(ROOT / ".pytest_cache" / "npm.lock"):  # one worker installs it, the others wait
        if not all((folder / "node_modules" / name).is_dir() for name in wanted):
            install = ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--silent"]
            subprocess.run(install, cwd=folder, check=True, timeout=300)
    return folder


def names_told(sandbox: Sandbox) -> list[str]:
    """The name of each user once for each notification they have."""
    notes = sandbox.store.notifications.values()
    return sorted(sandbox.store.users[note["run_user"]]["name"] for note in notes)


MAINTENANCE = ["Ana Souza", "Ben Carter", "Chloé Martin", "Daniel Weber", "Emi Tanaka", "Femi Okafor", "Hugo Silva"]
