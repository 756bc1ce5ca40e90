"""The send loop: pace, send, settle what is in doubt, and come to one outcome per user."""

import threading
import time
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import replace
from typing import Protocol

from lib.base.errors import Doubtful, Refused, Rejected, TagoIOError
from lib.campaign.report import Outcome, Status
from lib.delivery.window import RateWindow, Ticket
from lib.message.notification import Notification
from lib.message.user import User

WORKERS = 40
TRIES = 4
OUTAGE = 50  # users in a row for whom TagoIO could not be reached, after which the rest are left for the next run

# How long, in seconds between looks, TagoIO is asked whether a doubtful request was carried out after all.
LOOKS = (0.2, 1.0, 2.0)
LOOKS_WHEN_LATE = (0.2, 1.0, 2.0, 4.0, 8.0)

LOOKED = 1.0  # seconds after which a look is no longer believed
LAST_SEND = 2.0  # seconds before the deadline, so that what it leaves in doubt can still be asked about

BY_HAND = "stopped by hand"

Message = tuple[User, Notification]


class Channel(Protocol):
    """How a message leaves, and how to ask what became of it; both raise Refused, Rejected or Doubtful."""

    def send(self, user: User, notification: Notification) -> str: ...
    def find(self, user: User, notification: Notification) -> str: ...


