"""The send loop: pace, send, set aside who is in doubt, and come to one outcome for each user."""

import heapq
import itertools
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from lib.base.errors import Doubtful, Refused, Rejected, TagoIOError
from lib.base.threads import work_in_threads
from lib.campaign.lease import LATE
from lib.campaign.outcome import EARLIER, ELSEWHERE, NO_TIME, Outcome, Status
from lib.delivery.window import RateWindow, Ticket
from lib.message.notification import Notification
from lib.message.user import User, without_contact

WORKERS = 40
LOOKERS = 4  # threads that ask about users in doubt, while the others send
LOOKS_FIRST = 5  # looks that may fail before a user is told whom another run may have told
TRIES = 4  # sends that left doubt, after which a user is left for the next run

LOOKS = (0.3, 3.0, 12.0)  # seconds after a doubtful answer; the last look is when nothing more can come
AGAIN = 4.0  # seconds between two looks of which nothing could be told
UNASKED = 60.0  # seconds past the last look in which TagoIO may still be asked
LOOKED = 1.0  # seconds after which a look is no longer believed
IDLE = 0.1  # seconds between two looks for something to do
LAST_SEND = 2.0  # seconds before the deadline, so that what it leaves in doubt can still be asked about

BY_HAND = "stopped by hand"


class Found(Protocol):
    """What a look tells: the notification's id, or, with no `doubt`, that surely it is not there now."""

    @property
    def id(self) -> str: ...
    @property
    def doubt(self) -> str: ...
    @property
    def is_like(self) -> bool:
        """Something like it is there, and it is too early to tell whether it is this."""


class Lane(Protocol):
    """A campaign, as the send loop sees it. `send` and `look` raise Refused, Rejected or Doubtful."""

    def send(self, user: User, notification: Notification) -> str: ...

    def look(self, user: User, notification: Notification | None, since: float, until: float) -> Found: ...

    def announce(self, user: User) -> None:
        """Write down what others must know before this user is told."""

    def may_tell(self) -> bool | None:
        """None: in a moment."""

    def why_not(self) -> tuple[Status, str] | None:
        """The outcome of who is not told any more, where nobody is."""

    def may_hide_it(self, user: User) -> bool:
        """Whether another run may have told them, as far as the rows tell."""

    def must_ask(self, user: User) -> bool:
        """Whether they may have been told by a run of which this one cannot know."""

    def has_changed(self, user: User, *, is_asked: bool) -> bool:
        """Whether another run has told them since, or may have (where TagoIO is not asked about that already)."""

    def take_back(self, user: User, notification: Notification | None) -> None:
        """Give them out again, if they are still to be told."""

    def record(self, outcome: Outcome, notification: Notification | None) -> None: ...

    def confirm(self) -> None:
        """Return when what was recorded is written down."""


@dataclass(slots=True, eq=False)
class Task:
    """A user to be told. In doubt when TagoIO may have the notification `since` then, because of `why`; it may come or
    show `until` then. With an outcome `otherwise` there is only asked: it is that of a user who has not got
    it. Times are of the send loop's clock."""

    user: User
    notification: Notification | None  # None: nothing to send, and found by its mark
    lane: Lane
    since: float = 0.0
    until: float = 0.0
    why: str = ""
    otherwise: Outcome | None = None
    sends: int = 0
    looks: int = 0  # that failed, before it was sent for the first time
    asked_at: float = 0.0  # when it was seen last that nobody has told them
    is_out: bool = False  # a request of it may be on its way
    is_ended: bool = False


