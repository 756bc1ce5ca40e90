"""How a day ended in words: for each user, and for all of them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lib.base.text import counted
from lib.tools.sandbox.page.chips import WORDS
from lib.tools.sandbox.page.days import Day
from lib.tools.sandbox.page.known import LEFT_OUT, Known, told_by
from lib.tools.sandbox.page.reasons import why_nobody
from lib.tools.sandbox.page.runs import is_cut_off
from lib.tools.sandbox.store import Record

SETTLED = ("fallback", "skipped", "held", "pending", "unknown", "sent")


@dataclass(frozen=True, slots=True)
class Cell:
    """How it ended for a user in one way to do it."""

    kind: str  # good, bad, wait or ""
    text: str


def end_of(day: Day, known: Known, notes: Mapping[str, Record], answers: Mapping[str, bool]) -> Cell:
    """`notes` are TagoIO's; `answers` those of them that were answered, and whether that answer counts."""
    status = known.status
    if known.told > 1:
        return Cell("bad", f"told {known.told} times")
    if known.is_dropped:
        return Cell("bad", "dropped by TagoIO")
    answered = _answered(day, known, answers)
    if answered:
        return Cell("good", answered)
    if known.changed:
        return Cell("good", "told before, closed" if known.changed == "closed" else "told before")
    if known.is_told or (known.told and not day.is_going and (day.is_external or not status)):
        return Cell("good", _told(known, notes))
    if day.is_external:
        is_refused = bool(known.steps) and known.steps[-1].kind == "refused"
        return Cell("bad", "refused") if is_refused else Cell("wait", "not told yet")
    if day.is_going and status not in LEFT_OUT:
        return Cell("wait", "under way" if known.steps else "waiting")
    reason = str(known.outcome.get("reason") or "")
    kinds = {"skipped": "", "held": "wait", "pending": "wait", "unknown": "wait"}
    return Cell(kinds.get(status, "bad"), f"{status}: {reason}" if status and reason else status or "not told")


def _answered(day: Day, known: Known, answers: Mapping[str, bool]) -> str:
    pressed = {step.note_id for step in known.steps} & answers.keys()
    is_of_today = any("button_id" in run.extra for run in day.runs)
    if not pressed or (known.changed and not is_of_today):
        return ""
    return "answered" if any(answers[note] for note in pressed) else "answered, settled before"


def _told(known: Known, notes: Mapping[str, Record]) -> str:
    if known.status == "fallback":
        return f"told by {known.outcome.get('channel')}"
    there = told_by(known.steps) & notes.keys()
    closed = any(not notes[note]["buttons_enabled"] for note in there)
    return ("told before" if known.is_told_before else "told once") + (", closed" if closed else "")


def verdict_of(day: Day, everybody: Sequence[Known], *, is_whole: bool, held: int = 0) -> Cell:
    """`is_whole`: it is known whom the day was to tell; `held` users are left out for now."""
    if day.left_to is None or not all(run.ended for run in day.runs):
        return _verdict(day, everybody, is_whole=is_whole, held=held)
    left = f"Left to run {day.left_to.number}"
    if not day.left_to.ended:
        return Cell("wait", f"{left}, which is telling them")
    cell = _verdict(day, everybody, is_whole=is_whole, held=held)
    return Cell(cell.kind, f"{left}: {cell.text[0].lower()}{cell.text[1:]}")


def _verdict(day: Day, everybody: Sequence[Known], *, is_whole: bool, held: int) -> Cell:
    changes = Counter(each.changed for each in everybody if each.changed)
    users = [each for each in everybody if not each.changed]
    twice = sum(each.told > 1 for each in users)
    if twice:
        return Cell("bad", f"{twice} told twice")
    if day.is_going:
        told = sum(each.is_told and not each.is_dropped for each in users)
        return Cell("wait", f"{told}{f' of {len(users)}' * is_whole} told so far" if users else "The Analysis runs")
    if not all(run.is_heard for run in day.runs):
        return Cell("bad", "Nobody listens for this Analysis")
    if changes and not users:
        shown = [f"{counted(count, 'copy', 'copies')} {WORDS[kind]}" for kind, count in changes.items()]
        return Cell("good", f"Nobody told anew, {', '.join(shown)}")
    if day.is_external:
        return _verdict_elsewhere(len(users), sum(each.told > 0 for each in users))
    if not users:
        if any(run.code for run in day.runs):
            return Cell("bad", "The run failed: see its console")
        why = why_nobody(day.runs) or (f"{held} held until later" if held else "see its console")
        return Cell("", f"Nobody was told: {why}")
    return _verdict_at_last(users, knows_all=is_whole or not is_cut_off(day.runs))


def _verdict_at_last(users: Sequence[Known], *, knows_all: bool) -> Cell:
    """Where a run was cut off without a journal, nobody knows of the users it had not come to yet."""
    status = Counter(each.status for each in users)
    waiting, unknown = status["pending"] + status["held"], status["unknown"]
    lost = sum(each.is_dropped or not (each.told or each.status in SETTLED) for each in users)
    if not (waiting or unknown or lost) and knows_all:
        return Cell("good", "Nobody lost, nobody told twice")
    parts = [f"{waiting} left to the next run"] if waiting else []
    parts += [f"{unknown} unknown"] if unknown else []
    parts += [f"{'' if knows_all else 'at least '}{lost} not told"] if lost else []
    parts += ["cut off: whom else it was to tell is not known"] if not (knows_all or lost) else []
    said = ", ".join([*parts, "nobody told twice"])
    return Cell("bad" if lost else "wait", f"{said[0].upper()}{said[1:]}")


def _verdict_elsewhere(tried: int, told: int) -> Cell:
    """Whom an external Analysis meant to tell, and whether it has ended, nobody here knows."""
    if not tried:
        return Cell("", "Run elsewhere: the phones show what it sends")
    left = f"{tried - told} not told, " if told < tried else ""
    return Cell("wait" if left else "", f"Run elsewhere: {told} told, {left}nobody told twice")
