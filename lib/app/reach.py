"""Reaches by another channel whom TagoRUN did not reach: once per user and campaign, and claimed in the journal
before."""

import threading
from collections.abc import Callable

from lib.app.job import Job
from lib.app.plan import Plan
from lib.base.errors import SetupError, TagoIOError
from lib.base.threads import each_in_threads
from lib.campaign.next_steps import TellOtherwise
from lib.campaign.outcome import TOLD, Outcome, Status
from lib.campaign.rows import fallback_rows
from lib.delivery.delivery import BY_HAND
from lib.fallback.fallback import Attempt
from lib.message.content import composed
from lib.message.notification import Notification
from lib.message.user import User
from lib.tagoio.audience import retrying, users_by_id
from lib.tagoio.inbox import Inbox

AT_ONCE = 5  # users told at the same time
CLAIMED = AT_ONCE  # users claimed by one row: of so many a killed run leaves doubt
TOO_LATE = "no time was left for another channel"


class Reach:
    """The fallback and the reminders of one job, which this run holds. `record` gets the last word on each user, `tick`
    is called all the time meanwhile; nobody more is told once somebody has decided."""

    def __init__(
        self,
        plan: Plan,
        job: Job,
        inbox: Inbox,
        undelivered: dict[tuple[str, str], Notification],
        record: Callable[[Outcome], None],
        tick: Callable[[], object],
    ) -> None:
        self.plan = plan
        self.job = job
        self.journal = plan.journal
        self.report = plan.report
        self.inbox = inbox
        self.undelivered = undelivered
        self.record = record
        self.tick = tick
        self.stopped = ""
        self._users: dict[str, User] = {}
        self._ready: dict[str, tuple[User, Notification]] = {}
        self._under_way: dict[str, TellOtherwise] = {}  # by user: claimed, and not settled yet
        self._lock = threading.Lock()

    def perform(self, due: list[TellOtherwise]) -> None:
        try:
            self._users = users_by_id(self.plan.tago.run, {each.user_id for each in due}, self.plan.sleep)
        except SetupError as error:
            self.report.note(f"nobody was told by another channel: {error}", undone=len(due))
            return
        left = self._each(due, lambda each: self._guarded(each, self._prepare))
        ready = [each for each in due if each.user_id in self._ready]
        left += ready[self._tell_all(ready) :]
        for each in left:
            self._give_up(each, self.stopped or TOO_LATE)

    def _tell_all(self, ready: list[TellOtherwise]) -> int:
        """Claim and tell, some at a time; of how many that was begun."""
        for start in range(0, len(ready), CLAIMED):
            if self._is_over():
                return start
            part = ready[start : start + CLAIMED]
            why_not = self._claim([each.user_id for each in part])
            if why_not:
                for each in part:
                    self._give_up(each, why_not)
                continue
            for each in part:
                if self._is_told(each):
                    self._write(each.user_id, "left")
            part = [each for each in part if not (self._is_told(each) or self._is_anothers(each.user_id))]
            self._under_way = {each.user_id: each for each in part}
            not_begun = self._each(part, lambda each: self._guarded(each, self._tell))
            self._leave({each.user_id for each in not_begun})
        return len(ready)

    def _each(self, due: list[TellOtherwise], do: Callable[[TellOtherwise], None]) -> list[TellOtherwise]:
        return each_in_threads(due, do, AT_ONCE, tick=self.tick, is_over=self._is_over, on_interrupt=self._interrupt)

    def _interrupt(self) -> None:
        self.stopped = BY_HAND

    def _is_over(self) -> bool:
        return bool(self.stopped) or self.plan.is_late()

    def _guarded(self, each: TellOtherwise, do: Callable[[TellOtherwise], None]) -> None:
        """A defect must not end the run for who comes after."""
        try:
            do(each)
        except Exception as error:
            self._give_up(each, f"no other channel was tried: {type(error).__name__}: {error}")

    # ---- who

    def _prepare(self, each: TellOtherwise) -> None:
        """Not needed where they have read it, are gone or opted out; no row where it is to be asked again later."""
        user = self._users.get(each.user_id)
        if user is None or not user.active:
            self._write(each.user_id, "gone")
            return
        if each.why == "unread" and not self._is_unread(each):
            return
        known = self.undelivered.get((self.job.key, user.id))
        notification = known or self._composed(user)
        verdict = self.plan.rules.verdict(user, notification) if each.why == "unread" or not known else None
        if verdict and verdict.status == "held":
            return
        if verdict or isinstance(notification, str):
            self._write(user.id, "ruled out", reason=verdict.reason if verdict else "")
            return
        self._ready[user.id] = user, notification

    def _composed(self, user: User) -> Notification | str:
        try:
            return composed(user, lambda each: self.plan.sorting.compose(self.job, each))
        except SetupError as error:
            return str(error)

    def _is_unread(self, each: TellOtherwise) -> bool:
        try:
            is_read = retrying(lambda: self.inbox.is_read(each.user_id, each.notification_id), self.plan.sleep)
        except TagoIOError as error:
            if error.status != 404:
                note = f"user {each.user_id}: whether it was read cannot be asked now ({error.message})"
                self.report.note(note, undone=1)
                return False
            is_read = None
        if is_read is not False:  # one that the user has deleted was seen
            self._write(each.user_id, "read")
        return is_read is False

    # ---- how

    def _claim(self, users: list[str]) -> str:
        """Write down that another channel is tried now, so that it is tried once; why it cannot be, if so."""
        self.journal.add(fallback_rows(self.job.key, users, "begun", self.journal.run))
        self.journal.flush()
        may_tell = self.journal.may_tell(self.job.key)
        while may_tell is None and not self._is_over():
            self.plan.sleep(0.1)
            may_tell = self.journal.may_tell(self.job.key)
        if self.journal.device and self.journal.gone:
            self.journal.add(fallback_rows(self.job.key, users, "left", self.journal.run))
            return "no other channel was tried, as the journal cannot be written"
        return "" if may_tell else "another run is at it"

    def _is_told(self, each: TellOtherwise) -> bool:
        """By another run in TagoRUN, while this one was away."""
        return each.why != "unread" and self.job.state.outcomes[each.user_id].status in TOLD

    def _is_anothers(self, user_id: str) -> bool:
        """Whether another run came first, while this one was away."""
        known = self.job.state.tries.get(user_id)
        return known is not None and known.run != self.journal.run

    def _tell(self, each: TellOtherwise) -> None:
        user, notification = self._ready[each.user_id]
        if self.job.state.tells_nobody:
            attempt = Attempt("refused", reason="decided meanwhile")
        else:
            attempt = self.plan.fallback.tell(user, notification, each.why)
        with self._lock:
            if self._under_way.pop(each.user_id, None) is None:
                return  # too late: it was said already that nobody knows
        self._write(each.user_id, attempt.result, channel=attempt.channel, reason=attempt.reason)
        if attempt.result == "taken":
            self._say(each, "fallback", each.reason, attempt.channel)
        elif attempt.result == "doubt":
            self._say(
                each, "unknown", f"{each.reason}; {attempt.channel} may have told them all the same ({attempt.reason})"
            )
        else:
            self._say(each, None, f"{each.reason}; {attempt.reason}")

    def _leave(self, not_begun: set[str]) -> None:
        """What is begun and not back is in doubt; of the others nothing was tried, though it was claimed."""
        with self._lock:
            under_way, self._under_way = dict(self._under_way), {}
        for user_id, each in under_way.items():
            if user_id in not_begun:
                self._write(user_id, "left")
                self._say(each, None, f"{each.reason}; {self.stopped or TOO_LATE}")
            else:
                self._write(user_id, "doubt", reason="no answer in time")
                told = f"{each.reason}; another channel may have told them all the same (no answer in time)"
                self._say(each, "unknown", told)

    def _give_up(self, each: TellOtherwise, why_not: str) -> None:
        """Nothing was tried: with a journal the next run does."""
        self._say(each, None, f"{each.reason}; {why_not}")

    # ---- words

    def _say(self, each: TellOtherwise, status: Status | None, reason: str, channel: str = "") -> None:
        """Who has it in TagoRUN, unread, is not among the failed."""
        known, user = self.job.state.outcomes[each.user_id], self._users.get(each.user_id)
        name = known.user_name or (user.name if user else "")
        is_anothers = status is None and known.run != self.journal.run
        if is_anothers or (each.why == "unread" and status != "fallback"):
            self.report.note(f"{name or each.user_id}: {reason}", undone=1)
        else:
            status = status or known.status
            self.record(known._replace(user_name=name, status=status, reason=reason, channel=channel))

    def _write(self, user_id: str, value: str, *, channel: str = "", reason: str = "") -> None:
        self.journal.add(fallback_rows(self.job.key, [user_id], value, self.journal.run, channel, reason))
