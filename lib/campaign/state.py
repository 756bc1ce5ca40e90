"""The state of a campaign: the fold of its rows, and what can be read from it."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from lib.campaign.lease import GIVEN_UP, LATE, MARGIN, Sign
from lib.campaign.outcome import DECIDED, FINAL, TOLD, Outcome
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
from lib.message.escalation import Step, steps_from
from lib.message.trigger import DataPoint, Trigger


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


@dataclass(frozen=True, slots=True)
class PressFact:
    """A press as TagoIO handed it in to `run`, in the order in which TagoIO took the rows."""

    at: float
    id: str
    run: str
    user_id: str
    button: str
    notification_id: str
    each: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether TagoIO shows that this user has that button; by whom it was pressed, and what stood on it."""

    is_true: bool
    user_name: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What `decide` gave for a press, called by `run`: a line, or lines by language."""

    line: str = ""
    lines: Mapping[str, str] = field(default_factory=dict)
    run: str = ""

    def for_reader(self, language: str) -> str:
        """`pt-BR` falls back to `pt`, then to the line itself."""
        code = language.lower().replace("_", "-")
        return self.lines.get(code) or self.lines.get(code.split("-")[0]) or self.line

    def about(self) -> dict[str, str]:
        return line_about(self.line, self.lines)


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of the alarm, or of what somebody closed by hand: `why`, the line that every copy gets, and whether to
    `tell` it to who had been told."""

    at: float
    why: str
    answer: Answer
    tell: bool = False


@dataclass(frozen=True, slots=True)
class Try:
    """Another channel, tried for a user by `run`: its `result`, "" while it is under way."""

    run: str
    at: float
    result: str = ""
    channel: str = ""


