"""Runs an Analysis as TagoIO does: in a process of its own, or by an event to whoever listens for an external one."""

import asyncio
import base64
import json
import os
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from lib.tools.sandbox.store import Identity, Record, Store

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
    "COVERAGE_PROCESS_START",
)


@dataclass
class Run:
    """One run of an Analysis and what it printed."""

    analysis_id: str
    lines: list[str] = field(default_factory=list)
    code: int | None = None


class Runner:
    """Starts Analyses and hands out their console; `echo` gets each line as it is printed."""

    def __init__(self, store: Store, echo: Callable[[str], None] | None = None) -> None:
        self.store = store
        self.echo = echo
        self.press_scope: Any = None  # what a press hands in; newer platforms may hand a scope
        self.api = ""
        self.runs: list[Run] = []
        self.listeners: defaultdict[str, set[asyncio.Queue[str]]] = defaultdict(set)
        self._going: set[asyncio.Task[int]] = set()
        self._uploads = Path(tempfile.mkdtemp(prefix="tagoio-sandbox-"))

    async def start(self, analysis: Record, extra: dict[str, str], scope: Any) -> str:
        """Begin a run and come back at once, as TagoIO does; the token that the run uses."""
        token = self.store.token_for(Identity("analysis", analysis["id"]))
        environment = [*analysis["variables"], *({"key": key, "value": value} for key, value in extra.items())]
        if analysis["run_on"] == "external":
            payload = {"environment": environment, "data": scope, "analysis_id": analysis["id"], "token": token}
            self.publish(f"analysis_trigger.{analysis['id']}", {"payload": payload})
            return token
        task = asyncio.create_task(self.run(analysis, environment, scope, token))
        self._going.add(task)
        task.add_done_callback(self._going.discard)
        return token

    async def run(self, analysis: Record, environment: list[dict[str, str]], scope: Any, token: str = "") -> int:
        """Run it to its end; its exit code."""
        run = Run(analysis["id"])
        self.runs.append(run)
        script = self.store.scripts.get(analysis["id"])
        if script is None:
            run.lines.append("No script was uploaded")
            run.code = 1
            return 1
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-B", str(script), env=self._environment(analysis, environment, scope, token),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, cwd=self._uploads,
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        await asyncio.gather(self._read(process.stdout, run), self._read(process.stderr, run))
        run.code = await process.wait()
        return run.code

    async def settled(self) -> None:
        """Wait until every run that was begun has ended."""
        while self._going:
            await asyncio.gather(*self._going, return_exceptions=True)

    def keep_upload(self, analysis_id: str, content: str, name: str) -> None:
        folder = self._uploads / analysis_id
        folder.mkdir(exist_ok=True)
        path = folder / Path(name or "analysis.py").name
        path.write_bytes(base64.b64decode(content))
        self.store.scripts[analysis_id] = path

    def print_line(self, analysis_id: str, line: str) -> None:
        """A line of the Analysis' console, from a process of ours or by the console service."""
        self.publish(f"analysis_console.{analysis_id}", {"payload": {"message": line}})
        if self.echo:
            self.echo(line)

    def publish(self, channel: str, event: Any) -> None:
        for queue in self.listeners[channel]:
            queue.put_nowait("" if event == "" else json.dumps(event))  # "": the stream ends

    async def _read(self, stream: asyncio.StreamReader, run: Run) -> None:
        async for line in stream:
            text = line.decode(errors="replace").rstrip("\n")
            run.lines.append(text)
            self.print_line(run.analysis_id, text)

    def _environment(
        self, analysis: Record, environment: list[dict[str, str]], scope: Any, token: str
    ) -> dict[str, str]:
        return {
            **{key: os.environ[key] for key in KEPT if key in os.environ},
            "T_ANALYSIS_CONTEXT": "tago-io",
            "T_ANALYSIS_TOKEN": token or self.store.token_for(Identity("analysis", analysis["id"])),
            "T_ANALYSIS_ID": analysis["id"],
            "T_ANALYSIS_ENV": json.dumps(environment),
            "T_ANALYSIS_DATA": json.dumps(scope),
            "TAGOIO_API": self.api,
            "TAGOIO_SSE": f"{self.api}/events",
            "PYTHONUNBUFFERED": "1",
        }


RUNNER = web.AppKey("runner", Runner)


def runner_of(request: web.Request) -> Runner:
    return request.app[RUNNER]
