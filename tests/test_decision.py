"""Presses, over real sockets: trust, first wins or each counts, closing the copies, with and without the journal."""

import json
import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from lib.app.press_run import PressRun
from lib.app.settings import Settings
from lib.campaign.lease import GIVEN_UP
from lib.message.trigger import PressIds
from lib.presses.verify import Press
from lib.tagoio.transport import Client, TagoIO
from lib.tools.sandbox.store import Record
from lib.tools.sandbox.trouble import Fault
from tests.conftest import ANALYSIS, MAINTENANCE, Ran
from tests.test_dispatch import Journaled, journaled  # noqa: F401  # a fixture

SURVEY = json.dumps(
    {
        "title": "Happy?",
        "message": "m",
        "answers": "each",
        "buttons": [
            {"id": "yes", "label": "Yes", "analysis": "this"},
            {"id": "no", "label": "No", "analysis": "this"},
        ],
    }
)


def note_of(journaled: Journaled, name: str) -> Record:  # noqa: F811
    store = journaled.sandbox.store
    (note,) = [note for note in store.notifications.values() if store.users[note["run_user"]]["name"] == name]
    return note


def ids_of(journaled: Journaled, name: str, button: int = 0) -> dict[str, str]:  # noqa: F811
    note = note_of(journaled, name)
    return {"button_id": note["buttons"][button]["id"], "user_id": note["run_user"], "notification_id": note["id"]}


def press(journaled: Journaled, name: str, button: Any = 0, data: Any = None, **variables: str) -> Ran:  # noqa: F811
    """As TagoIO hands a press in."""
    return journaled.run(data, **ids_of(journaled, name, button), **variables)


def press_for_real(journaled: Journaled, name: str, button: int = 0) -> requests.Response:  # noqa: F811
    """Through the run-user route, with that user's token."""
    store, note = journaled.sandbox.store, note_of(journaled, name)
    token = store.log_in(store.users[note["run_user"]]["email"], "sandbox")
    path = f"/run/{store.run_url}/notification/{note['id']}/{note['buttons'][button]['id']}"
    return requests.put(journaled.sandbox.api + path, headers={"token": token}, timeout=10)


def messages(journaled: Journaled) -> list[str]:  # noqa: F811
    return [note["message"] for note in journaled.sandbox.store.notifications.values()]


def answered(journaled: Journaled) -> list[Record]:  # noqa: F811
    return [row for row in journaled.rows("notify_decision") if row["value"] == "answered"]


def are_open(journaled: Journaled) -> list[bool]:  # noqa: F811
    return [note["buttons_enabled"] for note in journaled.sandbox.store.notifications.values()]


def test_a_press_counts_and_closes_every_copy_with_a_line_in_the_readers_time(
    journaled: Journaled,  # noqa: F811
) -> None:
    journaled.run()
    ran = press(journaled, "Ana Souza")
    assert ran.code == 0, ran.out + ran.err
    assert "Ana Souza pressed acknowledge: it counts" in ran.out
    assert not any(are_open(journaled))
    assert all("Acknowledged by Ana Souza, " in message for message in messages(journaled))
    ours, tokyos = note_of(journaled, "Ana Souza"), note_of(journaled, "Emi Tanaka")
    hours = [int(note["message"].rsplit(", ", 1)[1][:2]) for note in (ours, tokyos)]
    assert (hours[1] - hours[0]) % 24 == 12
    (row,) = answered(journaled)
    assert (row["metadata"]["button"], row["metadata"]["name"]) == ("acknowledge", "Ana Souza")
    assert 0 <= row["metadata"]["seconds"] < 60
    assert len(journaled.sandbox.store.notifications) == 7


def test_a_second_copy_of_which_no_row_tells_is_closed_too(journaled: Journaled) -> None:  # noqa: F811
    journaled.run()
    store, ours, bens = journaled.sandbox.store, ids_of(journaled, "Ana Souza"), note_of(journaled, "Ben Carter")
    store.notifications["f" * 24] = {**bens, "id": "f" * 24}
    store.inboxes[bens["run_user"]].append("f" * 24)
    ran = journaled.run(**ours)
    assert ran.code == 0, ran.out + ran.err
    assert "closed 8 copies" in ran.out
    assert not any(are_open(journaled))
    assert all("Acknowledged by Ana Souza, " in message for message in messages(journaled))


def test_pressing_twice_or_a_press_handed_in_twice_is_one_decision(journaled: Journaled) -> None:  # noqa: F811
    journaled.run()
    press(journaled, "Ana Souza")
    before = messages(journaled)
    again = press(journaled, "Ana Souza")
    assert again.code == 0
    assert "settled already. Acknowledge by Ana Souza" in again.out
    assert len(answered(journaled)) == 1
    assert [message.count("Acknowledged by") for message in before] == [1] * 7


