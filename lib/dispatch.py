"""Does what a plan says: tells the users, writes it down, tries another channel for whom TagoRUN failed."""

import time
from dataclasses import replace

import structlog

from lib.campaign import TagoRunChannel, messages
from lib.campaign_log import CampaignLog
from lib.decision import close_copies
from lib.delivery import BY_HAND, WORKERS, Delivery
from lib.errors import SetupError
from lib.fallback import Fallback
from lib.notification import Notification
from lib.other_channel import OtherChannel, Undelivered
from lib.plan import DECIDED, LAST_WORDS, Job, Plan
from lib.report import Outcome, Report
from lib.rows import Copy, PressRow, time_of
from lib.user import User
from lib.window import RateWindow

LOOK_EVERY = 5.0  # seconds between two looks for a decision while an escalation is delivered


class Dispatch:
    """Delivers the jobs of a plan, after its `check`."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.report = plan.report
        self.journal = plan.journal
        self.interrupted = ""
        self.window = RateWindow(plan.settings.rate_limit, on_wait=self._say_wait)
        self.fallback = Fallback(plan.settings.fallback, plan.tago.address_of_run)

    def deliver(self) -> Report:
        """Write down what is planned, then tell everybody."""
        logs = {job.campaign.key: self._open_log(job) for job in self.plan.jobs}
        jobs = self.plan.jobs = [job for job in self.plan.jobs if self._is_ours(job)]
        total = sum(len(job.users) + len(job.skipped) for job in jobs)
        for job in jobs:
            round_of_job = _Round(self, job, logs[job.campaign.key], [log for log in logs.values() if log], total)
            round_of_job.go()
        self.report.seconds = time.time() - self.plan.started
        return self.report

    def _open_log(self, job: Job) -> CampaignLog | None:
        if not self.journal:
            return None
        if job.left:
            return (
                self.journal.resume(job.campaign, job.taking) if job.has_work else self.journal.look_after(job.campaign)
            )
        held = [outcome.user_id for outcome in job.skipped if outcome.status == "held"]
        return self.journal.begin(job.campaign, job.trigger, [*(user.id for user in job.users), *held], job.steps)

    def _is_ours(self, job: Job) -> bool:
        """Two runs may have taken it up, or begun it, at the same moment: one of them steps back."""
        if not self.journal or not job.has_work or self.journal.is_ours(job.campaign):
            return True
        self.report.notes.append(f"campaign {job.campaign.key} is being delivered by another run; left to it")
        return False

    def _say_wait(self, seconds: float) -> None:
        self.plan.console.hint(f"Rate limit reached; going on in {seconds:.0f} s")


class _Round:
    """One job of a run, with its log."""

    def __init__(self, run: Dispatch, job: Job, log: CampaignLog | None, logs: list[CampaignLog], total: int) -> None:
        self.run = run
        self.plan = run.plan
        self.report = run.report
        self.job = job
        self.log = log
        self.logs = logs
        self.total = total
        self.sent: list[Copy] = []
        self.undelivered: list[Undelivered] = []
        self._looked_at = time.monotonic()
        self._other_channel = OtherChannel(self.plan, job, log, run.fallback, self.record)
        self._channel = TagoRunChannel(self.plan.tago.run, job.campaign)
        self._delivery = Delivery(
            self._channel,
            run.window,
            deadline=self.plan.deadline - LAST_WORDS,
            workers=min(WORKERS, max(len(job.users), 1)),
            look_first=job.in_doubt,
            is_held_up=lambda: any(each.is_stuck() for each in logs),
        )

    def go(self) -> None:
        for outcome in self.job.skipped:
            if outcome.status == "held" and self.job.left and self.log:
                self.report.add(outcome)
                self.log.keep_open()
            else:
                self.record(outcome)
        self._delivery.stopped = self.run.interrupted
        compose = self.plan.composer(self.job)
        self._delivery.deliver(messages(self.job.users, compose, self.record), self.record, self.tick, self.put_aside)
        if self._delivery.stopped == BY_HAND:
            self.run.interrupted = self._other_channel.stopped = BY_HAND
        self._add_notes()
        decision = self._decision()
        if decision:
            self._close_late_copies(decision)
            for each in self.undelivered:
                self.record(each.outcome)
        else:
            self._other_channel.reach(self.undelivered, self.job.overdue)
        if not self.log:
            return
        if self.job.is_watched and not decision:
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
        structlog.get_logger().debug(
            "outcome", campaign=self.job.campaign.key, user=outcome.user_id, status=outcome.status,
            reason=outcome.reason, channel=outcome.channel, step=outcome.step,
        )  # fmt: skip
        if self.log:
            self.log.record(outcome)

    def tick(self) -> None:
        self.plan.console.progress(len(self.report.outcomes), self.total, self.report.not_told)
        for each in self.logs:  # a campaign that waits for its turn must not seem dead
            each.tick()
        if self.job.steps and time.monotonic() - self._looked_at >= LOOK_EVERY:
            self._looked_at = time.monotonic()
            if self._decision():
                self._delivery.stopped = self._delivery.stopped or DECIDED

    def put_aside(self, user: User, notification: Notification, outcome: Outcome) -> bool:
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

    # ---- an escalation that somebody has decided

    def _decision(self) -> PressRow | None:
        if not self.job.steps or not self.run.journal:
            return None
        try:
            return self.run.journal.decision_of(self.job.campaign)
        except SetupError:
            return None  # the journal cannot be read now; it is asked again, by this run or the next

    def _close_late_copies(self, decision: PressRow) -> None:
        """Those that this run has sent while somebody decided: the press has not seen them all."""
        line, at = f"{decision.label}: {decision.user_name or decision.user_id}", time_of(decision.time)
        self.report.notes += close_copies(self.plan.tago.run, self.sent, line, at, self.plan.sleep)

    def _add_notes(self) -> None:
        if self._delivery.in_doubt:
            self.report.notes.append(
                f"{self._delivery.in_doubt} answers were lost on the way (time-out, reset, 5xx); TagoIO was asked: "
                f"{self._delivery.had_arrived} had arrived, the others were sent again or are named above"
            )
        if self._channel.icon_refused:
            self.report.notes.append(f"TagoIO refused the icon ({self._channel.icon_refused}); sent without it")