class Delivery:
    """Delivers what `take` gives, until it gives None, or `has_more` says that it would. `clock` and `deadline` are
    seconds since the epoch; without `sleep` nobody sleeps on when all is over.

    Promise: each task ends as one outcome; and nobody is sent anything again before TagoIO was asked about every
    earlier try that left doubt, until nothing of it can come any more. Who is in doubt is set aside and holds nobody
    up.
    """

    def __init__(
        self,
        take: Callable[[], Task | None],
        window: RateWindow,
        *,
        has_more: Callable[[], bool] = lambda: True,
        deadline: float = float("inf"),
        workers: int = WORKERS,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self._over = threading.Event()
        self.take = take
        self.has_more = has_more
        self.window = window
        self.deadline = deadline
        self.workers = workers
        self.clock = clock
        self.sleep = sleep or self._over.wait
        self.stopped = ""  # why no further task is begun
        self.in_doubt = 0  # answers that were lost or could not be believed
        self.had_arrived = 0  # of those, the ones that TagoIO had carried out all the same
        self._lock = threading.Lock()
        self._ready: deque[Task] = deque()  # to be sent again
        self._aside: list[tuple[float, int, Task]] = []  # in doubt, by the time of the next look
        self._order = itertools.count()
        self._under_way: set[Task] = set()
        self._is_dry = False
        self._is_closed = False

    def deliver(self, tick: Callable[[], None] = lambda: None) -> None:
        """`tick` is called all the time meanwhile."""
        roles = itertools.chain([self._ask_on] * min(LOOKERS, self.workers), itertools.repeat(self._send_on))
        choosing = threading.Lock()

        def work() -> None:
            with choosing:
                role = next(roles)
            role()

        number = self.workers + min(LOOKERS, self.workers)
        work_in_threads(work, number, tick=tick, is_over=self._is_late, on_interrupt=self._interrupt)
        self._close()

    def _interrupt(self) -> None:
        self.stopped = BY_HAND

    def _is_late(self) -> bool:
        return self.clock() >= self.deadline

    # ---- the two kinds of workers

    def _send_on(self) -> None:
        """A place first, then the one who is most urgent by then."""
        last = self.deadline - LAST_SEND
        while not self._is_done():
            ticket = None if self._has_nothing() else self.window.enter(last, self._has_nothing, self.sleep)
            if self.clock() > last:
                self.stopped = self.stopped or NO_TIME
            task = self._next() if ticket else None
            if ticket and task:
                self._send_safely(task, ticket)
            else:
                if ticket:
                    self.window.unused(ticket)
                self.sleep(IDLE)

    def _has_nothing(self) -> bool:
        """To send, at this moment."""
        return bool(self.stopped) or self._is_closed or not (self._ready or self._has_more())

    def _has_more(self) -> bool:
        return not self._is_dry and self.has_more()

    def _ask_on(self) -> None:
        while not self._is_done():
            task = self._next_aside()
            if task is None:
                self.sleep(IDLE)
            else:
                self._ask_safely(task)

    def _next(self) -> Task | None:
        """The next to be sent; who must be asked about for some time yet is set aside on the way."""
        with self._lock:
            while not (self._is_closed or self.stopped):
                task = self._ready.popleft() if self._ready else None
                if task is None and not self._is_dry:
                    task = self.take()
                    self._is_dry = task is None
                if task is None:
                    return None
                if not task.since or task.asked_at:
                    self._under_way.add(task)
                    return task
                self._push(task, self.clock())
            return None

    def _next_aside(self) -> Task | None:
        """The next whose time has come; once nobody more is told, each has a last look."""
        with self._lock:
            if self._is_closed or not self._aside or (self._aside[0][0] > self.clock() and not self.stopped):
                return None
            task = heapq.heappop(self._aside)[2]
            self._under_way.add(task)
            return task

    def _is_done(self) -> bool:
        with self._lock:
            is_done = self._is_closed or (self._has_nothing() and not self._aside and not self._under_way)
        if is_done:
            self._over.set()
        return is_done

    def _send_safely(self, task: Task, ticket: Ticket) -> None:
        """A defect of ours must not end the run for everyone after this user."""
        try:
            self._send(task, ticket)
        except Exception as error:
            self.window.lost(ticket)
            self._end(task, "unknown", f"internal error: {type(error).__name__}: {error}")

    def _ask_safely(self, task: Task) -> None:
        try:
            if not task.since or self._is_absent(task):  # without: it only waited for another look before it is sent
                self._make_ready(task)
        except Exception as error:
            self._end(task, "unknown", f"internal error: {type(error).__name__}: {error}")

    # ---- one task

    def _send(self, task: Task, ticket: Ticket) -> None:
        is_old = bool(task.since) and self.clock() - task.asked_at > LOOKED
        if is_old and not self._is_absent(task):  # what was not there some time ago may be there now
            self.window.unused(ticket)
            return
        may_send = self._may_send(task)
        if may_send and task.lane.must_ask(task.user):
            may_send = self._is_clear(task) and self._may_send(task)  # the look may have taken long
        if not may_send:
            self.window.unused(ticket)
            return
        assert task.notification is not None  # noqa: S101  # who is only asked about never comes here
        began = self.clock()
        task.is_out = True
        try:
            sent = task.lane.send(task.user, task.notification)
        except Rejected as error:
            self.window.passed(ticket)
            self._end(task, "failed", error.message)
        except Refused as error:
            self._again(task, ticket, error)
        except Doubtful as error:
            self.window.lost(ticket)
            self.in_doubt += 1
            task.sends += 1
            self._doubt(task, error.message, began, self.clock() + LATE)
        else:
            self._end(task, "sent", "", sent)
            if ticket.is_probe:
                task.lane.confirm()  # the others may go when it is known that this one is told
            self.window.passed(ticket)

    def _is_clear(self, task: Task) -> bool:
        """A look on the chance that another run has told this user. What cannot be seen keeps nobody from being told;
        a look that failed, or came too early, is repeated some times."""
        try:
            found = task.lane.look(task.user, task.notification, self.clock(), self.clock())
        except Rejected:
            return True
        except TagoIOError:
            found = None
        if found is None or found.is_like:
            task.looks += 1
            if task.looks < LOOKS_FIRST:
                self._put_aside(task, self.clock() + AGAIN)
            return task.looks >= LOOKS_FIRST
        if found.id:
            self._end(task, "sent", "", found.id)
        elif not found.doubt:
            task.asked_at = self.clock()
        return not found.id

    def _may_send(self, task: Task) -> bool:
        """Whether this one is to be told now. Where the journal shows that another run was at it since the task was
        taken, the lane gives it out anew."""
        last = self.deadline - LAST_SEND
        task.lane.announce(task.user)
        while (may_tell := task.lane.may_tell()) is None and not self.stopped and self.clock() <= last:
            self.sleep(IDLE)
        if may_tell and not self.stopped and task.lane.has_changed(task.user, is_asked=bool(task.since)):
            self._take_back(task)
            return False
        why_not = task.lane.why_not()
        if self.clock() > last:
            self.stopped = self.stopped or NO_TIME
        if self.stopped:
            self._give_up(task)
        elif why_not or not may_tell:
            self._end(task, *(why_not or ("pending", ELSEWHERE)))
        return not task.is_ended

    def _take_back(self, task: Task) -> None:
        with self._lock:
            task.is_ended = True
            task.lane.take_back(task.user, task.notification)
            self._under_way.discard(task)
            self._is_dry = False

    def _again(self, task: Task, ticket: Ticket, error: Refused) -> None:
        """It was certainly not carried out; waiting is the window's business."""
        if error.by_rate_limit:
            self.window.refused(ticket, error.retry_after)
        else:
            self.window.lost(ticket)
        if self.window.is_hopeless:
            self.stopped = self.stopped or f"nothing got through for minutes ({error.message})"
        if self.stopped:
            self._end(task, "pending", f"{self.stopped}; {error.message}" if self.stopped == NO_TIME else self.stopped)
            return
        task.is_out = False
        self._make_ready(task)

    def _doubt(self, task: Task, why: str, since: float, until: float) -> None:
        task.since, task.until, task.why = task.since or since, max(task.until, until), why
        if self.window.is_hopeless:
            self.stopped = self.stopped or f"nothing got through for minutes ({why})"
        self._put_aside(task, self.clock() + LOOKS[0])

    def _is_absent(self, task: Task) -> bool:
        """Ask about a user in doubt: whether they are to be told, as surely nobody has told them. Else the task has
        ended, or waits for another look."""
        now = self.clock()
        doubt = ""
        try:
            found = task.lane.look(task.user, task.notification, task.since, task.until)
        except Rejected as error:
            why = f"TagoIO does not say what became of it ({error.message}: allow Run User / Access notification)"
            self._end(task, "unknown", f"{task.why}; {why}")
            return False
        except (Refused, Doubtful) as error:
            doubt = f"TagoIO could not be asked what became of it: {error.message}"
            if now < task.until + UNASKED and not self.stopped:
                self._put_aside(task, now + max(error.retry_after or 0.0, AGAIN))
                return False
        else:
            doubt = found.doubt
            if found.id:
                self.had_arrived += task.sends > 0
                self.window.alive()
                self._end(task, "sent", "", found.id)
                return False
        if not doubt and now >= task.until:
            return self._is_to_send(task)
        if self.stopped:
            self._end(task, "unknown", f"{task.why}; time ran out before it could be settled ({self.stopped})")
        elif now < task.until:
            looks = [task.until - LATE + after for after in LOOKS]
            self._put_aside(task, next((at for at in looks if at > now), task.until))
        elif self._may_still_learn():
            self._put_aside(task, now + AGAIN)  # another's list may yet show that this one can be believed
        else:
            self._end(task, "unknown", f"{task.why}; {doubt}")
        return False

    def _is_to_send(self, task: Task) -> bool:
        """Of a user whom surely nobody has told."""
        task.asked_at = self.clock()
        why_not = task.lane.why_not()
        if why_not:
            self._end(task, *why_not)
        elif task.otherwise:
            self._end(task, task.otherwise.status, task.otherwise.reason)
        elif task.sends >= TRIES:
            self._end(task, "pending", f"{task.why}; tried {task.sends} times")
        return not task.is_ended

    def _may_still_learn(self) -> bool:
        with self._lock:
            return self._has_more() or bool(self._ready) or any(not task.since for task in self._under_way)

    # ---- books

    def _make_ready(self, task: Task) -> None:
        with self._lock:
            self._under_way.discard(task)
            self._ready.append(task)

    def _put_aside(self, task: Task, at: float) -> None:
        with self._lock:
            self._under_way.discard(task)
            self._push(task, at)

    def _push(self, task: Task, at: float) -> None:
        heapq.heappush(self._aside, (at, next(self._order), task))

    def _end(self, task: Task, status: Status, reason: str = "", notification_id: str = "") -> None:
        """One outcome for each; what comes when it is all over is too late."""
        with self._lock:
            if task.is_ended:
                return
            task.is_ended = True
        said = without_contact(reason, task.user)
        outcome = Outcome(task.user.id, task.user.name, status, said, notification_id)
        try:
            task.lane.record(outcome, task.notification)
        except Exception as error:
            self.stopped = self.stopped or f"internal error: {type(error).__name__}: {error}"
        with self._lock:
            self._under_way.discard(task)

    def _close(self) -> None:
        """Nobody is left unmentioned: what is under way or in doubt is unknown, the rest is pending."""
        with self._lock:
            self._is_closed = True
            if self._is_late():
                self.stopped = self.stopped or NO_TIME
            under_way, waiting = list(self._under_way), list(self._ready)
            aside = [task for _, _, task in self._aside]
        for task in under_way:
            if task.is_out:
                self._end(task, "unknown", f"{task.why or 'no answer'} when the time was up")
        while (rest := self.take()) is not None:
            waiting.append(rest)
        for task in (*under_way, *aside, *waiting):
            self._give_up(task)

    def _give_up(self, task: Task) -> None:
        """Nothing more is done for this user; whether they may have it is said, and so it is asked about later."""
        if task.since and self.clock() - task.asked_at > LOOKED:
            self._end(task, "unknown", f"{task.why}; {self.stopped}, before it could be settled")
        elif not task.asked_at and task.lane.may_hide_it(task.user):
            self._end(task, "unknown", f"{EARLIER}; {self.stopped}")
        else:
            self._end(task, *(task.lane.why_not() or ("pending", self.stopped)))
