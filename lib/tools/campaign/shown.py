"""A campaign as a table, comma-separated values or JSON, and the list of those there are."""

import csv
import io
import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, fields

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lib.base.text import one_line
from lib.tools.campaign.reading import Found, Line, figures, seconds_between
from lib.tools.terminal import typed

FORMULA = re.compile(r"[\s\ufeff\u200b]*[=+\-@\uff1d\uff0b\uff0d\uff20]")
MINUS_SIGNS = box.Box(str(box.SIMPLE_HEAD).replace("─", "-"), ascii=True)
HEADINGS = ("User", "Outcome", "Read", "Pressed", "After", "Why")


def as_list(campaigns: Iterable[Found]) -> str:
    """The newest first."""
    rows = ((each.key, each.began[:19], one_line(each.title), each.outcomes) for each in campaigns)
    table = drawn(("Key", "Began", "Title", "Outcomes"), rows)
    return f"{table}\nOne of them: {typed('lib.tools.campaign')} show KEY, or last"


def rule() -> box.Box:
    """The line under a table's headings: of minus signs where standard output has no better letter."""
    try:
        str(box.SIMPLE_HEAD).encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return MINUS_SIGNS
    return box.SIMPLE_HEAD


def drawn(titles: Iterable[str], rows: Iterable[Iterable[str]], before: str = "") -> str:
    """A table, under some lines."""
    table = Table(box=rule())
    for title in titles:
        table.add_column(title, overflow="fold")  # nothing is cut off
    for row in rows:
        table.add_row(*map(Text, row))
    output = io.StringIO()
    console = Console(file=output, width=None if sys.stdout.isatty() else 120, force_terminal=sys.stdout.isatty())
    if before:
        console.print(Text(before))
    console.print(table)
    return output.getvalue().rstrip()


def headlines(key: str, lines: list[Line], ended: str) -> Iterator[str]:
    found = figures(lines)
    outcomes = ", ".join(f"{count} {status}" for status, count in found["outcomes"].items())
    yield f"Campaign {key}: {len(lines)} users; {outcomes}; {found['read']} read"
    if ended:
        yield f"  over: {ended}"
    for button, count in found["pressed"].items():
        yield f"  pressed {button}: {count}"
    if found["seconds_to_press"] is not None:
        yield f"  to the press: {found['seconds_to_press']} s (median)"
    to_read = found["seconds_to_read"]
    yield f"  to the reading: {f'{to_read} s (median)' if to_read is not None else 'TagoIO does not say when'}"
    for reason, count in found["reasons"].items():
        yield f"  {reason}: {count}"


def as_table(key: str, lines: list[Line], ended: str = "") -> str:
    return drawn(HEADINGS, map(cells_of, lines), "\n".join(headlines(key, lines, ended)))


def cells_of(line: Line) -> tuple[str, ...]:
    """Beneath HEADINGS."""
    channel = f" by {line.channel}" if line.channel else ""
    outcome = f"{line.status}{channel}{f' (step {line.step})' if line.step else ''}"
    pressed = line.pressed + (" (counts)" if line.counts == "yes" else "")
    seconds = seconds_between(line.sent_at, line.pressed_at)
    return line.name or line.user, outcome, line.read, pressed, f"{seconds:.1f} s" if seconds else "", line.reason


def as_json(key: str, lines: list[Line], ended: str = "") -> str:
    said = {"campaign": key, "over": ended, **figures(lines), "users": [asdict(line) for line in lines]}
    return json.dumps(said, indent=2)


def as_csv(lines: list[Line]) -> str:
    """A cell that a spreadsheet would take for a formula, in full width too, gets an apostrophe before it."""
    output = io.StringIO()
    writer = csv.writer(output, lineterminator="\n")
    writer.writerow([field.name for field in fields(Line)])
    for line in lines:
        cells = map(one_line, asdict(line).values())
        writer.writerow([f"'{cell}" if FORMULA.match(cell) else cell for cell in cells])
    return output.getvalue().rstrip()
