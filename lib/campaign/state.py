"""The state of a campaign: what can be read from the fold of its rows."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from lib.campaign.fold import Answer, Fold, Presence, PressFact, answer_in
from lib.campaign.lease import GIVEN_UP, LATE, MARGIN
from lib.campaign.outcome import DECIDED, FINAL, TOLD
from lib.campaign.rows import CAMPAIGN, Row
from lib.message.escalation import Step, steps_from
from lib.message.trigger import Trigger


class Word(NamedTuple):
    """What copies are closed with, and the time that stands behind it. With `users` theirs alone, else those of all but
    whom another has told `besides`."""

    answer: Answer
    at: float
    is_end: bool = False
    users: Collection[str] | None = None
    besides: Collection[str] = frozenset()

    def is_for(self, user: str) -> bool:
        return user not in self.besides if self.users is None else user in self.users


class CampaignState(Fold):
    """Rebuilt from rows, and from nothing else."""

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
            analysis_id=row.text("analysis") or self._pressed_in,
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
            + len(self.anew)
        )

    @property
    def is_over(self) -> bool:
        """Nobody more is told, and the copies are closed."""
        return self.ending is not None or self.is_decided

    @property
    def tells_nobody(self) -> bool:
        """Nobody more is told: it is over, or its alarm is told anew by another campaign."""
        return self.is_over or bool(self.anew)

    @property
    def is_spent(self) -> bool:
        """Whether nobody is in it but who was told by another campaign of its alarm; whom an escalation has added is
        not."""
        size = self.started.number("size") + sum(self._adding.values()) if self.started else 0
        told_anew = len(self.anew.keys() - self._strange)
        return self.started is not None and size <= told_anew and not self.steps_taken

    @property
    def alarm(self) -> str:
        """The name of the alarm that it is, "" where it is none."""
        return self.started.text("alarm") if self.started else ""

    @property
    def told(self) -> set[str]:
        """Users who were told, those left out that another campaign of its alarm has told anew."""
        told = {user for user, outcome in list(self.outcomes.items()) if outcome.status in TOLD}
        return told - self.anew.keys()

    @property
    def all_clear(self) -> Answer | None:
        """What it tells of the end of an alarm, in place of a text of its own; None for any other campaign."""
        return answer_in(self.started) if self.started and self.started.text("all_clear") else None

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
        left = {run for run, presence in list(self.presences.items()) if presence.is_over and presence.left_at}
        shown = {press.run: self._wrote_press.get(press.run, 0.0)}
        fresh = (
            run
            for at, _, run in claims
            if (now - max(at, shown.get(run, at)) <= GIVEN_UP and run not in left) or self.is_alive(run, now)
        )
        return next(fresh, "")

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
        """Notification id by user, of those that lack a last word. What somebody pressed is there, even where no row
        tells who sent it."""
        if self.all_clear:
            return {}  # nobody can answer it
        pressed = {each.user_id: each.notification_id for each in self.standing() if each.run in self.verdicts}
        copies = {user: each for user, each in {**pressed, **dict(self.told_ids())}.items() if each}
        words = self.last_words
        if not words:
            return {user: each for user, each in copies.items() if each not in self.closed}
        lacking = (self.lacking(word, copies) for word in words)
        return {user: each for due in lacking for user, each in due.items()}

    def lacking(self, word: Word, copies: Mapping[str, str]) -> dict[str, str]:
        """Those of these copies that are to be closed with that word and are not."""
        closed = self.closed_by(word)
        return {user: each for user, each in copies.items() if each not in closed and word.is_for(user)}

    def closed_by(self, word: Word) -> set[str]:
        """The copies that have it."""
        return self._closed_at_end if word.is_end else self._closed_by_decision

    def outdated(self) -> dict[str, str]:
        """The copies that show an earlier event of the alarm: notification id by user."""
        return {
            user: notification
            for user, notification in self.told_ids()
            if self.updated.get(notification, 1) < self.repeats and user not in self.anew
        }

    @property
    def why_over(self) -> str:
        """The reason of whoever is not told any more."""
        replaced = next((self.replaced[by] for _, by in self.anew.values() if by in self.replaced), None)
        ending = self.ending or (None if self.is_decided else replaced)
        return f"{ending.why} meanwhile" if ending else DECIDED

    @property
    def last_words(self) -> list[Word]:
        """What copies are closed with: the decision's line, once it is answered; that of the end; and for whoever was
        told anew by another campaign of the alarm what points to that."""
        words = []
        answer = self.answers.get(self.decision.run) if self.decision else None
        if self.decision and answer and (answer.line or answer.lines or not self.ending):
            words.append(Word(answer, self.decision.at))
        for by, replaced in self.replaced.items():
            users = {user for user, (_, told_by) in self.anew.items() if told_by == by}
            words += [Word(replaced.answer, replaced.at, True, users)] if users else []
        if self.ending:
            words.append(Word(self.ending.answer, self.ending.at, is_end=True, besides=frozenset(self.anew)))
        return words

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


def _age(press: PressFact) -> tuple[float, str]:
    return press.at, press.id
