"""The board of a day: what happened to each user, step by step, and whether anybody was lost or told twice."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from lib.tools.sandbox.page.chips import Chip, chips_of
from lib.tools.sandbox.page.days import Day
from lib.tools.sandbox.page.desk import Desk
from lib.tools.sandbox.page.endings import Cell, end_of, verdict_of
from lib.tools.sandbox.page.journal import Journal
from lib.tools.sandbox.page.known import audience_of, is_whole, known_of
from lib.tools.sandbox.page.names import name_of
from lib.tools.sandbox.page.plain import LOOPS, PlainDay
from lib.tools.sandbox.page.runs import waits_for

LONG = 12  # rows
URGENT = ("bad", "wait")  # ends


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
    """Of the day that began with run `number`; `runs` names all of its runs, `count` says the verdict as that of the
    loops is said, `waits` what a run that is under way says it waits for."""

    number: int
    runs: str
    is_going: bool
    verdict: Cell
    count: Cell
    about: str
    waits: str
    rows: list[Row] = field(default_factory=list)
    left_out: list[Row] = field(default_factory=list)
    loops: list[LoopHead] = field(default_factory=list)
    can_compare: bool = False

    @property
    def is_long(self) -> bool:
        """So that it scrolls within, and whoever was not plainly told comes first."""
        return len(self.rows) > LONG


def board_of(desk: Desk, day: Day) -> Board:
    store, journal, loops = desk.store, desk.journal_of(day), desk.plain.get(day.number, [])
    everybody = known_of(day, desk.witness.steps, journal, list(store.notifications.values()))
    answers = _answers(desk, journal)
    rows: list[Row] = []
    left_out: list[Row] = []
    places = {user: place for place, user in enumerate(store.users)}  # in the order of the phones
    present = [known for known in everybody if known.user_id in places]
    for known in sorted(present, key=lambda known: places[known.user_id]):
        user = known.user_id
        row = Row(
            user,
            name_of(store.users[user]),
            sum(not note["read"] for note in store.inbox(user)),
            list(chips_of(known, day)),
            end_of(day, known, store.notifications, answers),
            [_loop_cell(loop, user) for loop in loops],
        )
        (left_out if known.is_left_out else rows).append(row)
    if len(rows) > LONG and not day.is_going:
        rows.sort(key=lambda row: row.end.kind not in URGENT)
    told = [known for known in present if not known.is_left_out]
    held = sum(known.status == "held" for known in present if known.is_left_out)
    verdict = verdict_of(day, told, is_whole=is_whole(day, journal), held=held)
    return Board(
        number=day.number,
        runs=_named([run.number for run in day.runs]),
        is_going=day.is_going,
        verdict=verdict,
        count=Cell("good", "0 lost, 0 told twice") if verdict.kind == "good" else verdict,
        about=desk.weather_said.get(day.number, ""),
        waits=waits_for(day.runs),
        rows=rows,
        left_out=left_out,
        loops=[LoopHead(LOOPS[loop.tries], _loop_verdict(loop)) for loop in loops],
        can_compare=_can_compare(day, audience_of(day, told), loops),
    )


def _named(numbers: Sequence[int]) -> str:
    if len(numbers) == 1:
        return f"Run {numbers[0]}"
    if numbers[-1] - numbers[0] == len(numbers) - 1:
        return f"Runs {numbers[0]} to {numbers[-1]}"
    return f"Runs {', '.join(map(str, numbers[:-1]))} and {numbers[-1]}"


def _can_compare(day: Day, audience: Sequence[str], loops: Sequence[PlainDay]) -> bool:
    return bool(audience) and not day.is_going and not any(loop.is_going for loop in loops)


def _answers(desk: Desk, journal: Journal) -> dict[str, bool]:
    """The notifications whose user has pressed a button that runs the Analysis, and whether that press counts: of some
    campaigns only one does."""
    campaigns = {step.note_id: step.campaign for step in desk.witness.steps if step.campaign}
    presses = {
        run.extra.get("notification_id", ""): run.extra.get("user_id", "")
        for run in desk.sandbox.runner.runs
        if "button_id" in run.extra and run.is_heard
    }
    decisions = {key: journal.state(key).decision for key in {campaigns.get(note, "") for note in presses}}
    found: dict[str, bool] = {}
    for note, user in presses.items():
        decision = decisions[campaigns.get(note, "")]
        found[note] = decision is None or decision.user_id == user
    return found


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
