"""Escalation: its steps, and a whole one on the sandbox, whose clock is moved on between the runs."""

import json
import threading
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from lib.base.duration import read_duration, shown_duration
from lib.base.errors import SetupError
from lib.message.escalation import Step, steps_from, steps_text
from lib.message.notification import Button, Notification
from lib.tools.sandbox.trouble import Fault
from tests.conftest import ANALYSIS, MAINTENANCE, Ran, names_told, run_python
from tests.test_decision import press
from tests.test_dispatch import EVENT, POINT, Journaled, journaled  # noqa: F401  # a fixture

ACK = Button("ack", "Acknowledge", analysis="a" * 24)
STEPS = [("15m", "role=supervisor"), ("1h", "role=manager")]
ALARM = {
    "title": "Alarm",
    "message": "Please act",
    "priority": "high",
    "when": {"variable": "temperature", "is": ">", "value": 8},
    "buttons": [{"id": "ack", "label": "Acknowledge", "analysis": "this"}],
    "escalate": [{"after": "15m", "to": "office"}, {"after": "1h", "to": "role=manager, on call"}],
}
OFFICE = ["Ingrid Dahl", "Jon O'Neil", "Kavya Rao", "Luca Bianchi"]
MANAGERS = ["Mia Boss", "Ned Boss"]
MINUTE = 60.0


class Escalating(Journaled):
    """An alarm of an Action, then runs on a schedule."""

    def __init__(self, base: Journaled) -> None:
        self.sandbox, self.device, self.token = base.sandbox, base.device, base.token
        for name in MANAGERS:
            tags = [{"key": "role", "value": "manager, on call"}]
            self.sandbox.store.add_user({"name": name, "active": True, "tags": tags, "timezone": "UTC"})

    def alarm(self, notification: dict[str, Any] | None = None, **variables: str) -> Ran:
        given = {"notification": json.dumps(notification or ALARM), **EVENT, **variables}
        return self.run(POINT, **given)

    def scheduled(self, after: float = 0, notification: dict[str, Any] | None = None, **variables: str) -> Ran:
        self.sandbox.store.ahead += after
        given = {"notification": json.dumps(notification or ALARM), "_action_id": "e" * 24, "_action_type": "interval"}
        return self.run(None, **given, **variables)

    def told(self) -> dict[str, int]:
        names = names_told(self.sandbox)
        return {name: names.count(name) for name in names}

    def messages(self, name: str) -> list[str]:
        users = self.sandbox.store.users
        return [
            note["message"]
            for note in self.sandbox.store.notifications.values()
            if users[note["run_user"]]["name"] == name
        ]


@pytest.fixture
def escalating(journaled: Journaled) -> Escalating:  # noqa: F811
    return Escalating(journaled)


def once(*groups: list[str]) -> dict[str, int]:
    return {name: 1 for group in groups for name in group}


# ---- its steps


def test_steps_are_read_from_pairs_and_from_objects_and_survive_the_journal() -> None:
    pairs = Notification("t", "m", (ACK,), escalate=STEPS)
    objects = Notification("t", "m", (ACK,), escalate=[{"after": after, "to": to} for after, to in STEPS])
    assert pairs.escalate == objects.escalate == (Step(900, "role=supervisor"), Step(3600, "role=manager"))
    assert steps_from(steps_text(tuple(pairs.escalate))) == pairs.escalate
    assert steps_from("nonsense") == steps_from("") == ()


@pytest.mark.parametrize(
    ("to", "tag"),
    [("supervisors", ("group", "supervisors")), ("role=manager", ("role", "manager")), ("a = b=c", ("a", "b=c"))],
)
def test_a_step_goes_to_a_value_of_the_tag_key_or_to_another_tag(to: str, tag: tuple[str, str]) -> None:
    assert Step(60, to).tag("group") == tag


