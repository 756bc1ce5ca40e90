"""The delivery figures and their course over time, from what happened to the users."""

from collections.abc import Iterable

from lib.tools.sandbox.store import Event

HAPPENED = ("sent", "read", "pressed", "fallback")
FIGURES = (*HAPPENED, "held", "failed")
ENDS = ("sent", "fallback", "skipped", "held", "failed", "unknown", "pending", "gone")


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
