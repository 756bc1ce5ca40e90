"""Runs an Analysis as TagoIO does: in a process of its own, or by an event to whoever listens for an external one."""

import asyncio
import itertools
import json
import math
import shutil
import tempfile
import time
import weakref
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from lib.tools.sandbox.process import command_of, environment_of, kill, merged
from lib.tools.sandbox.refusal import Refusal
from lib.tools.sandbox.store import Identity, Record, Store

RUNS_KEPT = 200
LINES_KEPT = 5000  # of a run's console
TIMES_KEPT = 100  # of the newest lines
LONGEST_LINE = 2**20  # bytes
NOT_ACTIVE = "Analysis not found or not active"  # C whl says so of GET /info; of a run TagoIO's words are U
LAST_LINES = 2.0  # seconds that output may still come after a process has ended


@dataclass
class Run:
    """One run of an Analysis: what TagoIO handed in (`extra` variables, `scope`), what it printed, how it ended.

    `outcomes` has, by campaign and user id, what the Analysis logged of each (its level debug). Times are seconds since
    the epoch.
    """

    analysis_id: str
    extra: dict[str, str] = field(default_factory=dict)
    scope: Any = None
    is_external: bool = False
    is_heard: bool = True
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=LINES_KEPT))
    said_at: dict[str, float] = field(default_factory=dict)  # by line, the newest of each
    outcomes: dict[tuple[str, str], Record] = field(default_factory=dict)
    token: str = ""
    given: frozenset[str] = frozenset()  # other tokens that its variables bring along
    process: asyncio.subprocess.Process | None = None
    code: int | None = None
    began: str = ""  # on TagoIO's clock
    number: int = 0
    started: float = field(default_factory=time.time)
    ended: float = 0.0

    @property
    def seconds_billed(self) -> int:
        """By the second, one at least; external runs are free (D analysis-service.md)."""
        return 0 if self.is_external else max(math.ceil((self.ended or time.time()) - self.started), 1)

    def say(self, line: str) -> None:
        self.lines.append(line)
        self.said_at.pop(line.strip(), None)
        self.said_at[line.strip()] = time.time()
        if len(self.said_at) > TIMES_KEPT:
            self.said_at.pop(next(iter(self.said_at)))


