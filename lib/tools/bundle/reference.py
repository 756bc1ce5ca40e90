"""What `compose` and `decide` can use, and the variables, from the README's own tables, so both say the same: the names
of what can be used as a comment above them, what it means, and what each variable does, as one below."""

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

from lib.tools.bundle.imports import LINE
from lib.tools.bundle.source import BundleError

README = "README.md"
USABLE, VARIABLES_SECTION = "What you write", "Variables"  # the README's headings
SECTION = r"^## {}\n(.*?)(?=^## |\Z)"
TABLE = re.compile(r"^(\|.*\n)\|(?:-+\|)+\n((?:\|.*\n)+)", re.MULTILINE)  # its head, and its rows
LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")


def reference(root: Path) -> tuple[str, str]:
    """Both comments; "" where there is no README. Raises BundleError for a README that has lost the tables."""
    if not (root / README).is_file():
        return "", ""
    written = (root / README).read_text(encoding="utf-8")
    section, tables = _section(written, USABLE)
    _, variables = _section(written, VARIABLES_SECTION)
    about = textwrap.wrap(_plain(" ".join(section.split("\n|", 1)[0].split())), LINE - 2)
    names = [f"{'-' * 70} what you can use; below it is explained", *about, *(_names(*table) for table in tables)]
    meanings = [
        f"{'-' * 70} what you can use, as {README} has it",
        *(line for table in [*tables, *variables] for line in _lines(*table)),
    ]
    above = (line for text in names for line in textwrap.wrap(text, LINE - 2, subsequent_indent="  "))
    return "\n".join(f"# {line}" for line in above), "\n".join(f"# {line}" for line in meanings)


def _section(written: str, heading: str) -> tuple[str, list[tuple[str, str]]]:
    """The text under a heading, and its tables: the head and the rows of each. Raises BundleError."""
    found = re.search(SECTION.format(heading), written, re.MULTILINE | re.DOTALL)
    tables = TABLE.findall(found[1]) if found else []
    if not found or not tables:
        raise BundleError(f"{README} has no tables under '## {heading}'")
    return found[1], tables


def _names(head: str, rows: str) -> str:
    return f"{_cells(head)[0]}: {', '.join(_cells(row)[0] for row in rows.splitlines())}"


def _lines(head: str, rows: str) -> Iterator[str]:
    yield f"{_cells(head)[0]}:"
    for row in rows.splitlines():
        name, what, *default = _cells(row)
        text = f"{name}: {what}" + (f" (default: {default[0]})" if any(default) and default[0] != "–" else "")
        yield from textwrap.wrap(text, LINE - 2, initial_indent="  ", subsequent_indent=" " * 6, break_on_hyphens=False)


def _cells(row: str) -> list[str]:
    return [_plain(cell) for cell in row.strip().strip("|").split("|")]


def _plain(text: str) -> str:
    return LINK.sub(r"\1", text).replace("`", "").strip()
