"""A campaign as one self-contained page with a plot, for a desk and for a phone."""

import html
from collections.abc import Iterator
from datetime import UTC, datetime

from lib.campaign.rows import seconds_of
from lib.tools.campaign.reading import Line
from lib.tools.campaign.shown import HEADINGS, cells_of, headlines
from lib.tools.plot import STYLE, drawn_steps

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; --line: light-dark(#cfd8e0, #46525d) }}
body {{ max-width: 60rem; margin: 1.5rem auto; padding: 0 1rem; overflow-wrap: anywhere }}
h1 {{ font-size: 1.6rem; line-height: 1.25; margin: 0 0 .6rem }} h2 {{ font-size: 1.1rem; margin: 1.6rem 0 .6rem }}
ul {{ list-style: none; margin: 0; padding: 0 }}
.sent {{ --line-color: light-dark(#1257a8, #8abaf7) }} .read {{ --line-color: light-dark(#a34700, #ffbd66) }}
.pressed {{ --line-color: light-dark(#14602a, #86d992) }}
.legend {{ display: flex; flex-wrap: wrap; gap: .2rem 1.4rem; margin-bottom: .8rem }}
.legend li::before {{ content: ""; display: inline-block; width: 1.4rem; vertical-align: .25em; margin-right: .5rem;
  border-top: 3px solid var(--line-color) }} .legend .level::before {{ border-top-style: dashed }}
table {{ border-collapse: collapse; width: 100% }}
th, td {{ text-align: left; padding: .4rem .8rem .4rem 0; vertical-align: top }}
tr {{ border-bottom: 1px solid var(--line) }}
@media (max-width: 40rem) {{
  table, tbody {{ display: block }} thead {{ display: none }}
  tr {{ display: flex; flex-wrap: wrap; gap: 0 1rem; padding: .6rem 0 }}
  th, td {{ padding: 0 }} td:empty {{ display: none }}
  th {{ flex: 1 1 100% }} td::before {{ content: attr(data-head) ": " }}
}}
{style}</style>
<main>
<h1>{title}</h1>
<ul>{headlines}</ul>
<h2>Over time</h2>
{plot}
<h2>User by user</h2>
<table><thead><tr>{head}</tr></thead><tbody>
{rows}
</tbody></table>
</main></html>"""


def as_html(key: str, lines: list[Line], title: str = "", ended: str = "") -> str:
    return PAGE.format(
        title=html.escape(title or f"Campaign {key}"),
        style=STYLE.read_text(encoding="utf-8"),
        headlines="".join(f"<li>{html.escape(line.strip())}</li>" for line in headlines(key, lines, ended)),
        plot=plot(lines),
        head="".join(f'<th scope="col">{heading}</th>' for heading in HEADINGS),
        rows="\n".join(_row(line) for line in lines),
    )


def _row(line: Line) -> str:
    name, *others = map(html.escape, cells_of(line))
    cells = (f'<td data-head="{head}">{cell}</td>' for head, cell in zip(HEADINGS[1:], others, strict=True))
    return f'<tr><th scope="row">{name}</th>{"".join(cells)}</tr>'


def plot(lines: list[Line]) -> str:
    """Users over time, as steps: sent, read where the time is known, pressed."""
    found = {
        "sent": [line.sent_at for line in lines if line.status == "sent"],
        "read": [line.read_at for line in lines],
        "pressed": [line.pressed_at for line in lines],
    }
    times = {name: sorted(seconds_of(text) for text in texts if text) for name, texts in found.items()}
    moments = [moment for each in times.values() for moment in each]
    if not moments:
        return "<p>Nobody was sent anything.</p>"
    start, end = min(moments), max(moments)
    steps = {name: [(moment, count) for count, moment in enumerate(each, 1)] for name, each in times.items()}
    unplaced = sum(line.read == "yes" for line in lines) - len(times["read"])
    levels = {"read": unplaced} if unplaced else {}
    began = f"{datetime.fromtimestamp(start, UTC):%Y-%m-%d %H:%M:%S} UTC"
    drawn = drawn_steps(steps, end + (end - start) / 20, "users", began, levels)
    return f'<ul class="legend">{"".join(_legend(times, unplaced))}</ul>{drawn}'


def _legend(times: dict[str, list[float]], unplaced: int) -> Iterator[str]:
    yield from (f'<li class="{name}">{name} {len(each)}</li>' for name, each in times.items() if each)
    if unplaced:
        yield f'<li class="read level">read {unplaced}; TagoIO does not say when</li>'
