"""`python -m lib.tools.report [KEY]`: what became of a campaign, by its key or `last`; without one, which there are.

Sent, read, pressed, failed and why, held, per user. It needs `account_token` and `delivery_log_token`, from the
environment or .env, and works against TagoIO and the sandbox (TAGOIO_API).
"""

import argparse
import csv
import html
import io
import json
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import asdict, fields
from datetime import datetime
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lib.app.settings import read_env_file
from lib.base.errors import SetupError, TagoIOError
from lib.base.log import guard_output, hide, redact
from lib.base.text import one_line
from lib.campaign.rows import seconds_of
from lib.tagoio.journal_device import JournalDevice
from lib.tagoio.transport import TagoIO
from lib.tools.reading import (
    Line,
    campaigns,
    figures,
    keys_there_are,
    last_key,
    open_device,
    read_campaign,
    seconds_between,
    title_of,
)

FORMULA = re.compile(r"[\s\ufeff\u200b]*[=+\-@\uff1d\uff0b\uff0d\uff20]")

ROOT = Path(__file__).resolve().parents[2]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m lib.tools.report", description=__doc__)
    parser.add_argument("key", nargs="?", default="", help="the campaign's key, or last; without it, a list of them")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="comma-separated values")
    form.add_argument("--json", action="store_true", help="one JSON object")
    form.add_argument("--html", action="store_true", help="one self-contained page with a plot")
    parser.add_argument("-o", "--output", type=Path, help="a file instead of standard output")
    options = parser.parse_args(arguments)
    guard_output()
    wants_list = not (options.key or options.csv or options.json or options.html)
    try:
        tago, journal = _connect()
        text = _listed(tago, journal) if wants_list else _text(options, tago, journal)
        if options.output:
            options.output.write_text(text + "\n", encoding="utf-8")
        else:
            print(text, flush=True)
    except (SetupError, TagoIOError) as error:
        sys.stderr.write(redact(f"{error}\n"))
        return 1
    except BrokenPipeError:  # by `| head`, which has read enough
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  # Python flushes it once more at its end
    except OSError as error:
        sys.stderr.write(f"{options.output} cannot be written: {error.strerror}\n")
        return 1
    return 0


def _text(options: argparse.Namespace, tago: TagoIO, journal: JournalDevice) -> str:
    key, lines = _read(tago, journal, "" if options.key == "last" else options.key)
    if options.csv:
        return as_csv(lines)
    if options.json:
        return json.dumps({"campaign": key, **figures(lines), "users": [asdict(line) for line in lines]}, indent=2)
    if options.html:
        return as_html(key, lines, title_of(tago, journal.states([key])[key]))
    return as_table(key, lines)


def _listed(tago: TagoIO, journal: JournalDevice) -> str:
    """The campaigns there are, the newest first."""
    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("Key", "Began", "Title", "Outcomes"):
        table.add_column(heading)
    try:
        for key, began, title, outcomes in campaigns(tago, journal):
            table.add_row(*map(Text, (key, began[:19], one_line(title), outcomes)))
    except TagoIOError as error:
        raise SetupError(f"The journal cannot be read (delivery_log_token): {error.message}") from error
    return f"{_drawn(table)}\nOne of them: python -m lib.tools.report KEY, or last"


def _drawn(table: Table, headlines: str = "") -> str:
    output = io.StringIO()
    console = Console(file=output, width=None if sys.stdout.isatty() else 120, force_terminal=sys.stdout.isatty())
    if headlines:
        console.print(Text(headlines))
    console.print(table)
    return output.getvalue().rstrip()


def _read(tago: TagoIO, journal: JournalDevice, key: str) -> tuple[str, list[Line]]:
    try:
        given, key = key, key or last_key(journal)
        try:
            return key, read_campaign(tago, journal, key)
        except SetupError as error:
            there = ", ".join(keys_there_are(journal)) if given else ""
            raise SetupError(f"{error}; there are, the newest first: {there}" if there else str(error)) from error
    except TagoIOError as error:
        raise SetupError(f"The journal cannot be read (delivery_log_token): {error.message}") from error


def _connect() -> tuple[TagoIO, JournalDevice]:
    variables: dict[str, str | None] = {**read_env_file(ROOT / ".env"), **os.environ}
    lowered = {key.lower(): (value or "").strip() for key, value in variables.items()}
    missing = [name for name in ("account_token", "delivery_log_token") if not lowered.get(name)]
    if missing:
        raise SetupError(f"{' and '.join(missing)} not set: put them into .env or the environment")
    for name in ("account_token", "delivery_log_token"):
        hide(lowered[name])
    tago = TagoIO(lowered["account_token"])
    return tago, open_device(tago, lowered["delivery_log_token"])


def _headlines(key: str, lines: list[Line]) -> Iterator[str]:
    found = figures(lines)
    outcomes = ", ".join(f"{count} {status}" for status, count in found["outcomes"].items())
    yield f"Campaign {key}: {len(lines)} users; {outcomes}; {found['read']} read"
    for button, count in found["pressed"].items():
        yield f"  pressed {button}: {count}"
    if found["seconds_to_press"] is not None:
        yield f"  to the press: {found['seconds_to_press']} s (median)"
    to_read = found["seconds_to_read"]
    yield f"  to the reading: {f'{to_read} s (median)' if to_read is not None else 'TagoIO does not say when'}"
    for reason, count in found["reasons"].items():
        yield f"  {reason}: {count}"


