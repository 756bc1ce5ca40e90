"""The delivery figures and their course over time, from what happened to the users."""

from collections.abc import Iterable
from dataclasses import dataclass

from lib.tools.sandbox.store import Event

HAPPENED = ("sent", "read", "pressed", "fallback")
FIGURES = (*HAPPENED, "held", "failed")
ENDS = ("sent", "fallback", "skipped", "held", "failed", "unknown", "pending", "gone")
WIDTH, HEIGHT = 600.0, 150.0


@dataclass(frozen=True, slots=True)
class Line:
    """One figure over time: the path of an SVG, its last value, and where on the right it ends."""

    name: str
    path: str
    value: int
    y: float


def course(events: Iterable[Event]) -> dict[str, list[tuple[float, int]]]:
    """By figure, its value from each moment on. `sent`, `read`, `pressed` count notifications, `fallback` the users
    told by another channel; `held` and `failed` (with unknown and pending) those for whom the last run ended so."""
    counts = dict.fromkeys(FIGURES, 0)
    steps: dict[str, list[tuple[float, int]]] = {name: [] for name in FIGURES}
    stands: dict[str, str] = {}  # user id -> held or failed
    counted: set[tuple[str, str]] = set()

    def change(name: str, by: int, time: float) -> None:
        counts[name] += by
        steps[name].append((time, counts[name]))

    for event in events:
        if event.kind in HAPPENED and (event.kind, event.note_id) not in counted:
            change(event.kind, 1, event.time)
            if event.note_id:  # opened again, or pressed again, it is the same one
                counted.add((event.kind, event.note_id))
        if event.kind not in ENDS:
            continue
        before = stands.pop(event.user_id, "")
        after = {"held": "held", "failed": "failed", "unknown": "failed", "pending": "failed"}.get(event.kind, "")
        if before != after:
            if before:
                change(before, -1, event.time)
            if after:
                change(after, 1, event.time)
        if after:
            stands[event.user_id] = after
    return steps


def now_at(steps: dict[str, list[tuple[float, int]]]) -> dict[str, int]:
    return {name: values[-1][1] if values else 0 for name, values in steps.items()}


def plotted(steps: dict[str, list[tuple[float, int]]], until: float) -> tuple[list[Line], float, float]:
    """Lines in a field of WIDTH by HEIGHT, the first moment, and the seconds that the field spans. No lines where
    nothing has happened yet."""
    moments = [time for values in steps.values() for time, _ in values]
    if not moments:
        return [], until, 0.0
    start = min(moments)
    span = max(until - start, 1.0)
    most = max(value for values in steps.values() for _, value in values) or 1
    lines = []
    for name, values in steps.items():
        if not values:
            continue
        path, y = f"M 0 {HEIGHT:.0f}", HEIGHT
        for time, value in values:
            y = HEIGHT - HEIGHT * value / most
            path += f" H {WIDTH * (time - start) / span:.1f} V {y:.1f}"
        lines.append(Line(name, f"{path} H {WIDTH:.0f}", values[-1][1], y))
    return _spread(lines), start, span


def _spread(lines: list[Line], least: float = 24.0) -> list[Line]:
    """Labels that would lie on one another are moved apart, within the field."""
    upwards = sorted(lines, key=lambda line: line.y, reverse=True)
    places, last = [], HEIGHT + least
    for line in upwards:
        last = min(line.y, last - least)
        places.append(last)
    last = -least
    for index in reversed(range(len(places))):
        last = places[index] = max(places[index], last + least)
    return [Line(line.name, line.path, line.value, y) for line, y in zip(upwards, places, strict=True)][::-1]
