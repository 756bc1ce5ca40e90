"""Content and courtesy in whole runs on the sandbox: in processes of their own, as TagoIO runs them."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest

from lib.base.errors import Doubtful, Refused, Rejected, SetupError, TagoIOError
from lib.message.content import Content
from lib.message.document import parse_document
from lib.message.notification import Button, Notification
from lib.message.trigger import DataPoint, Trigger
from lib.message.user import User
from lib.tools.sandbox.server import Sandbox
from lib.tools.sandbox.trouble import Fault
from tests.conftest import MAINTENANCE, Ran, names_told
from tests.test_dispatch import EVENT, POINT, Journaled, journaled  # noqa: F401  # a fixture

Run = Callable[..., Ran]
READING = {"variable": "temperature", "value": 12, "unit": "°C", "time": "2026-03-01T22:30:00Z", "device": "d"}
SCOPE = json.dumps([READING])


def compose(trigger: Trigger, user: User) -> Notification | None:
    return Notification("Hello", f"to {user.name}") if user.name != "nobody" else None


def content(text: str = "", name_of_device: Callable[[str], str] = str) -> Content:
    return Content(compose, parse_document(text) if text else (), name_of_device)


def test_the_value_in_a_text_is_that_of_the_variable_in_its_condition() -> None:
    when = '"when": {"variable": "temperature", "is": ">", "value": 8}'
    text = f'{{"title": "t", "message": "$VALUE$ $UNIT$", "alarm": "a", "all_clear": "now $VALUE$", {when}}}'
    for value, other in ((9, 71), (4, 71)):
        points = [DataPoint("temperature", value, "°C", device="d"), DataPoint("humidity", other, "%", device="d")]
        for listed in (points, points[::-1]):
            trigger = Trigger("action", tuple(listed))
            given = content(text)(trigger, User("u", "Ana"))
            if isinstance(given, Notification):
                assert given.message == "9 °C"
            else:
                assert [each.message for each in content(text).all_clears(trigger)] == ["now 4"]


def test_the_subject_of_a_cooldown_names_the_device_and_not_what_was_measured() -> None:
    text = '{"title": "$DEVICE.NAME$ is at $VALUE$", "message": "m"}'
    subjects = set()
    for device, value in (("d1", 9), ("d1", 10), ("d2", 9)):
        given = content(text)(Trigger("action", (DataPoint("t", value, device=device),)), User("u", "Ana"))
        assert isinstance(given, Notification)
        subjects.add(given.subject)
    assert subjects == {"d1 is at $VALUE$", "d2 is at $VALUE$"}


def test_composes_result_is_sent_and_none_leaves_the_user_out() -> None:
    given = content()(Trigger(), User("u", "Ana"))
    assert isinstance(given, Notification)
    assert (given.title, given.message) == ("Hello", "to Ana")
    assert content()(Trigger(), User("u", "nobody")) == "compose returned None; this run brought no data"


@pytest.mark.parametrize("name", ["Ke$ha$", "$USER.EMAIL$", "$NONSENSE$", "$$", "$VALUE$ off", "US$5 and CA$6"])
def test_what_compose_returns_is_text_as_it_stands(name: str) -> None:
    def compose_all(trigger: Trigger, user: User) -> Notification:
        button = Button("a", user.name, link=f"https://x.io/?a={quote(user.name)}")
        return Notification(user.name, f"to {user.name}", (button,))

    given = Content(compose_all, (), str)(Trigger("action", (DataPoint("t", 1),)), User("u", name, "a@b.c"))
    assert isinstance(given, Notification)
    assert (given.title, given.message, given.buttons[0].label) == (name, f"to {name}", name)
    assert given.buttons[0].link == f"https://x.io/?a={quote(name)}"


@pytest.mark.parametrize("name", ["Ke$ha$", "$USER.EMAIL$", "$NONSENSE$", "$$", "$VALUE$ off", "US$5 and CA$6"])
def test_what_a_placeholder_of_the_document_brings_in_is_not_read_again(name: str) -> None:
    text = """{"title": "$USER.NAME$", "message": "$$ $VALUE$$UNIT$", "buttons":
              [{"id": "a", "label": "$USER.NAME$", "url": "https://x.io/?a=$USER.NAME$"}]}"""
    given = content(text)(Trigger("action", (DataPoint("t", "$VALUE$", name),)), User("u", name, "a@b.c"))
    assert isinstance(given, Notification)
    assert (given.title, given.message, given.buttons[0].label) == (name, f"$ $VALUE${name}", name)
    assert given.buttons[0].link == f"https://x.io/?a={quote(name, safe='')}"


@pytest.mark.parametrize("from_document", [True, False])
def test_this_analysis_and_the_users_language_are_filled_in_either_way(from_document: bool) -> None:
    document = {
        "title": "t",
        "message": "m",
        "buttons": [{"id": "a", "label": "Yes", "analysis": "this"}],
        "translations": {"pt": {"title": "título", "buttons": {"a": "Sim"}}},
    }
    variants = parse_document(json.dumps(document))
    chosen = Content(lambda trigger, user: variants[0].notification, variants if from_document else (), str)
    given = chosen(Trigger(analysis_id="a" * 24), User("u", language="pt-BR"))
    assert isinstance(given, Notification)
    assert (given.title, given.buttons[0].label, given.buttons[0].analysis) == ("título", "Sim", "a" * 24)


@pytest.mark.parametrize("title", ["$VALUE$", "$UNIT$"])
def test_a_text_that_is_empty_once_filled_keeps_nobody_untold(title: str) -> None:
    document = json.dumps({"title": title, "message": "m"})
    given = content(document)(Trigger("action", (DataPoint("t", " "),)), User("u"))
    assert isinstance(given, Notification)
    assert given.title == "-"


def test_compose_must_return_a_notification() -> None:
    wrong = Content(lambda trigger, user: {}, (), str)  # type: ignore[arg-type, return-value]
    with pytest.raises(SetupError, match="must return a Notification, an AllClear or None, not dict"):
        wrong(Trigger(), User("u"))


def test_the_first_variant_that_holds_is_sent() -> None:
    variants = """[{"title": "hot", "message": "m", "when": {"variable": "t", "is": ">", "value": 30}},
                   {"title": "warm", "message": "m", "when": {"variable": "t", "is": ">", "value": 20}}]"""
    chosen = content(variants)
    titles = [chosen(Trigger("action", (DataPoint("t", value),)), User("u")) for value in (31, 25, 5)]
    assert [given if isinstance(given, str) else given.title for given in titles] == [
        "hot", "warm", "no condition (when) of the notification holds; t is 5, not > 30; t is 5, not > 20",
    ]  # fmt: skip


def test_a_device_is_asked_for_its_name_once() -> None:
    asked: list[str] = []

    def name(device: str) -> str:
        asked.append(device)
        return "Fridge"

    chosen = content('{"title": "$DEVICE.NAME$", "message": "m"}', name)
    trigger = Trigger("action", (DataPoint("t", 1, device="d"),))
    for number in range(3):
        given = chosen(trigger, User(str(number)))
        assert isinstance(given, Notification)
        assert given.title == "Fridge"
    assert asked == ["d"]


def test_a_device_whose_name_cannot_be_had_stops_the_run() -> None:
    def denied(device: str) -> str:
        raise Rejected("401 Authorization Denied", status=401)

    with pytest.raises(SetupError, match=r"\$DEVICE.NAME\$ cannot be filled.*Device / Access"):
        content('{"title": "$DEVICE.NAME$", "message": "m"}', denied)(Trigger("action", device_id="d"), User("u"))


def test_where_the_name_cannot_be_had_just_now_the_id_stands_for_it() -> None:
    for error in (Doubtful("502", status=502), Refused("Too many requests", status=429)):
        asked: list[str] = []

        def fails(device: str, error: TagoIOError = error, asked: list[str] = asked) -> str:
            asked.append(device)
            raise error

        chosen = content('{"title": "$DEVICE.NAME$ is warm", "message": "m"}', fails)
        for number in range(3):
            given = chosen(Trigger("action", device_id="d"), User(str(number)))
            assert isinstance(given, Notification)
            assert given.title == "d is warm"
        assert asked == ["d"], "for all users"


# ---- whole runs


def test_answers_that_fail_cost_no_user_though_the_text_has_the_name_of_the_device(
    peopled: Sandbox, run_inside: Run
) -> None:
    device, _ = peopled.store.add_device({"name": "Fridge 7"})
    peopled.trouble.faults = [Fault("502", route=("GET", "/device"))]
    ran = run_inside(
        SCOPE.replace('"d"', f'"{device["id"]}"'), notification='{"title": "$DEVICE.NAME$", "message": "m"}'
    )
    assert (ran.code, names_told(peopled)) == (0, MAINTENANCE)


def test_each_user_gets_their_own_words(peopled: Sandbox, run_inside: Run) -> None:
    device, _ = peopled.store.add_device({"name": "Fridge 7"})
    document = {
        "title": "$DEVICE.NAME$",
        "message": "$USER.NAME$: $VALUE$ $UNIT$ at $TIME$",
        "translations": {"pt": {"message": "$USER.NAME$, são $VALUE$ $UNIT$"}},
    }
    ran = run_inside(SCOPE.replace('"d"', f'"{device["id"]}"'), notification=json.dumps(document))
    assert ran.code == 0, ran.out + ran.err
    messages = {
        peopled.store.users[note["run_user"]]["name"]: note["message"] for note in peopled.store.notifications.values()
    }
    assert messages["Ana Souza"] == "Ana Souza, são 12 °C"
    assert messages["Emi Tanaka"] == "Emi Tanaka: 12 °C at 2026-03-02 07:30"
    assert {note["title"] for note in peopled.store.notifications.values()} == {"Fridge 7"}


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"title": "$VALUE$", "message": "m"}, "$VALUE$ cannot be filled"),
        ({"title": "$USER.TAG.flat$", "message": "m"}, "$USER.TAG.flat$ cannot be filled"),
        ({"title": "$NONSENSE$", "message": "m"}, "$NONSENSE$ cannot be filled; this run has"),
    ],
)
def test_what_cannot_be_filled_stops_the_run(peopled: Sandbox, run_inside: Run, document: Any, said: str) -> None:
    ran = run_inside(notification=json.dumps(document))
    assert ran.code == 1
    assert said in ran.out
    assert not peopled.store.notifications


def test_when_no_variant_holds_nobody_is_told_and_it_says_so(peopled: Sandbox, run_inside: Run) -> None:
    document = {"title": "t", "message": "m", "when": {"variable": "temperature", "is": ">", "value": 30}}
    ran = run_inside(SCOPE, notification=json.dumps(document))
    assert ran.code == 0
    assert "no condition (when) of the notification holds" in ran.out
    assert not peopled.store.notifications


def test_opting_out_is_respected(peopled: Sandbox, run_inside: Run) -> None:
    by_name = {user["name"]: user for user in peopled.store.users.values()}
    by_name["Ana Souza"]["tags"].append({"key": "notifications", "value": "off"})
    by_name["Ben Carter"]["tags"].append({"key": "notifications", "value": "high"})
    ran = run_inside()
    assert ran.code == 0
    assert names_told(peopled) == MAINTENANCE[2:]
    assert "opted out (tag notifications = off): Ana Souza" in ran.out
    run_inside(notification='{"title": "t", "message": "m", "priority": "high"}')
    assert names_told(peopled).count("Ben Carter") == 1


def hours_around(zone_offset: int) -> str:
    """Quiet hours that hold now in a zone so many hours from UTC, and nowhere an hour further."""
    local = datetime.now(UTC) + timedelta(hours=zone_offset)
    return f"{local - timedelta(minutes=20):%H:%M}-{local + timedelta(minutes=20):%H:%M}"


def test_quiet_hours_without_a_journal_skip(peopled: Sandbox, run_inside: Run) -> None:
    ran = run_inside(quiet_hours=hours_around(9))
    assert ran.code == 0, ran.out
    assert "Emi Tanaka" not in names_told(peopled)
    assert len(peopled.store.notifications) == 6
    assert "(Asia/Tokyo): Emi Tanaka" in ran.out


def test_quiet_hours_with_a_journal_hold_until_they_are_over(journaled: Journaled) -> None:  # noqa: F811
    hours = hours_around(9)  # the same for both: a minute may pass in between
    ran = journaled.run(POINT, quiet_hours=hours, **EVENT)
    assert ran.code == 0, ran.out
    assert ran.finished["held"] == 1
    journaled.age()
    still = journaled.run(POINT, quiet_hours=hours, **EVENT)
    assert still.finished["held"] == 1
    assert len(journaled.sandbox.store.notifications) == 6
    assert sum(row["value"] == "held" for row in journaled.rows("notify_outcome")) == 1
    journaled.age()
    over = journaled.run(POINT, quiet_hours=hours_around(15), **EVENT)
    assert over.code == 0, over.out
    assert names_told(journaled.sandbox) == MAINTENANCE


def test_an_unknown_time_zone_takes_the_profiles_and_says_so_once(peopled: Sandbox, run_inside: Run) -> None:
    for user in peopled.store.users.values():
        user["timezone"] = "Mars/Base"
    ran = run_inside(quiet_hours=hours_around(0))
    assert ran.out.count("Mars/Base") == 1
    assert not peopled.store.notifications


def test_a_cooldown_keeps_the_same_subject_back(journaled: Journaled) -> None:  # noqa: F811
    hot, cold = '{"title": "Hot $VALUE$", "message": "m"}', '{"title": "Cold", "message": "m"}'

    def told(number: int, text: str) -> int:
        before = len(journaled.sandbox.store.notifications)
        point = [{**POINT[0], "id": str(number), "value": number}]
        assert journaled.run(point, notification=text, cooldown="15m", **EVENT).code == 0
        return len(journaled.sandbox.store.notifications) - before

    assert [told(1, hot), told(2, hot), told(3, cold)] == [7, 0, 7]


def test_a_cooldown_without_a_journal_is_a_mistake(run_inside: Run) -> None:
    ran = run_inside(cooldown="15m")
    assert ran.code == 1
    assert "cooldown needs the journal" in ran.out


def test_high_priority_goes_first_and_low_last(peopled: Sandbox) -> None:
    from lib.app.console import Console
    from lib.app.plan import Plan
    from lib.app.settings import Settings
    from lib.tagoio.transport import Client, TagoIO

    ranks = {"Ana Souza": "low", "Ben Carter": "high"}
    chosen = Content(lambda trigger, user: Notification("t", "m", priority=ranks.get(user.name, "normal")), (), str)
    tago = TagoIO(peopled.store.profile_token, Client(peopled.api))
    settings = Settings(tag_key="group", tag_value=("maintenance",))
    plan = Plan(tago, settings, Console(lambda text: None), chosen)
    plan.make(Trigger())
    names = [user.name for user in plan.jobs[0].waiting]
    assert (names[0], names[-1], len(names)) == ("Ben Carter", "Ana Souza", 7)


def test_an_audience_beyond_the_quota_is_refused_with_both_numbers(peopled: Sandbox, run_inside: Run) -> None:
    peopled.store.limits["push_notification"], peopled.store.used["push_notification"] = 100, 95
    ran = run_inside()
    assert ran.code == 1
    assert "7 users would be told, but only 5 of this month's 100 push notifications are left" in ran.out
    assert not peopled.store.notifications


@pytest.mark.parametrize("how", ["denied", "absent"])
def test_a_quota_that_cannot_be_read_is_a_note_and_on_it_goes(peopled: Sandbox, run_inside: Run, how: str) -> None:
    if how == "denied":
        del next(iter(peopled.store.policies.values()))["permissions"][1]
    else:
        peopled.store.limits.clear()
    ran = run_inside()
    assert ran.code == 0
    assert "note: the push quota cannot be read" in ran.out
    assert names_told(peopled) == MAINTENANCE


def test_a_dry_run_says_in_one_line_that_nobody_has_logged_in(peopled: Sandbox, run_inside: Run) -> None:
    for user in peopled.store.users.values():
        user["last_login"] = None
    ran = run_inside(dry_run="true", rate_limit="100")
    assert "nobody of them has logged in to TagoRUN yet, so they may not see it" in ran.out
    assert "never logged in" not in ran.out
    assert "so 1 window, about" in ran.out


def test_that_the_variable_replaces_compose_is_said(peopled: Sandbox, run_inside: Run) -> None:
    said = "the text is that of the variable notification; compose in analysis.py was not asked"
    assert said in run_inside(notification='{"title": "Hi", "message": "there"}').out
    assert said not in run_inside().out


def test_the_dry_run_is_the_doctor(peopled: Sandbox, run_inside: Run) -> None:
    by_name = {user["name"]: user for user in peopled.store.users.values()}
    by_name["Ana Souza"]["tags"].append({"key": "notifications", "value": "off"})
    by_name["Chloé Martin"]["last_login"] = None
    by_name["Hugo Silva"]["name"] = "Hugo " + "long " * 30
    ran = run_inside(dry_run="true", rate_limit="3")
    assert ran.code == 0, ran.err
    for said in (
        "Token: an Analysis' (its policy decides), from T_ANALYSIS_TOKEN",
        "8 users match; 6 would be told.",
        "left out, inactive user: Grace Lim",
        "left out, opted out (tag notifications = off): Ana Souza",
        "never logged in to TagoRUN, so may not see it: Chloé Martin, Emi Tanaka",
        "Ben Carter would get:",
        "[Acknowledge] green runs Analysis",
        "Quota: 1000 of 1000 push notifications left this month; enough",
        "Rate limit: 3 a minute, so 2 windows",
        "1 of the messages exceed the 140 characters",
    ):
        assert said in ran.out, ran.out
    assert {method for method, _ in peopled.store.log} == {"GET"}
