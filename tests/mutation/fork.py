"""Work in a forked process, which is ended with all that it started when it takes too long."""

import contextlib
import ctypes
import json
import os
import select
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any

PR_SET_PDEATHSIG = 1  # of Linux
Tell = Callable[[Any], None]


def in_fork(work: Callable[[Tell], None], patience: float | None) -> Iterator[Any]:
    """What the work tells, as it tells it; nothing more where it fails or `patience`, in seconds, is over."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        os.setsid()
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # it does not outlive who waits for it
        _do(work, writing)
    os.close(writing)
    until = time.monotonic() + patience if patience else float("inf")
    rest = b""
    try:
        while select.select([reading], [], [], min(until - time.monotonic(), 3600) if patience else None)[0]:
            found = os.read(reading, 1 << 16)
            if not found:
                break
            *lines, rest = (rest + found).split(b"\n")
            yield from map(json.loads, lines)
    finally:
        os.close(reading)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _do(work: Callable[[Tell], None], writing: int) -> None:
    code = 1
    try:
        work(lambda told: _write(writing, json.dumps(told).encode() + b"\n"))
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _write(writing: int, line: bytes) -> None:
    while line:
        line = line[os.write(writing, line) :]