@pytest.mark.parametrize(
    ("escalate", "problem"),
    [
        ("15m", "escalate must be a list of steps"),
        ({"after": "15m"}, "escalate must be a list of steps"),
        ([{"after": "15m"}], "step 1: to is missing"),
        ([{"after": 15, "to": "x"}], 'step 1: after is missing; it is text such as "15m"'),
        ([{"after": "soon", "to": "x"}], 'step 1: after is "soon"; use a number'),
        ([{"after": "15m", "to": "x", "who": "y"}], '"who" is not known'),
        ([("1h", "x"), ("15m", "y")], "step 2: after must be longer than the step before"),
        ([("21h", "x")], "at most 20 h"),
        ([("0s", "x")], "longer than nothing"),
        (["15m"], "step 1: it takes after and to"),
    ],
)
def test_a_bad_list_of_steps_is_named(escalate: Any, problem: str) -> None:
    with pytest.raises(SetupError, match="Notification: escalate") as error:
        Notification("t", "m", (ACK,), escalate=escalate)
    assert problem in str(error.value)


def test_an_escalation_that_nobody_could_end_is_refused() -> None:
    with pytest.raises(SetupError, match="needs a button that runs an Analysis"):
        Notification("t", "m", (Button("a", "A", link="https://a.b"),), escalate=STEPS)
    with pytest.raises(SetupError, match='needs answers "first"'):
        Notification("t", "m", (ACK,), escalate=STEPS, answers="each")


@pytest.mark.parametrize(("text", "shown"), [("90s", "90 s"), ("15m", "15 min"), ("120m", "2 h"), ("1.5m", "90 s")])
def test_a_duration_is_shown_in_the_unit_that_leaves_no_fraction(text: str, shown: str) -> None:
    assert shown_duration(read_duration(text)) == shown


# ---- a whole one


def test_without_a_journal_it_is_an_error_of_the_settings(escalating: Escalating) -> None:
    ran = escalating.alarm(delivery_log_token="")
    assert ran.code == 1
    assert "escalate needs the journal" in ran.out
    assert escalating.told() == {}


def test_each_group_is_told_when_its_time_has_come_and_reads_why(escalating: Escalating) -> None:
    assert escalating.alarm().code == 0
    assert escalating.told() == once(MAINTENANCE)
    assert escalating.scheduled(14 * MINUTE).code == 0
    assert escalating.told() == once(MAINTENANCE), "too early"
    ran = escalating.scheduled(61)
    assert ran.code == 0
    assert "goes on to office (4 users)" in ran.out
    assert escalating.told() == once(MAINTENANCE, OFFICE)
    assert escalating.messages("Kavya Rao") == ["Please act\nNo answer for 15 min"]
    assert escalating.messages("Ana Souza") == ["Please act"]
    escalating.scheduled(44 * MINUTE)
    assert escalating.told() == once(MAINTENANCE, OFFICE)
    escalating.scheduled(61)
    assert escalating.told() == once(MAINTENANCE, OFFICE, MANAGERS)
    assert escalating.messages("Mia Boss") == ["Please act\nNo answer for 1 h"]
    assert escalating.rows("notify_campaign")[-1]["value"] == "finished"
    for _ in range(3):
        escalating.scheduled(60 * MINUTE)
    assert escalating.told() == once(MAINTENANCE, OFFICE, MANAGERS), "at most through its list"
    steps = {
        escalating.name(user): row["metadata"].get("step", 0)
        for row in escalating.rows("notify_outcome")
        for user in row["metadata"]["users"].split()
    }
    assert {steps[name] for name in MAINTENANCE} == {0}
    assert {steps[name] for name in OFFICE} == {1}
    assert {steps[name] for name in MANAGERS} == {2}


def test_a_run_that_comes_late_skips_no_group(escalating: Escalating) -> None:
    escalating.alarm()
    ran = escalating.scheduled(3 * 3600)
    assert escalating.told() == once(MAINTENANCE, OFFICE, MANAGERS)
    assert "goes on to office" in ran.out
    assert "goes on to role=manager, on call" in ran.out


def test_the_event_handed_in_again_tells_nobody_again_and_is_no_step(escalating: Escalating) -> None:
    escalating.alarm()
    assert escalating.alarm().code == 0
    assert escalating.told() == once(MAINTENANCE)


