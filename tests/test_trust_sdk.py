"""The SDK's private names that the pool stands on: a changed SDK stops the run, and is not by-passed by it."""

import ast
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tagoio_sdk.common.tagoio_module import TagoIOModule
from tagoio_sdk.modules.Resources.Run import Run

from lib.base.errors import SetupError
from lib.tagoio.contract import PRIVATE, check_contract
from lib.tagoio.transport import USED, Client, TagoIO
from lib.tools.install.platform import USED_HERE
from lib.tools.sandbox.server import Sandbox
from tests.conftest import ANALYSIS, ROOT, run_python

OLDEST, NEWEST = "5.0.0", "5.1.8"


def test_this_sdk_is_the_one_it_was_made_for() -> None:
    check_contract(TagoIOModule, USED)
    check_contract(TagoIOModule, USED_HERE)


def test_it_costs_nothing() -> None:
    began = time.process_time()
    for _ in range(1000):
        check_contract(TagoIOModule, USED)
    assert (time.process_time() - began) / 1000 < 0.0005


@pytest.mark.parametrize("name", PRIVATE)
def test_a_private_name_that_is_missing_stops_the_run(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delattr(TagoIOModule, name)
    with pytest.raises(SetupError, match=f"works otherwise than the one this was made for .*{name}"):
        TagoIO("p-1", Client("http://127.0.0.1:9"))


@pytest.mark.parametrize(("module", "method"), [(module, name) for module, names in USED.items() for name in names])
def test_so_does_a_method_that_goes_another_way(monkeypatch: pytest.MonkeyPatch, module: type, method: str) -> None:
    for changed in (None, lambda self, *_: self.ask({}), lambda self, *_: self.apiRequest(self.doRequest)):
        if changed is None:
            monkeypatch.delattr(module, method)
        else:
            monkeypatch.setattr(module, method, changed, raising=False)
        with pytest.raises(SetupError, match=rf"{module.__name__}\.{method}"):
            TagoIO("p-1", Client("http://127.0.0.1:9"))


def test_the_developer_reads_one_sentence(peopled: Sandbox) -> None:
    code = (
        "import runpy, sys\nfrom tagoio_sdk.modules.Resources.Run import Run\n"
        f"Run.notificationCreate = lambda self, *_: self.send()\nsys.path.insert(0, {str(ROOT)!r})\n"
        f"runpy.run_path({str(ANALYSIS)!r}, run_name='__main__')\n"
    )
    env = {"TAGOIO_API": peopled.api, "account_token": peopled.store.profile_token, "tag_key": "group"}
    ran = run_python("-c", code, env={**env, "tag_value": "maintenance"})
    assert ran.code == 1, ran.out + ran.err
    assert "Nobody was notified" in ran.out
    assert "tagoio-sdk works otherwise" in ran.out
    assert "Traceback" not in ran.err


def test_every_method_in_use_is_in_the_table() -> None:
    """Calls on what is a module of the SDK, by the SDK's names in camel case, which nothing of ours has."""
    known = {name for table in (USED, USED_HERE) for names in table.values() for name in names}
    called = set()
    for path in (ROOT / "lib").rglob("*.py"):
        if "sandbox" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and re.fullmatch(r"[a-z]+[A-Z]\w+", node.attr):
                called.add(node.attr)
    ours = {"doRequest", "levelNames", "getLevelNamesMapping"}
    assert {name for name in called - ours if hasattr(Run, name) or name in known} <= known


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.waits(20)
def test_the_oldest_and_the_newest_five_that_install_hold_to_it(version: str, tmp_path: Path) -> None:
    code = (
        "from tagoio_sdk.common.tagoio_module import TagoIOModule\n"
        "from lib.tagoio.contract import check_contract\n"
        "from lib.tagoio.transport import USED\n"
        "check_contract(TagoIOModule, USED)\n"
        "import importlib.metadata as m; print(m.version('tagoio-sdk'))\n"
    )
    install = [sys.executable, "-m", "uv", "pip", "install", "-q", "--native-tls", "--no-deps", "--target"]
    done = subprocess.run(
        [*install, str(tmp_path), f"tagoio-sdk=={version}"], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    env = {"PYTHONPATH": f"{tmp_path}:{ROOT}", "PATH": os.environ["PATH"]}
    ran = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == version
