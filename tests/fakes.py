"""A clock that only moves when somebody sleeps, and a channel that answers as a script says."""

from collections.abc import Callable, Iterable

from lib.base.errors import TagoIOError
from lib.message.notification import Notification
from lib.message.user import User

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


class ScriptedChannel:
    """Each `send` takes the next step of the script, then succeeds for ever.

    A step is (carried out?, error or None). `looks` are errors that the next `find`s raise.
    """

    def __init__(
        self,
        steps: Iterable[tuple[bool, TagoIOError | None]] = (),
        looks: Iterable[TagoIOError | None] = (),
        arrives: Callable[[], bool] = lambda: True,
    ) -> None:
        self.steps = list(steps)
        self.looks = list(looks)
        self.arrives = arrives
        self.inbox: dict[str, list[str]] = {}
        self.sends = 0
        self.finds = 0

    def send(self, user: User, notification: Notification) -> str:
        self.sends += 1
        carried_out, error = self.steps.pop(0) if self.steps else (True, None)
        if carried_out:
            self.inbox.setdefault(user.id, []).append(f"n{self.sends}")
        if error:
            raise error
        return self.inbox[user.id][-1]

    def find(self, user: User, notification: Notification) -> str:
        self.finds += 1
        error = self.looks.pop(0) if self.looks else None
        if error:
            raise error
        found = self.inbox.get(user.id, [])
        return found[0] if found and self.arrives() else ""


def some_users(number: int) -> list[User]:
    return [User(f"u{index}", f"User {index}") for index in range(number)]
