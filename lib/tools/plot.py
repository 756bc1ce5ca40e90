"""Numbers over time as a drawing in HTML: steps in an SVG that stretches, and axes whose text keeps its size."""

import html
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

STYLE = Path(__file__).parent / "sandbox" / "page" / "static" / "plot.css"  # how it looks, on both pages that have one
TICKS = 5  # at most on an axis, but for the one at 0: as many as fit on a phone
DURATIONS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400]
UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
Steps = Sequence[tuple[float, int]]  # from each moment on, in seconds since the epoch, the number


def drawn_steps(
    series: Mapping[str, Steps], until: float, what: str, began: str, levels: Mapping[str, int] | None = None
) -> str:
    """A `figure` with a path of class NAME for each; `levels` are numbers of which no moment is known. `what` is
    counted, `began` says when the first moment was. "" where there is nothing."""
    known, levels = {name: steps for name, steps in series.items() if steps}, levels or {}
    moments = [time for steps in known.values() for time, _ in steps]
    if not moments:
        return ""
    start = min(moments)
    span = max(until - start, 1.0)
    most = max(1, *(number for steps in known.values() for _, number in steps), *levels.values())
    down = [(100 - 100 * number / most, str(number)) for number in _numbers(most)]
    across = [(100 * seconds / span, text) for seconds, text in _durations(span)]
    grid = "".join(f"M 0 {y:.2f} H 100 " for y, _ in down)
    paths = [f'<path class="grid" d="{grid.strip()}"/>', '<path class="axis" d="M 0 0 V 100 H 100"/>']
    for name, level in levels.items():
        paths.append(f'<path class="{name} level" d="M 0 {100 - 100 * level / most:.2f} H 100"/>')
    paths += [f'<path class="{name}" d="{_path(steps, start, span, most)}"/>' for name, steps in known.items()]
    labels = [f'<span class="y" style="top: {y:.2f}%">{text}</span>' for y, text in down]
    labels += [f'<span class="x" style="left: {x:.2f}%">{text}</span>' for x, text in across]
    said = ", ".join(f"{name} {steps[-1][1]}" for name, steps in known.items())
    about = html.escape(f"{what} over {span:.0f} s: {said}", quote=True)
    svg = f'<svg viewBox="0 0 100 100" preserveAspectRatio="none">{"".join(paths)}</svg>'
    field = f'<div class="field" role="img" aria-label="{about}">{svg}{"".join(labels)}</div>'
    return (
        f'<figure class="plot"><p class="unit">{html.escape(what)}</p>{field}'
        f"<figcaption>time since {html.escape(began)}</figcaption></figure>"
    )


def _path(steps: Steps, start: float, span: float, most: int) -> str:
    path = "M 0 100"
    for time, number in steps:
        path += f" H {100 * (time - start) / span:.2f} V {100 - 100 * number / most:.2f}"
    return f"{path} H 100"


def _numbers(most: int) -> Iterator[int]:
    step = next(size for size in _sizes() if most / size <= TICKS)
    yield from range(0, most + 1, step)


def _sizes() -> Iterator[int]:
    power = 1
    while True:
        yield from (power, 2 * power, 5 * power)
        power *= 10


def _durations(span: float) -> Iterator[tuple[int, str]]:
    """Seconds, and how they are written: all in one unit."""
    fitting = (each for each in DURATIONS if span / each <= TICKS)
    step = next(fitting, 0) or 86400 * next(size for size in _sizes() if span / 86400 / size <= TICKS)
    size, unit = next((size, unit) for size, unit in UNITS if step % size == 0)
    yield from ((seconds, f"{seconds // size} {unit}") for seconds in range(0, int(span) + 1, step))
