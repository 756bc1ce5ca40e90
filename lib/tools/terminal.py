"""What a tool says to the person at the terminal, and asks them; and how it ends when they stop it, or stop reading."""

import getpass
import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from lib.base.log import guard_output, redact
from lib.base.text import one_line

OWN_PYTHON = Path(__file__).resolve().parents[2] / ".venv"
STOPPED = 130  # as a shell has it


def fit(text: str) -> str:
    """What may be shown at a terminal, whoever wrote it: one line, without secrets, nothing that steers a terminal."""
    return one_line(redact(text))


def say(text: str) -> None:
    print(fit(text), flush=True)


def complain(text: str) -> None:
    """On standard error; here a text may have several lines."""
    sys.stderr.write("".join(f"{fit(line)}\n" for line in text.split("\n")))


def ask(question: str) -> bool:
    """No, where there is nobody to answer."""
    if not _is_anybody_there():
        return False
    try:
        return input(f"{fit(question)} [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:  # Ctrl-D
        print()
        return False


def ask_secret(question: str) -> str:
    """What is typed and not shown; "" where there is nobody to answer."""
    if not _is_anybody_there():
        return ""
    try:
        return getpass.getpass(f"{fit(question)}: ").strip()
    except EOFError:  # Ctrl-D
        print(file=sys.stderr)
        return ""


def _is_anybody_there() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()  # it is None where it was closed by `<&-`


def typed(module: str) -> str:
    """The command that runs a module, as the person has to type it here."""
    if Path(sys.prefix).resolve() == OWN_PYTHON.resolve():
        return f"{os.path.relpath(sys.executable)} -m {module}"
    return f"python -m {module}"


def perform(work: Callable[[], int], *, again: str = "") -> int:
    """The exit code of a tool's work. Ctrl-C ends it with one line, and `again` says what running it again does. Where
    nobody reads its output any more, as after `| head`, the work goes on to its end."""
    with _unread_output():
        guard_output()
        try:
            return work()
        except KeyboardInterrupt:
            below = "\n" if sys.stderr.isatty() else ""  # what the terminal shows of the key
            sys.stderr.write(f"{below}Stopped by hand.{f' {again}' if again else ''}\n")
            return STOPPED


class _Unread(io.FileIO):
    """An output of this process. What is written after its reader has gone goes nowhere."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            return len(data)


@contextmanager
def _unread_output() -> Iterator[None]:
    """Standard output and standard error may lose their reader meanwhile."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = ours = _unread(sys.stdout), _unread(sys.stderr)
    try:
        yield
    finally:
        for stream in ours:
            stream.flush()
        sys.stdout, sys.stderr = before


def _unread(stream: TextIO | None) -> TextIO:
    if stream is None:  # closed by `>&-`
        return open(os.devnull, "w", encoding="utf-8")
    try:
        number = stream.fileno()
    except (OSError, ValueError):  # no file: somebody reads it in this process
        return stream
    stream.flush()
    buffer = io.BufferedWriter(_Unread(number, "w", closefd=False))
    return io.TextIOWrapper(buffer, stream.encoding, stream.errors, line_buffering=bool(stream.line_buffering))
