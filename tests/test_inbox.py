"""The one place where it is asked whether a user has a notification already."""

from datetime import UTC, datetime
from typing import Any

import pytest

from lib.base.errors import Doubtful, Rejected
from lib.message.notification import Button, Notification
from lib.tagoio.inbox import CUT, LIKENESS, UNPROVEN, Inbox
from lib.tagoio.transport import Client, TagoIO
from lib.tools.sandbox.server import Sandbox
from lib.tools.sandbox.store import Identity
from tests.fakes import NOTE

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC).timestamp()
PLAIN = Notification("Alarm", "It is warm")
MARKED = Notification("Alarm", "It is warm", (Button("ack", "Ack", link="https://a.io"),))
KEY = "kkkkkkkkkk"


class Lists:
    """TagoIO with these inboxes."""

    def __init__(self, **inboxes: Any) -> None:
        self.inboxes = inboxes
        self.asked: list[str] = []

    def notificationCreate(self, userID: str, data: dict[str, Any]) -> Any:  # noqa: N802, N803
        return self.inboxes[userID]

    def notificationList(self, userID: str) -> Any:  # noqa: N802, N803
        self.asked.append(userID)
        return self.inboxes[userID]

    def notificationEdit(self, notificationID: str, data: dict[str, Any]) -> Any:  # noqa: N802, N803
        raise AssertionError


def old(number: int, at: str = "2026-01-01T10:{:02}:00Z") -> dict[str, Any]:
    return {"id": f"old{number}", "title": "old", "message": "old", "created_at": at.format(number)}


def look(inbox: Inbox, note: Notification = PLAIN, user: str = "u", now: float = NOON + 60) -> Any:
    return inbox.look(user, note, KEY, NOON, NOON + 30, now)


@pytest.mark.parametrize(
    ("entry", "is_ours"),
    [
        ({"buttons": [{"id": f"ack-n{KEY}"}], "title": "other"}, True),
        ({"buttons": [{"id": "ack-notherrrrrr"}], "title": "Alarm", "message": "It is warm"}, False),
        ({"buttons": [], "title": "Alarm", "message": "It is warm ", "created_at": "2026-01-01T12:00:00.000Z"}, True),
        ({"title": "Alarm", "message": "It is warm", "created_at": "2026-01-01T12:00:00"}, True),
        ({"title": "Alarm", "message": "It is warm", "created_at": "2026-01-01T11:59:50.999Z"}, False),
        ({"title": "Alarm", "message": "It is warm", "created_at": "2026-01-01T12:05:00Z"}, False),
        ({"title": "Alarm", "message": "It is cold", "created_at": "2026-01-01T12:00:01Z"}, False),
        ({"title": "Alarm", "message": "It is warm"}, False),
        ({"title": "Alarm", "message": "It is warm", "created_at": "soon"}, False),
        ({"buttons": None, "title": None}, False),
    ],
)
def test_a_listed_notification_is_recognised_by_its_mark_else_by_text_and_time(entry: Any, is_ours: bool) -> None:
    found = look(Inbox(Lists(u=[{"id": "x", **entry}])))
    assert (found.id, found.doubt) == ("x" if is_ours else "", "")


def test_one_without_a_mark_is_believed_only_when_the_journal_would_know_whose_it_is() -> None:
    entry = {"id": "x", "title": "Alarm", "message": "It is warm", "created_at": "2026-01-01T12:00:00Z"}
    told: dict[str, str] = {}
    inbox = Inbox(Lists(u=[entry]), told_by_others=lambda: told)
    assert look(inbox, now=NOON + 1).doubt == LIKENESS
    told["x"] = "otherrrrrr"
    assert look(inbox).id == ""
    assert look(Inbox(Lists(u=[entry]))).id == "x"