def test_a_later_press_of_another_user_is_told_that_it_is_settled(journaled: Journaled) -> None:  # noqa: F811
    journaled.run()
    press(journaled, "Ana Souza")
    late = press(journaled, "Ben Carter")
    assert late.code == 0
    assert "Ben Carter pressed acknowledge: settled already. Acknowledge by Ana Souza" in late.out
    lines = {message.rsplit("\n", 1)[1].rsplit(", ", 1)[0] for message in messages(journaled)}
    assert lines == {"Acknowledged by Ana Souza"}, "one line, the same on every copy"
    assert len(answered(journaled)) == 1
    assert len(journaled.rows("notify_press")) == 2


def test_two_users_at_once_make_one_decision(journaled: Journaled) -> None:  # noqa: F811
    journaled.run()
    names = MAINTENANCE[:4]
    runs: list[Ran] = []
    threads = [threading.Thread(target=lambda name=name: runs.append(press(journaled, name))) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum("it counts" in ran.out for ran in runs) == 1
    assert sum("settled already" in ran.out for ran in runs) == 3
    assert len(answered(journaled)) == 1


def test_in_a_survey_each_users_first_answer_counts(journaled: Journaled) -> None:  # noqa: F811
    journaled.run(notification=SURVEY)
    assert "it counts" in press(journaled, "Ana Souza", 0).out
    assert "it counts" in press(journaled, "Ben Carter", 1).out
    assert "Ana Souza pressed no again: it was counted before" in press(journaled, "Ana Souza", 1).out
    decisions = [(row["metadata"]["name"], row["metadata"]["button"]) for row in answered(journaled)]
    assert decisions == [("Ana Souza", "yes"), ("Ben Carter", "no")]
    assert all(are_open(journaled))


@pytest.mark.parametrize("scope", [None, [], [{"id": "u", "name": "Ana"}], {"a": 1}])
def test_a_press_is_one_whatever_scope_comes_with_it(journaled: Journaled, scope: Any) -> None:  # noqa: F811
    journaled.run()
    assert "it counts" in press(journaled, "Ana Souza", data=scope).out


def forged(journaled: Journaled, how: str) -> dict[str, str]:  # noqa: F811
    ids = ids_of(journaled, "Ana Souza")
    store = journaled.sandbox.store
    if how == "deleted":
        store.remove_notification(ids["notification_id"])
    elif how == "of another user":
        ids["user_id"] = note_of(journaled, "Ben Carter")["run_user"]
    elif how == "of nobody":
        ids["user_id"] = "f" * 24
    elif how == "unknown button":
        ids["button_id"] = "acknowledge-naaaaaaaaaa"
    else:
        del ids[how]
    return ids


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("deleted", "whether Ana Souza has notification"),
        ("of another user", "Ben Carter has no notification"),
        ("of nobody", "there is no TagoRUN user ffff"),
        ("unknown button", "notification "),
        ("button_id", "TagoIO handed over no button_id"),
        ("user_id", "TagoIO handed over no user_id"),
        ("notification_id", "TagoIO handed over no notification_id"),
    ],
)
def test_a_press_that_cannot_be_trusted_is_refused(journaled: Journaled, how: str, said: str) -> None:  # noqa: F811
    journaled.run()
    count = len(journaled.sandbox.store.notifications)
    ran = journaled.run(**forged(journaled, how))
    assert ran.code == 1
    assert f"Press refused: {said}" in ran.out
    assert {row["value"] for row in journaled.rows("notify_decision")} <= {"refused"}
    assert len(journaled.sandbox.store.notifications) == count - (how == "deleted")
    assert all(are_open(journaled))
    assert "Traceback" not in ran.err


def test_a_campaign_that_the_journal_has_forgotten_is_decided_all_the_same(journaled: Journaled) -> None:  # noqa: F811
    journaled.run()
    journaled.sandbox.store.data[journaled.device["id"]].clear()
    ran = press(journaled, "Ana Souza")
    assert ran.code == 0
    assert "The journal knows nothing of campaign" in ran.out
    assert "it counts" in ran.out
    assert note_of(journaled, "Ana Souza")["buttons_enabled"] is False
    assert len(answered(journaled)) == 1


def test_without_a_journal_the_copies_are_looked_for(journaled: Journaled) -> None:  # noqa: F811
    journaled.run(delivery_log_token="")
    ran = press(journaled, "Ana Souza", delivery_log_token="")
    assert ran.code == 0, ran.out + ran.err
    assert "No journal" in ran.out
    assert not any(are_open(journaled))
    late = press(journaled, "Ben Carter", delivery_log_token="")
    assert re.search(r'settled already; "Acknowledged by Ana Souza, \d\d:\d\d" stands on \w+ .*\'s copy', late.out)


def test_a_user_whose_pending_copy_is_decided_meanwhile_is_not_told(journaled: Journaled) -> None:  # noqa: F811
    sandbox = journaled.sandbox
    sandbox.trouble.rate_limit, sandbox.trouble.window = 3, 10**8
    event = {"_action_id": "f" * 24, "_action_type": "condition"}
    point = [{"id": "1", "variable": "temperature", "value": 12}]
    journaled.run(point, time_budget="10s", **event)
    sandbox.trouble.rate_limit = None
    told = next(iter(sandbox.store.notifications.values()))
    press(journaled, sandbox.store.users[told["run_user"]]["name"])
    journaled.age()
    ran = journaled.run(point, **event)
    assert "was decided meanwhile" in ran.out
    assert len(sandbox.store.notifications) == 3