class CampaignState:
    """Rebuilt from rows, which may come in any order and more than once. Of each user it holds the newest outcome."""

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
        self.verdicts: dict[str, Verdict] = {}  # by the run of the press; none yet where it is still to be verified
        self.answers: dict[str, Answer] = {}  # by the run of the press
        self.claims: dict[str, list[tuple[float, str, str]]] = {}  # who takes a press up: (at, id, run)
        self.closed: set[str] = set()
        self.ending: Ending | None = None
        self.is_end_told = False  # or begun to be, in a campaign of its own
        self.updated: dict[str, int] = {}  # copies, with the number of the event that they are of
        self._closed_at_end: set[str] = set()
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
        if value == "started" and (self.started is None or row.at < self.started.at):
            self.started = row
        if value in ("started", "resumed"):
            known = self.presences.setdefault(row.run, Presence())
            known.at, known.is_telling = max(known.at, row.at), True
            known.since = min(known.since, row.at)
            known.first = row.text("first") if known.first in (None, row.text("first")) else ""
        if value in ("left", "finished"):
            presence = self.presences.setdefault(row.run, Presence())
            presence.left_at = max(presence.left_at, row.at)
        if value in ("started", "resumed", "left", "finished"):
            self._sign(row, is_end=value in ("left", "finished"))

    def _change(self, row: Row) -> None:
        event = row.text("event")
        if row.value == "repeated":
            found = (row.at if row.id else float("inf"), row.id, row.number("points"))  # not shown yet: the newest
            self._repeated[event] = min(self._repeated.get(event, found), found)
            self._adding[row.run] = row.number("added")
        elif row.value == "ended" and (self.ending is None or row.at < self.ending.at):
            self.ending = Ending(row.at, row.text("why"), _answer(row), row.about.get("tell") is True)
        elif row.value == "told":
            self.is_end_told = True
        elif row.value == "late":
            self._late.add(row.run)
            self._outcome(replace(row, value="sent"))

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
            self.answers[press] = _answer(row)
        if row.value != "refused" or press not in self.verdicts:  # whoever saw it once saw it
            self.verdicts[press] = Verdict(row.value != "refused", row.text("name"), row.text("label"))

    def _closed(self, row: Row) -> None:
        self.closed.update(row.words("notifications"))
        if row.about.get("ended") is True:
            self._closed_at_end.update(row.words("notifications"))

    def _updated(self, row: Row) -> None:
        for notification in row.words("notifications"):
            self.updated[notification] = max(self.updated.get(notification, 0), row.number("count"))

    # ---- what can be read from it

    @property
    def trigger(self) -> Trigger:
        """With the data of the newest event."""
        points = self._points.get(self._newest_event) or self._points.get("", {})
        row = self.started or Row(self.key, CAMPAIGN, "")
        kind = row.text("trigger")
        return Trigger(
            kind if kind in ("manual", "schedule", "action") else "manual",  # type: ignore[arg-type]  # mypy sees str
            tuple(point for _, point in sorted(points.items())),
            action_id=row.text("action"),
            action_state=row.text("action_state"),
            device_id=row.text("device"),
            analysis_id=row.text("analysis"),
        )

    @property
    def repeats(self) -> int:
        """The number of the alarm's newest event, the first being 1; 0 where there was no other."""
        return len(self._repeated) + 1 if self._repeated else 0

    @property
    def lacks_points(self) -> bool:
        """Whether the data of the newest event are not known."""
        number = self._repeated[self._newest_event][2] if self._repeated else 0
        return len(self._points.get(self._newest_event, {})) < number

    @property
    def lacks_added(self) -> bool:
        """Whether a repeat has added users of whom nothing is known yet."""
        known = Counter(run for runs in self._added.values() for run in runs)
        return any(number > known[run] for run, number in self._adding.items())

    @property
    def _newest_event(self) -> str:
        return max(self._repeated, key=lambda event: self._repeated[event], default="")

    @property
    def started_at(self) -> float:
        """0 where nothing tells it."""
        about = self.started.about.get("started_at") if self.started else 0
        return float(about) if isinstance(about, int | float) else 0.0

    @property
    def missing(self) -> int:
        """Users of whom the rows know only that they are there: a row was cut, or has not shown yet."""
        first = sum(1 for step in self.audience.values() if not step)
        unseen = max(self.started.number("size") - first, 0) if self.started else 0
        return max(unseen, sum(self._cut.values()))

    def newest(self, besides: str = "") -> float:
        """When the last row was written that shows a run telling, another than this one, which has not left."""
        others = [each for run, each in self.presences.items() if run != besides]
        return max((each.at for each in others if each.is_telling and not each.is_over), default=0.0)

    @property
    def is_finished(self) -> bool:
        """A press, a repeat, an end or copies that nobody had seen then open it again."""
        return bool(self.finished_at) and self.seen <= self._seen_at_end

    @property
    def seen(self) -> int:
        """What opens it again, counted."""
        return (
            len(self.presses)
            + self.repeats
            + bool(self.ending)
            + sum(map(bool, self._adding.values()))
            + len(self._late)
        )

    @property
    def is_over(self) -> bool:
        """Nobody more is told, and the copies are closed."""
        return self.ending is not None or self.is_decided

    @property
    def all_clear(self) -> Answer | None:
        """What it tells of the end of an alarm, in place of a text of its own; None for any other campaign."""
        return _answer(self.started) if self.started and self.started.text("all_clear") else None

    @property
    def answer_buttons(self) -> list[str]:
        """The ids of the buttons that run the Analysis; none where the rows do not tell."""
        return self.started.words("buttons") if self.started else []

    @property
    def steps(self) -> tuple[Step, ...]:
        return steps_from(self.started.text("escalate")) if self.started else ()

    def standing(self) -> list[PressFact]:
        """The presses that are not refused and came before the end, oldest first."""
        refused = {run for run, verdict in list(self.verdicts.items()) if not verdict.is_true}
        until = self.ending.at if self.ending else float("inf")
        presses = (each for each in list(self.presses.values()) if each.run not in refused and each.at <= until)
        return sorted(presses, key=_age)

    @property
    def decision(self) -> PressFact | None:
        """The oldest press settles a campaign, unless each user's counts; not before it is verified."""
        if not self.presses:
            return None
        oldest = next((each for each in self.standing() if not each.each), None)
        return oldest if oldest and oldest.run in self.verdicts else None

    @property
    def is_decided(self) -> bool:
        """Some press is verified, though an older one, still to be verified, may turn out to be the decision."""
        return any(press.run in self.verdicts for press in self.standing() if not press.each)

    def deciding(self) -> Iterator[PressFact]:
        """The presses that count if they are true: the oldest, or each user's oldest."""
        standing = self.standing()
        yield from [each for each in standing if not each.each][:1]
        first: dict[str, PressFact] = {}
        for press in standing:
            if press.each:
                first.setdefault(press.user_id, press)
        yield from first.values()

    def is_alive(self, run: str, now: float) -> bool:
        """Whether a run has shown itself here of late, and not left."""
        presence = self.presences.get(run)
        return presence is not None and not presence.is_over and now - presence.at <= GIVEN_UP

    def claimant(self, press: PressFact, now: float) -> str:
        """The run that calls `decide`: of those that are not gone the first, "" where none is left. The run that wrote
        the press comes before any that took it up."""
        claims = sorted([(press.at, press.id, press.run), *self.claims.get(press.run, ())])
        return next((run for at, _, run in claims if now - at <= GIVEN_UP or self.is_alive(run, now)), "")

    def unsettled(self) -> Iterator[str]:
        """Who has still to be told, or asked about."""
        return (user for user in self.audience if not self.is_settled(user))

    def is_settled(self, user: str) -> bool:
        """Whether another channel was begun for them, or the last word on them was said. That a rule leaves them out is
        not, where a repeat has added them since that run began."""
        outcome = self.outcomes.get(user)
        if outcome is None or outcome.status not in FINAL:
            return user in self.tries
        if outcome.status != "skipped" or user in self.tries:
            return True
        since = self.presences.get(outcome.run, Presence()).since
        return all(run == outcome.run or at < since for run, at in self._added.get(user, {}).items())

    def lacks(self, user: str) -> bool:
        """Not in the audience, or left out by a rule."""
        return user not in self.audience or (user in self.outcomes and self.outcomes[user].status == "skipped")

    def is_due(self, user: str) -> bool:
        """To be told, or asked about, as soon as there is time; whoever is *held* is not."""
        outcome = self.outcomes.get(user)
        return outcome is None or outcome.status != "held"

    def is_untold(self, user: str) -> bool:
        """Not reached, for any other reason than a rule or a doubt."""
        outcome = self.outcomes.get(user)
        return outcome is None or outcome.status == "pending"

    def may_have_it(self, user: str, asking: str) -> float:
        """Until when (TagoIO's clock) a notification may arrive or show that somebody other than the run `asking` may
        have sent; 0 where nobody has, as far as the rows tell."""
        outcome = self.outcomes.get(user)
        until = outcome.at + LATE if outcome and outcome.status == "unknown" else 0.0
        for presence in self._cut_off(user, asking):
            if presence.has_told or presence.first in (None, "", user):
                until = max(until, presence.at + MARGIN + LATE)
        return until

    def may_hide_it(self, user: str, asking: str) -> bool:
        """Whether a look is due before anything is said of this user: they may have it, or a run that lost its journal
        may have told them after its last row."""
        return self.may_have_it(user, asking) > 0 or next(self._cut_off(user, asking), None) is not None

    def _cut_off(self, user: str, asking: str) -> Iterator[Presence]:
        """Runs that were telling people, of which no row says what they did with this user."""
        outcome = self.outcomes.get(user)
        for run, presence in list(self.presences.items()):
            is_open = run != asking and presence.is_telling and not presence.is_over
            if is_open and (outcome is None or (outcome.run != run and outcome.at <= presence.at)):
                yield presence

    def copies(self) -> dict[str, str]:
        """Notification id by user, of those not closed yet; at the end of an alarm those of a decision too. What
        somebody pressed is there, even where no row tells who sent it."""
        if self.all_clear:
            return {}  # nobody can answer it
        closed = self._closed_at_end if self.ending else self.closed
        pressed = {each.user_id: each.notification_id for each in self.standing() if each.run in self.verdicts}
        copies = {**pressed, **dict(self.told_ids())}
        return {user: notification for user, notification in copies.items() if notification not in closed | {""}}

    def outdated(self) -> dict[str, str]:
        """The copies that show an earlier event of the alarm: notification id by user."""
        return {
            user: notification
            for user, notification in self.told_ids()
            if self.updated.get(notification, 1) < self.repeats
        }

    @property
    def why_over(self) -> str:
        """The reason of whoever is not told any more."""
        return f"{self.ending.why} meanwhile" if self.ending else DECIDED

    @property
    def last_word(self) -> tuple[Answer, float] | None:
        """What every copy is closed with, and its time; None before there is any."""
        if self.ending:
            return self.ending.answer, self.ending.at
        answer = self.answers.get(self.decision.run) if self.decision else None
        return (answer, self.decision.at) if self.decision and answer else None

    @property
    def first_sent_at(self) -> float:
        """From when the steps count: the first sending; the start where nobody could be told; 0 while it is still to
        come. Who is held back by a rule does not keep it from counting where others were tried and not reached."""
        if self.first_told_at:
            return self.first_told_at
        waiting = list(self.unsettled())
        has_failed = any(each.status == "failed" for each in self.outcomes.values())
        held = all(user in self.outcomes and self.outcomes[user].status == "held" for user in waiting)
        return self.started_at if not waiting or (has_failed and held) else 0.0

    def told_ids(self) -> Iterator[tuple[str, str]]:
        """(user, notification) of what TagoIO is known to have."""
        return ((user, each.notification_id) for user, each in list(self.outcomes.items()) if each.notification_id)

    def __repr__(self) -> str:
        return f"CampaignState({self.key}, {len(self.audience)} users, {len(self.outcomes)} outcomes)"


FOLDS = {
    CAMPAIGN: CampaignState._campaign,
    CHANGE: CampaignState._change,
    HEARTBEATS: CampaignState._heartbeat,
    POINT: CampaignState._point,
    AUDIENCE: CampaignState._audience,
    OUTCOME: CampaignState._outcome,
    FALLBACK: CampaignState._fallback,
    PRESS: CampaignState._press,
    DECISION: CampaignState._decision,
    CLOSED: CampaignState._closed,
    UPDATED: CampaignState._updated,
}


def _age(press: PressFact) -> tuple[float, str]:
    return press.at, press.id


def _answer(row: Row) -> Answer:
    return Answer(row.text("line"), _lines(row.about.get("lines")), row.run)


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
