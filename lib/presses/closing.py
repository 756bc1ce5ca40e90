"""Closing the copies of what was decided: the buttons off first and alone, then the line."""

import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from lib.base.errors import OutOfTime, Rejected, SetupError, TagoIOError
from lib.base.text import few_names
from lib.base.threads import each_in_threads
from lib.campaign.fold import Answer
from lib.campaign.lease import MARGIN
from lib.message.placeholders import zone_of
from lib.message.user import User
from lib.tagoio.audience import RunUsers, retrying, users_by_id
from lib.tagoio.inbox import LOOK_AGAIN, Inbox, Listed

CLOSERS = 20  # copies closed at once
BATCH = 100  # copies after which it is written down which are closed
CLOSING_LINE = re.compile(r"\n.+, \d\d:\d\d(?: UTC)?$")  # how a closing line ends a message


class Copy(NamedTuple):
    """One user's notification of a campaign."""

    user_id: str
    notification_id: str


class Closing:
    """Closes a campaign's copies with the answer to a press `at` that time. `problems` says what went wrong, and with
    whose copies; `gone` are those that were deleted meanwhile. Doing it again changes nothing. `on_done` is called for
    each copy, from any thread; `may_show` says whether TagoIO may list a user's only in a moment.

    Where two runs without a journal have told a user, TagoIO shows a second copy, of which no row tells: it is closed
    with the first.
    """

    def __init__(
        self,
        run: RunUsers,
        inbox: Inbox,
        key: str,
        answer: Answer,
        at: float,
        *,
        sleep: Callable[[float], None],
        is_over: Callable[[], bool] = lambda: False,
        on_done: Callable[[], None] = lambda: None,
        may_show: Callable[[str], bool] = lambda user: False,
    ) -> None:
        self.run = run
        self.inbox = inbox
        self.key = key
        self.answer = answer
        self.at = datetime.fromtimestamp(at, UTC)
        self.sleep = sleep
        self.is_over = is_over
        self.on_done = on_done
        self.may_show = may_show
        self.names: dict[str, str] = {}
        self.problems: dict[str, list[str]] = {}
        self.gone: set[str] = set()
        self._lock = threading.Lock()

    def close(self, copies: Mapping[str, str]) -> Iterator[list[str]]:
        """Notification id by user; yields the ids of those that are closed, batch by batch."""
        readers = self._readers(copies)
        waiting = [Copy(user, notification) for user, notification in copies.items()]
        for start in range(0, len(waiting), BATCH):
            closed: list[str] = []

            def close_one(copy: Copy, closed: list[str] = closed) -> None:
                closed.extend(self._close(copy, readers.get(copy.user_id)))
                self.on_done()

            each_in_threads(waiting[start : start + BATCH], close_one, CLOSERS, is_over=self.is_over)
            yield list(closed)
            if self.is_over():
                self._name_the_rest(waiting[start:], set(closed))
                return

    def _name_the_rest(self, copies: list[Copy], closed: set[str]) -> None:
        """Of whom nothing was said yet when the time was up."""
        named = {user for users in self.problems.values() for user in users}
        rest = [copy.user_id for copy in copies if copy.notification_id not in closed and copy.user_id not in named]
        if rest:
            self._note("may still be open: the time was up", *rest)

    def notes(self) -> Iterator[str]:
        for problem, users in self.problems.items():
            named = few_names(self.names.get(user) or user for user in users)
            yield f"{len(users)} {'copies' if len(users) > 1 else 'copy'} {problem}: {named}"

    def _readers(self, copies: Mapping[str, str]) -> dict[str, User]:
        if not (self.answer.line or self.answer.lines):
            return {}
        try:
            readers = users_by_id(self.run, set(copies), self.sleep)
            self.names = {user.id: user.name for user in readers.values()}
            return readers
        except SetupError as error:
            self._note(f"closed with the time in UTC: {error}", *copies)
            return {}

    def _close(self, copy: Copy, reader: User | None) -> list[str]:
        """The ids of what is closed now of this user's."""
        if not self._disable(copy.user_id, copy.notification_id):
            return []
        try:
            listed = self._listed(copy)
        except TagoIOError as error:
            if isinstance(error, Rejected) and error.status == 404:  # the user was deleted meanwhile
                self.gone.add(copy.notification_id)
                return [copy.notification_id]
            self._note(f"closed, but the line could not be added ({error.message})", copy.user_id)
            return [copy.notification_id] if isinstance(error, Rejected) else []  # without its line it is still due
        until = time.monotonic() + MARGIN
        here = [entry for entry in listed if entry.id == copy.notification_id]
        others = [entry for entry in listed if self.key and entry.key == self.key and entry not in here]
        closed = [entry.id for entry in others if entry.is_enabled and self._disable(copy.user_id, entry.id)]
        return [copy.notification_id, *closed] if self._add_line(copy, reader, here, others, until) else []

    def _listed(self, copy: Copy) -> list[Listed]:
        """The user's notifications, that copy among them, as soon as TagoIO lists it."""
        while True:
            listed: list[Listed] = retrying(lambda: self.inbox.listed(copy.user_id), self.sleep)
            is_here = any(entry.id == copy.notification_id for entry in listed)
            if is_here or copy.notification_id in self.gone or not self.may_show(copy.user_id) or self.is_over():
                return listed
            self.sleep(LOOK_AGAIN)

    def _disable(self, user_id: str, notification_id: str) -> bool:
        """Whether nobody can press it any more."""
        try:
            retrying(lambda: self.inbox.change(notification_id, {"buttons_enabled": False}), self.sleep)
        except TagoIOError as error:
            if isinstance(error, Rejected) and error.status == 404:
                self.gone.add(notification_id)
                return True  # nothing to close
            hint = ": allow Run User / Edit notification" if "denied" in error.message.lower() else ""
            self._note(f"could not be closed ({error.message}{hint})", user_id)
            return False
        return True

    def _add_line(
        self, copy: Copy, reader: User | None, here: list[Listed], others: list[Listed], until: float
    ) -> bool:
        """Whether nothing is due any more: what TagoIO refuses for good is not tried again. After `until` another run
        may have written more under the text than was listed."""
        is_done = True
        line = self.answer.for_reader(reader.language if reader else "")
        if not line:
            return True
        if not here and copy.notification_id not in self.gone:
            self._note("closed, but TagoIO does not show the text that the line goes under", copy.user_id)
            return not self.may_show(copy.user_id)
        ending = closing_line(line, self.at, reader)
        for entry in (*here, *others):
            if any(each.startswith(f"{line}, ") for each in entry.message.split("\n")[1:]):
                continue

            def change(entry: Listed = entry) -> None:
                if time.monotonic() > until:
                    raise OutOfTime("it took too long: another run may have written since")
                self.inbox.change(entry.id, {"message": f"{entry.message}\n{ending}"})

            try:
                retrying(change, self.sleep)
            except TagoIOError as error:
                is_done = is_done and isinstance(error, Rejected)
                self._note(f"closed, but the line could not be added ({error.message})", copy.user_id)
        return is_done

    def _note(self, problem: str, *users: str) -> None:
        with self._lock:
            self.problems.setdefault(problem, []).extend(users)


