"""Brings the open copies of an alarm up to date: the text composed anew, and how often it was since when."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from lib.app.job import Job, Sorting
from lib.base.errors import OutOfTime, Rejected, SetupError, TagoIOError
from lib.base.text import few_names
from lib.base.threads import each_in_threads
from lib.campaign.rows import CHANGE, DECISION, POINT, PRESS, UPDATED, Row, updated_rows
from lib.campaign.state import CampaignState
from lib.message.content import composed
from lib.message.notification import Notification
from lib.message.user import User
from lib.presses.closing import BATCH, CLOSERS, Copy
from lib.tagoio.audience import RunUsers, retrying, users_by_id
from lib.tagoio.inbox import Inbox
from lib.tagoio.journal import Journal


class Updating:
    """A copy that TagoIO refuses to change is not tried again before the next event."""

    def __init__(self, run: RunUsers, inbox: Inbox, journal: Journal, sorting: Sorting) -> None:
        self.run = run
        self.inbox = inbox
        self.journal = journal
        self.sorting = sorting
        self._number = 0
        self._written: set[str] = set()
        self._problems: dict[str, list[str]] = {}
        self._lock = threading.Lock()

    def perform(
        self, job: Job, copies: Mapping[str, str], sleep: Callable[[float], None], is_over: Callable[[], bool]
    ) -> int:
        """Notification id by user; how many were changed."""
        state = job.state
        if not self.journal.keeps:  # others may have written something newer
            self._note("could not be brought up to date (the journal is gone)", *copies)
            return 0
        if state.lacks_points and not self._sees(state, [POINT], lambda _: not state.lacks_points, copies):
            return 0
        trigger = state.trigger._replace(analysis_id=job.trigger.analysis_id)
        number = state.repeats
        job = replace(job, trigger=trigger, event_number=number)
        try:
            readers = users_by_id(self.run, set(copies), sleep)
        except SetupError as error:
            self._note(f"could not be brought up to date ({error})", *copies)
            return 0
        waiting = [Copy(user, notification) for user, notification in copies.items()]
        for start in range(0, len(waiting), BATCH):
            done: list[str] = []

            def change(copy: Copy, done: list[str] = done) -> None:
                if not self._is_newest(job):
                    return
                reader = readers.get(copy.user_id)
                text = self._text(job, reader) if reader else {}
                if not (reader and text) or self._changed(job, copy.notification_id, reader, text, sleep):
                    done.append(copy.notification_id)

            each_in_threads(waiting[start : start + BATCH], change, CLOSERS, is_over=is_over)
            self.journal.add(updated_rows(job.key, done, self.journal.run, number))
            self._written.update(done)
        self.journal.flush()
        if self._number:
            self._sees(state, [PRESS, DECISION, CHANGE, UPDATED], self._is_own, copies)
        return self._number

    def _sees(
        self, state: CampaignState, kinds: list[str], shows: Callable[[list[Row]], bool], users: Iterable[str]
    ) -> bool:
        """What others have written until then is known. A press that is not answered yet when our own rows show is
        answered by a run that finds the new text."""
        device = self.journal.device

        def take(rows: list[Row]) -> bool:
            state.take(rows)
            return shows(rows)

        try:
            if device and self.journal.keeps:
                device.seen({"variables": kinds, "groups": [state.key]}, take)
        except TagoIOError as error:
            self._note(f"may not be up to date: the journal cannot be read ({error.message})", *users)
            return False
        return True

    def _is_own(self, rows: list[Row]) -> bool:
        own = (row for row in rows if row.kind == UPDATED and row.run == self.journal.run)
        return self._written <= {notification for row in own for notification in row.words("notifications")}

    def notes(self) -> Iterator[str]:
        for problem, users in self._problems.items():
            yield f"{len(users)} {'copies' if len(users) > 1 else 'copy'} {problem}: {few_names(users)}"

    def _text(self, job: Job, reader: User) -> dict[str, str]:
        """Nothing for whoever would not be told now."""
        try:
            notification = composed(reader, lambda each: self.sorting.compose(job, each))
        except SetupError as error:
            self._note(f"could not be brought up to date ({error})", reader.name or reader.id)
            return {}
        if not isinstance(notification, Notification):
            return {}
        return {"title": notification.title, "message": notification.message}

    def _is_newest(self, job: Job) -> bool:
        """Else this run was away, and another may have written something newer: it is due still."""
        is_ours = self.journal.keeps and self.journal.may_tell(job.key) is True
        return is_ours and job.state.repeats == job.event_number

    def _changed(
        self, job: Job, notification_id: str, reader: User, text: dict[str, str], sleep: Callable[[float], None]
    ) -> bool:
        def change() -> None:
            if not self._is_newest(job):
                raise OutOfTime("this run was away too long")
            self.inbox.change(notification_id, dict(text))

        try:
            retrying(change, sleep)
        except TagoIOError as error:
            if not self._is_newest(job):
                return False
            is_gone = isinstance(error, Rejected) and error.status == 404
            if not is_gone:  # deleted meanwhile: nothing to change
                self._note(f"could not be brought up to date ({error.message})", reader.name or reader.id)
            return isinstance(error, Rejected)
        with self._lock:
            self._number += 1
        return True

    def _note(self, problem: str, *users: str) -> None:
        with self._lock:
            self._problems.setdefault(problem, []).extend(users)
