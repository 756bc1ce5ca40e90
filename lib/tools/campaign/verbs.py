"""What can be done with a campaign's copies: recall, correct, close; each a value that says how."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from lib.base.errors import TagoIOError
from lib.campaign.fold import Ending
from lib.campaign.rows import CLOSED, Row
from lib.presses.closing import BATCH, CLOSING_LINE, Closing
from lib.tagoio.audience import retrying
from lib.tools.campaign.copies import GONE, STOPPED, Copies, Fate

LINES = re.compile(rf"(?:{CLOSING_LINE.pattern.removesuffix('$')})+$")  # under a text: the decision's, the all-clear's
RECALLED, CLOSED_WITH_LINE, CLOSED_ALONE = "recalled", "closed", "closed alone"  # how, in a row
Change = Callable[[Copies, Mapping[str, str], Ending | None], Iterator[list[Fate]]]


@dataclass(frozen=True, slots=True)
class Verb:
    """`does` it to the copies, `done` in a word. Where it `ends` the campaign, for that reason, nobody more is told and
    every copy gets the `line`; `text` is what a copy's becomes. `counts` the rows that name copies which are dealt with
    already."""

    name: str
    does: str
    done: str
    change: Change
    ends: str = ""
    line: str = ""
    text: str = ""
    counts: Callable[[Row], bool] = lambda row: False


def recall() -> Verb:
    def is_recalled(row: Row) -> bool:
        return row.kind == CLOSED and row.text("how") == RECALLED

    return Verb("recall", "are deleted", "recalled", _recall, "recalled", counts=is_recalled)


def correct(title: str, message: str) -> Verb:
    does = "get another title and text" if title else "get another text"
    return Verb("correct", does, "corrected", partial(_correct, title, message), text=message)


def close(line: str) -> Verb:
    def is_closed(row: Row) -> bool:
        return row.kind == CLOSED and (not line or row.text("how") in (RECALLED, CLOSED_WITH_LINE))

    does = "are closed: their buttons are disabled" + (", and the line is added" if line else "")
    return Verb("close", does, "closed", _close, "closed by hand", line, counts=is_closed)


def _recall(copies: Copies, wanted: Mapping[str, str], ended: Ending | None) -> Iterator[list[Fate]]:
    def change(user: str, notification: str) -> Iterator[Fate]:
        delete = copies.tago.run.notificationDelete
        yield copies.attempt(user, notification, "recalled", partial(delete, notification))
        for other in copies.others(user, notification):
            yield copies.attempt(user, other, "recalled", partial(delete, other))

    for fates in copies.each(wanted, change):
        copies.write_closed(fates, RECALLED)
        yield fates


def _correct(
    title: str, message: str, copies: Copies, wanted: Mapping[str, str], ended: Ending | None
) -> Iterator[list[Fate]]:
    """A text that is there already is not written again: an edit may be pushed, or cost a unit of the quota."""

    def change(user: str, notification: str) -> Iterator[Fate]:
        try:
            listed = retrying(partial(copies.inbox.listed, user), copies.sleep)
        except TagoIOError as error:
            yield Fate(user, notification, why=STOPPED if copies.is_stopped else error.message)
            return
        here = next((entry for entry in listed if entry.id == notification), None)
        lines = LINES.search(here.message) if here and notification in copies.state.closed else None
        changes = {"message": message + (lines[0] if lines else ""), **({"title": title} if title else {})}
        if here and here.message == changes["message"] and (not title or here.title == title):
            yield Fate(user, notification, "corrected before")
            return
        yield copies.attempt(user, notification, "corrected", partial(copies.inbox.change, notification, changes))

    return copies.each(wanted, change)


def _close(copies: Copies, wanted: Mapping[str, str], ended: Ending | None) -> Iterator[list[Fate]]:
    assert ended is not None
    closing = Closing(
        copies.tago.run, copies.inbox, copies.key, ended.answer, ended.at, sleep=copies.sleep, on_done=copies.advance
    )
    for number, closed in enumerate(closing.close(wanted)):
        batch = list(wanted.items())[number * BATCH : (number + 1) * BATCH]
        problems = {user: problem for problem, users in closing.problems.items() for user in users}
        fates = []
        for user, notification in batch:
            done = "" if notification not in closed else GONE if notification in closing.gone else "closed"
            why = STOPPED if copies.is_stopped and not done else problems.get(user, "")
            fates.append(Fate(user, notification, done, why if done != GONE else ""))
        fates += [Fate("", other, "closed") for other in set(closed) - set(wanted.values())]
        copies.write_closed([fate for fate in fates if fate.is_whole], CLOSED_WITH_LINE)
        copies.write_closed([fate for fate in fates if not fate.is_whole], CLOSED_ALONE)
        yield fates