def closing_line(line: str, at: datetime, reader: User | None) -> str:
    """With the time on the reader's clock."""
    local = at.astimezone(zone_of(reader.timezone) or UTC) if reader else at
    return f"{line}, {local:%H:%M}{'' if reader else ' UTC'}"


def copies_by_looking(
    inbox: Inbox, users: Iterable[User], key: str, sleep: Callable[[float], None]
) -> list[tuple[Copy, str]]:
    """Without a journal: the copies among these users' notifications, and what the line says that has closed each, ""
    while it is open: buttons alone may be disabled by a press of a link. Raises TagoIOError."""
    found: list[tuple[Copy, str]] = []
    errors: list[TagoIOError] = []

    def look(user: User) -> None:
        try:
            for each in retrying(lambda: inbox.listed(user.id), sleep):
                if each.key == key:
                    line = None if each.is_enabled else CLOSING_LINE.search(each.message)
                    said = f'"{line[0].strip()}" stands on {user.name or user.id}\'s copy' if line else ""
                    found.append((Copy(user.id, each.id), said))
        except TagoIOError as error:
            if not (isinstance(error, Rejected) and error.status == 404):  # deleted meanwhile
                errors.append(error)

    each_in_threads(users, look, CLOSERS)
    if errors:
        raise errors[0]
    return found
