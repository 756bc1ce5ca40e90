"""The steps of a user on a day in words, one chip each."""

from collections.abc import Iterator
from dataclasses import dataclass

from lib.tools.sandbox.page.days import Day
from lib.tools.sandbox.page.known import CHANGES, Known, told_by
from lib.tools.sandbox.page.witness import LOOKS, Step

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
    "dropped": "taken, and dropped",
}


@dataclass(slots=True)
class Chip:
    """A step in words; `kind` gives its colour, `title` more of it."""

    kind: str
    text: str
    title: str = ""
    times: int = 1


def chips_of(known: Known, day: Day) -> Iterator[Chip]:
    presses = {run.number for run in day.runs if "button_id" in run.extra}
    last: Chip | None = None
    tried = False
    told, closed = told_by(known.steps), set()
    for step in known.steps:
        if step.kind in LOOKS and (known.changed or step.run in presses):
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
        if last is not None and (last.kind, last.text) == (step.kind, text):
            last.times += 1
            continue
        if last is not None:
            yield last
        last = Chip(step.kind, text, _more_of(step))
    if last is not None:
        yield last


def _more_of(step: Step) -> str:
    if step.kind == "doubt":
        carried = "carried it out all the same" if step.note_id else "did not carry it out"
        return f"The answer was: {step.detail}. TagoIO {carried}; the Analysis cannot know"
    return f"Run {step.run}" + (f": {step.detail}" if step.detail else "")
