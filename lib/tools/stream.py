"""TagoIO's stream of events: an Analysis' console, or its triggers (C cli analysis-console.ts, whl api_sse.py)."""

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import requests

KEEP_ALIVE = 60  # seconds without any byte, after which the stream is given up


class Stream(threading.Thread):
    """Hands every event of a channel to `on_event`. It is alive until the stream ends; `opened` is set once it is open.

    It ends with the process.
    """

    def __init__(self, sse: str, channel: str, token: str, on_event: Callable[[Any], None]) -> None:
        super().__init__(daemon=True)
        self.opened = threading.Event()
        self._sse, self._query = sse, {"channel": channel, "token": token}
        self._on_event = on_event
        self.start()

    def run(self) -> None:
        timeout = (10, KEEP_ALIVE)
        with (
            suppress(requests.RequestException),
            requests.get(self._sse, params=self._query, stream=True, timeout=timeout) as stream,
        ):
            self.opened.set()
            for raw in stream.iter_lines(chunk_size=1):
                if raw.startswith(b"data:"):
                    with suppress(ValueError):
                        self._on_event(json.loads(raw[5:]))