@pytest.mark.parametrize("decider", ["Ana Souza", "Kavya Rao", "Mia Boss"])
def test_a_decision_in_whichever_group_ends_it_and_closes_every_copy(escalating: Escalating, decider: str) -> None:
    escalating.alarm()
    for after in (15 * MINUTE + 1, 45 * MINUTE):
        if decider in escalating.told():
            break
        escalating.scheduled(after)
    before = escalating.told()
    assert decider in before
    pressed = press(escalating, decider, notification=json.dumps(ALARM))
    assert "it counts" in pressed.out, pressed.out
    for _ in range(3):
        assert escalating.scheduled(60 * MINUTE).code == 0
    assert escalating.told() == before
    assert all(not note["buttons_enabled"] for note in escalating.sandbox.store.notifications.values())
    assert escalating.rows("notify_campaign")[-1]["value"] == "finished"


def test_a_decision_just_before_the_step_keeps_it_from_going_on(escalating: Escalating) -> None:
    escalating.alarm()
    escalating.sandbox.store.ahead += 16 * MINUTE
    press(escalating, "Ana Souza", notification=json.dumps(ALARM))
    escalating.scheduled()
    assert escalating.told() == once(MAINTENANCE)


def test_a_decision_while_a_step_is_being_told_ends_it(escalating: Escalating) -> None:
    for number in range(30):
        tags = [{"key": "group", "value": "office"}]
        escalating.sandbox.store.add_user({"name": f"Late {number:02}", "active": True, "tags": tags})
    escalating.alarm()
    escalating.sandbox.trouble.rate_limit, escalating.sandbox.trouble.window = 4, 6.0
    ended: list[Ran] = []
    run = threading.Thread(target=lambda: ended.append(escalating.scheduled(16 * MINUTE)))
    run.start()
    deadline = time.monotonic() + 30
    while len(escalating.told()) < len(MAINTENANCE) + 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    press(escalating, "Ana Souza", notification=json.dumps(ALARM))
    run.join(90)
    (ran,) = ended
    assert len(escalating.told()) < len(MAINTENANCE) + 30, "it went on to the end"
    assert max(escalating.told().values()) == 1
    assert "decided meanwhile" in ran.out
    assert ran.code == 0, ran.out
    notes = escalating.sandbox.store.notifications.values()
    assert all(not note["buttons_enabled"] for note in notes), "also those that the press could not see"
    escalating.scheduled(60 * MINUTE)
    assert max(escalating.told().values()) == 1


def test_a_step_that_was_cut_off_is_finished_by_the_next_run(escalating: Escalating) -> None:
    escalating.alarm()
    escalating.sandbox.trouble.rate_limit = 2
    cut = escalating.scheduled(16 * MINUTE, time_budget="10s")
    escalating.sandbox.trouble.rate_limit = None
    assert (cut.code, len(escalating.told()) < 11) in ((1, True), (0, False))
    escalating.scheduled(MINUTE)
    assert escalating.told() == once(MAINTENANCE, OFFICE)
    assert all(escalating.messages(name) == ["Please act\nNo answer for 15 min"] for name in OFFICE)


def test_a_user_of_both_groups_is_told_once(escalating: Escalating) -> None:
    users = escalating.sandbox.store.users.values()
    daniel = next(user for user in users if user["name"] == "Daniel Weber")
    daniel["tags"].append({"key": "group", "value": "office"})
    kavya = next(user for user in users if user["name"] == "Kavya Rao")
    kavya["tags"].append({"key": "role", "value": "manager, on call"})
    escalating.alarm()
    escalating.scheduled(2 * 3600)
    assert escalating.told() == once(MAINTENANCE, OFFICE, MANAGERS)


def test_a_group_that_nobody_is_in_is_said_and_the_next_one_is_told(escalating: Escalating) -> None:
    alarm = {**ALARM, "escalate": [{"after": "15m", "to": "nobody"}, {"after": "1h", "to": "office"}]}
    escalating.alarm(alarm)
    ran = escalating.scheduled(16 * MINUTE, alarm)
    assert 'no TagoRUN user has the tag "group" = "nobody"' in ran.out
    escalating.scheduled(45 * MINUTE, alarm)
    assert escalating.told() == once(MAINTENANCE, OFFICE)


