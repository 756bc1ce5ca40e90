"""Texts of others, made fit to be written anywhere."""

import io
import re
from typing import TextIO

UNFIT = re.compile("[\0\ud800-\udfff]")


def plain(text: str) -> str:
    """The text without NUL, and with U+FFFD for each half of a surrogate pair that stands alone: neither can be
    written as UTF-8 or stored by most services."""
    if not UNFIT.search(text):
        return text
    return text.replace("\0", "").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def tolerant(stream: TextIO) -> TextIO:
    """The stream, which from now on shows what its encoding lacks as an escape such as \\xe9: no text may end a run."""
    if isinstance(stream, io.TextIOWrapper) and stream.errors != "backslashreplace":
        stream.reconfigure(errors="backslashreplace")
    return stream
