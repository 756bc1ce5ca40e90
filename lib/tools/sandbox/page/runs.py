"""The runs that the page shows: why each ran, what it printed, what became of each user in it."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from lib.campaign.outcome import STATUSES
from lib.tools.sandbox.runner import Run
from lib.tools.sandbox.store import Store

MEND = "Nobody was notified"
ENDINGS = (MEND, "Notified ", "Stopped by")  # what the console says at last
LONGEST = 200  # characters


@dataclass(frozen=True, slots=True)
class OutcomeView:
    """A user in a run."""

    status: str
    name: str
    reason: str
    channel: str
    step: int


@dataclass(frozen=True, slots=True)
class RunView:
    """A run and what became of each user in it."""

    number: int
    why: str
    state: str
    is_going: bool
    has_failed: bool
    billed: str
    is_press: bool
    is_external: bool
    lines: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    outcomes: list[OutcomeView] = field(default_factory=list)
    summary: str = ""


def run_view(store: Store, run: Run, *, whole: bool = True) -> RunView:
    is_going = not run.ended
    lines = list(run.lines) if whole else []
    names = {user["id"]: user["name"] for user in store.users.values()}
    return RunView(
        number=run.number,
        why=_why(store, run),
        state=_state(run),
        is_going=is_going,
        has_failed=bool(run.code) or not run.is_heard,
        billed="external, free" if run.is_external else f"{run.seconds_billed} s billed",
        is_press="button_id" in run.extra,
        is_external=run.is_external,
        lines=[line for line in lines if not _is_log(line)],
        log=[line for line in lines if _is_log(line)],
        outcomes=list(_outcomes(run, names)) if whole else [],
        summary=", ".join(_counted(run)),
    )


@dataclass(frozen=True, slots=True)
class Failure:
    """Of a run, by its number: why, in a line, and `beside` which form that is said."""

    beside: str
    number: int
    text: str


def failure_of(runs: Sequence[Run], beside: str) -> Failure:
    """Of a day's runs, but for those of presses; without a text where the last has not failed."""
    run = [each for each in runs if "button_id" not in each.extra][-1]
    return Failure(beside, run.number, _why_failed(run) if (run.code or 0) > 0 else "")


def _why_failed(run: Run) -> str:
    lines = [line.strip() for line in run.lines if line.strip() and not _is_log(line)]
    places = (place for place, line in enumerate(lines) if line.startswith(ENDINGS))
    place = next(places, len(lines) - 1)
    line, *below = lines[place : place + 2] or [f"exit code {run.code}"]
    if line.startswith(MEND) and below:
        line = f"{MEND}: {below[0].removeprefix('- ')}"
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def _state(run: Run) -> str:
    if not run.ended:
        return "running"
    if not run.is_heard:
        return "nobody listens"
    if run.is_external:
        return "handed over"
    return "stopped" if (run.code or 0) < 0 else f"exit code {run.code}"


def _is_log(line: str) -> bool:
    """A line of the log, which is JSON (lib/base/log.py), not of the console."""
    if not line.startswith("{"):
        return False
    try:
        return "event" in json.loads(line)
    except ValueError:
        return False


def _counted(run: Run) -> Iterator[str]:
    for status in STATUSES:
        count = sum(each.get("status") == status for each in run.outcomes.values())
        if count:
            yield f"{count} {status}"


def _outcomes(run: Run, names: dict[str, str]) -> Iterator[OutcomeView]:
    """Whom it went wrong for first, who was left out last."""
    order: dict[str, int] = {status: place for place, status in enumerate(reversed(STATUSES))}
    order["skipped"] = len(order)
    found = [
        OutcomeView(
            status=str(each.get("status")),
            name=names.get(user_id, user_id),
            reason=str(each.get("reason") or ""),
            channel=str(each.get("channel") or ""),
            step=int(each.get("step") or 0),
        )
        for (_, user_id), each in run.outcomes.items()
    ]
    yield from sorted(found, key=lambda row: (order.get(row.status, 0), row.name))


def _why(store: Store, run: Run) -> str:
    if run.extra.get("button_id"):
        user = store.users.get(run.extra.get("user_id", ""), {}).get("name", "somebody")
        note = store.notifications.get(run.extra.get("notification_id", ""), {"buttons": []})
        labels = [button["label"] for button in note["buttons"] if button["id"] == run.extra["button_id"]]
        return f"{user} pressed {labels[0] if labels else run.extra['button_id']}"
    if run.extra.get("_action_type") == "interval":
        return "on schedule"
    if run.extra.get("_action_id"):
        points = run.scope if isinstance(run.scope, list) else []
        shown = [f"{point.get('variable')} = {point.get('value')} {point.get('unit', '')}".strip() for point in points]
        return f"Action: {', '.join(shown)}" if shown else "Action"
    return "by hand"
