"""One notification to one audience for one trigger: its key, its mark, and how TagoIO is asked about it."""

import base64
import hashlib
import re
import secrets
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Protocol

from lib.base.errors import Doubtful, Rejected, SetupError
from lib.campaign.report import Outcome
from lib.message.notification import Notification, wire_form
from lib.message.trigger import Trigger
from lib.message.user import User

KEY_LENGTH = 10  # 50 bits: short enough for a button's id, long enough that no two campaigns of a profile meet
MARKED = re.compile(r"(?P<id>.+)-(?P<answers>[ne])(?P<key>[a-z2-7]{10})", re.DOTALL)

Composer = Callable[[User], Notification | str]  # the text says why there is none


class RunNotifications(Protocol):
    """The part of the SDK's `run` module that sends and lists notifications."""

    def notificationCreate(self, userID: str, data: dict[str, Any]) -> Any: ...  # noqa: N802, N803  # the SDK's names
    def notificationList(self, userID: str) -> Any: ...  # noqa: N802, N803


@dataclass(frozen=True, slots=True)
class Campaign:
    """`key` names it; `started_at` is TagoIO's time at the start, as near as it can be told."""

    key: str
    started_at: datetime

    def mark(self, answers: str = "first") -> str:
        """What is put behind every button's id: `-n` and the key, or `-e` where each answer counts."""
        return f"-{'e' if answers == 'each' else 'n'}{self.key}"

    def recognises(self, listed: dict[str, Any], notification: Notification) -> bool:
        """Whether a notification that TagoIO lists is this campaign's. Its buttons decide; where it has none, its
        text and its time do."""
        buttons = [button for button in listed.get("buttons") or () if isinstance(button, dict)]
        if buttons:
            return any(marked_parts(str(button.get("id", "")))[1] == self.key for button in buttons)
        same_text = all(
            str(listed.get(name, "")).strip() == getattr(notification, name).strip() for name in ("title", "message")
        )
        return same_text and _time(listed.get("created_at")) >= self.started_at


def new_campaign(trigger: Trigger, started_at: datetime) -> Campaign:
    """The same event of an Action, handed twice to one Analysis, gives the same key; every other run has its own."""
    if trigger.kind == "action" and trigger.points:
        event = [trigger.analysis_id, trigger.action_id]
        for point in trigger.points:
            event += [point.id or f"{point.device}|{point.variable}|{point.group}|{point.value}", point.time]
        digest = hashlib.sha256("\n".join(event).encode()).digest()
    else:
        digest = secrets.token_bytes(16)
    return Campaign(base64.b32encode(digest).decode().lower()[:KEY_LENGTH], started_at)


def marked_parts(button_id: str) -> tuple[str, str, bool]:
    """From an id as it comes back in a press: the id a developer gave the button, the campaign's key ("" for a button
    of nobody's campaign), and whether each answer counts."""
    found = MARKED.fullmatch(button_id)
    return (found["id"], found["key"], found["answers"] == "e") if found else (button_id, "", False)


class TagoRunChannel:
    """Sends one campaign's notifications to TagoRUN users, and asks TagoIO what became of one."""

    def __init__(self, run: RunNotifications, campaign: Campaign) -> None:
        self.run = run
        self.campaign = campaign
        self.icon_refused = ""

    def send(self, user: User, notification: Notification) -> str:
        """The new notification's id. Raises Refused, Rejected or Doubtful. One that TagoIO refuses with its icon goes
        without, and so do all after it: which icons TagoIO takes is not documented."""
        if self.icon_refused:
            notification = replace(notification, icon="")
        try:
            answer = self.run.notificationCreate(
                user.id, wire_form(notification, self.campaign.mark(notification.answers))
            )
        except Rejected as error:
            if notification.icon and error.status in (400, 413, 422):
                plain = self.send(user, replace(notification, icon=""))
                self.icon_refused = error.message
                return plain
            raise Rejected(_with_hint(error), status=error.status) from error
        created = answer.get("id") if isinstance(answer, dict) else None
        if not isinstance(created, str) or not created:
            raise Doubtful("TagoIO answered without the id of a notification")
        return created

    def find(self, user: User, notification: Notification) -> str:
        """The id of this campaign's notification to that user, or "" when TagoIO has none."""
        listed = self.run.notificationList(user.id)
        if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
            raise Doubtful("TagoIO's list of the user's notifications cannot be read")
        for entry in listed:
            if self.campaign.recognises(entry, notification):
                return str(entry.get("id") or "?")
        return ""


def composed(user: User, compose: Composer) -> Notification | str:
    """The user's notification before anyone is told: a mistake must not show half-way. Raises SetupError with the
    user's name."""
    who = f" (for {user.name or user.id})"
    try:
        return compose(user)
    except SetupError as error:
        raise SetupError(*(problem + who for problem in error.problems)) from error
    except Exception as error:
        line = traceback.extract_tb(error.__traceback__)[-1].lineno
        raise SetupError(f"compose failed: {type(error).__name__}: {error}, in line {line}{who}") from error


def messages(
    users: deque[User], compose: Composer, record: Callable[[Outcome], None]
) -> Iterator[tuple[User, Notification]]:
    """Each user with their notification, taken out of `users` so that a large audience shrinks as it is told; who gets
    none after all is recorded at once."""
    while users:
        user = users.popleft()
        try:
            notification = compose(user)
        except Exception as error:
            record(Outcome(user.id, user.name, "failed", f"compose failed: {type(error).__name__}: {error}"))
            continue
        if isinstance(notification, str):
            record(Outcome(user.id, user.name, "skipped", notification))
        else:
            yield user, notification


def _time(text: Any) -> datetime:
    """A time of TagoIO; one that cannot be read is taken for long ago, so that it settles nothing."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _with_hint(error: Rejected) -> str:
    if "denied" in error.message.lower() or error.status in (401, 403):
        return f"{error.message}: allow Run User / Create notification in Access Management"
    if error.status == 404:
        return f"{error.message}: the user may have been deleted meanwhile"
    return error.message
