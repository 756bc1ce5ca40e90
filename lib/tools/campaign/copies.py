"""The copies of one campaign: which there are, what is done with each, and the rows that say so."""

import secrets
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from lib.base.errors import OutOfTime, Rejected, TagoIOError
from lib.base.threads import each_in_threads
from lib.campaign.fold import Ending
from lib.campaign.rows import CHANGE, Row, closed_rows, ended_row
from lib.campaign.state import CampaignState
from lib.presses.closing import BATCH, CLOSERS
from lib.tagoio.audience import retrying
from lib.tagoio.inbox import Inbox
from lib.tagoio.journal_device import JournalDevice
from lib.tagoio.transport import TagoIO

GONE = "gone already"
STOPPED = "stopped by hand before its turn"


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one copy: `done` in a word, "" where it could not be. `why` says what could not be done of it."""

    user_id: str
    notification_id: str
    done: str = ""
    why: str = ""

    @property
    def is_whole(self) -> bool:
        return bool(self.done) and not self.why


class Copies:
    """`advance` is called for each copy that is dealt with, from any thread. `stop` lets what is under way end, and
    nothing more begin; rows are still written."""

    def __init__(self, tago: TagoIO, journal: JournalDevice, key: str) -> None:
        self.tago = tago
        self.journal = journal
        self.key = key
        self.run = secrets.token_hex(6)
        self.inbox = Inbox(tago.run, lambda: list(self.state.told_ids()))
        self.state = CampaignState(key)
        self.rows: list[Row] = []
        self.advance: Callable[[], None] = lambda: None
        self.trouble = ""  # of the journal, once something was changed
        self._stopped = threading.Event()

    @property
    def is_stopped(self) -> bool:
        return self._stopped.is_set()

    def stop(self) -> None:
        self.tago.client.deadline = 0.0
        self._stopped.set()

    def sleep(self, seconds: float) -> None:
        self._stopped.wait(seconds)

    def now(self) -> float:
        """TagoIO's clock."""
        return self.tago.client.time_at_tagoio().timestamp()

    def read(self) -> None:
        """The campaign as it is now. Raises TagoIOError."""
        self.rows = list(self.journal.rows({"groups": [self.key]}))
        self.state = CampaignState(self.key)
        self.state.take(self.rows)

    def can_read(self) -> bool:
        """Read it, and say whether that went well."""
        try:
            self.read()
        except TagoIOError as error:
            self.trouble = error.message
        return not self.trouble

    def is_being_told(self) -> bool:
        """Whether a run is telling people at this moment, or was cut off a moment ago."""
        presences, now = self.state.presences, self.now()
        return any(each.is_telling and self.state.is_alive(run, now) for run, each in presences.items())

    def end(self, why: str, line: str = "") -> Ending:
        """Write down that the campaign is over: nobody more is told, by any run. Of several ends the oldest counts.
        Raises TagoIOError."""
        if self.state.ending is None:
            self.journal.write([ended_row(self.key, self.run, why, line, {})])
            query = {"variables": [CHANGE], "groups": [self.key]}
            self.state.take(self.journal.seen(query, lambda rows: any(row.run == self.run for row in rows)))
        assert self.state.ending is not None
        return self.state.ending

    def write_closed(self, fates: Iterable[Fate], how: str) -> None:
        """Nobody has to close these any more; whoever takes the campaign back again goes on with the rest."""
        ids = [fate.notification_id for fate in fates if fate.done]
        rows = closed_rows(self.key, ids, self.run, ended=True)
        try:
            self.journal.write(row._replace(about={**row.about, "how": how}) for row in rows)
        except TagoIOError as error:
            self.trouble = error.message

    def told(self, counts: Callable[[Row], bool]) -> dict[str, str]:
        """Notification id by user, but for those that are named in a row that `counts`."""
        done = {notification for row in self.rows if counts(row) for notification in row.words("notifications")}
        return {user: notification for user, notification in self.state.told_ids() if notification not in done}

    def others(self, user: str, notification: str) -> list[str]:
        """A user's other copies, of which no row tells: two runs without a journal may both have told them."""
        try:
            listed = retrying(partial(self.inbox.listed, user), self.sleep)
        except TagoIOError:
            return []  # what the journal knows is done
        return [entry.id for entry in listed if entry.key == self.key and entry.id != notification]

    def doubted(self) -> list[str]:
        """The users who may have a copy of which no row tells: an answer was lost, or a run was killed."""
        told = dict(self.state.told_ids())
        untold = (user for user in self.state.unsettled() if user not in told)
        return [user for user in untold if self.state.may_hide_it(user, self.run)]

    def found(self, users: list[str]) -> tuple[dict[str, str], list[Fate]]:
        """Their copies by a look into each inbox, and of whom that tells nothing."""
        copies: dict[str, str] = {}
        doubts: list[Fate] = []

        def look(user: str) -> None:
            doubt = ""
            since, now, until = self.state.started_at, self.now(), self.state.may_have_it(user, self.run)
            try:
                found = retrying(lambda: self.inbox.look(user, None, self.key, since, now, now), self.sleep)
                doubt = found.doubt
                if found.id:
                    copies[user] = found.id
                elif until > now:
                    doubt = f"a copy may still come; look again in {until - now:.0f} s"
                elif not self.state.answer_buttons:
                    doubt = "may have a copy; without buttons it cannot be known again"
            except TagoIOError as error:
                doubt = error.message
            if doubt:
                doubts.append(Fate(user, "", why=doubt))

        each_in_threads(users, look, CLOSERS)
        return copies, doubts

    def each(self, copies: Mapping[str, str], change: Callable[[str, str], Iterator[Fate]]) -> Iterator[list[Fate]]:
        """`change` each of these copies (notification id by user), several at a time; yields what became of them, batch
        by batch."""
        waiting = list(copies.items())
        for start in range(0, len(waiting), BATCH):
            fates: list[Fate] = []

            def do(copy: tuple[str, str], fates: list[Fate] = fates) -> None:
                fates.extend(change(*copy))
                self.advance()

            each_in_threads(waiting[start : start + BATCH], do, CLOSERS)
            yield fates

    def attempt(self, user: str, notification: str, done: str, call: Callable[[], object]) -> Fate:
        """`call` TagoIO until it has answered. A copy that is not there any more was deleted meanwhile."""
        fate = partial(Fate, user, notification)
        try:
            retrying(call, self.sleep)
        except OutOfTime:
            return fate(why=STOPPED)
        except Rejected as error:
            right = "Delete" if done == "recalled" else "Edit"
            hint = f": allow Run User / {right} notification" if "denied" in error.message.lower() else ""
            return fate(GONE) if error.status == 404 else fate(why=error.message + hint)
        except TagoIOError as error:
            return fate(why=error.message)
        return fate(done)
