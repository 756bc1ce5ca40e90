"""A press, verified: TagoIO hands in three ids, and only what it shows, or the journal knows, makes them a press."""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from lib.base.text import harmless
from lib.campaign.key import marked_parts
from lib.campaign.lease import LATE
from lib.campaign.state import CampaignState
from lib.message.trigger import PressIds
from lib.message.user import User, without_contact
from lib.tagoio.audience import RunUsers, retrying, users_by_id
from lib.tagoio.inbox import LOOK_AGAIN, UNPROVEN, WHOLE, Inbox, Listed


class Press(NamedTuple):
    """A verified press, as `decide` sees it. `seconds_after` counts from the sending, None where that is not known."""

    user: User
    button: str
    label: str
    campaign: str
    at: datetime
    notification_id: str
    seconds_after: float | None = None
    each_counts: bool = False


class PressRefused(Exception):
    """A press that does not count, with the reason: it is not of that user, or of no notification of theirs."""


def verify(
    ids: PressIds,
    run: RunUsers,
    inbox: Inbox,
    at: datetime,
    state_of: Callable[[str], CampaignState],
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> Press:
    """The press `at` that time, if TagoIO has that notification for that user with that button; where it lists no
    buttons, or only a part of the notifications, the journal (`state_of` a campaign) tells. `clock` is TagoIO's, for
    one that was sent a moment ago may be listed late. Raises PressRefused, TagoIOError."""
    missing = [name for name in ("button_id", "user_id", "notification_id") if not getattr(ids, name)]
    if missing:
        raise PressRefused(f"TagoIO handed over no {' and no '.join(missing)}")
    user = users_by_id(run, {ids.user_id}, sleep).get(ids.user_id)
    if user is None:
        raise PressRefused(f"there is no TagoRUN user {ids.user_id}")
    plain, key, each_counts = marked_parts(ids.button_id)
    listed: list[Listed] = retrying(lambda: inbox.listed(user.id), sleep)
    found = _in(listed, ids)
    state = state_of(key) if key and not (found and found.buttons) else None
    known = state.outcomes.get(user.id) if state else None
    outcome = known if known and known.notification_id == ids.notification_id else None
    while outcome and not found and clock() < outcome.at + LATE:
        sleep(LOOK_AGAIN)
        listed = retrying(lambda: inbox.listed(user.id), sleep)
        found = _in(listed, ids)
    sent_at, label = found.at if found else 0.0, plain
    if found and found.buttons:
        labels = dict(found.buttons)
        if ids.button_id not in labels:
            raise PressRefused(f"notification {ids.notification_id} has no button {ids.button_id}")
        if ids.button_id in found.links:
            raise PressRefused(f"button {ids.button_id} opens a link; it decides nothing")
        label = without_contact(harmless(labels[ids.button_id]), user) or plain
    else:
        may_be_there = found is not None or len(listed) >= WHOLE
        if not (may_be_there and state and outcome and plain in (state.answer_buttons or [plain])):
            raise PressRefused(_why_refused(user, ids, listed, found))
        sent_at = sent_at or outcome.at
    after = max(at.timestamp() - sent_at, 0.0) if sent_at else None
    return Press(user, plain, label, key, at, ids.notification_id, after, each_counts)


def _in(listed: list[Listed], ids: PressIds) -> Listed | None:
    return next((each for each in listed if each.id == ids.notification_id), None)


def _why_refused(user: User, ids: PressIds, listed: list[Listed], found: Listed | None) -> str:
    who = user.name or user.id
    if found:
        return f"notification {ids.notification_id} has no button {ids.button_id}"
    if not listed:
        return f"whether {who} has notification {ids.notification_id} cannot be seen. {UNPROVEN}"
    return f"{who} has no notification {ids.notification_id} (any more)"