class Delivery:
    """Delivers messages over a channel. `clock` and `deadline` are seconds since the epoch; the users (ids) of
    `look_first` may have been sent theirs by an earlier run; nobody is sent anything while `is_held_up`.

    Promise: each message ends as one outcome, and no message is sent again before TagoIO was asked about every earlier
    try that left doubt.
    """

    def __init__(
        self,
        channel: Channel,
        window: RateWindow,
        *,
        deadline: float = float("inf"),
        workers: int = WORKERS,
        look_first: Container[str] = (),
        is_held_up: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.channel = channel
        self.window = window
        self.deadline = deadline
        self.workers = workers
        self.look_first = look_first
        self.is_held_up = is_held_up
        self.clock = clock
        self.sleep = sleep
        self.stopped = ""  # why no further message is begun
        self.in_doubt = 0  # answers that were lost or could not be believed
        self.had_arrived = 0  # of those, the ones that TagoIO had carried out all the same
        self._unreachable_in_a_row = 0

    def deliver(
        self,
        messages: Iterable[Message],
        record: Callable[[Outcome], None],
        tick: Callable[[], None] = lambda: None,
        put_aside: Callable[[User, Notification, Outcome], bool] = lambda *_: False,
    ) -> None:
        """Deliver all. `record` gets each outcome, from any thread, unless `put_aside` takes one over that is not
        `sent`, by answering True; `tick` is called now and then meanwhile."""
        source = iter(messages)
        taking = threading.Lock()

        def work() -> None:
            while not self.stopped:
                with taking:
                    message = next(source, None)
                if message is None:
                    return
                self._record_safely(*message, self._tell_safely(*message), record, put_aside)

        self._in_threads(work, tick)
        for user, notification in source:
            outcome = _outcome(user, "pending", self.stopped)
            if not put_aside(user, notification, outcome):
                record(outcome)

    def _in_threads(self, work: Callable[[], None], tick: Callable[[], None]) -> None:
        threads = [threading.Thread(target=work, daemon=True) for _ in range(self.workers)]
        for thread in threads:
            thread.start()
        try:
            _join(threads, tick)
        except KeyboardInterrupt:
            self.stopped = BY_HAND
            _join(threads, tick)

    def _tell_safely(self, user: User, notification: Notification) -> Outcome:
        """A defect of ours must not end the run for everyone after this user."""
        try:
            told = self.tell(user, notification)
            return replace(told, subject=notification.subject, priority=notification.priority)
        except Exception as error:
            return _outcome(user, "unknown", f"internal error: {type(error).__name__}: {error}")

    def _record_safely(
        self,
        user: User,
        notification: Notification,
        outcome: Outcome,
        record: Callable[[Outcome], None],
        put_aside: Callable[[User, Notification, Outcome], bool],
    ) -> None:
        try:
            if outcome.status == "sent" or not put_aside(user, notification, outcome):
                record(outcome)
        except Exception as error:
            self.stopped = self.stopped or f"internal error: {type(error).__name__}: {error}"

    def tell(self, user: User, notification: Notification) -> Outcome:
        """Send until there is an outcome."""
        if user.id in self.look_first:
            earlier = self._settle(
                user, notification, Doubtful("an earlier run may have sent it"), (0.0, 1.0, 2.0), once=True
            )
            if earlier:
                return earlier
        reason: TagoIOError | None = None
        for attempt in range(1, TRIES + 1):
            try:
                sent = self._send_when_allowed(user, notification)
                return _outcome(user, "sent" if sent else "pending", "" if sent else self.stopped, sent)
            except Rejected as error:
                return _outcome(user, "failed", error.message)
            except Refused as error:
                reason = error
                self._note_unreachable()
                if self.stopped or attempt == TRIES:
                    return _outcome(user, "pending", error.message)
                if not self._pause(0.5 * 2**attempt):
                    return _outcome(user, "pending", "time budget used up")
            except Doubtful as error:
                reason = error
                self.in_doubt += 1
                looks = LOOKS_WHEN_LATE if error.may_come_late else LOOKS
                settled = self._settle(user, notification, error, looks)
                if settled:
                    self.had_arrived += settled.status == "sent"
                    return settled
        return _outcome(user, "failed", reason.message if reason else "")

    def _send_when_allowed(self, user: User, notification: Notification) -> str:
        """Send as soon as the rate window lets us; "" when it will not in time. A rate limit costs no try."""
        while True:
            asked_at = self.clock()
            ticket = self._place()
            if ticket is None:
                return ""
            if user.id in self.look_first and self.clock() - asked_at > LOOKED:
                earlier = self.channel.find(user, notification)  # what was not there before the wait may be now
                if earlier:
                    return earlier
            try:
                sent = self.channel.send(user, notification)
            except Refused as error:
                if not error.by_rate_limit:
                    self.window.passed(ticket)
                    raise
                self.window.refused(ticket, error.retry_after)
                if self.window.is_hopeless:
                    self.stopped = f"rate limit: nothing got through for minutes ({error.message})"
                    return ""
                continue
            except TagoIOError:
                self._answered(ticket)
                raise
            self._answered(ticket)
            return sent

    def _place(self) -> Ticket | None:
        """A place in the rate window, None when nobody more is to be told."""
        last = self.deadline - LAST_SEND
        ticket = self.window.enter(last, lambda: bool(self.stopped))
        while self.is_held_up() and not self.stopped and self.clock() <= last:
            self.sleep(0.2)
        if ticket is None or self.clock() > last:
            self.stopped = self.stopped or "time budget used up"
        if self.stopped and ticket is not None:
            self.window.unused(ticket)
        return None if self.stopped else ticket

    def _settle(
        self, user: User, notification: Notification, doubt: Doubtful, looks: Sequence[float], *, once: bool = False
    ) -> Outcome | None:
        """Ask TagoIO what became of a doubtful request: an outcome, or None when it surely is not there. It is looked
        for after each pause of `looks`, or with `once` until TagoIO has answered."""
        asked: TagoIOError | None = None
        for pause in looks:
            if not self._pause(pause):
                return _outcome(user, "unknown", f"{doubt.message}; time ran out before it could be settled")
            try:
                found = self.channel.find(user, notification)
                asked = None
            except Rejected as error:
                why = f"TagoIO does not say what became of it ({error.message}: allow Run User / Access notification)"
                return _outcome(user, "unknown", f"{doubt.message}; {why}")
            except (Refused, Doubtful) as error:
                asked = error
                self._pause(error.retry_after or 0)
                continue
            if found:
                return _outcome(user, "sent", notification_id=found)
            if once:
                return None
        if asked is not None:
            why = f"TagoIO could not be asked what became of it: {asked.message}"
            return _outcome(user, "unknown", f"{doubt.message}; {why}")
        return None

    def _answered(self, ticket: Ticket) -> None:
        self._unreachable_in_a_row = 0
        self.window.passed(ticket)

    def _note_unreachable(self) -> None:
        self._unreachable_in_a_row += 1
        if self._unreachable_in_a_row >= OUTAGE * TRIES:
            self.stopped = self.stopped or "TagoIO cannot be reached"

    def _pause(self, seconds: float) -> bool:
        """Sleep, unless that would go past the deadline."""
        if self.clock() + seconds > self.deadline:
            return False
        if seconds:
            self.sleep(seconds)
        return True


def _join(threads: Iterable[threading.Thread], tick: Callable[[], None]) -> None:
    for thread in threads:
        while thread.is_alive():
            thread.join(0.2)
            tick()


def _outcome(user: User, status: Status, reason: str = "", notification_id: str = "") -> Outcome:
    return Outcome(user.id, user.name, status, reason, notification_id)
