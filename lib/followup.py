"""What became due of an earlier campaign since it was sent: steps of its escalation, and users to tell another way."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from lib.audience import NobodyFound, RunUsers, choose_audience, retrying, users_by_id
from lib.duration import shown_duration
from lib.errors import TagoIOError
from lib.escalation import Step
from lib.known import Known
from lib.settings import Settings
from lib.user import User


class RunInboxes(RunUsers, Protocol):
    """The part of the SDK's `run` module that finds users and lists what they have."""

    def notificationList(self, userID: str) -> Any: ...  # noqa: N802, N803  # the SDK's names


@dataclass(frozen=True, slots=True)
class Overdue:
    """A user to be told by another channel, `why` as in lib/fallback.py, with the reason for the report. Without a
    `user` there is nothing to do any more, which is only written down."""

    user_id: str
    user: User | None = None
    why: str = ""
    reason: str = ""
    notification_id: str = ""


class FollowUp:
    """Looks what is due at `now` (TagoIO's clock) of a campaign that nobody has decided. `goes_on` says whether
    something may become due later. Raises SetupError where TagoIO cannot be asked; nothing is written."""

    def __init__(
        self, run: RunInboxes, settings: Settings, known: Known, now: datetime, sleep: Callable[[float], None]
    ) -> None:
        self.run = run
        self.settings = settings
        self.known = known
        self.now = now
        self.sleep = sleep
        self.goes_on = False
        self.notes: list[str] = []
        self._chosen = set(known.audience)

    def steps(self) -> Iterator[tuple[int, Step]]:
        """The steps that are due and not taken yet, by number: a run that comes late takes several."""
        start = self.known.first_sent_at
        for number, step in enumerate(self.known.steps, start=1):
            if number <= self.known.steps_taken:
                continue
            if start is None or self.now < start + timedelta(seconds=step.after):
                self.goes_on = True
                return
            yield number, step

    def users_of(self, step: Step) -> list[User]:
        """Whom a step adds: who is not in the campaign yet."""
        key, value = step.tag(self.settings.tag_key)
        wanted = replace(self.settings, send_to=("tags",), tag_key=key, tag_value=(value,))
        try:
            audience = choose_audience(self.run, wanted, sleep=self.sleep)
        except NobodyFound:
            self.notes.append(f'escalate: no TagoRUN user has the tag "{key}" = "{value}"')
            return []
        added = [user for user in audience.chosen if user.id not in self._chosen]
        self._chosen.update(user.id for user in added)
        return added

    def overdue(self) -> list[Overdue]:
        """Whose notification failed and who was not told by another channel yet, and who has not read one of high
        priority in time."""
        if not self.settings.fallback:
            return []
        known = self.known
        failed = {user: reason for user, reason in known.failed.items() if user not in known.fallen_back}
        late: dict[str, str] = {}
        read: list[str] = []
        for user_id, sent in known.sent.items():
            if not self.settings.escalate_after or not sent.is_high or user_id in known.fallen_back:
                continue
            if self.now < sent.at + timedelta(seconds=self.settings.escalate_after):
                self.goes_on = True
                continue
            is_read = self._is_read(user_id, sent.notification_id)
            if is_read is None:
                self.goes_on = True
            elif is_read:
                read.append(user_id)
            else:
                late[user_id] = sent.notification_id
        found = users_by_id(self.run, failed.keys() | late.keys(), self.sleep)
        there = {user_id: user for user_id, user in found.items() if user.active}
        gone = [user_id for user_id in (*failed, *late) if user_id not in there]
        unread = f"not read within {shown_duration(self.settings.escalate_after)}"
        due = [Overdue(user_id, there.get(user_id), "failed", why) for user_id, why in failed.items()]
        due += [Overdue(user_id, there.get(user_id), "unread", unread, note) for user_id, note in late.items()]
        return [*(each for each in due if each.user), *(Overdue(user_id) for user_id in (*gone, *read))]

    def _is_read(self, user_id: str, notification_id: str) -> bool | None:
        """None where TagoIO cannot be asked now. One that the user has deleted was seen."""
        try:
            listed = retrying(lambda: self.run.notificationList(user_id), self.sleep)
        except TagoIOError as error:
            if error.status == 404:
                return True
            self.notes.append(f"whether it was read cannot be asked ({error.message}); the next run asks again")
            return None
        entries = listed if isinstance(listed, list) else []
        found = [entry for entry in entries if isinstance(entry, dict) and entry.get("id") == notification_id]
        return all(bool(entry.get("read")) for entry in found)
