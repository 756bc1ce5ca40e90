"""Reaches by another channel whom TagoRUN did not reach: once per user and campaign, and written down before."""

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from lib.campaign import composed
from lib.campaign_log import CampaignLog
from lib.errors import SetupError, TagoIOError
from lib.fallback import Attempt, Fallback
from lib.followup import Overdue
from lib.notification import Notification
from lib.plan import LAST_WORDS, Job, Plan
from lib.report import Outcome
from lib.user import User

AT_ONCE = 5  # users told at the same time


@dataclass(frozen=True, slots=True)
class Undelivered:
    """Somebody whom TagoRUN did not reach; `why` as in lib/fallback.py."""

    user: User
    notification: Notification
    outcome: Outcome
    why: str


class OtherChannel:
    """The fallback of one job. `record` gets the last word on each user."""

    def __init__(
        self, plan: Plan, job: Job, log: CampaignLog | None, fallback: Fallback, record: Callable[[Outcome], None]
    ) -> None:
        self.plan = plan
        self.job = job
        self.log = log
        self.fallback = fallback
        self.record = record
        self.stopped = ""

    def reach(self, undelivered: Iterable[Undelivered], overdue: Iterable[Overdue]) -> None:
        """Those of this run, and those of earlier ones."""
        waiting = [*undelivered, *self._composed(overdue)]
        while waiting:
            some, waiting = waiting[:AT_ONCE], waiting[AT_ONCE:]
            why_not = self._begin(some)
            if why_not:
                for each in (*some, *waiting):
                    self._give_up(each, why_not)
                return
            with ThreadPoolExecutor(AT_ONCE) as pool:
                attempts = list(pool.map(self._attempt, some))
            for each, attempt in zip(some, attempts, strict=True):
                self._settle(each, attempt)
            if self.log:
                self.log.tick()

    def _composed(self, overdue: Iterable[Overdue]) -> Iterator[Undelivered]:
        compose = self.plan.composer(self.job)
        nothing_to_do = [each.user_id for each in overdue if not each.user]
        for each in overdue:
            if not each.user:
                continue
            try:
                notification = composed(each.user, compose)
            except SetupError as error:
                notification = str(error)
            if isinstance(notification, str):
                self.plan.report.notes.append(f"{each.user.name or each.user_id} is not told otherwise: {notification}")
                nothing_to_do.append(each.user_id)
                continue
            outcome = Outcome(each.user_id, each.user.name, "failed", each.reason, each.notification_id)
            yield Undelivered(each.user, notification, replace(outcome, subject=notification.subject), each.why)
        if nothing_to_do:
            self._write_begun(nothing_to_do)

    def _begin(self, some: list[Undelivered]) -> str:
        """Write down for whom another channel is tried now, so that it is tried once; why it cannot be, if so."""
        if self.stopped or time.time() > self.plan.deadline - LAST_WORDS:
            return self.stopped or "no time was left for another channel"
        return self._write_begun([each.user.id for each in some])

    def _write_begun(self, user_ids: list[str]) -> str:
        if not self.plan.journal:
            return ""
        try:
            self.plan.journal.begin_fallback(self.job.campaign, user_ids)
        except TagoIOError as error:
            return f"no other channel was tried, as the journal could not be written ({error.message})"
        return ""

    def _attempt(self, each: Undelivered) -> Attempt:
        return self.fallback.tell(each.user, each.notification, each.why)

    def _settle(self, each: Undelivered, attempt: Attempt) -> None:
        if attempt.result == "taken":
            self.record(replace(each.outcome, status="fallback", channel=attempt.channel))
        elif each.why == "unread":
            self._note_unread(each, attempt.reason)
        elif attempt.result == "doubt":
            reason = f"{each.outcome.reason}; {attempt.channel} may have told them all the same ({attempt.reason})"
            self.record(replace(each.outcome, status="unknown", reason=reason))
        else:
            self.record(replace(each.outcome, reason=f"{each.outcome.reason}; {attempt.reason}"))

    def _give_up(self, each: Undelivered, why_not: str) -> None:
        """Nothing was tried: with a journal the next run does."""
        if self.log:
            self.log.keep_open()
        if each.why == "unread":
            self._note_unread(each, why_not)
        else:
            self.record(replace(each.outcome, reason=f"{each.outcome.reason}; {why_not}"))

    def _note_unread(self, each: Undelivered, reason: str) -> None:
        """They have it in TagoRUN, so they are not among the failed."""
        self.plan.report.left_behind += 1
        self.plan.report.notes.append(f"{each.user.name or each.user.id}: {each.outcome.reason}; {reason}")
