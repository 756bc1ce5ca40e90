"""Does what a plan says: tells the users, writes it down, tries another channel for whom TagoRUN failed."""

import time
from dataclasses import replace

import structlog

from lib.app.plan import DECIDED, LAST_WORDS, Job, Plan
from lib.base.errors import SetupError, TagoIOError
from lib.campaign.campaign import TagoRunChannel, messages
from lib.campaign.campaign_log import CampaignLog
from lib.campaign.known import Known
from lib.campaign.report import Outcome, Report
from lib.campaign.rows import Copy, PressRow, time_of
from lib.delivery.delivery import BY_HAND, WORKERS, Delivery
from lib.delivery.window import RateWindow
from lib.fallback.fallback import Fallback
from lib.fallback.other_channel import OtherChannel, Undelivered
from lib.message.notification import Notification
from lib.message.user import User
from lib.presses.decision import close_copies, copies_by_looking
from lib.tagoio.audience import users_by_id

LOOK_EVERY = 5.0  # seconds between two looks for a decision while a campaign is under way


class Dispatch:
    """Delivers the jobs of a plan, after its `check`."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.report = plan.report
        self.journal = plan.journal
        self.interrupted = ""
        self.logs: list[CampaignLog] = []
        self.window = RateWindow(plan.settings.rate_limit, on_wait=self._say_wait)
        self.fallback = Fallback(plan.settings.fallback, plan.tago.address_of_run)

    def deliver(self) -> Report:
        """Write down what is planned, tell everybody in TagoRUN, then by another channel whom that did not reach: what
        takes long keeps nobody from a notification."""
        opened = [(job, self._open_log(job)) for job in self.plan.jobs]
        self.logs = [log for _, log in opened if log]
        rounds = [Round(self, job, log) for job, log in opened if self._is_ours(job)]
        self.plan.jobs = [each.job for each in rounds]
        for each in rounds:
            each.tell()
        for each in rounds:
            each.reach_otherwise()
        for each in rounds:
            each.close()
        self.report.seconds = time.time() - self.plan.started
        return self.report

    def tick(self) -> None:
        """Called all the time: a campaign that waits for its turn must not seem dead."""
        total = len(self.report.outcomes) + sum(len(job.users) for job in self.plan.jobs)
        self.plan.console.progress(len(self.report.outcomes), total, self.report.not_told)
        for log in self.logs:
            log.tick()

    def still_ours(self, job: Job) -> bool:
        """Two runs may have taken it up, or begun it, at the same moment: one of them steps back."""
        if not self.journal or not job.has_work or self.journal.is_ours(job.campaign):
            return True
        self.report.notes.append(f"campaign {job.campaign.key} is being delivered by another run; left to it")
        return False

    def _open_log(self, job: Job) -> CampaignLog | None:
        if not self.journal or job.is_empty:
            return None
        if job.left:
            look_after = self.journal.look_after(job.campaign)
            return self.journal.resume(job.campaign, job.taking) if job.has_work else look_after
        held = [outcome.user_id for outcome in job.skipped if outcome.status == "held"]
        return self.journal.begin(job.campaign, job.trigger, [*(user.id for user in job.users), *held], job.steps)

    def _is_ours(self, job: Job) -> bool:
        if not self.still_ours(job):
            return False
        if self.journal and job.left and job.has_work:
            read_again(job, self.journal.know(job.campaign), self.journal.run)
        return True

    def _say_wait(self, seconds: float) -> None:
        self.plan.console.hint(f"Rate limit reached; going on in {seconds:.0f} s")


class Round:
    """One job of a run, with its log."""

    def __init__(self, run: Dispatch, job: Job, log: CampaignLog | None) -> None:
        self.run = run
        self.plan = run.plan
        self.report = run.report
        self.job = job
        self.log = log
        self.sent: list[Copy] = []
        self.undelivered: list[Undelivered] = []
        self._looked_at = self._opened_at = time.monotonic()
        self._decision: PressRow | None = None
        self._stepped_back = False
        self._say = structlog.get_logger().bind().debug
        self._channel = TagoRunChannel(self.plan.tago.run, job.campaign)

    def tell(self) -> None:
        """In TagoRUN."""
        for outcome in self._skipped():
            if outcome.status == "held" and self.job.left and self.log:
                self.report.add(outcome)
                self.log.keep_open()
            else:
                self.record(outcome)
        delivery = Delivery(
            self._channel,
            self.run.window,
            deadline=self.plan.deadline - LAST_WORDS,
            workers=min(WORKERS, max(len(self.job.users), 1)),
            look_first=self.job.in_doubt,
            is_held_up=lambda: any(each.is_stuck() for each in self.run.logs),
        )
        delivery.stopped = self.run.interrupted or self._why_not_now()
        compose = self.plan.composer(self.job)

        def tick() -> None:
            self.run.tick()
            if self._is_decided():
                delivery.stopped = delivery.stopped or DECIDED

        delivery.deliver(messages(self.job.users, compose, self.record), self.record, tick, self._put_aside)
        if delivery.stopped == BY_HAND:
            self.run.interrupted = BY_HAND
        self._add_notes(delivery)

    def reach_otherwise(self) -> None:
        """By another channel, whom TagoRUN did not reach."""
        if self.log:
            self.log.flush()  # a press meanwhile must find every copy
        if self.job.is_decided or self._stepped_back:
            for each in self.undelivered:
                self.record(each.outcome)
            return
        other = OtherChannel(
            self.plan, self.job, self.log, self.run.fallback, self.record, self.run.tick, self._is_decided
        )
        other.stopped = self.run.interrupted
        other.reach(self.undelivered)
        self.run.interrupted = other.stopped

    def close(self) -> None:
        """Write the last rows; close what was sent while somebody decided."""
        if self._is_decided(now=True) and self._decision:
            self._close_late_copies(self._decision)
        if not self.log:
            return
        if self.job.is_watched and not self._decision:
            self.log.keep_open()
        self.log.close()
        self.report.notes += self.log.notes()

    def record(self, outcome: Outcome) -> None:
        """The last word on a user; callable from any thread."""
        if outcome.status == "pending" and outcome.reason == DECIDED:
            outcome = replace(outcome, status="skipped")
        outcome = replace(outcome, step=self.job.step_of.get(outcome.user_id, 0))
        if outcome.status == "sent" and self.job.steps:
            self.sent.append(Copy(outcome.user_id, outcome.notification_id))
        self.report.add(outcome)
        self._say(
            "outcome", campaign=self.job.campaign.key, user=outcome.user_id, status=outcome.status,
            reason=outcome.reason, channel=outcome.channel, step=outcome.step,
        )  # fmt: skip
        if self.log:
            self.log.record(outcome)

    def _put_aside(self, user: User, notification: Notification, outcome: Outcome) -> bool:
        """True for who is told by another channel afterwards. With a journal only who failed for good: the next run
        takes up the others."""
        if not self.plan.settings.fallback:
            return False
        if outcome.status != "failed" and (self.log or outcome.status not in ("unknown", "pending")):
            return False
        why = "unknown" if outcome.status == "unknown" else "failed"
        self.undelivered.append(Undelivered(user, notification, outcome, why))
        if self.log:
            self.log.record(outcome)
        return True

    def _why_not_now(self) -> str:
        """After a long wait for its turn: whether this job is still to be told, and by this run."""
        if time.monotonic() - self._opened_at < LOOK_EVERY:
            return DECIDED if self.job.is_decided else ""
        if self._is_decided(now=True):
            return DECIDED
        try:
            self._stepped_back = not self.run.still_ours(self.job)
        except (
            SetupError
        ) as error:  # others were told by now: this is no set-up to mend, and the next run tells the rest
            return str(error)
        return "another run is at it" if self._stepped_back else ""

    # ---- a campaign that somebody has decided

    def _is_decided(self, *, now: bool = False) -> bool:
        """Looked up every few seconds, or now."""
        if self.job.is_decided or not self.run.journal or not self.log:
            return self.job.is_decided
        if now or time.monotonic() - self._looked_at >= LOOK_EVERY:
            self._looked_at = time.monotonic()
            try:
                self._decision = self.run.journal.decision_of(self.job.campaign)
            except SetupError:
                return False  # the journal cannot be read now; it is asked again
            self.job.is_decided = self._decision is not None
        return self.job.is_decided

    def _close_late_copies(self, decision: PressRow) -> None:
        """Those that this run has sent while somebody decided: the press has not seen them all."""
        line, at = f"{decision.label}: {decision.user_name or decision.user_id}", time_of(decision.time)
        self.report.notes += close_copies(self.plan.tago.run, self.sent, line, at, self.plan.sleep)

    def _skipped(self) -> list[Outcome]:
        """Of a decided campaign those in doubt may have it all the same: that is looked up, and their copies are
        closed."""
        if not self.job.is_decided or not self.job.in_doubt:
            return self.job.skipped
        try:
            users = users_by_id(self.plan.tago.run, self.job.in_doubt, self.plan.sleep)
            found = copies_by_looking(self.plan.tago.run, users.values(), self.job.campaign.key, self.plan.sleep)
            self._decision = self.run.journal.decision_of(self.job.campaign) if self.run.journal else None
        except (SetupError, TagoIOError) as error:
            self.report.notes.append(f"copies of the decided campaign may be open: {error}")
            return self.job.skipped
        self.sent = [copy for copy, _ in found]
        has_it = {copy.user_id: copy.notification_id for copy in self.sent}
        if self._decision:
            self._close_late_copies(self._decision)
        return [
            Outcome(each.user_id, users[each.user_id].name, "sent", notification_id=has_it[each.user_id])
            if each.user_id in has_it
            else each
            for each in self.job.skipped
        ]

    def _add_notes(self, delivery: Delivery) -> None:
        if delivery.in_doubt:
            self.report.notes.append(
                f"{delivery.in_doubt} answers were lost on the way (time-out, reset, 5xx); TagoIO was asked: "
                f"{delivery.had_arrived} had arrived, the others were sent again or are named above"
            )
        if self._channel.icon_refused:
            self.report.notes.append(f"TagoIO refused the icon ({self._channel.icon_refused}); sent without it")


def read_again(job: Job, known: Known, run: str) -> None:
    """A plan may be old by the time it is this run's turn: what another run has done since is left out."""
    elsewhere = {number for number, taker in known.steps_taken.items() if number in job.taking and taker != run}
    gone = {user_id for number in elsewhere for user_id in job.taking.pop(number)[1]}
    job.users = type(job.users)(user for user in job.users if user.id not in gone and user.id not in known.settled)
    job.in_doubt = job.in_doubt | known.in_doubt(run)
    job.overdue = [each for each in job.overdue if each.user_id not in known.other_channel]
    job.cut_off &= known.cut_off
    if known.is_decided:
        job.is_decided = True
