"""A campaign as one self-contained page with a plot."""

import html
from datetime import datetime

from lib.campaign.rows import seconds_of
from lib.tools.campaign.reading import Line
from lib.tools.campaign.shown import HEADINGS, cells_of, headlines

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
<div class="wide" tabindex="0"><table><tr>{head}</tr>
{rows}
</table></div></html>"""


def as_html(key: str, lines: list[Line], title: str = "", ended: str = "") -> str:
    rows = ["<tr>" + "".join(f"<td>{html.escape(cell)}" for cell in cells_of(line)) for line in lines]
    begins = "<br>".join(html.escape(line) for line in headlines(key, lines, ended))
    head = "".join(f"<th>{heading}" for heading in HEADINGS)
    title = html.escape(title or f"Campaign {key}")
    return PAGE.format(title=title, headlines=begins, plot=plot(lines), head=head, rows="\n".join(rows))


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
