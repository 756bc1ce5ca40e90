"""TagoIO's stream of events: an Analysis' console, or its triggers (C cli analysis-console.ts, whl api_sse.py)."""

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import requests

KEEP_ALIVE = 60  # seconds without any byte, after which the stream is given up


def follow(sse: str, channel: str, token: str, on_event: Callable[[Any], None]) -> threading.Event:
    """Hand every event of a channel to `on_event`, from a thread that ends with the process; set once it is open."""
    ready = threading.Event()
    query = {"channel": channel, "token": token}

    def listen() -> None:
        with suppress(requests.RequestException):
            stream = requests.get(sse, params=query, stream=True, timeout=(10, KEEP_ALIVE))
            ready.set()
            for raw in stream.iter_lines(chunk_size=1):
                if raw.startswith(b"data:"):
                    with suppress(ValueError):
                        on_event(json.loads(raw[5:]))

    threading.Thread(target=listen, daemon=True).start()
    return ready