def test_where_users_cannot_be_looked_up_the_step_waits_for_the_next_run(escalating: Escalating) -> None:
    escalating.alarm()
    escalating.sandbox.trouble.faults = [Fault("403", route=("GET", "/run/users"), attempts=99)]
    assert escalating.scheduled(16 * MINUTE).code == 1
    escalating.sandbox.trouble.faults = []
    assert escalating.scheduled(MINUTE).code == 0
    assert escalating.told() == once(MAINTENANCE, OFFICE)


def test_a_group_whom_nobody_could_tell_is_still_escalated(escalating: Escalating) -> None:
    for user in escalating.sandbox.store.users.values():
        if user["name"] in MAINTENANCE:
            user["tags"].append({"key": "notifications", "value": "off"})
    escalating.alarm()
    assert escalating.told() == {}
    escalating.scheduled(16 * MINUTE)
    assert escalating.told() == once(OFFICE)


def test_steps_count_from_the_first_sending_not_from_the_quiet_hours_before(escalating: Escalating) -> None:
    calm = {**ALARM, "priority": "normal"}
    escalating.alarm(calm, quiet_hours="00:00-23:59")
    assert escalating.told() == {}
    escalating.scheduled(2 * 3600, calm)
    assert escalating.told() == once(MAINTENANCE)
    escalating.scheduled(14 * MINUTE, calm)
    assert escalating.told() == once(MAINTENANCE)
    escalating.scheduled(2 * MINUTE, calm)
    assert escalating.told() == once(MAINTENANCE, OFFICE)


def test_a_dry_run_shows_the_steps_and_takes_none(escalating: Escalating) -> None:
    shown = escalating.alarm(dry_run="true").out
    assert "after 15 min without a decision: office, Ingrid Dahl, Jon O'Neil, Kavya Rao, Luca Bianchi" in shown
    nobody = {**ALARM, "escalate": [{"after": "15m", "to": "nobody"}, {"after": "20m", "to": "maintenance"}]}
    shown = escalating.alarm(nobody, dry_run="true").out
    assert "after 15 min without a decision: nobody, NOBODY" in shown
    assert "escalate, maintenance: 7 have been told already" in shown
    escalating.alarm()
    rows = len(escalating.rows("notify_campaign"))
    shown = escalating.scheduled(16 * MINUTE, dry_run="true").out
    assert "goes on to office (4 users)" in shown
    assert escalating.told() == once(MAINTENANCE)
    assert len(escalating.rows("notify_campaign")) == rows


# ---- what must not stop it, and what must


def user_of(escalating: Escalating, name: str) -> dict[str, Any]:
    (found,) = [user for user in escalating.sandbox.store.users.values() if user["name"] == name]
    return found


def test_a_mistake_of_the_run_s_own_round_does_not_keep_a_step_back(escalating: Escalating) -> None:
    alarm = {**ALARM, "message": "$VALUE$ of $VARIABLE$"}
    del alarm["when"]  # so the scheduled run has a round of its own, which cannot be filled
    escalating.alarm(alarm)
    ran = escalating.scheduled(16 * MINUTE, alarm)
    assert ran.code == 1
    assert "this run's own round was not begun: $VALUE$ cannot be filled" in ran.out
    assert escalating.told() == once(MAINTENANCE, OFFICE)
    assert escalating.scheduled(MINUTE, alarm).out.startswith("Nobody was notified")


def test_a_step_that_cannot_be_taken_keeps_no_other_back(escalating: Escalating) -> None:
    escalating.alarm()
    ran = escalating.scheduled(2 * 3600, max_recipients="3")
    assert ran.code == 1
    assert "escalate, office: cannot be told now: 4 users would be told, more than max_recipients" in ran.out
    assert escalating.told() == once(MAINTENANCE, MANAGERS)
    assert escalating.scheduled(MINUTE).code == 0
    assert escalating.told() == once(MAINTENANCE, MANAGERS, OFFICE)


