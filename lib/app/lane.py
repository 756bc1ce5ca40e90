"""A campaign as the send loop sees it: who is next, with which text, and whether they may be told now."""

import time
from dataclasses import dataclass, field

from lib.app.job import Job
from lib.app.plan import Plan
from lib.base.errors import SetupError
from lib.campaign.courtesy import subject_key
from lib.campaign.lease import LATE, MARGIN
from lib.campaign.outcome import EARLIER, Outcome, Status
from lib.campaign.rows import campaign_row
from lib.delivery.delivery import Task
from lib.message.content import composed
from lib.message.notification import PRIORITIES, Notification
from lib.message.user import User
from lib.tagoio.inbox import Inbox, Look

UNSURE = 3600.0  # seconds that our clock may be off where TagoIO tells no time


@dataclass(slots=True)
class Tally:
    """Users of all campaigns of a run: so many are `done`, of a `total`, some with `trouble` or settled `by_others`.
    `undelivered` are those whom this run could not tell, by campaign and user."""

    done: int = 0
    total: int = 0
    trouble: int = 0
    by_others: int = 0
    undelivered: dict[tuple[str, str], Notification] = field(default_factory=dict)


class CampaignLane:
    """One job of a round, as the send loop sees it. `first` is whom the journal says to be told before anybody else."""

    def __init__(self, plan: Plan, inbox: Inbox, tally: Tally, job: Job, first: str) -> None:
        self.plan = plan
        self.inbox = inbox
        self.tally = tally
        self.job = job
        self.state = job.state
        self.journal = plan.journal
        self.told_of_repeat: list[str] = []  # notifications that were sent with the newest text at once
        self._first = first

    @property
    def key(self) -> str:
        return self.job.key

    @property
    def is_ours(self) -> bool:
        return self.key not in self.journal.lost

    def next(self, priority: str) -> Task | None:
        """The next user with their notification, taken out of the job so that a large audience shrinks as it is told;
        who gets none after all is recorded at once."""
        users = self.job.users[priority]
        while users:
            user = users.popleft()
            if self._is_settled(user):
                self.tally.total -= 1
                self.tally.by_others += 1
                continue  # told by another run since this one planned
            notification = self._composed(user)
            ruled = self.job.otherwise.get(user.id) or (notification if isinstance(notification, Outcome) else None)
            until = min(self.state.may_have_it(user.id, self.journal.run), self.journal.now() + MARGIN + LATE)
            if ruled and not (until or self.may_hide_it(user)):
                self.record(ruled)
                continue
            task = Task(user, None if isinstance(notification, Outcome) else notification, self, otherwise=ruled)
            if until or ruled:
                until = until or self.journal.now()
                task.since, task.until, task.why = self._ours(self.job.started_at), self._ours(until), EARLIER
            return task
        return None

    def _is_settled(self, user: User) -> bool:
        """By another run, since this one planned."""
        known = self.state.outcomes.get(user.id)
        is_own = known is not None and known.run == self.journal.run and user.id not in self.state.tries
        return self.state.is_settled(user.id) and not is_own

    def has_changed(self, user: User, *, is_asked: bool) -> bool:
        may_have_it = not is_asked and self.state.may_have_it(user.id, self.journal.run) > 0
        return may_have_it or self._is_settled(user)

    def take_back(self, user: User, notification: Notification | None) -> None:
        self.job.users[notification.priority if notification else PRIORITIES[-1]].appendleft(user)

    def leave(self, why: str) -> None:
        """Nobody more of this campaign is told by this run."""
        for priority in PRIORITIES:
            while task := self.next(priority):
                is_open = task.since or self.may_hide_it(task.user)
                status: Status = "unknown" if is_open else "pending"
                self.record(Outcome(task.user.id, task.user.name, status, f"{EARLIER}; {why}" if is_open else why))

    def _composed(self, user: User) -> Notification | Outcome:
        """The text for a user, or what becomes of whoever gets none after all."""
        try:
            notification = composed(user, lambda each: self.plan.sorting.compose(self.job, each))
        except SetupError as error:
            status: Status = "failed" if self.job.is_own else "pending"
            return Outcome(user.id, user.name, status, str(error))
        if isinstance(notification, str):
            return Outcome(user.id, user.name, "skipped", notification)
        return notification

    def announce(self, user: User) -> None:
        if self._first and self._first != user.id:  # after a kill now, the next run must not take this one for untold
            self.journal.add([campaign_row(self.key, "resumed", self.journal.run, first="")])
            self.journal.flush()
            self._first = ""

    def send(self, user: User, notification: Notification) -> str:
        made = self.inbox.create(user.id, notification, self.key)
        if self.job.event_number:
            self.told_of_repeat.append(made)
        return made

    def look(self, user: User, notification: Notification | None, since: float, until: float) -> Look:
        ahead = self.journal.now() - time.time()
        if self.must_ask(user):
            since = min(since, self._ours(self.job.may_be_told_since or self.job.started_at))
        now = self.journal.now()
        if not self.plan.tago.client.knows_time:  # then our clocks may differ by minutes
            since, until, now = since - UNSURE, until + UNSURE, float("-inf")
        return self.inbox.look(user.id, notification, self.key, since + ahead, until + ahead, now)

    def may_tell(self) -> bool | None:
        return True if self.job.is_empty else self.journal.may_tell(self.key)

    def why_not(self) -> tuple[Status, str] | None:
        return ("skipped", self.state.why_over) if self.state.tells_nobody else None

    def may_hide_it(self, user: User) -> bool:
        return self.state.may_hide_it(user.id, self.journal.run)

    def must_ask(self, user: User) -> bool:
        """A run that lost its journal does not know what others do, nor others what it does."""
        return bool(self.journal.gone or self.job.may_be_told_since) or self.may_hide_it(user)

    def confirm(self) -> None:
        self.journal.flush()
        self._first = ""  # its outcome says as much

    def record(self, outcome: Outcome, notification: Notification | None = None) -> None:
        """The last word on a user; callable from any thread."""
        if notification:
            subject, priority = subject_key(notification.subject), notification.priority
            outcome = outcome._replace(subject=subject, priority=priority)
        name = "" if outcome.status == "sent" else outcome.user_name  # the report names the others
        step = outcome.step or self.state.audience.get(outcome.user_id, 0)
        outcome = outcome._replace(user_name=name, step=step)
        if self.job.is_empty:
            self.state.settle(outcome._replace(run=self.journal.run, at=self.journal.now()))
        else:
            self.journal.record(self.key, outcome)
        self.tally.done += 1
        if outcome.status in ("failed", "unknown", "pending"):
            self.tally.trouble += 1
            if notification:
                self.tally.undelivered[self.key, outcome.user_id] = notification
        self.plan.report.log(self.key, outcome)

    def _ours(self, at: float) -> float:
        """TagoIO's time on our clock."""
        return at - (self.journal.now() - time.time())
