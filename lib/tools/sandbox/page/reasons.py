"""Why a run has told nobody, as its console says."""

import re
from collections.abc import Iterator, Sequence
from itertools import islice

from lib.tools.sandbox.runner import Run

LAST = 200  # lines of a console that are read
LEFT = re.compile(
    r"note: campaign (\S+) (?:is being delivered by another run; left to it|was dealt with by another run)"
    r"|note: this event was dealt with before, as campaign (\S+)"
)  # lib/app/plan.py
WHY = {
    "Dry run: nobody was notified": "dry run",
    " is open, and was answered as campaign ": "the alarm was answered already",
    "note: nothing to end: no alarm ": "no alarm was open",
}  # lib/app/preview.py, lib/app/alarms.py


def left_by(run: Run) -> Iterator[str]:
    """The campaigns that it has left to another run."""
    for line in _last(run):
        found = LEFT.search(line)
        if found:
            yield found[1] or found[2]


def why_nobody(runs: Sequence[Run]) -> str:
    """In a few words, "" where nothing tells."""
    lines = [line for run in reversed(runs) if "button_id" not in run.extra for line in _last(run)]
    return next((said for sign, said in WHY.items() if any(sign in line for line in lines)), "")


def _last(run: Run) -> Iterator[str]:
    return islice(reversed(run.lines), LAST) if run.ended else iter(())
