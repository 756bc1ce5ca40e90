"""A sandbox that runs: a real HTTP server on a real socket of this machine."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from ssl import SSLContext
from typing import Any, TypeVar

from aiohttp import web

from lib.tools.sandbox import (
    access_routes,
    account_routes,
    action_routes,
    admin_routes,
    analysis_routes,
    data_routes,
    device_routes,
    integration_routes,
    run_routes,
    run_site_routes,
    run_user_routes,
    secret_routes,
)
from lib.tools.sandbox.actions import fire_by_clock
from lib.tools.sandbox.app import make_app
from lib.tools.sandbox.changes import Changes
from lib.tools.sandbox.runner import RUNNER, Runner
from lib.tools.sandbox.store import Store
from lib.tools.sandbox.trouble import Trouble

HOST = "127.0.0.1"
ROUTES = (
    account_routes, access_routes, action_routes, admin_routes, analysis_routes, data_routes, device_routes,
    integration_routes, run_site_routes, run_user_routes, run_routes, secret_routes,
)  # fmt: skip
T = TypeVar("T")


class Sandbox:
    """A TagoIO on this machine, loopback only. `api` is its address once it runs."""

    def __init__(
        self, store: Store | None = None, trouble: Trouble | None = None, echo: Callable[[str], None] | None = None
    ) -> None:
        self.store = store or Store()
        self.trouble = trouble or Trouble()
        self.trouble.facts = self.store.facts
        self.changes = Changes()
        self.runner = Runner(self.store, echo, self.changes.tell)
        self.api = ""
        self._loop: asyncio.AbstractEventLoop | None = None

    async def open(
        self, port: int = 0, ssl: SSLContext | None = None, extend: Callable[[web.Application], None] | None = None
    ) -> web.AppRunner:
        """Listen; port 0 takes any free one. `extend` may add to the application."""
        app = make_app(self.store, self.trouble, self.changes, *(module.routes for module in ROUTES))
        app.cleanup_ctx.append(self._keep_time)
        app[RUNNER] = self.runner
        if extend:
            extend(app)
        server = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await server.setup()
        site = web.TCPSite(server, HOST, port, ssl_context=ssl)
        await site.start()
        assert site._server is not None
        bound = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
        self.api = self.runner.api = f"{'https' if ssl else 'http'}://{'localhost' if ssl else HOST}:{bound}"
        return server

    async def _keep_time(self, _: web.Application) -> AsyncIterator[None]:
        clock = asyncio.create_task(fire_by_clock(self.runner))
        yield
        clock.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await clock

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run something on the server's thread, from another one."""
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(60)

    def publish(self, channel: str, event: Any) -> None:
        """Put an event on a stream, from another thread."""

        async def publish() -> None:
            self.runner.publish(channel, event)

        self.call(publish())

    @contextlib.contextmanager
    def running(
        self, port: int = 0, ssl: SSLContext | None = None, extend: Callable[[web.Application], None] | None = None
    ) -> Iterator["Sandbox"]:
        """Serve from a thread of its own, for tests and benchmarks."""
        self._loop = asyncio.new_event_loop()
        thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        thread.start()
        server = self.call(self.open(port, ssl, extend))
        try:
            yield self
        finally:
            self.call(server.cleanup())
            self.call(_no_task_left())
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join(5)
            self._loop.close()


async def _no_task_left() -> None:
    """What still waits, such as a stream that nobody has closed, ends with the loop."""
    left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
