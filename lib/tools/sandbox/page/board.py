"""The board of a day: what happened to each user, step by step, and whether anybody was lost or told twice."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from lib.tools.sandbox.page.days import LEFT_OUT, Day
from lib.tools.sandbox.page.desk import Desk
from lib.tools.sandbox.page.plain import LOOPS, PlainDay
from lib.tools.sandbox.page.witness import Step
from lib.tools.sandbox.store import Record

WORDS = {
    "sent": "sent",
    "wait": "told to wait",
    "refused": "refused",
    "doubt": "in doubt",
    "found": "asked: found",
    "absent": "asked: not there",
    "closed": "closed",
    "killed": "not sent",
}
TELLS = ("sent", "doubt", "wait")


@dataclass(slots=True)
class Chip:
    """A step in words; `kind` gives its colour, `title` more of it."""

    kind: str
    text: str
    title: str = ""
    times: int = 1


@dataclass(frozen=True, slots=True)
class Cell:
    """How it ended for a user in one way to do it."""

    kind: str  # good, bad, wait or ""
    text: str


@dataclass(frozen=True, slots=True)
class Row:
    user_id: str
    name: str
    unread: int
    chips: list[Chip]
    end: Cell
    loops: list[Cell]


@dataclass(frozen=True, slots=True)
class LoopHead:
    name: str
    verdict: Cell


@dataclass(frozen=True, slots=True)
class Board:
    """Of the runs `number` to `last`; `count` says the verdict as that of the loops is said."""

    number: int
    last: int
    is_going: bool
    verdict: Cell
    count: Cell
    about: str
    rows: list[Row] = field(default_factory=list)
    left_out: list[Row] = field(default_factory=list)
    loops: list[LoopHead] = field(default_factory=list)
    is_external: bool = False
    can_compare: bool = False


def board_of(desk: Desk, day: Day) -> Board:
    store, outcomes = desk.store, day.outcomes
    steps = list(_steps_of(desk, day))
    users = list(dict.fromkeys([*outcomes, *(step.user_id for step in steps)]))
    users = [each for each in store.users if each in users]  # in the order of the phones
    loops = desk.plain.get(day.number, [])
    rows: list[Row] = []
    left_out: list[Row] = []
    told = {user: _told([step for step in steps if step.user_id == user]) for user in users}
    for user in users:
        own = [step for step in steps if step.user_id == user]
        outcome = outcomes.get(user, {})
        end = _end(desk, day, own, outcome, told[user])
        cells = [_loop_cell(loop, user) for loop in loops]
        unread = sum(not note["read"] for note in store.inbox(user))
        row = Row(user, str(store.users[user]["name"]), unread, list(_chips(own, day)), end, cells)
        (left_out if not own and outcome.get("status") in LEFT_OUT else rows).append(row)
    heads = [LoopHead(LOOPS[loop.tries], _loop_verdict(loop)) for loop in loops]
    verdict = _verdict(day, {row.user_id: (told[row.user_id], outcomes.get(row.user_id, {})) for row in rows})
    count = Cell("good", "0 lost, 0 told twice") if verdict.kind == "good" else verdict
    can_compare = bool(day.audience) and not day.is_going and not any(loop.is_going for loop in loops)
    about = desk.weather_said.get(day.number, "")
    return Board(
        day.number,
        day.runs[-1].number,
        day.is_going,
        verdict,
        count,
        about,
        rows,
        left_out,
        heads,
        day.is_external,
        can_compare,
    )


def _steps_of(desk: Desk, day: Day) -> Iterator[Step]:
    """What the day's runs did, but for what they did for another day's campaign."""
    numbers = {run.number for run in day.runs}
    others = {campaign for each in desk.days() if each is not day for campaign in each.campaigns} - day.campaigns
    for step in desk.witness.steps:
        if step.campaign in day.campaigns or (step.run in numbers and step.campaign not in others):
            yield step


def _told(steps: list[Step]) -> int:
    """How often the same was told; TagoIO knows, whatever the client was answered."""
    return max(Counter(step.what for step in steps if step.note_id and step.kind in TELLS).values(), default=0)


def _chips(steps: list[Step], day: Day) -> Iterator[Chip]:
    presses = {run.number for run in day.runs if "button_id" in run.extra}
    last: Chip | None = None
    tried = is_closed = False
    for step in steps:
        if step.kind in ("found", "absent") and step.run in presses:
            continue  # the copies that are to be closed are looked for
        if step.kind == "closed" and is_closed:
            continue  # the buttons first, then the line
        is_closed = is_closed or step.kind == "closed"
        text = WORDS[step.kind]
        if step.kind in ("sent", "doubt") and tried:
            text = "sent again" if step.kind == "sent" else "sent again, in doubt"
        tried = tried or step.kind == "doubt"
        if step.kind == "doubt":
            carried = "carried it out all the same" if step.note_id else "did not carry it out"
            title = f"The answer was: {step.detail}. TagoIO {carried}; the Analysis cannot know"
        else:
            title = f"Run {step.run}" + (f": {step.detail}" if step.detail else "")
        if last is not None and (last.kind, last.text) == (step.kind, text):
            last.times += 1
            continue
        if last is not None:
            yield last
        last = Chip(step.kind, text, title)
    if last is not None:
        yield last


def _end(desk: Desk, day: Day, steps: list[Step], outcome: Record, told: int) -> Cell:
    notes = {step.note_id for step in steps if step.note_id}
    pressed = [event for event in desk.store.events if event.kind == "pressed" and event.note_id in notes]
    status = str(outcome.get("status") or "")
    if told > 1:
        return Cell("bad", f"told {told} times")
    if pressed:
        return Cell("good", "answered")
    if told and (status == "sent" or day.is_external):
        there = notes & set(desk.store.notifications)
        closed = any(not desk.store.notifications[note]["buttons_enabled"] for note in there)
        return Cell("good", "told once, closed" if closed else "told once")
    if status == "sent":
        return Cell("good", "told before")
    if day.is_external:
        return Cell("bad", "refused") if steps[-1].kind == "refused" else Cell("wait", "not told yet")
    if status == "fallback":
        return Cell("good", f"told by {outcome.get('channel')}")
    if day.is_going and status not in LEFT_OUT:
        return Cell("wait", "under way")
    reason = str(outcome.get("reason") or "")
    kinds = {"skipped": "", "held": "wait", "pending": "wait", "unknown": "wait"}
    return Cell(kinds.get(status, "bad"), f"{status}: {reason}" if status and reason else status or "no outcome")


def _verdict(day: Day, users: dict[str, tuple[int, Record]]) -> Cell:
    status = Counter(str(outcome.get("status") or "") for _, outcome in users.values())
    told = sum(times > 0 or outcome.get("status") == "fallback" for times, outcome in users.values())
    twice = sum(times > 1 for times, _ in users.values())
    if twice:
        return Cell("bad", f"{twice} told twice")
    if day.is_going:
        return Cell("wait", f"{told} told so far" if users else "The Analysis runs")
    if not all(run.is_heard for run in day.runs):
        return Cell("bad", "Nobody listens for this Analysis")
    if day.is_external and users:
        left = f"{len(users) - told} not told, " if told < len(users) else ""
        return Cell("wait" if left else "", f"Run elsewhere: {told} told, {left}nobody told twice")
    if not users:
        if day.is_external:
            return Cell("", "Run elsewhere: the phones show what it sends")
        failed = any(run.code for run in day.runs)
        return Cell("bad" if failed else "", "The run failed: see its console" if failed else "Nobody was to be told")
    waiting, unknown = status["pending"] + status["held"], status["unknown"]
    lost = sum(
        not times and outcome.get("status") not in ("fallback", "skipped", "held", "pending", "unknown", "sent")
        for times, outcome in users.values()
    )
    if not (waiting or unknown or lost):
        return Cell("good", "Nobody lost, nobody told twice")
    parts = [f"{waiting} left to the next run"] if waiting else []
    parts += [f"{unknown} unknown"] if unknown else []
    parts += [f"{lost} not told"] if lost else []
    return Cell("bad" if lost else "wait", ", ".join([*parts, "nobody told twice"]))


def _loop_cell(loop: PlainDay, user: str) -> Cell:
    told = loop.told(user)
    if told > 1:
        return Cell("bad", f"told {'twice' if told == 2 else f'{told} times'}")
    if told:
        return Cell("good", "told once")
    return Cell("wait", "…") if loop.is_going else Cell("bad", "lost")


def _loop_verdict(loop: PlainDay) -> Cell:
    lost = sum(not loop.told(user["id"]) for user in loop.users)
    twice = sum(loop.told(user["id"]) > 1 for user in loop.users)
    if loop.is_going:
        return Cell("wait", "running")
    return Cell("bad" if lost or twice else "good", f"{lost} lost, {twice} told twice")
