"""Texts of others, made fit to be written anywhere."""

import io
import re
from collections.abc import Iterable
from typing import TextIO

NAMES_SHOWN = 20  # in one line
UNFIT = re.compile("[\0\ud800-\udfff]")
# Control characters, line ends, and the marks that turn the direction of a line.
MISLEADING = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
BREAKS = re.compile("[\t-\r\x1c-\x1e\x85\u2028\u2029]+")


def plain(text: str) -> str:
    """The text without NUL, and with U+FFFD for each half of a surrogate pair that stands alone: neither can be
    written as UTF-8 or stored by most services."""
    if not UNFIT.search(text):
        return text
    return text.replace("\0", "").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def harmless(text: str) -> str:
    """What somebody else wrote, fit to stand among words of ours: no line end, nothing that colours a terminal or turns
    a line around; a space for each line end. Letters stay as they are."""
    return MISLEADING.sub("", BREAKS.sub(" ", plain(text)))


def one_line(text: str) -> str:
    """The text as one line on a console, whoever wrote it: what would end it, colour it or turn it around shows as an
    escape."""
    return MISLEADING.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def counted(number: int, what: str, several: str = "") -> str:
    """`1 user`, `2 users`; `several` where an s is not enough."""
    return f"{number} {what if number == 1 else several or what + 's'}"


def tolerant(stream: TextIO) -> TextIO:
    """The stream, which from now on shows what its encoding lacks as an escape such as \\xe9: no text may end a run."""
    if isinstance(stream, io.TextIOWrapper) and stream.errors != "backslashreplace":
        stream.reconfigure(errors="backslashreplace")
    return stream


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """`; did you mean "title"?`, or nothing where no known word is near; of words that differ in capitals the first."""
    from difflib import get_close_matches  # imported late: only for who has made a mistake

    by_lower: dict[str, str] = {}
    for word in known:
        by_lower.setdefault(word.lower(), word)
    near = get_close_matches(wrong.lower(), by_lower, 1, 0.6)
    return f'; did you mean "{by_lower[near[0]]}"?' if near else ""


def few_names(names: Iterable[str]) -> str:
    """The first of them by name, the others by number."""
    listed = list(names)
    more = f" and {len(listed) - NAMES_SHOWN} more" if len(listed) > NAMES_SHOWN else ""
    return ", ".join(listed[:NAMES_SHOWN]) + more