class Runner:
    """Starts Analyses and hands out their console; `echo` gets each line as it is printed, `on_change` is called
    whenever a run has something new to show. With `watches_outcomes` the Analysis logs each user's, which are taken out
    of its console."""

    def __init__(
        self,
        store: Store,
        echo: Callable[[str], None] | None = None,
        on_change: Callable[[], None] = lambda: None,
        on_start: Callable[[], None] = lambda: None,
    ) -> None:
        self.store = store
        self.echo = echo
        self.on_change = on_change
        self.on_start = on_start
        self.watches_outcomes = False
        self.api = ""
        self.runs: deque[Run] = deque(maxlen=RUNS_KEPT)
        self._numbers = itertools.count(1)
        self.listeners: defaultdict[str, set[asyncio.Queue[str]]] = defaultdict(set)
        self._going: set[asyncio.Task[int]] = set()
        self._uploads = Path(tempfile.mkdtemp(prefix="tagoio-sandbox-"))
        weakref.finalize(self, shutil.rmtree, self._uploads, ignore_errors=True)

    async def start(self, analysis: Record, extra: dict[str, str], scope: Any) -> str:
        """Begin a run and come back at once, as TagoIO does; the token that the run uses. Raises Refusal for an
        Analysis that is switched off."""
        if not analysis.get("active", True):
            raise Refusal(400, NOT_ACTIVE)
        run = Run(analysis["id"], extra, scope, is_external=analysis["run_on"] == "external")
        self._begin(run)
        if run.is_external:
            self._hand_over(analysis, run)
            return run.token
        task = asyncio.create_task(self.run(analysis, run))
        self._going.add(task)
        task.add_done_callback(self._going.discard)
        return run.token

    async def start_from(self, what: str, analysis: Record, extra: dict[str, str], scope: Any) -> None:
        """As `start`, for what has nobody to refuse: an Action, a button. A refusal stands in the console."""
        try:
            await self.start(analysis, extra, scope)
        except Refusal as refusal:
            self.print_line(analysis["id"], f"{what} could not run {analysis['name']}: {refusal.message}")

    async def run(self, analysis: Record, run: Run) -> int:
        """Run it to its end; its exit code."""
        if not run.number:
            self._begin(run)
        code = 1
        try:
            code = await self._run(analysis, run)
        except OSError as error:  # such as more variables than this machine hands to a process
            self.print_line(run.analysis_id, f"The Analysis cannot be started: {error.strerror}", run)
        finally:
            self.store.tokens.pop(run.token, None)
            self._end(run, code)
        return code

    async def _run(self, analysis: Record, run: Run) -> int:
        script = self.store.scripts.get(analysis["id"])
        if script is None:
            run.lines.append("No script was uploaded")
            return 1
        environment = environment_of(analysis["id"], run.token, self._variables(analysis, run), run.scope, self.api)
        if self.watches_outcomes:
            environment["LOG_LEVEL"] = "debug"
        process = await asyncio.create_subprocess_exec(
            *command_of(script, str(analysis["runtime"])), env=environment, cwd=self._uploads,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            limit=LONGEST_LINE, start_new_session=True,
        )  # fmt: skip
        run.process = process
        assert process.stdout is not None
        assert process.stderr is not None
        reading = asyncio.gather(self._read(process.stdout, run), self._read(process.stderr, run))
        try:
            while process.returncode is None:  # process.wait() would wait for its output to be closed too
                await asyncio.sleep(0.02)
            await asyncio.wait({reading}, timeout=LAST_LINES)  # a child of its own may hold its output open
            return process.returncode
        finally:
            kill(process)
            await reading
            await process.wait()

    async def settled(self) -> None:
        """Wait until every run that was begun has ended."""
        while self._going:
            await asyncio.gather(*self._going, return_exceptions=True)

    def end(self, number: str) -> bool:
        """End the run of that number; False where it is not under way."""
        for run in self.runs:
            if str(run.number) == number and run.process and not run.ended:
                kill(run.process)
                return True
        return False

    def run_of(self, token: str) -> Run | None:
        """The run that uses this token, though it need not be its own: one that is under way and was given it, the
        oldest of them, which the others wait for. An external Analysis has a token for all its runs: the newest of them
        is meant."""
        whose, runs = self.store.tokens.get(token), list(self.runs)
        analysis_id = whose.id if whose is not None and whose.kind == "analysis" else ""
        going = [run for run in runs if token in run.given and not run.ended]
        heard = [run for run in runs if run.is_external and run.is_heard]
        elsewhere = [run for run in heard if run.analysis_id == analysis_id or token in run.given]
        own = [run for run in runs if token and run.token == token]
        return next(iter([*own, *going, *reversed(elsewhere)]), None)

    def end_by_token(self, token: str) -> bool:
        """End the run that uses this token; False where that is none of ours, or is not under way."""
        run = self.run_of(token)
        return run is not None and self.end(str(run.number))

    async def stop(self) -> None:
        """End the runs that are under way, and those that they begin meanwhile."""
        while self._going:
            for task in self._going:
                task.cancel()
            await asyncio.gather(*self._going, return_exceptions=True)

    def keep_upload(self, analysis_id: str, content: bytes, name: str) -> None:
        folder = self._uploads / analysis_id
        folder.mkdir(exist_ok=True)
        path = folder / Path(name or "analysis.py").name
        path.write_bytes(content)
        self.store.scripts[analysis_id] = path

    def print_line(self, analysis_id: str, line: str, run: Run | None = None, token: str = "") -> None:
        """A line of the Analysis' console, from a process of ours or by the console service: of the run whose token it
        bears, else of the newest."""
        runs = [each for each in reversed(self.runs) if each.analysis_id == analysis_id]
        run = run or next((each for each in runs if each.token == token), next(iter(runs), None))
        if run is not None:
            run.say(line)
        event = {"message": line, "timestamp": int(self.store.clock() * 1000)}  # C cli analysis-console.ts
        self.publish(f"analysis_console.{analysis_id}", {"payload": event})
        self.say(line)
        self.on_change()

    def console_of(self, analysis_id: str) -> list[str]:
        """What its runs have printed, the oldest line first."""
        return [line for run in self.runs if run.analysis_id == analysis_id for line in run.lines]

    def say(self, line: str) -> None:
        """To whoever watches the sandbox, if anybody does."""
        if self.echo:
            self.echo(line)

    def publish(self, channel: str, event: Any) -> None:
        for queue in self.listeners[channel]:
            queue.put_nowait("" if event == "" else json.dumps(event))  # "": the stream ends

    def _begin(self, run: Run) -> None:
        run.number, run.began = next(self._numbers), self.store.now()
        run.token = self.store.token_for(Identity("analysis", run.analysis_id))
        variables = self._variables(self.store.analyses.get(run.analysis_id, {"variables": []}), run)
        values = (str(each.get("value")) for each in variables if isinstance(each, dict))
        run.given = frozenset(value for value in values if value in self.store.tokens)
        self.on_start()
        self.runs.append(run)
        self.on_change()

    def _variables(self, analysis: Record, run: Run) -> list[dict[str, str]]:
        return merged(analysis, self.store.secrets_for(analysis["id"]), run.extra)

    def _end(self, run: Run, code: int | None) -> None:
        run.code, run.ended = code, time.time()
        self.on_change()

    def _hand_over(self, analysis: Record, run: Run) -> None:
        """To whoever listens; how that ends, nobody tells."""
        channel = f"analysis_trigger.{analysis['id']}"
        run.is_heard = bool(self.listeners[channel])
        if not run.is_heard:
            run.lines.append("Nobody listens for this external Analysis: start it, then run it again")
        environment = self._variables(analysis, run)
        payload = {"environment": environment, "data": run.scope, "analysis_id": analysis["id"], "token": run.token}
        self.publish(channel, {"payload": payload})
        self._end(run, None)

    async def _read(self, stream: asyncio.StreamReader, run: Run) -> None:
        while True:
            try:
                line = await stream.readline()
            except ValueError:
                line = b"(a line longer than the console takes)\n"
            if not line:
                return
            text = line.decode(errors="replace").rstrip("\n")
            if not (self.watches_outcomes and self._is_outcome(text, run)):
                self.print_line(run.analysis_id, text, run)

    def _is_outcome(self, text: str, run: Run) -> bool:
        """Take what became of a user out of the log (lib/app/dispatch.py)."""
        try:
            entry = json.loads(text) if text.startswith("{") else {}
        except ValueError:
            return False
        if entry.get("event") != "outcome" or not entry.get("user"):
            return False
        run.outcomes[str(entry.get("campaign")), entry["user"]] = entry
        if entry.get("status") != "sent":  # those are seen where TagoIO takes them
            self.store.note_event(str(entry.get("status")), entry["user"])
        self.on_change()
        return True


RUNNER = web.AppKey("runner", Runner)


def runner_of(request: web.Request) -> Runner:
    return request.app[RUNNER]
