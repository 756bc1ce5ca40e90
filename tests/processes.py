"""Processes that tests start: each is a process of its own with lib loaded anew, forked from one per worker that has
loaded what lib imports from elsewhere. A fresh interpreter takes ten times the CPU until it comes to lib.

The interpreter's own settings (PYTHONIOENCODING and the like) need a fresh one: `subprocess` starts that.
"""

import atexit
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
# Nothing of the SDK or of lib: they read the environment when they are loaded.
PRELOADED = ("structlog", "requests", "dotenv", "asyncio", "zoneinfo", "difflib", "tests.processes")
HARMLESS = {"PYTHONDONTWRITEBYTECODE", "PYTHONPATH"}

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(list(PRELOADED))


@dataclass
class Ended:
    code: int
    out: str
    err: str


class Started:
    """`python arguments…` with this environment, in this folder; its output goes to files."""

    def __init__(self, *arguments: Any, env: dict[str, str], cwd: Path | None = None) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="process-")
        self._files = [Path(self._folder.name) / name for name in ("out", "err")]
        for file in self._files:
            file.touch()
        work = (list(map(str, arguments)), env, str(cwd or Path.cwd()), list(map(str, self._files)))
        self._process = _context.Process(target=_run, args=work, daemon=True)  # none outlives the tests
        self._process.start()
        self.pid = self._process.pid or 0

    def send_signal(self, number: signal.Signals) -> None:
        if self._process.is_alive():
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code. Raises subprocess.TimeoutExpired."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("python", timeout or 0)
        return self._process.exitcode

    def text(self) -> tuple[str, str]:
        """What it has written up to now."""
        out, err = (file.read_bytes().decode(errors="replace") for file in self._files)
        return out, err

    def ended(self, timeout: float) -> Ended:
        """Kills it when that is over."""
        try:
            code = self.wait(timeout)
        except subprocess.TimeoutExpired:
            self.close()
            raise
        ended = Ended(code, *self.text())
        self.close()
        return ended

    def close(self) -> None:
        self.kill()
        self._process.join()
        self._folder.cleanup()


def is_for_a_fresh_one(arguments: tuple[Any, ...], env: dict[str, str]) -> bool:
    """Whether it depends on what only a fresh interpreter reads."""
    is_flag = str(arguments[0]).startswith("-") and arguments[0] != "-m"
    return is_flag or any(name.startswith(("PYTHON", "LC_", "LANG")) for name in set(env) - HARMLESS)


def _run(arguments: list[str], env: dict[str, str], cwd: str, files: list[str]) -> None:
    """In the new process: become what `python arguments…` would be. Does not return."""
    for number, name in enumerate(files, 1):
        with open(name, "wb") as file:
            os.dup2(file.fileno(), number)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False, buffering=1)
    os.environ.clear()
    os.environ.update(env)
    if hasattr(time, "tzset"):
        time.tzset()
    os.chdir(cwd)
    is_module = arguments[0] == "-m"
    first = cwd if is_module else str(Path(arguments[0]).resolve().parent)
    added = [folder for folder in env.get("PYTHONPATH", "").split(os.pathsep) if folder]
    sys.path = [first, *added, *(folder for folder in sys.path if Path(folder).resolve() != ROOT)]
    sys.argv = arguments[1:] if is_module else arguments
    for name in [name for name in sys.modules if name.split(".")[0] == "tests"]:
        del sys.modules[name]
    os._exit(_exit_code(arguments[1] if is_module else "", arguments[0]))


def _exit_code(module: str, script: str) -> int:
    code: object = 0
    try:
        if module:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(script, run_name="__main__")
    except SystemExit as ended:
        code = ended.code
    except BaseException:
        traceback.print_exc()
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    if code is not None and not isinstance(code, int):
        print(code, file=sys.stderr)
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return int(code or 0)
