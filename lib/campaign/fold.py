"""The fold of a campaign's rows: its facts, and how each kind of row becomes one."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from lib.campaign.lease import Sign
from lib.campaign.outcome import TOLD, Outcome
from lib.campaign.rows import (
    AUDIENCE,
    CAMPAIGN,
    CHANGE,
    CLOSED,
    DECISION,
    FALLBACK,
    HEARTBEATS,
    OUTCOME,
    POINT,
    PRESS,
    UPDATED,
    Row,
    line_about,
    outcomes_of,
    point_of,
    whole,
)
from lib.message.trigger import DataPoint


@dataclass(slots=True)
class Presence:
    """A run at this campaign `since`: its newest sign `at`, whether it `has_told` somebody, and the one whom it tells
    `first` ("": anybody)."""

    at: float = 0.0
    left_at: float = 0.0
    first: str | None = None
    has_told: bool = False
    is_telling: bool = False  # not only there to answer a press
    since: float = float("inf")

    @property
    def is_over(self) -> bool:
        return self.left_at >= self.at


class PressFact(NamedTuple):
    """A press as TagoIO handed it in to `run`, in the order in which TagoIO took the rows."""

    at: float
    id: str
    run: str
    user_id: str
    button: str
    notification_id: str
    each: bool


class Verdict(NamedTuple):
    """Whether TagoIO shows that this user has that button; by whom it was pressed, and what stood on it."""

    is_true: bool
    user_name: str = ""
    label: str = ""


class Answer(NamedTuple):
    """What `decide` gave for a press, called by `run`: a line, or lines by language."""

    line: str = ""
    lines: Mapping[str, str] = {}
    run: str = ""

    def for_reader(self, language: str) -> str:
        """`pt-BR` falls back to `pt`, then to the line itself."""
        code = language.lower().replace("_", "-")
        return self.lines.get(code) or self.lines.get(code.split("-")[0]) or self.line

    def all_lines(self) -> list[str]:
        return list(dict.fromkeys([self.line, *self.lines.values()]))

    def about(self) -> dict[str, str]:
        return line_about(self.line, self.lines)


class Ending(NamedTuple):
    """The end of the alarm, or of what somebody closed by hand: `why`, the line that every copy gets, and whether to
    `tell` it to who had been told. `by` is the event that has cleared it, with others."""

    at: float
    why: str
    answer: Answer
    tell: bool = False
    by: str = ""


class Try(NamedTuple):
    """Another channel, tried for a user by `run`: its `result`, "" while it is under way."""

    run: str
    at: float
    result: str = ""
    channel: str = ""


class Fold:
    """What the rows of one campaign say, in whatever order they come and however often. Of each user it holds the
    newest outcome."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.started: Row | None = None
        self.audience: dict[str, int] = {}  # with the step of the escalation that a user belongs to
        self._added: dict[str, dict[str, float]] = {}  # users whom repeats have added: when, by run
        self.outcomes: dict[str, Outcome] = {}
        self._late: set[str] = set()  # runs that wrote down at their end only whom they had told
        self._echoes: dict[tuple[str, str], Outcome] = {}  # of one notification, by user and run
        self.presences: dict[str, Presence] = {}
        self.steps_taken: set[int] = set()
        self.tries: dict[str, Try] = {}
        self.presses: dict[str, PressFact] = {}  # by run
        self._pressed_in = ""  # the Analysis that a press has started
        self._wrote_press: dict[str, float] = {}  # when a run wrote its press last: then it was alive
        self.verdicts: dict[str, Verdict] = {}  # by the run of the press; none yet where it is still to be verified
        self.answers: dict[str, Answer] = {}  # by the run of the press
        self.claims: dict[str, list[tuple[float, str, str]]] = {}  # who takes a press up: (at, id, run)
        self.closed: set[str] = set()
        self.ending: Ending | None = None
        self._ended_by = (True, 0.0)
        self.is_end_told = False  # or begun to be, in a campaign of its own
        self.replaces: dict[str, None] = {}  # the campaigns of its alarm in whose place it was raised, in their order
        self.replaced: dict[str, Ending] = {}  # by campaign of the alarm that was raised in its place
        self.anew: dict[str, tuple[float, str]] = {}  # users whom one of them has told: when, and which
        self._strange: set[str] = set()  # of those, who was not known to be in its audience
        self.passed: set[str] = set()  # users of whom the campaigns that this one replaces know that they were told
        self.updated: dict[str, int] = {}  # copies, with the number of the event that they are of
        self._closed_at_end: set[str] = set()
        self._closed_by_decision: set[str] = set()
        self.signs: dict[tuple[str, str], Sign] = {}  # by row
        self.finished_at = self.first_told_at = 0.0
        self._seen_at_end = 0  # by the run which finished it
        self._adding: dict[str, int] = {}  # how many users, by run
        self._repeated: dict[str, tuple[float, str, int]] = {}  # (at, id, data points) by event
        self._points: dict[str, dict[str, DataPoint]] = {}  # by event, "" the first, and order
        self._cut: dict[str, int] = {}
        self._left: set[tuple[str, str]] = set()  # claims (user, run) of another channel that were given back

    def take(self, rows: Iterable[Row]) -> None:
        for row in rows:
            if row.key == self.key and row.kind in FOLDS and (row.run or row.kind in (POINT, AUDIENCE, OUTCOME)):
                FOLDS[row.kind](self, row)

    def settle(self, outcome: Outcome) -> None:
        """The fold of one outcome."""
        known = self.outcomes.get(outcome.user_id)
        if outcome.status in TOLD:
            self.first_told_at = min(self.first_told_at or outcome.at, outcome.at)
        counts = known is None or not (known.counts_before(outcome) or known.says_the_same(outcome))
        if known and known.run != outcome.run and known.is_of_the_same(outcome):
            self._echoes[outcome.user_id, known.run] = known
            self._echoes[outcome.user_id, outcome.run] = outcome
        if counts:
            self.outcomes[outcome.user_id] = outcome

    def echoes(self, run: str) -> Iterator[Outcome]:
        """What a run has said of users, which another has said before."""
        for (user, by), outcome in list(self._echoes.items()):
            if by == run != self.outcomes[user].run:
                yield outcome

    def share(self, ids: Iterable[str]) -> None:
        """Keep these texts as the audience's, in place of equal ones: a large audience is then in memory once."""
        known = {each: each for each in ids}
        self.audience = {known.get(each, each): step for each, step in self.audience.items()}

    # ---- the fold, by the kind of a row

    def _campaign(self, row: Row) -> None:
        value = str(row.value)
        if value == "finished":
            self.finished_at = max(self.finished_at, row.at)
            self._seen_at_end = max(self._seen_at_end, row.number("seen"))
        elif value == "escalated":
            self.steps_taken.add(row.number("step"))
        elif value == "passed":
            self.passed.update(row.words("users"))
        self.replaces |= dict.fromkeys(row.words("replaces"))  # of two that begin it one may not have seen them all
        if value == "started" and (self.started is None or row.at < self.started.at):
            self.started = row
        if value in ("started", "resumed"):
            known = self.presences.setdefault(row.run, Presence())
            known.at, known.is_telling = max(known.at, row.at), True
            planned_at = row.about.get("started_at")  # before it was written: a run may be frozen in between
            known.since = min(known.since, planned_at if isinstance(planned_at, int | float) else row.at)
            known.first = row.text("first") if known.first in (None, row.text("first")) else ""
        if value in ("left", "finished"):
            presence = self.presences.setdefault(row.run, Presence())
            presence.left_at = max(presence.left_at, row.at)
        if value in ("started", "resumed", "left", "finished"):
            self._sign(row, is_end=value in ("left", "finished"))

    def _change(self, row: Row) -> None:
        event = row.text("event")
        if row.value in ("repeated", "joined"):
            self._adding[row.run] = row.number("added")
        if row.value == "repeated":
            new = (row.at if row.id else float("inf"), row.id, row.number("points"))  # not shown yet: the newest
            self._repeated[event] = min(self._repeated.get(event, new), new)
        elif row.value == "ended" and (self.ending is None or (not row.id, row.at) < self._ended_by):
            self._ended_by = not row.id, row.at  # one that is not shown yet bears our clock's time
            self.ending = _ending_in(row)
        elif row.value == "replaced":
            found = _ending_in(row)
            known = self.replaced.setdefault(row.text("by"), found)
            self.replaced[row.text("by")] = min(known, found, key=lambda each: each.at)
        elif row.value == "anew":
            self._strange.update(row.words("users") if row.about.get("strange") else ())
            for user in row.words("users"):
                self.anew[user] = min(self.anew.get(user, (row.at, row.text("by"))), (row.at, row.text("by")))
        elif row.value == "told":
            self.is_end_told = True
        elif row.value == "late":
            self._late.add(row.run)
            self._outcome(row._replace(value="sent"))

    def _heartbeat(self, row: Row) -> None:
        presence = self.presences.setdefault(row.run, Presence())
        presence.at = max(presence.at, row.at)
        if row.value == "telling":
            presence.is_telling = True
            self._sign(row, is_end=False)

    def _sign(self, row: Row, *, is_end: bool) -> None:
        if row.at:
            self.signs[row.run, row.id or str(row.at)] = Sign(row.run, row.at, row.id, is_end=is_end)

    def _point(self, row: Row) -> None:
        self._points.setdefault(row.text("event"), {})[row.text("order").zfill(6)] = point_of(row)

    def _audience(self, row: Row) -> None:
        users, step = row.words("users"), row.number("step")
        for user in users:
            self.audience.setdefault(user, step)
            if row.run:
                self._added.setdefault(user, {})[row.run] = row.at
        missing = whole(row.value) - len(users)
        if missing > 0:
            self._cut[row.id] = missing

    def _outcome(self, row: Row) -> None:
        presence = self.presences.setdefault(row.run, Presence()) if row.run else Presence()
        presence.at, presence.is_telling = max(presence.at, row.at), True
        presence.has_told = presence.has_told or row.value in ("sent", "unknown", "failed")
        for outcome in outcomes_of(row):
            self.settle(outcome)

    def _fallback(self, row: Row) -> None:
        for user in row.words("users"):
            known = self.tries.get(user)
            if row.value == "left":
                self._left.add((user, row.run))
                if known and known.run == row.run:
                    del self.tries[user]
            elif row.value == "begun":
                if (user, row.run) in self._left:
                    continue
                if known is None or (not known.result and row.at < known.at):
                    self.tries[user] = Try(row.run, row.at)
            else:
                self.tries[user] = Try(row.run, row.at, str(row.value), row.text("channel"))

    def _press(self, row: Row) -> None:
        self._pressed_in = self._pressed_in or row.text("analysis")
        self._wrote_press[row.run] = max(self._wrote_press.get(row.run, row.at), row.at)
        known = self.presses.get(row.run)
        if known is None or row.at < known.at or not known.id:
            self.presses[row.run] = PressFact(
                row.at, row.id, row.run, row.text("user"), row.text("button") or str(row.value),
                row.text("notification"), row.about.get("each") is True,
            )  # fmt: skip

    def _decision(self, row: Row) -> None:
        press = row.text("press")
        if row.value == "taken":
            self.claims.setdefault(press, []).append((row.at, row.id, row.run))
            return
        if row.value == "answered":
            self.answers[press] = answer_in(row)
        if row.value != "refused" or press not in self.verdicts:  # whoever saw it once saw it
            self.verdicts[press] = Verdict(row.value != "refused", row.text("name"), row.text("label"))

    def _closed(self, row: Row) -> None:
        at_end = row.about.get("ended") is True
        self.closed.update(row.words("notifications"))
        (self._closed_at_end if at_end else self._closed_by_decision).update(row.words("notifications"))

    def _updated(self, row: Row) -> None:
        for notification in row.words("notifications"):
            self.updated[notification] = max(self.updated.get(notification, 0), row.number("count"))


FOLDS = {
    CAMPAIGN: Fold._campaign,
    CHANGE: Fold._change,
    HEARTBEATS: Fold._heartbeat,
    POINT: Fold._point,
    AUDIENCE: Fold._audience,
    OUTCOME: Fold._outcome,
    FALLBACK: Fold._fallback,
    PRESS: Fold._press,
    DECISION: Fold._decision,
    CLOSED: Fold._closed,
    UPDATED: Fold._updated,
}


def answer_in(row: Row) -> Answer:
    return Answer(row.text("line"), _lines(row.about.get("lines")), row.run)


def _ending_in(row: Row) -> Ending:
    return Ending(row.at, row.text("why"), answer_in(row), row.about.get("tell") is True, row.text("by"))


def _lines(given: Any) -> Mapping[str, str]:
    try:
        found = json.loads(given) if isinstance(given, str) else given
    except ValueError:
        return {}
    return (
        {str(code).lower().replace("_", "-"): str(line) for code, line in found.items()}
        if isinstance(found, dict)
        else {}
    )
