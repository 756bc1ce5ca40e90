"""The inboxes of TagoRUN users: create a notification, ask what is there, change one. Whether somebody has a
notification already is asked here and nowhere else."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

from lib.base.errors import Doubtful, Rejected, TagoIOError
from lib.campaign.key import mark_of, marked_parts
from lib.campaign.rows import seconds_of
from lib.message.notification import Notification, wire_form

WHOLE = 20  # a list shorter than this is no part of one: TagoIO's default page, the smallest cut that was thought of
LOOK_AGAIN = 2.0  # seconds between two looks whether a notification is listed by now
PROOF_EVERY = 3.0  # seconds between two attempts to see anything at all
SKEW = 3.0  # seconds that TagoIO's Date header and its `created_at` may differ
UNPROVEN = "TagoIO lists no notification at all, so nothing can be told from that: allow Run User / Access notification"
FAMILIAR = 4.0  # seconds after which the journal shows whose a notification without a mark is
LIKENESS = "TagoIO shows a notification with the same text; whose it is, is not known"
CUT = "TagoIO lists only some of this user's notifications"


class RunNotifications(Protocol):
    """The part of the SDK's `run` module that handles notifications."""

    def notificationCreate(self, userID: str, data: dict[str, Any]) -> Any: ...  # noqa: N802, N803  # the SDK's names
    def notificationList(self, userID: str) -> Any: ...  # noqa: N802, N803
    def notificationEdit(self, notificationID: str, data: dict[str, Any]) -> Any: ...  # noqa: N802, N803


class Listed(NamedTuple):
    """A notification as TagoIO lists it. `at`: when it was created, in seconds since the epoch, 0 if TagoIO does not
    say."""

    id: str
    title: str
    message: str
    at: float
    is_read: bool
    is_enabled: bool
    buttons: tuple[tuple[str, str], ...] = ()  # id and label
    links: tuple[str, ...] = ()  # the ids of those that only open an address

    @property
    def key(self) -> str:
        """Of the campaign, by the mark of its buttons; "" where it has none."""
        return next((found for id, _ in self.buttons if (found := marked_parts(id)[1])), "")


class Look(NamedTuple):
    """What a look into an inbox tells of one campaign's notification: its id, or, where `doubt` is empty, that surely
    it is not there now."""

    id: str = ""
    doubt: str = ""

    @property
    def is_like(self) -> bool:
        return self.doubt == LIKENESS


