"""The board of a day: what happened to each user, step by step, and whether anybody was lost or told twice."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from lib.base.text import counted
from lib.tools.sandbox.page.alarms import deciders
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
    "updated": "brought up to date",
    "closed": "closed",
    "killed": "not sent",
}
TELLS = ("sent", "doubt", "wait")
CHANGES = {"updated", "closed"}  # of a copy that the user has from before


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
class Known:
    """Of one user on that day: what TagoIO saw, what the Analysis said at last, and how often the same was told."""

    steps: list[Step]
    outcome: Record
    told: int

    @property
    def status(self) -> str:
        return str(self.outcome.get("status") or "")

    @property
    def changed(self) -> str:
        """`closed` or `updated` where nothing new was sent: only the copy from before was changed; else ""."""
        kinds = [step.kind for step in self.steps]
        is_only = not self.status and set(kinds) <= CHANGES | {"found", "absent"}
        return next((kind for kind in reversed(kinds) if kind in CHANGES), "") if is_only else ""


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
    can_compare: bool = False


def board_of(desk: Desk, day: Day) -> Board:
    store, outcomes = desk.store, day.outcomes
    steps = list(_steps_of(desk, day))
    users = list(dict.fromkeys([*outcomes, *(step.user_id for step in steps)]))
    users = [each for each in store.users if each in users]  # in the order of the phones
    loops = desk.plain.get(day.number, [])
    rows: list[Row] = []
    left_out: list[Row] = []
    known: dict[str, Known] = {}
    variables = desk.variables_of(desk.chosen(day.runs[0].analysis_id))
    several = sum(event.kind == "pressed" for event in store.events) > 1
    settled = deciders(store, variables, {step.campaign for step in steps} - {""}) if several else {}
    for user in users:
        own, outcome = [step for step in steps if step.user_id == user], outcomes.get(user, {})
        each = Known(own, outcome, _told(own))
        cells = [_loop_cell(loop, user) for loop in loops]
        unread = sum(not note["read"] for note in store.inbox(user))
        row = Row(
            user, str(store.users[user]["name"]), unread, list(_chips(own, day)), _end(desk, day, each, settled), cells
        )
        if not own and outcome.get("status") in LEFT_OUT:
            left_out.append(row)
        else:
            rows.append(row)
            known[user] = each
    heads = [LoopHead(LOOPS[loop.tries], _loop_verdict(loop)) for loop in loops]
    verdict = _verdict(day, list(known.values()))
    count = Cell("good", "0 lost, 0 told twice") if verdict.kind == "good" else verdict
    can_compare = bool(day.audience) and not day.is_going and not any(loop.is_going for loop in loops)
    about = desk.weather_said.get(day.number, "")
    return Board(
        day.number, day.runs[-1].number, day.is_going, verdict, count, about, rows, left_out, heads, can_compare
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


def _told_by(steps: list[Step]) -> set[str]:
    """The notifications that were sent in these steps."""
    return {step.note_id for step in steps if step.kind in TELLS} - {""}


def _chips(steps: list[Step], day: Day) -> Iterator[Chip]:
    presses = {run.number for run in day.runs if "button_id" in run.extra}
    last: Chip | None = None
    tried = False
    told, closed = _told_by(steps), set()
    for step in steps:
        if step.kind in ("found", "absent") and step.run in presses:
            continue  # the copies that are to be closed are looked for
        if step.kind == "closed" and step.note_id in closed:
            continue  # the buttons first, then the line
        closed |= {step.note_id} if step.kind == "closed" else set()
        text = WORDS[step.kind]
        if step.kind in CHANGES and told and step.note_id not in told:
            text = f"older copy {text}"
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


def _end(desk: Desk, day: Day, known: Known, settled: dict[str, str]) -> Cell:
    """`settled` says by whom each campaign is."""
    notes = {step.note_id for step in known.steps if step.note_id}
    pressed = [event for event in desk.store.events if event.kind == "pressed" and event.note_id in notes]
    status, outcome = known.status, known.outcome
    if known.told > 1:
        return Cell("bad", f"told {known.told} times")
    is_of_today = any("button_id" in run.extra for run in day.runs)
    if pressed and (is_of_today or not known.changed):
        answered = {event.note_id for event in pressed}
        who = pressed[0].user_id
        of = {step.campaign for step in known.steps if step.note_id in answered} - {""}
        counts = not of or any(settled.get(campaign, who) == who for campaign in of)
        return Cell("good", "answered" if counts else "answered, settled before")
    if known.told and (status == "sent" or day.is_external):
        there = _told_by(known.steps) & set(desk.store.notifications)
        closed = any(not desk.store.notifications[note]["buttons_enabled"] for note in there)
        return Cell("good", "told once, closed" if closed else "told once")
    if status == "sent" or known.changed:
        return Cell("good", "told before, closed" if known.changed == "closed" else "told before")
    if day.is_external:
        return Cell("bad", "refused") if known.steps[-1].kind == "refused" else Cell("wait", "not told yet")
    if status == "fallback":
        return Cell("good", f"told by {outcome.get('channel')}")
    if day.is_going and status not in LEFT_OUT:
        return Cell("wait", "under way")
    reason = str(outcome.get("reason") or "")
    kinds = {"skipped": "", "held": "wait", "pending": "wait", "unknown": "wait"}
    return Cell(kinds.get(status, "bad"), f"{status}: {reason}" if status and reason else status or "no outcome")


def _verdict(day: Day, everybody: list[Known]) -> Cell:
    changes = Counter(each.changed for each in everybody if each.changed)
    users = [each for each in everybody if not each.changed]
    told = sum(each.told > 0 or each.status == "fallback" for each in users)
    twice = sum(each.told > 1 for each in users)
    if twice:
        return Cell("bad", f"{twice} told twice")
    if day.is_going:
        return Cell("wait", f"{told} told so far" if users else "The Analysis runs")
    if not all(run.is_heard for run in day.runs):
        return Cell("bad", "Nobody listens for this Analysis")
    if changes and not users:
        shown = [f"{counted(count, 'copy', 'copies')} {WORDS[kind]}" for kind, count in changes.items()]
        return Cell("good", f"Nobody told anew, {', '.join(shown)}")
    if day.is_external:
        return _verdict_elsewhere(len(users), told)
    if not users:
        failed = any(run.code for run in day.runs)
        return Cell("bad" if failed else "", f"{'The run failed' if failed else 'Nobody was told'}: see its console")
    status = Counter(each.status for each in users)
    waiting, unknown = status["pending"] + status["held"], status["unknown"]
    settled = ("fallback", "skipped", "held", "pending", "unknown", "sent")
    lost = sum(not each.told and each.status not in settled for each in users)
    if not (waiting or unknown or lost):
        return Cell("good", "Nobody lost, nobody told twice")
    parts = [f"{waiting} left to the next run"] if waiting else []
    parts += [f"{unknown} unknown"] if unknown else []
    parts += [f"{lost} not told"] if lost else []
    return Cell("bad" if lost else "wait", ", ".join([*parts, "nobody told twice"]))


def _verdict_elsewhere(tried: int, told: int) -> Cell:
    """Whom an external Analysis meant to tell, and whether it has ended, nobody here knows."""
    if not tried:
        return Cell("", "Run elsewhere: the phones show what it sends")
    left = f"{tried - told} not told, " if told < tried else ""
    return Cell("wait" if left else "", f"Run elsewhere: {told} told, {left}nobody told twice")


def _loop_cell(loop: PlainDay, user: str) -> Cell:
    if not any(each["id"] == user for each in loop.users):
        return Cell("", "-")
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
