"""Presses: verify who pressed what, let the first (or each) count, and close the other copies."""

import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from lib.base.errors import Rejected, SetupError, TagoIOError
from lib.campaign.campaign import marked_parts
from lib.campaign.rows import Copy, PressRow, time_of
from lib.message.placeholders import zone_of
from lib.message.trigger import PressIds
from lib.message.user import User
from lib.tagoio.audience import RunUsers, retrying, users_by_id
from lib.tagoio.journal import Journal

CLOSED = re.compile(r"\n.+, \d\d:\d\d$")  # how a closing line ends a message
CLOSERS = 20  # copies closed at once
CLAIM = 15.0  # seconds that a press has to become a decision before the next one counts


class RunPresses(RunUsers, Protocol):
    """The part of the SDK's `run` module that answers a press."""

    def notificationList(self, userID: str) -> Any: ...  # noqa: N802, N803  # the SDK's names
    def notificationEdit(self, notificationID: str, data: dict[str, Any]) -> Any: ...  # noqa: N802, N803


class PressRefused(Exception):
    """A press that does not count, with the reason: it is not of that user, or of no notification of theirs."""


@dataclass(frozen=True, slots=True)
class Press:
    """A verified press, as `decide` sees it. `seconds_after` counts from the sending, None where that is not known."""

    user: User
    button: str
    label: str
    campaign: str
    at: datetime
    notification_id: str
    seconds_after: float | None = None
    each_counts: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a press counts; if not, `earlier` is the one that does, where it is known."""

    counts: bool
    earlier: PressRow | None = None


def verify(
    ids: PressIds, run: RunPresses, now: Callable[[], datetime], sleep: Callable[[float], None] = time.sleep
) -> Press:
    """The press, if TagoIO has that notification for that user with that button. `now` is TagoIO's clock. Raises
    PressRefused, TagoIOError."""
    missing = [name for name in ("button_id", "user_id", "notification_id") if not getattr(ids, name)]
    if missing:
        raise PressRefused(f"TagoIO handed over no {' and no '.join(missing)}")
    user = users_by_id(run, {ids.user_id}, sleep).get(ids.user_id)
    if user is None:
        raise PressRefused(f"there is no TagoRUN user {ids.user_id}")
    listed = _listed(run, user.id, sleep)
    found = next((each for each in listed if each.get("id") == ids.notification_id), None)
    if found is None:
        raise PressRefused(f"{user.name or user.id} has no notification {ids.notification_id} (any more)")
    buttons = [button for button in found.get("buttons") or () if isinstance(button, dict)]
    button = next((button for button in buttons if button.get("id") == ids.button_id), None)
    if button is None:
        raise PressRefused(f"notification {ids.notification_id} has no button {ids.button_id}")
    plain, key, each_counts = marked_parts(ids.button_id)
    label = str(button.get("label") or plain)
    at = now()
    return Press(user, plain, label, key, at, ids.notification_id, _seconds_since(found, at), each_counts)


def judge(press: Press, journal: Journal, sleep: Callable[[float], None] = time.sleep) -> Verdict:
    """Write the press down, then see whether it counts: nothing was decided before, and of the presses that wait for a
    decision it is the first (of the campaign, or, where each counts, of that user).

    TagoIO has no conditional write. But rows get their time from TagoIO, and every run reads after it has written, so
    all agree on which is the first. A press whose run died before it decided is passed over after CLAIM seconds.
    """
    mark = secrets.token_hex(6)
    journal.write_press(press.campaign, mark, press.user, press.button, press.label, press.notification_id)
    while True:
        presses, decisions = journal.presses(press.campaign)
        settled = [row for row in decisions if not press.each_counts or row.user_id == press.user.id]
        if settled:
            return Verdict(False, min(settled, key=_age))
        rivals = [row for row in presses if not press.each_counts or row.user_id == press.user.id]
        waiting = [row for row in rivals if (journal.now() - time_of(row.time)).total_seconds() <= CLAIM]
        if min(waiting, key=_age).mark == mark if waiting else True:
            return Verdict(True)
        sleep(0.5)


def _age(row: PressRow) -> tuple[str, str]:
    return row.time, row.id


def close_copies(
    run: RunPresses, copies: Iterable[Copy], line: str, at: datetime, sleep: Callable[[float], None] = time.sleep
) -> Iterator[str]:
    """Disable the buttons of these copies and add the closing line, with the time on each reader's clock. Yields what
    went wrong. Doing it again changes nothing."""
    listed = list(copies)
    readers: dict[str, User] = {}
    try:
        readers = users_by_id(run, {copy.user_id for copy in listed}, sleep) if line else {}
    except SetupError as error:
        yield f"closed without a line: {error}"

    def close(copy: Copy) -> str:
        try:
            return _close(run, copy, line, at, readers.get(copy.user_id), sleep)
        except TagoIOError as error:
            return error.message

    with ThreadPoolExecutor(CLOSERS) as pool:
        failures = [failure for failure in pool.map(close, listed) if failure]
    for failure in dict.fromkeys(failures):
        hint = ": allow Run User / Edit notification" if "denied" in failure.lower() else ""
        yield f"{failures.count(failure)} copies could not be closed ({failure}{hint})"


def copies_by_looking(
    run: RunPresses, users: Iterable[User], campaign: str, sleep: Callable[[float], None] = time.sleep
) -> list[tuple[Copy, bool]]:
    """Without a journal: the copies among these users' notifications, and whether each is still open. A closed one ends
    in a closing line: buttons alone may be disabled by a press of a link."""

    def look(user: User) -> list[tuple[Copy, bool]]:
        found = []
        for each in _listed(run, user.id, sleep):
            ids = [str(button.get("id")) for button in each.get("buttons") or () if isinstance(button, dict)]
            if any(marked_parts(button_id)[1] == campaign for button_id in ids):
                is_closed = each.get("buttons_enabled") is False and CLOSED.search(str(each.get("message", "")))
                found.append((Copy(user.id, str(each.get("id"))), not is_closed))
        return found

    with ThreadPoolExecutor(CLOSERS) as pool:
        return [copy for copies in pool.map(look, users) for copy in copies]


def _close(
    run: RunPresses, copy: Copy, line: str, at: datetime, reader: User | None, sleep: Callable[[float], None]
) -> str:
    change: dict[str, Any] = {"buttons_enabled": False}
    if line and reader:
        here = next((each for each in _listed(run, reader.id, sleep) if each.get("id") == copy.notification_id), None)
        message = str(here.get("message", "")) if here else ""
        ending = f"{line}, {at.astimezone(zone_of(reader.timezone) or UTC):%H:%M}"
        if message and not message.endswith(ending):
            change["message"] = f"{message}\n{ending}"
    try:
        retrying(lambda: run.notificationEdit(copy.notification_id, change), sleep)
    except Rejected as error:
        if error.status == 404:
            return ""  # deleted meanwhile: nothing to close
        raise
    return ""


def _listed(run: RunPresses, user_id: str, sleep: Callable[[float], None]) -> list[dict[str, Any]]:
    answer = retrying(lambda: run.notificationList(user_id), sleep)
    return [each for each in answer if isinstance(each, dict)] if isinstance(answer, list) else []


def _seconds_since(listed: dict[str, Any], now: datetime) -> float | None:
    try:
        sent = datetime.fromisoformat(str(listed.get("created_at")))
    except ValueError:
        return None
    sent = sent if sent.tzinfo else sent.replace(tzinfo=UTC)
    return max((now - sent).total_seconds(), 0.0)