class Inbox:
    """For all campaigns of a run; callable from any thread. `known` gives some (user, notification) that TagoIO has.

    *Not there* is believed only where it can be: an Access Management policy may filter the lists of all users to
    nothing, without an error (tagoio-platform.md, 9), so some list must have shown something first; and a list may be a
    part.
    """

    def __init__(
        self,
        run: RunNotifications,
        known: Callable[[], Iterable[tuple[str, str]]] = tuple,
        told_by_others: Callable[[], dict[str, str]] = dict,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.run = run
        self.clock = clock
        self.icon_refused = ""
        self._known = known
        self._told_by_others = told_by_others
        self._others: dict[str, str] = {}  # the campaign of each notification without a mark
        self._has_shown = False
        self._proof_asked_at = float("-inf")
        self._has_created = False
        self._lock = threading.Lock()

    def create(self, user_id: str, notification: Notification, key: str) -> str:
        """The new notification's id. Raises Refused, Rejected or Doubtful. One that TagoIO refuses with its icon goes
        without, and so do all after it: which icons TagoIO takes is not documented."""
        if self.icon_refused:
            notification = replace(notification, icon="")
        try:
            answer = self.run.notificationCreate(user_id, wire_form(notification, mark_of(key, notification.answers)))
        except Rejected as error:
            if notification.icon and error.status in (400, 413, 422):
                plain = self.create(user_id, replace(notification, icon=""), key)
                self.icon_refused = error.message
                return plain
            raise Rejected(_with_hint(error), status=error.status) from error
        created = answer.get("id") if isinstance(answer, dict) else None
        if not isinstance(created, str) or not created:
            raise Doubtful("TagoIO answered without the id of a notification")
        if not notification.buttons:
            self._others[created] = key
        with self._lock:
            if not self._has_created:  # from now on there is a list that must show something
                self._has_created, self._proof_asked_at = True, float("-inf")
        return created

    def listed(self, user_id: str) -> list[Listed]:
        """Raises Refused, Rejected or Doubtful."""
        answer = self.run.notificationList(user_id)
        if not isinstance(answer, list) or not all(isinstance(entry, dict) for entry in answer):
            raise Doubtful("TagoIO's list of the user's notifications cannot be read")
        self._has_shown = self._has_shown or bool(answer)
        return [_read(entry) for entry in answer]

    def look(
        self, user_id: str, notification: Notification | None, key: str, since: float, until: float, now: float
    ) -> Look:
        """Whether that user has this campaign's notification, created from `since` until `until` (TagoIO's clock). The
        text of `notification` tells where there is no mark."""
        listed = self.listed(user_id)
        for entry in listed:
            if self._is_ours(entry, notification, key, since, until):
                if not entry.key and now - entry.at < FAMILIAR:
                    return Look(doubt=LIKENESS)
                if entry.key or self._is_nobody_elses(entry, key):
                    return Look(entry.id)
        if not _is_whole(listed, since):
            return Look(doubt=CUT)
        return Look(doubt="" if listed or self._is_proven() else UNPROVEN)

    def is_read(self, user_id: str, notification_id: str) -> bool | None:
        """None where TagoIO does not show it: deleted, or not listed. Raises Refused, Rejected or Doubtful."""
        listed = self.listed(user_id)
        found = next((entry for entry in listed if entry.id == notification_id), None)
        return found.is_read if found else None

    def change(self, notification_id: str, changes: dict[str, Any]) -> None:
        self.run.notificationEdit(notification_id, changes)

    def learn(self, key: str, notification_ids: Iterable[str]) -> None:
        """Notifications of a campaign, as the journal knows them: none of another's."""
        self._others.update(dict.fromkeys(notification_ids, key))

    def _is_ours(self, entry: Listed, notification: Notification | None, key: str, since: float, until: float) -> bool:
        """The mark of its buttons decides; where TagoIO lists none, text and time do."""
        if entry.key:
            return entry.key == key
        if notification is None or self._others.get(entry.id, key) != key or entry.buttons:
            return False
        same_text = entry.title.strip() == notification.title.strip() and (
            entry.message.strip() == notification.message.strip()
            or (bool(notification.buttons) and entry.message.strip().startswith(notification.message.strip()))
        )
        return same_text and since - SKEW <= entry.at <= until + SKEW

    def _is_nobody_elses(self, entry: Listed, key: str) -> bool:
        """One without a mark may be of another campaign with the same text, of which the journal knows by now."""
        if entry.id not in self._others:
            self._others |= self._told_by_others()
        return self._others.get(entry.id, key) == key

    def _is_proven(self) -> bool:
        """Whether any list has shown anything: if none has, one is asked for that must."""
        with self._lock:
            if not self._has_shown and self.clock() - self._proof_asked_at > PROOF_EVERY:
                self._proof_asked_at = self.clock()
                for user_id, notification_id in _first(self._known(), 3):
                    try:
                        if any(entry.id == notification_id for entry in self.listed(user_id)):
                            break
                    except TagoIOError:
                        continue
            return self._has_shown


def _read(entry: dict[str, Any]) -> Listed:
    given = entry.get("buttons")
    buttons = [button for button in given if isinstance(button, dict)] if isinstance(given, list) else []
    return Listed(
        id=str(entry.get("id") or ""),
        title=str(entry.get("title") or ""),
        message=str(entry.get("message") or ""),
        at=seconds_of(entry.get("created_at")),
        is_read=bool(entry.get("read")),
        is_enabled=entry.get("buttons_enabled") is not False,
        buttons=tuple((str(button.get("id") or ""), str(button.get("label") or "")) for button in buttons),
        links=tuple(
            str(button.get("id") or "")
            for button in buttons
            if button.get("url") and not (button.get("analysis") or button.get("triggers"))
        ),
    )


def _is_whole(listed: list[Listed], since: float) -> bool:
    """Whether it must hold what was created since: it is short, or has the newest first and reaches back so far."""
    if len(listed) < WHOLE:
        return True
    times = [entry.at for entry in listed]
    return times == sorted(times, reverse=True) and times[-1] <= since


def _first(found: Iterable[tuple[str, str]], number: int) -> Iterator[tuple[str, str]]:
    for each, _ in zip(found, range(number), strict=False):
        yield each


def _with_hint(error: Rejected) -> str:
    if "denied" in error.message.lower() or error.status in (401, 403):
        return f"{error.message}: allow Run User / Create notification in Access Management"
    if error.status == 404:
        return f"{error.message}: the user may have been deleted meanwhile"
    return error.message