def as_table(key: str, lines: list[Line]) -> str:
    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("User", "Outcome", "Read", "Pressed", "After", "Why"):
        table.add_column(heading)
    for line in lines:
        after = seconds_between(line.sent_at, line.pressed_at)
        pressed = line.pressed + (" (counts)" if line.counts == "yes" else "")
        cells = (
            line.name or line.user,
            _outcome(line),
            line.read,
            pressed,
            f"{after:.1f} s" if after else "",
            line.reason,
        )
        table.add_row(*map(Text, cells))
    return _drawn(table, "\n".join(_headlines(key, lines)))


def _outcome(line: Line) -> str:
    channel = f" by {line.channel}" if line.channel else ""
    return f"{line.status}{channel}{f' (step {line.step})' if line.step else ''}"


def as_csv(lines: list[Line]) -> str:
    """A cell that a spreadsheet would take for a formula, in full width too, gets an apostrophe before it."""
    output = io.StringIO()
    writer = csv.writer(output, lineterminator="\n")
    writer.writerow([field.name for field in fields(Line)])
    for line in lines:
        cells = map(one_line, asdict(line).values())
        writer.writerow([f"'{cell}" if FORMULA.match(cell) else cell for cell in cells])
    return output.getvalue().rstrip()


PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }}
body {{ max-width: 60rem; margin: 2rem auto; padding: 0 1rem }}
.wide {{ overflow-x: auto }}
table {{ border-collapse: collapse; width: 100% }} th, td {{ text-align: left; padding: .3rem .6rem }}
tr {{ border-bottom: 1px solid #8884 }} svg {{ width: 100%; min-width: 34rem; height: auto }}
.sent {{ stroke: #1565c0 }} .read {{ stroke: #ef6c00 }} .pressed {{ stroke: #2e7d32 }}
text {{ fill: currentColor; font-size: 12px }} .axis {{ stroke: currentColor; fill: none }}
</style>
<h1>{title}</h1>
<p>{headlines}</p>
<div class="wide" tabindex="0">{plot}</div>
<div class="wide" tabindex="0"><table><tr><th>User<th>Outcome<th>Read<th>Pressed<th>After<th>Why</tr>
{rows}
</table></div></html>"""


def as_html(key: str, lines: list[Line], title: str = "") -> str:
    rows = []
    for line in lines:
        pressed = line.pressed + (" (counts)" if line.counts == "yes" else "")
        seconds = seconds_between(line.sent_at, line.pressed_at)
        after = f"{seconds:.1f} s" if seconds else ""
        cells = (line.name or line.user, _outcome(line), line.read, pressed, after, line.reason)
        rows.append("<tr>" + "".join(f"<td>{html.escape(cell)}" for cell in cells) + "</tr>")
    headlines = "<br>".join(html.escape(line) for line in _headlines(key, lines))
    title = html.escape(title or f"Campaign {key}")
    return PAGE.format(title=title, headlines=headlines, plot=plot(lines), rows="\n".join(rows))


def plot(lines: list[Line]) -> str:
    """Users over time, as steps: sent, read where the time is known, pressed."""
    series = {
        "sent": [line.sent_at for line in lines if line.status == "sent"],
        "read": [line.read_at for line in lines],
        "pressed": [line.pressed_at for line in lines],
    }
    times = {name: sorted(seconds_of(text) for text in texts if text) for name, texts in series.items()}
    everything = [moment for moments in times.values() for moment in moments]
    if not everything:
        return "<p>Nobody was sent anything.</p>"
    start, end = min(everything), max(everything)
    span, most = max(end - start, 1.0), max(len(moments) for moments in times.values())
    paths = []
    unplaced = sum(line.read == "yes" for line in lines) - len(times["read"])
    if unplaced:
        y = 210 - 190 * unplaced / most
        paths.append(f'<path class="read" d="M 50 {y:.1f} H 650" stroke-width="2" stroke-dasharray="6 6"/>')
        paths.append(f'<text x="655" y="{y + 4:.1f}">read {unplaced}, when?</text>')
    for name, moments in times.items():
        if not moments:
            continue
        points, count = "M 50 210", 0
        for moment in moments:
            x = 50 + 600 * (moment - start) / span
            points += f" H {x:.1f}"
            count += 1
            points += f" V {210 - 190 * count / most:.1f}"
        points += " H 650"
        paths.append(f'<path class="{name}" d="{points}" fill="none" stroke-width="2"/>')
        paths.append(f'<text x="655" y="{214 - 190 * count / most:.1f}">{name} {count}</text>')
    labels = f'<path class="axis" d="M 50 20 V 210 H 650"/><text x="44" y="24" text-anchor="end">{most}</text>'
    labels += '<text x="44" y="214" text-anchor="end">0</text><text x="50" y="12" text-anchor="middle">users</text>'
    labels += f'<text x="50" y="228">{datetime.fromtimestamp(start):%Y-%m-%d %H:%M:%S}</text>'
    labels += f'<text x="650" y="228" text-anchor="end">{span:.0f} s later</text>'
    title = "Users over time: sent, read, pressed"
    drawn = f"<title>{title}</title>{''.join(paths)}{labels}"
    return f'<svg viewBox="0 0 760 240" role="img" aria-label="{title}">{drawn}</svg>'


if __name__ == "__main__":
    sys.exit(main())
