"""What a tool says to the person at the terminal, and asks them."""

import sys

from lib.base.log import redact
from lib.base.text import one_line


def say(text: str) -> None:
    print(one_line(redact(text)), flush=True)


def ask(question: str) -> bool:
    """No, where there is nobody to answer."""
    if not sys.stdin.isatty():
        return False
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
