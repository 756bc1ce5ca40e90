"""The runs that the page shows: why each ran, what it printed, what became of each user in it."""

import json
import re
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from lib.base.text import few_names
from lib.campaign.outcome import STATUSES
from lib.tools.sandbox.page.names import names_of
from lib.tools.sandbox.runner import Run
from lib.tools.sandbox.store import Store

MEND = "Nobody was notified"
ENDINGS = (MEND, "Notified ", "Stopped by")  # what the console says at last
BARE_PROGRESS = re.compile(r"\d+ of \d+ users[^;]*")  # which does not say what is waited for (lib/app/console.py)
SECONDS = re.compile(r"(\d+) s\b")
WRONG = ("failed", "unknown", "pending")
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
        outcomes=list(_outcomes(run, names_of(store))) if whole else [],
        summary=", ".join(_counted(run)),
    )


@dataclass(frozen=True, slots=True)
class Failure:
    """Of a run, by its number: why, in a line, and `beside` which form that is said."""

    beside: str
    number: int
    text: str


def failure_of(store: Store, runs: Sequence[Run], beside: str) -> Failure:
    """Of a day's runs, but for those of presses; without a text where the last has not failed."""
    run = [each for each in runs if "button_id" not in each.extra][-1]
    text = _why_failed(run, names_of(store)) if (run.code or 0) > 0 else ""
    return Failure(beside, run.number, _cut(text))


def _why_failed(run: Run, names: dict[str, str]) -> str:
    lines = _said(run)
    places = (place for place, line in enumerate(lines) if line.startswith(ENDINGS))
    place = next(places, len(lines) - 1)
    line, *below = lines[place:] or [f"exit code {run.code}"]
    if line.startswith(MEND) and below:
        return f"{MEND}: {below[0].removeprefix('- ')}"
    if not line.startswith(ENDINGS):
        return line
    wrong = list(_gone_wrong(run, names))
    notes = [each.removeprefix("note: ") for each in below if each.startswith("note: ")]
    return "; ".join([*(wrong or notes), line])


def _gone_wrong(run: Run, names: dict[str, str]) -> Iterator[str]:
    """Why, and for whom."""
    found: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for (_, user), each in run.outcomes.items():
        if each.get("status") in WRONG:
            found[str(each["status"]), str(each.get("reason") or "")].append(names.get(user, user))
    for (status, reason), users in found.items():
        yield f"{status}: {f'{reason}: ' if reason else ''}{few_names(users)}"


def is_cut_off(runs: Sequence[Run]) -> bool:
    """Whether the last of a day's runs, but for those of presses, ended before it could say what it had done."""
    run = [each for each in runs if "button_id" not in each.extra][-1]
    return bool(run.ended and run.code) and not any(line.startswith(ENDINGS) for line in _said(run))


def waits_for(runs: Sequence[Run]) -> str:
    """What the newest of the runs under way that has said anything says last; how far it is says the verdict, so that a
    sentence before stays for as many seconds as it names."""
    for run in reversed(runs):
        lines = [] if run.ended else _said(run)
        if lines:
            sentence = next((line for line in reversed(lines) if not BARE_PROGRESS.fullmatch(line)), lines[-1])
            return _cut(f"Run {run.number} says: {sentence if _is_on(run, sentence) else lines[-1]}")
    return ""


def _is_on(run: Run, sentence: str) -> bool:
    named = [int(each) for each in SECONDS.findall(sentence)]
    return bool(named) and time.time() - run.said_at.get(sentence, 0.0) < max(named)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _said(run: Run) -> list[str]:
    """What it printed for a person."""
    return [line.strip() for line in run.lines if line.strip() and not _is_log(line)]


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
        user = names_of(store).get(run.extra.get("user_id", ""), "somebody")
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
