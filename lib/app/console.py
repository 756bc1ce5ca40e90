"""What a person reads while the Analysis runs: TagoIO's console, or the terminal."""

import shutil
import sys
import time
from collections.abc import Callable, Iterable

from lib.base.log import redact
from lib.base.text import one_line, tolerant

LINE_EVERY = 10.0  # seconds between lines on progress where there is no terminal
SEEN = 3.0  # seconds after which a rate can be told
BAR_WIDTH = 20


class Console:
    """`say` goes to TagoIO's console through `context.log`, which outside TagoIO costs a request a call: so it is kept
    for what matters, many lines in one call. `progress` and `hint` stay on this machine's standard output, which
    inside TagoIO is that console too."""

    def __init__(self, log: Callable[[str], None]) -> None:
        self._log = log
        self._bar_shown = False
        self._next_line = time.monotonic() + LINE_EVERY
        self._began: tuple[float, int] | None = None  # when progress was shown first, and how far it was

    def say(self, lines: Iterable[str]) -> None:
        self._clear_bar()
        tolerant(sys.stdout)  # `context.log` prints, on TagoIO and off it (C: whl modules/Analysis/Analysis.py)
        self._log("\n".join(one_line(redact(line)) for line in lines))

    def hint(self, line: str) -> None:
        self._clear_bar()
        _write(one_line(redact(line)) + "\n")

    def waits(self, line: str) -> None:
        """Why nothing happens for a while; on a terminal the bar says so all the time."""
        if not sys.stdout.isatty():
            self.hint(line)
            self._next_line = time.monotonic() + LINE_EVERY

    def progress(
        self, done: int, total: int, failed: int, *, limit: int | None = None, wait: float = 0.0, why: str = ""
    ) -> None:
        """A bar on a terminal, a line every so often elsewhere. `limit` users can be told a minute, as far as known;
        nobody is for `wait` seconds, because of `why`."""
        now = time.monotonic()
        self._began = self._began or (now, done)
        if not sys.stdout.isatty() and now < self._next_line:
            return
        said = f"{done} of {total} users" + (f", {failed} not told" if failed else "")
        said += self._pace(done, total, now, limit, wait) + (f"; {why}, going on in {wait:.0f} s" if wait >= 1 else "")
        if sys.stdout.isatty():
            filled = BAR_WIDTH * done // max(total, 1)
            bar = f"[{'#' * filled}{'.' * (BAR_WIDTH - filled)}] {said}"
            _write(f"\r\033[K{bar[: shutil.get_terminal_size().columns - 1]}")
            self._bar_shown = True
        else:
            self._next_line = now + LINE_EVERY
            _write(f"{said}\n")

    def _pace(self, done: int, total: int, now: float, limit: int | None, wait: float) -> str:
        """How fast it goes, and how long it still takes: where the limit is known, by whole windows."""
        began, before = self._began or (now, done)
        if done >= total or now - began < SEEN or done <= before:
            return ""
        a_minute = (done - before) / (now - began) * 60
        left = (total - done) / a_minute * 60
        if limit and total - done > limit:
            left = wait + (total - done - 1) // limit * 60
        elif limit:
            left = wait
        return f", {min(a_minute, limit or a_minute):.0f} a minute" + (f", {_about(left)} left" if left >= 1 else "")

    def _clear_bar(self) -> None:
        if self._bar_shown:
            _write("\r\033[K")
            self._bar_shown = False


def _about(seconds: float) -> str:
    """A length of time that is only estimated."""
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"about {seconds / size:.0f} {unit}"
    return f"about {seconds:.0f} s"


def _write(text: str) -> None:
    tolerant(sys.stdout).write(text)
    sys.stdout.flush()
