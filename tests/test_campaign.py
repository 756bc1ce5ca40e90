from collections import deque
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.base.errors import Doubtful, Rejected, SetupError
from lib.campaign.campaign import Campaign, TagoRunChannel, composed, marked_parts, messages, new_campaign
from lib.campaign.report import Outcome
from lib.message.notification import Button, Notification
from lib.message.trigger import DataPoint, Trigger
from lib.message.user import User
from lib.tagoio.transport import Client, TagoIO
from lib.tools.sandbox.server import Sandbox
from lib.tools.sandbox.store import Identity
from tests.fakes import NOTE, some_users

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
PLAIN = Notification("Alarm", "It is warm")
BUTTONED = Notification("Alarm", "It is warm", (Button("ack", "Ack", link="https://a.io"),))
EVENT = Trigger("action", (DataPoint("t", 9, id="1", time="x"),), action_id="a")


def test_the_same_event_handed_in_twice_is_one_campaign_and_others_are_not() -> None:
    later = Trigger("action", (DataPoint("t", 9, id="2", time="y"),), action_id="a")
    assert new_campaign(EVENT, START).key == new_campaign(EVENT, START).key
    assert new_campaign(EVENT, START).key != new_campaign(later, START).key
    assert new_campaign(Trigger(), START).key != new_campaign(Trigger(), START).key


@given(st.from_regex(r"[\w.-]{1,30}", fullmatch=True))
def test_the_mark_comes_off_a_pressed_buttons_id(button_id: str) -> None:
    campaign = new_campaign(Trigger(), START)
    assert marked_parts(button_id + campaign.mark()) == (button_id, campaign.key, False)
    assert marked_parts(button_id + campaign.mark("each")) == (button_id, campaign.key, True)


@pytest.mark.parametrize("button_id", ["acknowledge", "ack-btn-614edef", "-nabcdefghij", "x-nABCDEFGHIJ"])
def test_an_id_without_a_mark_is_taken_as_it_is(button_id: str) -> None:
    assert marked_parts(button_id) == (button_id, "", False)


@pytest.mark.parametrize(
    ("listed", "ours"),
    [
        ({"buttons": [{"id": "ack-nkkkkkkkkkk"}], "title": "other"}, True),
        ({"buttons": [{"id": "ack-notherrrrrr"}], "title": "Alarm", "message": "It is warm"}, False),
        ({"buttons": [], "title": "Alarm", "message": "It is warm ", "created_at": "2026-01-01T12:00:00.000Z"}, True),
        ({"title": "Alarm", "message": "It is warm", "created_at": "2026-01-01T12:00:00"}, True),
        ({"title": "Alarm", "message": "It is warm", "created_at": "2026-01-01T11:59:59.999Z"}, False),
        ({"title": "Alarm", "message": "It is cold", "created_at": "2026-01-01T12:00:01Z"}, False),
        ({"title": "Alarm", "message": "It is warm"}, False),
        ({"title": "Alarm", "message": "It is warm", "created_at": "soon"}, False),
        ({"buttons": None, "title": None}, False),
    ],
)
def test_a_listed_notification_is_recognised_by_its_mark_else_by_text_and_time(listed: Any, ours: bool) -> None:
    assert Campaign("kkkkkkkkkk", START).recognises(listed, PLAIN) is ours


def channel(sandbox: Sandbox, campaign: Campaign, token: str = "") -> TagoRunChannel:
    return TagoRunChannel(TagoIO(token or sandbox.store.profile_token, Client(sandbox.api)).run, campaign)


@pytest.mark.parametrize("notification", [PLAIN, BUTTONED])
def test_what_was_sent_is_found_again_and_only_by_its_own_campaign(
    peopled: Sandbox, notification: Notification
) -> None:
    user = User(next(iter(peopled.store.users)))
    ours = channel(peopled, Campaign("aaaaaaaaaa", START))
    assert ours.find(user, notification) == ""
    sent = ours.send(user, notification)
    assert ours.find(user, notification) == sent
    other = channel(peopled, Campaign("bbbbbbbbbb", datetime(2999, 1, 1, tzinfo=UTC)))
    assert other.find(user, notification) == ""


