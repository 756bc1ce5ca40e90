"""Reaches by another channel whom TagoRUN did not reach: once per user and campaign, and written down before."""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from lib.app.plan import LAST_WORDS, Job, Plan
from lib.base.errors import SetupError, TagoIOError
from lib.campaign.campaign import composed
from lib.campaign.campaign_log import CampaignLog
from lib.campaign.followup import Overdue
from lib.campaign.report import Outcome
from lib.campaign.rows import fallback_row
from lib.delivery.delivery import BY_HAND
from lib.fallback.fallback import Attempt, Fallback
from lib.message.notification import Notification
from lib.message.user import User
from lib.tagoio.audience import retrying, users_by_id

AT_ONCE = 5  # users told at the same time
NO_TIME = "no time was left for another channel"


@dataclass(frozen=True, slots=True)
class Undelivered:
    """Somebody whom TagoRUN did not reach; `why` as in lib/fallback/fallback.py."""

    user: User
    notification: Notification
    outcome: Outcome
    why: str


class OtherChannel:
    """The fallback of one job. `record` gets the last word on each user, `tick` is called all the time meanwhile, and
    nobody more is told once `is_decided`."""

    def __init__(
        self,
        plan: Plan,
        job: Job,
        log: CampaignLog | None,
        fallback: Fallback,
        record: Callable[[Outcome], None],
        tick: Callable[[], None],
        is_decided: Callable[[], bool],
    ) -> None:
        self.plan = plan
        self.job = job
        self.log = log
        self.fallback = fallback
        self.record = record
        self.tick = tick
        self.is_decided = is_decided
        self.stopped = ""
        self._waiting: deque[Undelivered | Overdue] = deque()
        self._under_way: dict[str, Undelivered] = {}  # by user id: begun, and not back yet
        self._lock = threading.Lock()
        self._users: dict[str, User] = {}

    def reach(self, undelivered: list[Undelivered]) -> None:
        """Those of this run, and those whom earlier ones left."""
        self._say_cut_off()
        self._waiting = deque([*undelivered, *self.job.overdue])
        if not self._waiting:
            return
        threads = [threading.Thread(target=self._work, daemon=True) for _ in range(min(AT_ONCE, len(self._waiting)))]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            try:
                self._watch(threads)
            except KeyboardInterrupt:
                self.stopped = BY_HAND
            if self._is_late() or self.stopped:
                break
        self._leave()

    def _watch(self, threads: list[threading.Thread]) -> None:
        while any(thread.is_alive() for thread in threads) and not self._is_late():
            threads[0].join(0.2) if threads[0].is_alive() else time.sleep(0.05)
            self.tick()

    def _work(self) -> None:
        while not self.stopped and not self._is_late():
            try:
                each = self._waiting.popleft()
            except IndexError:
                return
            try:
                self._see_to(each)
            except Exception as error:  # a defect must not end the run for who comes after
                self._keep_open()
                self._note(each, f"no other channel was tried: {type(error).__name__}: {error}")
                if isinstance(each, Undelivered):
                    self.record(each.outcome)

    def _see_to(self, each: Undelivered | Overdue) -> None:
        ready = self._still_needed(each) if isinstance(each, Overdue) else each
        if ready is None:
            return
        if self.is_decided():
            if ready.why != "unread":
                self.record(ready.outcome)
            return
        why_not = self._claim(ready)
        if why_not:
            self._give_up(ready, why_not)
            return
        attempt = self.fallback.tell(ready.user, ready.notification, ready.why)
        with self._lock:
            if self._under_way.pop(ready.user.id, None) is None:
                return  # too late: it was said already that nobody knows
            self._settle(ready, attempt)

    def _still_needed(self, each: Overdue) -> Undelivered | None:
        """Whether an earlier run's user has still to be told: not where they have read it, are gone or opted out."""
        found = users_by_id(self.plan.tago.run, {each.user_id}, self.plan.sleep)
        user = found.get(each.user_id)
        if user is None or not user.active:
            self._write(each.user_id, "gone")
            return None
        if each.why == "unread":
            is_read = self._is_read(each)
            if is_read is None:
                self._keep_open()
                return None
            if is_read:
                self._write(each.user_id, "read")
                return None
        try:
            notification = composed(user, self.plan.composer(self.job))
        except SetupError as error:
            notification = str(error)
        verdict = self.plan.rules.verdict(user, notification)
        if verdict and verdict.status == "held":
            self._keep_open()
            return None
        if verdict or isinstance(notification, str):
            self._write(each.user_id, "ruled out", reason=verdict.reason if verdict else "")
            return None
        outcome = Outcome(user.id, user.name, "failed", each.reason, each.notification_id)
        return Undelivered(user, notification, replace(outcome, subject=notification.subject), each.why)

    def _is_read(self, each: Overdue) -> bool | None:
        """None where TagoIO cannot be asked now. One that the user has deleted was seen."""
        try:
            listed: Any = retrying(lambda: self.plan.tago.run.notificationList(each.user_id), self.plan.sleep)
        except TagoIOError as error:
            if error.status == 404:
                return True
            self._note(each, f"whether it was read cannot be asked ({error.message}); the next run asks again")
            return None
        entries = listed if isinstance(listed, list) else []
        found = [entry for entry in entries if isinstance(entry, dict) and entry.get("id") == each.notification_id]
        return all(bool(entry.get("read")) for entry in found)

    def _claim(self, each: Undelivered) -> str:
        """Write down that another channel is tried now, so that it is tried once; why it cannot be, if so."""
        if self.stopped or self._is_late():
            return self.stopped or NO_TIME
        if self.plan.journal:
            try:
                if not self.plan.journal.claim_fallback(self.job.campaign, each.user.id):
                    return "another run tries the other channel"
            except (TagoIOError, SetupError) as error:
                return f"no other channel was tried, as the journal could not be written ({error})"
        with self._lock:
            self._under_way[each.user.id] = each
        return ""

    def _settle(self, each: Undelivered, attempt: Attempt) -> None:
        self._write(each.user.id, attempt.result, channel=attempt.channel, reason=attempt.reason)
        if attempt.result == "taken":
            self.record(replace(each.outcome, status="fallback", channel=attempt.channel))
        elif attempt.result == "doubt":
            self._doubt(each, f"{attempt.channel} may have told them all the same ({attempt.reason})")
        elif each.why == "unread":
            self._miss_unread(each, attempt.reason)
        else:
            self.record(replace(each.outcome, reason=f"{each.outcome.reason}; {attempt.reason}"))

    def _doubt(self, each: Undelivered, what: str) -> None:
        if each.why == "unread":
            self._miss_unread(each, what)
        else:
            self.record(replace(each.outcome, status="unknown", reason=f"{each.outcome.reason}; {what}"))

    def _leave(self) -> None:
        """What is begun and not back is in doubt; of the rest nothing was tried: with a journal the next run does."""
        with self._lock:
            under_way, self._under_way = dict(self._under_way), {}
        for each in under_way.values():
            self._write(each.user.id, "doubt", reason="no answer in time")
            self._doubt(each, "another channel may have told them all the same (no answer in time)")
        while self._waiting:
            rest = self._waiting.popleft()
            if isinstance(rest, Undelivered):
                self._give_up(rest, self.stopped or NO_TIME)
            else:
                self._keep_open()

    def _give_up(self, each: Undelivered, why_not: str) -> None:
        self._keep_open()
        if each.why == "unread":
            self._miss_unread(each, why_not)
        else:
            self.record(replace(each.outcome, reason=f"{each.outcome.reason}; {why_not}"))

    def _miss_unread(self, each: Undelivered, reason: str) -> None:
        """They have it in TagoRUN, so they are not among the failed."""
        self.plan.report.left_behind += 1
        self.plan.report.notes.append(f"{each.user.name or each.user.id}: {each.outcome.reason}; {reason}")

    def _say_cut_off(self) -> None:
        """Once, of those for whom an earlier run had begun: it may have told them."""
        try:
            found = users_by_id(self.plan.tago.run, self.job.cut_off, self.plan.sleep) if self.job.cut_off else {}
        except SetupError:
            found = {}  # then they are named by id
        for user_id in sorted(self.job.cut_off):
            self._write(user_id, "doubt", reason="that run was cut off")
            name = found[user_id].name if user_id in found else ""
            reason = "another channel may have told them; the run that tried was cut off"
            self.record(Outcome(user_id, name, "unknown", reason))

    def _write(self, user_id: str, value: str, *, channel: str = "", reason: str = "") -> None:
        if self.log and self.plan.journal:
            self.log.add(fallback_row(self.job.campaign.key, user_id, value, self.plan.journal.run, channel, reason))

    def _keep_open(self) -> None:
        if self.log:
            self.log.keep_open()

    def _note(self, each: Undelivered | Overdue, text: str) -> None:
        user_id = each.user.id if isinstance(each, Undelivered) else each.user_id
        self.plan.report.left_behind += 1
        self.plan.report.notes.append(f"user {user_id}: {text}")

    def _is_late(self) -> bool:
        return time.time() > self.plan.deadline - LAST_WORDS
