"""Doors before a sandbox that stay shut for a while: a port nobody listens on, and one that lets nobody in."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable
from urllib.parse import urlsplit

Door = tuple[str, Callable[[], None]]


def closed_for(seconds: float, api: str, stop: threading.Event) -> Door:
    """Connections are refused for so long, counted from now; then they are passed on."""
    holder = socket.socket()
    holder.bind(("127.0.0.1", 0))  # bound, not listening: refused
    return _open_later(holder, seconds, api, stop)


def hanging_for(seconds: float, api: str, stop: threading.Event) -> Door:
    """The backlog is full for so long: connections time out."""
    holder = socket.socket()
    holder.bind(("127.0.0.1", 0))
    holder.listen(0)
    fillers = [socket.socket() for _ in range(4)]
    for filler in fillers:
        filler.setblocking(False)
        filler.connect_ex(holder.getsockname())
    address, close = _open_later(holder, seconds, api, stop)

    def close_all() -> None:
        close()
        for filler in fillers:
            filler.close()

    return address, close_all


def _open_later(holder: socket.socket, seconds: float, api: str, stop: threading.Event) -> Door:
    port = holder.getsockname()[1]
    target = urlsplit(api)

    def open_up() -> None:
        time.sleep(seconds)
        asyncio.run(_pass_on(holder, target.hostname or "", target.port or 0, stop))

    thread = threading.Thread(target=open_up, daemon=True)
    thread.start()

    def close() -> None:
        thread.join(seconds + 5)
        holder.close()

    return f"http://127.0.0.1:{port}", close


async def _pass_on(holder: socket.socket, host: str, port: int, stop: threading.Event) -> None:
    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection(host, port)
        with contextlib.suppress(asyncio.CancelledError):  # the door is taken away
            await asyncio.gather(pipe(reader, there_writer), pipe(there_reader, writer), return_exceptions=True)

    holder.setblocking(False)
    async with await asyncio.start_server(serve, sock=holder, backlog=1024):
        while not stop.is_set():
            await asyncio.sleep(0.05)
