"""The same day with a plain SDK loop: really run, on a sandbox of its own, on fresh users, in the same trouble."""

import asyncio
import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from lib.tools.sandbox.page.witness import Witness
from lib.tools.sandbox.runner import Run
from lib.tools.sandbox.seed import seed_analysis
from lib.tools.sandbox.server import Sandbox
from lib.tools.sandbox.store import Record, Store
from lib.tools.sandbox.trouble import Fault, Trouble

SCRIPT = Path(__file__).parent / "plain_loop.py"
LOOPS = {1: "A loop, one try", 3: "A loop, three tries"}


@dataclass(frozen=True, slots=True)
class Weather:
    """The trouble that was on when a day began."""

    rate_limit: int | None = None
    latency: float = 0.0
    faults: tuple[Fault, ...] = ()
    kill_after: int | None = None
    pushes: int | None = None  # left of the month's
    facts: tuple[tuple[str, str], ...] = ()

    def trouble(self) -> Trouble:
        return Trouble(
            rate_limit=self.rate_limit, latency=self.latency, faults=list(self.faults), kill_after=self.kill_after
        )


@dataclass
class PlainDay:
    """One loop on one day: how often it told each user, and whether it has ended."""

    tries: int
    users: list[Record]
    weather: Weather
    scope: object
    on_change: Callable[[], None]
    is_going: bool = True
    runs: int = 0
    lines: list[str] = field(default_factory=list)
    _store: Store = field(default_factory=Store)

    def told(self, user_id: str) -> int:
        return len(self._store.inbox(user_id))

    async def go(self) -> None:
        """To its end. A run that the trouble kills is handed the same event once more, as the other was."""
        for user in copy.deepcopy(self.users):
            self._store.users[user["id"]] = user
        if self.weather.pushes is not None:
            self._store.limits["push_notification"] = self.weather.pushes
        self._store.facts.update(self.weather.facts)
        sandbox = Sandbox(self._store, self.weather.trouble(), echo=self.lines.append)
        analysis = seed_analysis(self._store, {"tries": str(self.tries)}, name=LOOPS[self.tries])
        self._store.scripts[analysis["id"]] = SCRIPT
        witness = Witness(self._store, sandbox.runner, self.on_change)
        sandbox.trouble.on_seen = witness.saw
        sandbox.trouble.on_kill = sandbox.runner.end_by_token
        server = await sandbox.open()
        try:
            for _ in range(2):
                self.runs += 1
                code = await sandbox.runner.run(analysis, Run(analysis["id"], {}, self.scope))
                if not (code < 0 and self.weather.kill_after is not None):
                    break
        finally:
            self.is_going = False
            await asyncio.shield(server.cleanup())
            self.on_change()