def test_a_text_that_cannot_be_filled_for_one_keeps_the_others_from_nothing(escalating: Escalating) -> None:
    for name in MAINTENANCE + OFFICE[1:]:
        user_of(escalating, name)["tags"].append({"key": "site", "value": "x"})
    alarm = {**ALARM, "message": "At $USER.TAG.site$"}
    escalating.alarm(alarm, send_to="Ana Souza, Ben Carter")
    ran = escalating.scheduled(16 * MINUTE, alarm)
    assert ran.code == 1
    assert "$USER.TAG.site$ cannot be filled" in ran.out
    assert escalating.told() == once(["Ana Souza", "Ben Carter"], OFFICE[1:])
    user_of(escalating, OFFICE[0])["tags"].append({"key": "site", "value": "x"})
    assert escalating.scheduled(MINUTE, alarm).code == 0
    assert escalating.told() == once(["Ana Souza", "Ben Carter"], OFFICE)


def test_an_escalation_that_could_not_go_on_is_refused_before_the_alarm(escalating: Escalating) -> None:
    assert (
        'without tag_key it must name the tag too, such as "role=supervisor"'
        in escalating.alarm(tag_key="", tag_value="", send_to="Ana Souza").out
    )
    alarm = {**ALARM, "buttons": [{"id": "a", "label": "A", "analysis": "a" * 24}]}
    env = {**escalating.env(), "account_token": escalating.sandbox.store.profile_token}
    env = {key: value for key, value in env.items() if not key.startswith("T_ANALYSIS")}
    given = {"tag_key": "group", "tag_value": "maintenance", "delivery_log_token": escalating.token}
    del alarm["when"]
    ran = run_python(ANALYSIS, env={**env, **given, "notification": json.dumps(alarm)})
    assert "escalate needs an Analysis that goes on with it: set T_ANALYSIS_ID" in ran.out
    assert escalating.told() == {}


def test_one_who_is_held_back_does_not_stop_the_clock_where_the_others_failed(escalating: Escalating) -> None:
    calm = {**ALARM, "priority": "normal"}
    store = escalating.sandbox.store
    for name in MAINTENANCE[1:]:
        rule = ["run_user", "id", user_of(escalating, name)["id"]]
        store.policies["seeded"]["permissions"].append(
            {"effect": "deny", "action": ["create_notification"], "resource": rule}
        )
    for user in store.users.values():
        user["timezone"] = "UTC" if user["name"] == "Ana Souza" else "Asia/Tokyo"
    hour = datetime.now(UTC).hour
    hours = f"{hour:02}:00-{(hour + 4) % 24:02}:00"
    escalating.alarm(calm, quiet_hours=hours)
    assert escalating.told() == {}
    escalating.scheduled(16 * MINUTE, calm, quiet_hours=hours)
    assert set(OFFICE) <= set(escalating.told())


def test_a_step_names_its_members_who_are_inactive(escalating: Escalating) -> None:
    for name in OFFICE:
        user_of(escalating, name)["active"] = False
    escalating.alarm()
    ran = escalating.scheduled(16 * MINUTE)
    assert "inactive user: Ingrid Dahl, Jon O'Neil, Kavya Rao, Luca Bianchi" in ran.out


def test_what_everybody_was_told_a_short_while_ago_does_not_escalate_once_more(escalating: Escalating) -> None:
    calm = {**ALARM, "priority": "normal", "subject": "fridge"}
    escalating.alarm(calm)
    press(escalating, "Ana Souza", notification=json.dumps(calm))
    escalating.sandbox.store.ahead += 60
    again = [{**POINT[0], "id": "2"}]
    escalating.run(again, notification=json.dumps(calm), cooldown="1h", **EVENT)
    escalating.scheduled(20 * MINUTE, calm, cooldown="1h")
    assert escalating.told() == once(MAINTENANCE)


def test_a_notification_that_was_changed_since_is_not_escalated(escalating: Escalating) -> None:
    escalating.alarm()
    ran = escalating.scheduled(16 * MINUTE, {"title": "All is well", "message": "m"})
    assert "the notification was changed since: it does not escalate any more" in ran.out
    assert not set(OFFICE) & {
        name for name in OFFICE for message in escalating.messages(name) if "No answer" in message
    }


def test_a_scheduled_run_with_nothing_to_say_writes_nothing(escalating: Escalating) -> None:
    before = len(escalating.sandbox.store.data[escalating.device["id"]])
    for _ in range(3):
        assert escalating.scheduled(MINUTE).code == 0
    assert len(escalating.sandbox.store.data[escalating.device["id"]]) == before