def test_a_press_whose_run_died_before_it_was_answered_is_taken_up(journaled: Journaled) -> None:  # noqa: F811
    journaled.run()
    ids = ids_of(journaled, "Ana Souza")
    key = journaled.rows("notify_campaign")[0]["group"]
    about = {"user": ids["user_id"], "name": "Ana Souza", "label": "Acknowledge", "button": "acknowledge"}
    about |= {"run": "dead00000000", "notification": ids["notification_id"]}
    when = (datetime.now(UTC) - timedelta(seconds=GIVEN_UP - 2)).isoformat()
    row = {"variable": "notify_press", "value": "acknowledge", "group": key, "metadata": about, "time": when}
    journaled.sandbox.store.add_data(journaled.device["id"], row)
    ran = press(journaled, "Ben Carter")
    assert "Ben Carter pressed acknowledge: settled already. Acknowledge by Ana Souza" in ran.out
    assert "Ana Souza pressed acknowledge: it counts; the run that took it did not finish it" in ran.out
    assert not any(are_open(journaled))
    assert all("Acknowledged by Ana Souza, " in message for message in messages(journaled))


def test_without_a_journal_a_pressed_link_settles_nothing(journaled: Journaled) -> None:  # noqa: F811
    journaled.run(delivery_log_token="")
    note_of(journaled, "Ben Carter")["buttons_enabled"] = False  # as TagoIO may do when a link is pressed
    assert "it counts" in press(journaled, "Ana Souza", delivery_log_token="").out


def test_copies_are_closed_even_if_their_readers_cannot_be_looked_up(journaled: Journaled) -> None:  # noqa: F811
    journaled.run()
    gone = note_of(journaled, "Emi Tanaka")["run_user"]
    journaled.sandbox.trouble.faults = [Fault("403", route=("GET", f"/run/users/{gone}"), attempts=99)]
    ran = press(journaled, "Ana Souza")
    assert "closed with the time in UTC" in ran.out
    assert note_of(journaled, "Ana Souza")["message"].endswith(" UTC")
    assert not any(are_open(journaled))


def test_copies_that_may_not_be_edited_are_said(journaled: Journaled) -> None:  # noqa: F811
    journaled.run()
    permissions = next(iter(journaled.sandbox.store.policies.values()))["permissions"]
    permissions[0]["action"] = [action for action in permissions[0]["action"] if action != "edit_notification"]
    ran = press(journaled, "Ana Souza")
    assert "7 copies could not be closed" in ran.out
    assert "allow Run User / Edit notification" in ran.out
    assert len(answered(journaled)) == 1


def answer(journaled: Journaled, decide: Callable[[Press], str | None], name: str = "Ana Souza") -> tuple[int, str]:  # noqa: F811
    tago = TagoIO(journaled.sandbox.store.profile_token, Client(journaled.sandbox.api))
    settings = Settings(tag_key="group", tag_value=("maintenance",), delivery_log_token=journaled.token)
    run = PressRun(tago, settings, decide)
    code = run.perform(PressIds(**ids_of(journaled, name)))
    return code, "\n".join(run.lines)


def test_decide_sees_who_pressed_what_and_when(journaled: Journaled) -> None:  # noqa: F811
    journaled.run()
    seen: list[Press] = []
    code, _ = answer(journaled, lambda press: seen.append(press))
    (given,) = seen
    assert code == 0
    assert (given.user.name, given.user.tag("site"), given.button, given.label) == (
        "Ana Souza", "recife", "acknowledge", "Acknowledge",
    )  # fmt: skip
    assert given.campaign == journaled.rows("notify_campaign")[0]["group"]
    assert given.seconds_after is not None
    assert 0 <= given.seconds_after < 60
    assert all("Acknowledge" not in message for message in messages(journaled))


def test_a_decide_that_raises_leaves_the_decision_recorded_and_the_copies_closed(
    journaled: Journaled,  # noqa: F811
) -> None:
    journaled.run()
    code, said = answer(journaled, lambda press: 1 / 0)  # type: ignore[arg-type, return-value]
    assert code == 1
    assert "decide failed, the decision is recorded all the same: ZeroDivisionError" in said
    assert len(answered(journaled)) == 1
    assert not any(are_open(journaled))


def test_the_whole_circle_over_real_sockets(journaled: Journaled) -> None:  # noqa: F811
    sandbox = journaled.sandbox
    (analysis,) = sandbox.store.analyses.values()
    sandbox.store.scripts[analysis["id"]] = ANALYSIS
    analysis["variables"].append({"key": "delivery_log_token", "value": journaled.token})
    journaled.run()
    assert press_for_real(journaled, "Chloé Martin").status_code == 200
    sandbox.call(sandbox.runner.settled())
    assert note_of(journaled, "Chloé Martin")["buttons_enabled"] is False
    (run,) = sandbox.runner.runs
    assert run.code == 0, run.lines
    assert "Chloé Martin pressed acknowledge: it counts" in run.lines
    assert not any(are_open(journaled))
    assert press_for_real(journaled, "Ben Carter").status_code == 400