def test_a_denied_user_is_rejected_with_the_policy_that_helps(peopled: Sandbox) -> None:
    peopled.store.policies.clear()
    (analysis,) = peopled.store.analyses.values()
    token = peopled.store.token_for(Identity("analysis", analysis["id"]))
    with pytest.raises(Rejected, match="Authorization Denied: allow Run User / Create notification"):
        channel(peopled, Campaign("a" * 10, START), token).send(User(next(iter(peopled.store.users))), NOTE)


def test_a_user_who_is_gone_is_rejected_with_that_hint(peopled: Sandbox) -> None:
    with pytest.raises(Rejected, match="404 User Not Found: the user may have been deleted"):
        channel(peopled, Campaign("a" * 10, START)).send(User("f" * 24), NOTE)


@pytest.mark.parametrize("answer", [[], False, None, {}, {"id": 5}, {"id": ""}])
def test_an_answer_without_an_id_leaves_doubt(answer: Any) -> None:
    class Odd:
        def notificationCreate(self, userID: str, data: dict[str, Any]) -> Any:  # noqa: N802, N803
            return answer

        def notificationList(self, userID: str) -> Any:  # noqa: N802, N803
            return answer

    odd = TagoRunChannel(Odd(), Campaign("a" * 10, START))
    with pytest.raises(Doubtful):
        odd.send(User("u"), NOTE)
    if answer != []:
        with pytest.raises(Doubtful):
            odd.find(User("u"), NOTE)


def test_a_notification_that_cannot_be_composed_names_the_user() -> None:
    def spaced(user: User) -> Notification:
        return Notification("t", "m", (Button("a b", "A", link="https://a.io"),))

    with pytest.raises(SetupError, match=r'Button 1: id "a b" contains a space; use "a_b" \(for Ana\)'):
        composed(User("u", "Ana"), spaced)
    with pytest.raises(SetupError, match=r"compose failed: ZeroDivisionError: .* \(for u\)"):
        composed(User("u"), lambda user: 1 / 0)  # type: ignore[arg-type, return-value]


def test_whom_compose_leaves_out_is_skipped_and_a_late_mistake_is_one_failure() -> None:
    recorded: list[Outcome] = []

    def compose(user: User) -> Notification | str:
        if user.id == "u2":
            raise ValueError("late")
        return "not concerned" if user.id == "u1" else NOTE

    users = deque(some_users(4))
    assert [user.id for user, _ in messages(users, compose, recorded.append)] == ["u0", "u3"]
    assert [(outcome.user_id, outcome.status, outcome.reason) for outcome in recorded] == [
        ("u1", "skipped", "not concerned"),
        ("u2", "failed", "compose failed: ValueError: late"),
    ]
    assert not users


def test_an_icon_that_tagoio_refuses_is_left_out_from_then_on(peopled: Sandbox) -> None:
    peopled.store.takes_icons = False
    sender = channel(peopled, Campaign("a" * 10, START))
    users = [User(user_id) for user_id in list(peopled.store.users)[:3]]
    for user in users:
        sender.send(user, Notification("t", "m", icon="warning"))
    assert sender.icon_refused == "400 icon: Invalid url"
    assert len(peopled.store.notifications) == 3
    assert sum(method == "POST" for method, _ in peopled.store.log) == 4


def test_another_refusal_is_not_taken_for_one_of_the_icon(peopled: Sandbox) -> None:
    sender = channel(peopled, Campaign("a" * 10, START))
    with pytest.raises(Rejected, match="404 User Not Found"):
        sender.send(User("f" * 24), Notification("t", "m", icon="warning"))
    assert sender.icon_refused == ""