def test_an_empty_list_proves_nothing_before_some_list_has_shown_something() -> None:
    lists = Lists(u=[], known=[])
    inbox = Inbox(lists, known=lambda: [("known", "n1")])
    assert look(inbox).doubt == UNPROVEN
    lists.inboxes["known"] = [{"id": "n1"}]
    inbox._proof_asked_at = float("-inf")
    assert look(inbox).doubt == ""
    assert look(Inbox(Lists(u=[old(1)]))).doubt == "", "the user's own list has shown something"


@pytest.mark.parametrize(
    ("listed", "doubt"),
    [
        ([old(number) for number in range(20)], CUT),  # oldest first: the new one may be cut off
        ([old(number) for number in reversed(range(20))], ""),  # newest first, and back to before it
        ([old(number, "2026-01-01T12:{:02}:00Z") for number in reversed(range(20))], ""),
        ([old(number, "2026-01-01T13:{:02}:00Z") for number in reversed(range(20))], CUT),  # does not reach back
        ([old(number) for number in range(19)], ""),
    ],
)
def test_a_list_that_may_be_a_part_proves_nothing(listed: list[dict[str, Any]], doubt: str) -> None:
    assert look(Inbox(Lists(u=listed))).doubt == doubt


@pytest.mark.parametrize("answer", [False, None, {}, {"id": 5}, {"id": ""}, [1]])
def test_an_answer_without_an_id_or_a_list_leaves_doubt(answer: Any) -> None:
    inbox = Inbox(Lists(u=answer))
    with pytest.raises(Doubtful):
        inbox.create("u", NOTE, KEY)
    with pytest.raises(Doubtful):
        inbox.listed("u")


def on(sandbox: Sandbox, token: str = "") -> Inbox:
    return Inbox(TagoIO(token or sandbox.store.profile_token, Client(sandbox.api)).run)


@pytest.mark.parametrize("notification", [PLAIN, MARKED])
def test_what_was_created_is_found_again_and_only_by_its_own_campaign(
    peopled: Sandbox, notification: Notification
) -> None:
    user, now = next(iter(peopled.store.users)), datetime.now(UTC).timestamp()
    inbox = on(peopled)
    created = inbox.create(user, notification, "aaaaaaaaaa")
    assert inbox.look(user, notification, "aaaaaaaaaa", now - 5, now + 5, now + 60).id == created
    assert inbox.look(user, notification, "bbbbbbbbbb", now - 5, now + 5, now + 60).id == ""


def test_a_denied_user_is_rejected_with_the_policy_that_helps(peopled: Sandbox) -> None:
    peopled.store.policies.clear()
    (analysis,) = peopled.store.analyses.values()
    token = peopled.store.token_for(Identity("analysis", analysis["id"]))
    with pytest.raises(Rejected, match="Authorization Denied: allow Run User / Create notification"):
        on(peopled, token).create(next(iter(peopled.store.users)), NOTE, KEY)


def test_a_user_who_is_gone_is_rejected_with_that_hint(peopled: Sandbox) -> None:
    with pytest.raises(Rejected, match="404 User Not Found: the user may have been deleted"):
        on(peopled).create("f" * 24, NOTE, KEY)


def test_an_icon_that_tagoio_refuses_is_left_out_from_then_on(peopled: Sandbox) -> None:
    peopled.store.facts["icons"] = "none"
    inbox = on(peopled)
    for user in list(peopled.store.users)[:3]:
        inbox.create(user, Notification("t", "m", icon="warning"), KEY)
    assert inbox.icon_refused == "400 icon: Invalid url"
    assert len(peopled.store.notifications) == 3
    assert sum(method == "POST" for method, _ in peopled.store.log) == 4


def test_another_refusal_is_not_taken_for_one_of_the_icon(peopled: Sandbox) -> None:
    inbox = on(peopled)
    with pytest.raises(Rejected, match="404 User Not Found"):
        inbox.create("f" * 24, Notification("t", "m", icon="warning"), KEY)
    assert inbox.icon_refused == ""
