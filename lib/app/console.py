"""What a person reads while the Analysis runs: TagoIO's console, or the terminal."""

import sys
import time
from collections.abc import Callable, Iterable

from lib.base.log import redact
from lib.base.text import one_line, tolerant

LINE_EVERY = 10.0  # seconds between progress lines where there is no terminal
BAR_WIDTH = 30


class Console:
    """`say` goes to TagoIO's console through `context.log`, which outside TagoIO costs a request a call: so it is kept
    for what matters, many lines in one call. `progress` and `hint` stay on this machine's standard output, which
    inside TagoIO is that console too."""

    def __init__(self, log: Callable[[str], None]) -> None:
        self._log = log
        self._bar_shown = False
        self._next_line = time.monotonic() + LINE_EVERY

    def say(self, lines: Iterable[str]) -> None:
        self._clear_bar()
        tolerant(sys.stdout)  # `context.log` prints, on TagoIO and off it (C: whl modules/Analysis/Analysis.py)
        self._log("\n".join(one_line(redact(line)) for line in lines))

    def hint(self, line: str) -> None:
        self._clear_bar()
        _write(one_line(redact(line)) + "\n")

    def progress(self, done: int, total: int, failed: int) -> None:
        """A bar on a terminal, a line every so often elsewhere."""
        trouble = f", {failed} not told" if failed else ""
        if sys.stdout.isatty():
            filled = BAR_WIDTH * done // max(total, 1)
            _write(f"\r[{'#' * filled}{'.' * (BAR_WIDTH - filled)}] {done} of {total}{trouble} ")
            self._bar_shown = True
        elif time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + LINE_EVERY
            _write(f"{done} of {total} users{trouble}\n")

    def _clear_bar(self) -> None:
        if self._bar_shown:
            _write("\r\033[K")
            self._bar_shown = False


def _write(text: str) -> None:
    tolerant(sys.stdout).write(text)
    sys.stdout.flush()
