"""The process in which TagoIO runs a script: its command, its environment, its end."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

from lib.tools.sandbox.store import Record

# What a process needs from the machine, and no more: none of the developer's own variables reach the Analysis.
KEPT = (
    "PATH",
    "LANG",
    "LC_ALL",
    "SYSTEMROOT",
    "VIRTUAL_ENV",
    "PYTHONPATH",
    "TMPDIR",
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "COVERAGE_PROCESS_START",
)


def command_of(script: Path, runtime: str) -> list[str]:
    """By its runtime (C whl RunTypeOptions); a .py is Python whatever that says. Raises OSError where this machine has
    nothing to run it with."""
    name = runtime.partition("-")[0]
    if name in ("node", "deno") and script.suffix != ".py":
        found = shutil.which(name)
        if found is None:
            raise FileNotFoundError(2, f"{name} is not on this machine")
        return [found, *(["run", "--allow-all"] if name == "deno" else []), str(script)]
    return [sys.executable, "-B", str(script)]


def environment_of(
    analysis_id: str, token: str, variables: list[dict[str, str]], scope: Any, api: str
) -> dict[str, str]:
    """C whl modules/Analysis/Analysis.py."""
    return {
        **{key: os.environ[key] for key in KEPT if key in os.environ},
        "T_ANALYSIS_CONTEXT": "tago-io",
        "T_ANALYSIS_TOKEN": token,
        "T_ANALYSIS_ID": analysis_id,
        "T_ANALYSIS_ENV": json.dumps(variables),
        "T_ANALYSIS_DATA": json.dumps(scope),
        "TAGOIO_API": api,
        "TAGOIO_SSE": f"{api}/events",
        "PYTHONUNBUFFERED": "1",
    }


def merged(analysis: Record, kept: list[Record], extra: dict[str, str]) -> list[dict[str, str]]:
    """The Analysis' own variables, the Secrets that they do not override, then what TagoIO adds for this run."""
    own = analysis["variables"] if isinstance(analysis["variables"], list) else []
    keys = {each.get("key") for each in own}
    secret = [each for each in kept if each["key"] not in keys]
    return [*own, *secret, *({"key": key, "value": value} for key, value in extra.items())]


def kill(process: asyncio.subprocess.Process) -> None:
    """It and whatever it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
