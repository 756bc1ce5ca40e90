"""Tells whoever waits that something in the sandbox has changed."""

import asyncio


class Changes:
    """`version` grows with every change. All of it belongs to the server's own thread."""

    def __init__(self) -> None:
        self.version = 0
        self._waiting: set[asyncio.Future[None]] = set()

    def tell(self) -> None:
        """Something has changed."""
        self.version += 1
        waiting, self._waiting = self._waiting, set()
        for each in waiting:
            if not each.done():
                each.set_result(None)

    async def after(self, version: int) -> int:
        """The version, as soon as it is not that one any more."""
        if self.version == version:
            change: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.add(change)
            try:
                await change
            finally:
                self._waiting.discard(change)
        return self.version
