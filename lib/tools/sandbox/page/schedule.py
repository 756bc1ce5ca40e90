"""Runs something every so many seconds, as an Action's interval would."""

import asyncio
from collections.abc import Awaitable, Callable

SHORTEST, LONGEST = 1, 86_400  # seconds; TagoIO's finest is a minute (C mcp create-action.ts)


class Schedule:
    """`seconds` is 0 while it is off. `turn` begins a run and comes back at once."""

    def __init__(self, turn: Callable[[], Awaitable[None]]) -> None:
        self.seconds = 0
        self._turn = turn
        self._task: asyncio.Task[None] | None = None

    def set(self, seconds: int) -> None:
        """From now on, 0 to stop; the first turn comes at once."""
        self.stop()
        self.seconds = seconds
        if seconds:
            self._task = asyncio.create_task(self._go_on())

    def stop(self) -> None:
        self.seconds = 0
        if self._task:
            self._task.cancel()
            self._task = None

    async def _go_on(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + self.seconds
            await self._turn()
            while due <= loop.time():
                due += self.seconds
            await asyncio.sleep(due - loop.time())
