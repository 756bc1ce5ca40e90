"""A clock that only moves when somebody sleeps, and a campaign that answers as a script says."""

import threading
import time
from collections.abc import Callable, Iterable

from lib.base.errors import TagoIOError
from lib.campaign.outcome import DECIDED, Outcome, Status
from lib.message.notification import Notification
from lib.message.user import User
from lib.tagoio.inbox import Look

NOTE = Notification("t", "m")


class FakeClock:
    def __init__(self, at: float = 1_000_000.0) -> None:
        self.at = at
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds


class FastClock:
    """A clock that runs forty times as fast, for workers that wait for each other."""

    FACTOR = 40.0

    def __init__(self) -> None:
        self._began = time.monotonic()

    @property
    def at(self) -> float:
        return 1_000_000.0 + (time.monotonic() - self._began) * self.FACTOR

    def __call__(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds / self.FACTOR)


class ScriptedLane:
    """A campaign of the send loop. Each `send` takes the next step of the script, then succeeds for ever.

    A step is (carried out?, error or None). `looks` are what the next looks raise, or say in place of the truth.
    """

    def __init__(
        self,
        clock: FastClock,
        steps: Iterable[tuple[bool, TagoIOError | None]] = (),
        looks: Iterable[TagoIOError | Look | None] = (),
        arrives: Callable[[], bool] = lambda: True,
    ) -> None:
        self.clock = clock
        self.steps = list(steps)
        self.looks = list(looks)
        self.arrives = arrives
        self.inbox: dict[str, list[str]] = {}
        self.outcomes: dict[str, Outcome] = {}
        self.sent_at: list[float] = []
        self.decided = False
        self._lock = threading.Lock()

    def send(self, user: User, notification: Notification) -> str:
        with self._lock:
            self.sent_at.append(self.clock.at)
            carried_out, error = self.steps.pop(0) if self.steps else (True, None)
            if carried_out:
                self.inbox.setdefault(user.id, []).append(f"n{len(self.sent_at)}")
            if error:
                raise error
            return self.inbox[user.id][-1]

    def look(self, user: User, notification: Notification | None, since: float, until: float) -> Look:
        with self._lock:
            said = self.looks.pop(0) if self.looks else None
            if isinstance(said, TagoIOError):
                raise said
            found = self.inbox.get(user.id, [])
            return said or Look(found[0] if found and self.arrives() else "")

    def announce(self, user: User) -> None:
        pass

    def may_tell(self) -> bool | None:
        return True

    def why_not(self) -> tuple[Status, str] | None:
        return ("skipped", DECIDED) if self.decided else None

    def has_changed(self, user: User, *, is_asked: bool) -> bool:
        return False

    def take_back(self, user: User, notification: Notification | None) -> None:
        raise AssertionError("this lane is never away")

    def may_hide_it(self, user: User) -> bool:
        return False

    def must_ask(self, user: User) -> bool:
        return False

    def record(self, outcome: Outcome, notification: Notification | None) -> None:
        assert outcome.user_id not in self.outcomes, "one outcome for each"
        self.outcomes[outcome.user_id] = outcome

    def confirm(self) -> None:
        pass


def some_users(number: int) -> list[User]:
    return [User(f"u{index}", f"User {index}") for index in range(number)]
