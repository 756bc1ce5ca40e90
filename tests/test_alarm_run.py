"""An alarm from its beginning to its end, in processes on the sandbox: raised, repeated, worse, cleared."""

import copy
import itertools
import json
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from typing import Any

import pytest

from lib.tools.sandbox.store import Record
from lib.tools.sandbox.trouble import Fault
from tests.conftest import ANALYSIS, BARE, MAINTENANCE, ROOT, Ran, run_python
from tests.test_decision import press
from tests.test_dispatch import EVENT, Journaled, journaled  # noqa: F401  # a fixture

WARM = {
    "title": "Fridge is warm",
    "message": "It is at $VALUE$ $UNIT$",
    "alarm": "temperature",
    "all_clear": "Back to normal: $VALUE$ $UNIT$",
    "when": {"variable": "temperature", "is": ">", "value": 8},
    "buttons": [{"id": "acknowledge", "label": "Acknowledge", "analysis": "this"}],
    "translations": {
        "pt": {
            "title": "Geladeira quente",
            "message": "Está a $VALUE$ $UNIT$",
            "repeated": "$COUNT$ª vez desde $SINCE$",
            "all_clear": "De volta ao normal: $VALUE$ $UNIT$",
        }
    },
}
HOT = {**WARM, "title": "Fridge is hot", "when": {"variable": "temperature", "is": ">", "value": 20}}
NUMBER = iter(range(1, 1000))


def reads(journaled: Journaled, value: float | str, notification: Any = WARM, **variables: str) -> Ran:  # noqa: F811
    """What one event of the fridge leads to, a minute after the last."""
    journaled.age()
    return reads_at_once(journaled, value, notification, **variables)


def reads_at_once(journaled: Journaled, value: float | str, notification: Any = WARM, **variables: str) -> Ran:  # noqa: F811
    point = {"id": f"p{next(NUMBER)}", "variable": "temperature", "value": value, "unit": "°C", "device": "d" * 24}
    return journaled.run([point], **EVENT, notification=json.dumps(notification), **variables)


def copies(journaled: Journaled, name: str = "Ben Carter") -> list[Record]:  # noqa: F811
    store = journaled.sandbox.store
    return [note for note in store.notifications.values() if store.users[note["run_user"]]["name"] == name]


def times_told(journaled: Journaled) -> dict[str, int]:  # noqa: F811
    store = journaled.sandbox.store
    return dict(Counter(store.users[note["run_user"]]["name"] for note in store.notifications.values()))


def pushes(journaled: Journaled) -> int:  # noqa: F811
    return len(journaled.sandbox.store.notifications)


ONCE = dict.fromkeys(MAINTENANCE, 1)


def test_three_readings_tell_everybody_once_and_bring_the_copies_up_to_date(journaled: Journaled) -> None:  # noqa: F811
    assert reads(journaled, 9).code == 0
    for value in (10, 11):
        ran = reads(journaled, value)
        assert ran.code == 0, ran.out + ran.err
    assert "this is event 3" in ran.out
    assert times_told(journaled) == ONCE
    (bens,), (anas,) = copies(journaled), copies(journaled, "Ana Souza")
    assert bens["message"].startswith("It is at 11 °C\n3rd time since ")
    assert anas["message"].startswith("Está a 11 °C\n3ª vez desde ")
    assert all(note["buttons_enabled"] for note in (bens, anas))


def test_the_all_clear_closes_every_copy_and_the_next_event_is_a_new_alarm(journaled: Journaled) -> None:  # noqa: F811
    reads(journaled, 9)
    ran = reads(journaled, 4)
    assert ran.code == 0, ran.out + ran.err
    assert 'the alarm "temperature" of this device is over' in ran.out
    (bens,), (anas,) = copies(journaled), copies(journaled, "Ana Souza")
    assert "\nBack to normal: 4 °C, " in bens["message"]
    assert "\nDe volta ao normal: 4 °C, " in anas["message"]
    assert not any(note["buttons_enabled"] for note in journaled.sandbox.store.notifications.values())
    quiet = reads(journaled, 5)
    assert quiet.code == 0, quiet.out + quiet.err
    assert 'no alarm "temperature" of this device is open' in quiet.out
    assert times_told(journaled) == ONCE
    reads(journaled, 9)
    assert times_told(journaled) == dict.fromkeys(MAINTENANCE, 2)


def test_a_value_that_is_no_number_ends_nothing(journaled: Journaled) -> None:  # noqa: F811
    reads(journaled, 9)
    for value in ("abc", "", "nan", "-inf"):
        assert reads(journaled, value).code == 0
    assert all(note["buttons_enabled"] for note in journaled.sandbox.store.notifications.values())


def test_what_was_decided_stays_decided_until_it_is_over(journaled: Journaled) -> None:  # noqa: F811
    reads(journaled, 9)
    press(journaled, "Ana Souza", notification=json.dumps(WARM))
    ran = reads(journaled, 10)
    assert ran.code == 0, ran.out + ran.err
    (bens,) = copies(journaled)
    assert "It is at 9" in bens["message"], "a closed copy stays as it is"
    assert times_told(journaled) == ONCE
    reads(journaled, 4)
    (bens,) = copies(journaled)
    assert bens["message"].count("Acknowledged by Ana Souza") == 1
    assert "\nBack to normal: 4 °C, " in bens["message"]


def test_worse_is_told_in_the_place_of_the_older_and_less_bad_is_a_repeat(journaled: Journaled) -> None:  # noqa: F811
    both = [{**HOT, "priority": "high"}, WARM]
    reads(journaled, 9, both)
    ran = reads(journaled, 21, both)
    assert ran.code == 0, ran.out + ran.err
    assert times_told(journaled) == dict.fromkeys(MAINTENANCE, 2)
    older, newer = copies(journaled)
    assert not older["buttons_enabled"]
    assert "→ Fridge is hot, " in older["message"]
    assert newer["buttons_enabled"]
    assert reads(journaled, 10, both).code == 0
    assert times_told(journaled) == dict.fromkeys(MAINTENANCE, 2)
    reads(journaled, 4, both)
    assert "Back to normal: 4 °C" in copies(journaled)[1]["message"]
    assert "Back to normal" not in copies(journaled)[0]["message"]


def test_again_tells_everybody_again_and_closes_the_older_copy(journaled: Journaled) -> None:  # noqa: F811
    again = {**WARM, "repeat": "again"}
    reads(journaled, 9, again)
    reads(journaled, 10, again)
    assert times_told(journaled) == dict.fromkeys(MAINTENANCE, 2)
    older, newer = copies(journaled)
    assert (older["buttons_enabled"], newer["buttons_enabled"]) == (False, True)


def said_by_all(journaled: Journaled, pattern: str) -> bool:  # noqa: F811
    return all(re.search(pattern, note["message"]) for note in journaled.sandbox.store.notifications.values())


def test_whoever_is_not_told_anew_keeps_an_open_copy_until_the_end(journaled: Journaled) -> None:  # noqa: F811
    again = {**WARM, "repeat": "again", "all_clear_tell": True}
    courteous = {"cooldown": "1h"}
    reads(journaled, 9, again, **courteous)
    ran = reads(journaled, 10, again, **courteous)
    assert ran.code == 0, ran.out + ran.err
    assert times_told(journaled) == ONCE
    assert all(note["buttons_enabled"] for note in journaled.sandbox.store.notifications.values())
    assert said_by_all(journaled, r"\b10 °C\n2(nd time since|ª vez desde) \d\d:\d\d$")
    ran = reads(journaled, 4, again)
    assert ran.code == 0, ran.out + ran.err
    assert times_told(journaled) == dict.fromkeys(MAINTENANCE, 2)  # of the end, once
    assert said_by_all(journaled, "(Back to|De volta ao) normal: 4 °C|^(Back|De volta)")


def test_a_worse_one_that_does_not_fit_the_quota_closes_nothing(journaled: Journaled) -> None:  # noqa: F811
    both = [{**HOT, "priority": "high"}, WARM]
    reads(journaled, 9, both)
    store = journaled.sandbox.store
    store.limits["push_notification"] = store.used["push_notification"]
    ran = reads(journaled, 21, both)
    assert ran.code == 1
    assert "this run's own round was not begun" in ran.out or "Nobody was notified" in ran.out
    assert times_told(journaled) == ONCE
    assert all(note["buttons_enabled"] for note in store.notifications.values())
    del store.limits["push_notification"]
    assert reads(journaled, 4, both).code == 0
    assert said_by_all(journaled, "\n(Back to|De volta ao) normal: 4 °C, ")
    assert times_told(journaled) == ONCE


def test_whom_an_escalation_has_told_reads_of_what_is_worse_and_of_the_end(journaled: Journaled) -> None:  # noqa: F811
    escalating = {**WARM, "escalate": [{"after": "15m", "to": "group=office"}], "all_clear_tell": True}
    both = [{**HOT, "priority": "high", "all_clear_tell": True}, escalating]
    reads(journaled, 9, both)
    for _ in range(16):
        journaled.age()
    scheduled = {**EVENT, "_action_type": "schedule"}
    assert journaled.run(notification=json.dumps(both), **scheduled).code == 0
    office = times_told(journaled).keys() - MAINTENANCE
    assert office
    assert reads(journaled, 21, both).code == 0
    assert times_told(journaled) == dict.fromkeys(MAINTENANCE, 2) | dict.fromkeys(office, 1)
    (copy_of_office,) = copies(journaled, min(office))
    assert copy_of_office["buttons_enabled"]
    assert (copy_of_office["title"], "→" in copy_of_office["message"]) == ("Fridge is hot", False)
    assert reads(journaled, 4, both).code == 0
    assert times_told(journaled) == dict.fromkeys(MAINTENANCE, 3) | dict.fromkeys(office, 2)
    assert "Back to normal: 4 °C" in copies(journaled, min(office))[0]["message"]


def test_who_is_found_to_have_been_told_when_it_is_over_is_told_that_too(journaled: Journaled) -> None:  # noqa: F811
    telling = {**WARM, "all_clear_tell": True}
    reads(journaled, 9, telling)
    rows = journaled.sandbox.store.data[journaled.device["id"]]
    lost = [row for row in journaled.rows("notify_outcome") if row["value"] == "sent"][1:]
    assert lost  # as if that run had been killed before it wrote them down
    rows[:] = [row for row in rows if row not in lost and row["value"] not in ("finished", "left")]
    ran = reads(journaled, 4, telling)
    assert ran.code == 0, ran.out + ran.err
    assert times_told(journaled) == dict.fromkeys(MAINTENANCE, 2)


def test_an_end_needs_no_audience(journaled: Journaled) -> None:  # noqa: F811
    reads(journaled, 9)
    for given in ({"max_recipients": "1"}, {"tag_value": "nobody"}):
        ran = reads(journaled, 10, **given)
        assert ran.code == 1
        assert said_by_all(journaled, r"\b9 °C$")
    ran = reads(journaled, 4, max_recipients="1")
    assert ran.code == 1
    assert "more than max_recipients (1) allows" in ran.out
    assert said_by_all(journaled, "\n(Back to|De volta ao) normal: 4 °C, ")


def test_who_had_been_told_is_told_that_it_is_over_and_nobody_else(journaled: Journaled) -> None:  # noqa: F811
    telling = {**WARM, "all_clear_tell": True}
    reads(journaled, 9, telling)
    store = journaled.sandbox.store
    tags = [{"key": "group", "value": "maintenance"}]
    store.add_user({"name": "Zoe New", "active": True, "tags": tags, "timezone": "UTC"})
    ran = reads(journaled, 4, telling)
    assert ran.code == 0, ran.out + ran.err
    assert times_told(journaled) == dict.fromkeys(MAINTENANCE, 2)
    assert copies(journaled)[1]["title"] == "Back to normal: 4 °C"


def test_who_joins_meanwhile_is_told_of_the_open_alarm(journaled: Journaled) -> None:  # noqa: F811
    reads(journaled, 9)
    tags = [{"key": "group", "value": "maintenance"}]
    journaled.sandbox.store.add_user({"name": "Zoe New", "active": True, "tags": tags, "timezone": "UTC"})
    ran = reads(journaled, 10)
    assert ran.code == 0, ran.out + ran.err
    assert times_told(journaled) == {**ONCE, "Zoe New": 1}
    assert "It is at 10" in copies(journaled, "Zoe New")[0]["message"]


def test_who_was_left_out_by_a_rule_is_told_by_a_repeat_when_it_leaves_them_out_no_more(
    journaled: Journaled,  # noqa: F811
) -> None:
    courteous = {"cooldown": "150s"}  # each event comes a minute after the last
    for value in (9, 4):
        assert reads(journaled, value, **courteous).code == 0
    raised = reads(journaled, 9, **courteous)
    assert "told about this a short while ago (cooldown)" in raised.out
    assert times_told(journaled) == ONCE
    repeated = reads(journaled, 30, **courteous)
    assert repeated.code == 0, repeated.out + repeated.err
    assert times_told(journaled) == dict.fromkeys(MAINTENANCE, 2)
    assert copies(journaled)[1]["message"].startswith("It is at 30 °C\n2nd time since ")
    assert "which an earlier run left" not in repeated.out
    assert "is open, and was raised as campaign" in repeated.out


def test_the_end_is_told_when_the_copies_are_closed(journaled: Journaled) -> None:  # noqa: F811
    telling = {**WARM, "all_clear_tell": True}
    reads(journaled, 9, telling)
    store = journaled.sandbox.store
    asked = len(store.log)
    assert reads(journaled, 4, telling).code == 0
    routes = [method for method, path in store.log[asked:] if path.startswith("/run/notification")]
    assert routes.count("POST") == len(MAINTENANCE)
    assert routes.index("POST") > max(place for place, method in enumerate(routes) if method == "PUT")
    assert all(note["buttons_enabled"] for note in copies(journaled)[1:])


def test_a_copy_that_tagoio_lists_late_gets_its_line_all_the_same(journaled: Journaled) -> None:  # noqa: F811
    journaled.sandbox.store.facts["notifications_show_after"] = "3"
    reads_at_once(journaled, 9)
    ran = reads_at_once(journaled, 4)
    assert ran.code == 0, ran.out + ran.err
    assert all("\nBack to normal: 4 °C, " in note["message"] for note in copies(journaled))


def test_an_event_handed_in_again_after_the_end_is_no_repeat(journaled: Journaled) -> None:  # noqa: F811
    point = {"id": "again", "variable": "temperature", "value": 11, "unit": "°C", "device": "d" * 24}
    given = {"notification": json.dumps(WARM), **EVENT}
    reads(journaled, 9)
    journaled.age()
    journaled.run([point], **given)
    reads(journaled, 4)
    before = copy.deepcopy(journaled.sandbox.store.notifications)
    for dry_run in ("true", "false"):
        journaled.age()
        ran = journaled.run([point], dry_run=dry_run, **given)
        assert "this event repeats is over" in ran.out
        assert "is open" not in ran.out
        assert "would repeat it" not in ran.out
    assert journaled.sandbox.store.notifications == before


def test_who_could_not_be_changed_is_named(journaled: Journaled) -> None:  # noqa: F811
    reads(journaled, 9)
    (bens,) = [key for key, note in journaled.sandbox.store.notifications.items() if note is copies(journaled)[0]]
    fault = Fault("400", route=("PUT", f"/run/notification/{bens}"), attempts=99)
    journaled.sandbox.trouble.faults = [fault]
    for value, said in ((10, "could not be brought up to date"), (4, "could not be closed")):
        ran = reads(journaled, value)
        assert ran.code == 1
        (note,) = [line for line in ran.out.splitlines() if said in line]
        assert note.startswith(f"  note: 1 copy {said}")
        assert note.endswith(": Ben Carter")


def test_an_end_whose_telling_was_not_begun_is_told_by_the_next_run(journaled: Journaled) -> None:  # noqa: F811
    telling = {**WARM, "all_clear_tell": True}
    reads(journaled, 9, telling)
    reads(journaled, 4, telling)
    store, rows = journaled.sandbox.store, journaled.sandbox.store.data[journaled.device["id"]]
    (told,) = [row for row in journaled.rows("notify_change") if row["value"] == "told"]
    (begun,) = [row for row in journaled.rows("notify_campaign") if row["metadata"].get("all_clear")]
    rows[:] = [row for row in rows if row not in (told, begun) and row["group"] != begun["group"]]
    rows[:] = [row for row in rows if row["value"] != "finished"]
    for key in [key for key, note in store.notifications.items() if note["title"].startswith(("Back", "De volta"))]:
        del store.notifications[key]
    journaled.age()
    ran = journaled.run(notification=json.dumps(telling), **{**EVENT, "_action_type": "schedule"})
    assert ran.code == 0, ran.out + ran.err
    assert times_told(journaled) == dict.fromkeys(MAINTENANCE, 2)
    assert {note["title"] for note in copies(journaled)} == {"Fridge is warm", "Back to normal: 4 °C"}


def test_an_end_that_was_told_without_the_journal_is_not_told_again(journaled: Journaled) -> None:  # noqa: F811
    telling = {**WARM, "all_clear_tell": True}
    reads(journaled, 9, telling)
    reads(journaled, 4, telling)
    rows = journaled.sandbox.store.data[journaled.device["id"]]
    (told,) = [row for row in journaled.rows("notify_change") if row["value"] == "told"]
    (begun,) = [row for row in journaled.rows("notify_campaign") if row["metadata"].get("all_clear")]
    rows[:] = [row for row in rows if row != told and row["group"] != begun["group"] and row["value"] != "finished"]
    journaled.age()
    ran = journaled.run(notification=json.dumps(telling), **{**EVENT, "_action_type": "schedule"})
    assert ran.code == 0, ran.out + ran.err
    assert times_told(journaled) == dict.fromkeys(MAINTENANCE, 2)


def test_an_alarm_that_was_told_without_the_journal_is_not_told_again(journaled: Journaled) -> None:  # noqa: F811
    both = [{**HOT, "priority": "high"}, WARM]
    reads(journaled, 9, both)
    reads(journaled, 21, both)
    rows = journaled.sandbox.store.data[journaled.device["id"]]
    newest = journaled.rows("notify_alarm")[-1]["metadata"]["event"]
    lost = ("passed", "anew")
    rows[:] = [row for row in rows if row["group"] != newest and row["value"] not in lost]
    ran = reads(journaled, 22, both)
    assert ran.code == 0, ran.out + ran.err
    assert times_told(journaled) == dict.fromkeys(MAINTENANCE, 2)
    assert [note["buttons_enabled"] for note in copies(journaled)] == [False, True]


@pytest.mark.parametrize("after", [0.6, 1.2, 1.8])
def test_an_end_whose_run_is_killed_is_told_once_and_closed_by_the_next(
    journaled: Journaled,  # noqa: F811
    after: float,
) -> None:
    telling = {**WARM, "all_clear_tell": True}
    reads(journaled, 9, telling)
    journaled.age()
    point = {"id": "cold", "variable": "temperature", "value": 4, "unit": "°C", "device": "d" * 24}
    given = {"notification": json.dumps(telling), **EVENT}
    journaled.sandbox.trouble.latency = 0.1
    process = subprocess.Popen([sys.executable, str(ANALYSIS)], env=journaled.env([point], **given))
    time.sleep(after)
    process.kill()
    process.wait()
    time.sleep(0.3)
    journaled.sandbox.trouble.latency = 0
    for _ in range(2):  # TagoIO hands the event in again
        journaled.age()
        ran = journaled.run([point], **given)
        assert ran.code == 0, ran.out + ran.err
    assert times_told(journaled) == dict.fromkeys(MAINTENANCE, 2)
    warm = [note for note in journaled.sandbox.store.notifications.values() if note["buttons"]]
    assert not any(note["buttons_enabled"] for note in warm)


def test_without_a_line_a_copy_has_the_new_text_alone_and_a_long_all_clear_is_cut(
    journaled: Journaled,  # noqa: F811
) -> None:
    plain = {**WARM, "repeated": "", "all_clear": "It is $VALUE$" + "!" * 230, "translations": {}}
    reads(journaled, 9, plain)
    reads(journaled, 10, plain)
    assert copies(journaled)[0]["message"] == "It is at 10 °C"
    ran = reads(journaled, -12345678901.5, plain)
    assert ran.code == 0, ran.out + ran.err
    assert "the all-clear has" not in ran.out
    code = {**plain, "all_clear": "It is $VARIABLE$ $VALUE$" + "!" * 220}
    reads(journaled, 9, code)
    ran = reads(journaled, -12345678901.5, code)
    assert "the all-clear has 252 characters; it is cut to 250" in ran.out
    assert not any(note["buttons_enabled"] for note in copies(journaled))


def foretold(journaled: Journaled, value: float, notification: Any = WARM) -> str:  # noqa: F811
    """The line of a dry run on an alarm, once it is seen that the run then does just that: the same event in a dry run,
    which changes nothing, and then in earnest."""
    store, rows = journaled.sandbox.store, journaled.sandbox.store.data[journaled.device["id"]]
    journaled.age()
    point = {"id": f"p{next(NUMBER)}", "variable": "temperature", "value": value, "unit": "°C", "device": "d" * 24}
    given = {"notification": json.dumps(notification), **EVENT}
    before, asked = copy.deepcopy((store.notifications, rows)), len(store.log)
    dry = journaled.run([point], dry_run="true", **given)
    assert {method for method, _ in store.log[asked:]} == {"GET"}, "a dry run writes nothing"
    ran = journaled.run([point], **given)
    assert (dry.code, ran.code) == (0, 0), dry.out + ran.out + ran.err
    fresh = store.notifications.keys() - before[0].keys()
    changed = {key: note for key, note in store.notifications.items() if note != before[0].get(key, note)}
    closed = [note for note in changed.values() if not note["buttons_enabled"]]
    told = {name for line in re.findall(r"would be told: (.*)", dry.out) for name in line.split(", ")}
    assert told == {journaled.name(store.notifications[key]["run_user"]) for key in fresh}
    assert number_in(dry.out, r"(\d+) cop(?:y|ies) of campaign \w+ would be closed") == len(closed)
    assert number_in(dry.out, r"(\d+) cop(?:y|ies) of campaign \w+ would be brought") == len(changed) - len(closed)
    lines = itertools.takewhile(lambda line: line[:1] in "A ", dry.out[dry.out.index("Alarm") :].splitlines())
    return "; ".join(map(str.strip, lines))


def number_in(text: str, pattern: str) -> int:
    return sum(map(int, re.findall(pattern, text)))


def test_a_dry_run_says_that_an_event_would_raise_repeat_and_clear_it_and_so_it_does(
    journaled: Journaled,  # noqa: F811
) -> None:
    assert foretold(journaled, 4).endswith("none is open, so there would be nothing to end")
    assert foretold(journaled, 9).endswith("none is open; this event would raise it")
    second = foretold(journaled, 10)
    assert re.search(r"open since \d\d:\d\d UTC; this event would repeat it, the 2nd time;", second)
    assert "; 7 copies of campaign " in second
    assert " would be brought up to date; whether an edit is pushed again is not known" in second
    tags = [{"key": "group", "value": "maintenance"}]
    journaled.sandbox.store.add_user({"name": "Zoe New", "active": True, "tags": tags, "timezone": "UTC"})
    third = foretold(journaled, 11)
    assert "the 3rd time; nobody would be told again; 7 copies" in third
    assert third.endswith("1 would be told, who was not reached or has joined")
    press(journaled, "Ana Souza", notification=json.dumps(WARM))
    assert re.search("Ana Souza has answered campaign .*, so its copies would stay as they are", foretold(journaled, 9))
    last = foretold(journaled, 4)
    assert "this event would clear it; 8 copies" in last
    assert 'closed with "Back to normal: 4 °C", "De volta ao normal: 4 °C"' in last


def test_a_dry_run_says_that_an_event_is_worse_or_told_again_and_who_is_told_of_the_end(
    journaled: Journaled,  # noqa: F811
) -> None:
    both = [{**HOT, "priority": "high", "all_clear_tell": True}, {**WARM, "repeat": "again"}]
    foretold(journaled, 9, both)
    again = foretold(journaled, 10, both)
    assert "told as new, as repeat is again; 7 copies" in again
    assert '"→ Fridge is warm"' in again
    worse = foretold(journaled, 21, both)
    assert "told as new, as it is worse; 7 copies" in worse
    assert '"→ Geladeira quente", "→ Fridge is hot"' in worse
    assert foretold(journaled, 4, both).endswith("7 who had been told would be told that it is over")


def test_where_an_edit_costs_a_push_a_dry_run_says_how_many_and_a_run_that_it_is_not_free(
    journaled: Journaled,  # noqa: F811
) -> None:
    store = journaled.sandbox.store
    store.facts["edit_costs"] = "yes"
    probed = {"probed": "2026-11-25 edit_pushes=no edit_costs=yes"}
    costs = "an edit costs a unit of the push quota, so changing copies is not free"
    reads(journaled, 9, **probed)
    for value, taken in ((10, 7), (4, 14)):
        dry = reads(journaled, value, dry_run="true", **probed)
        assert costs in dry.out
        assert "an edit is not pushed again" in dry.out
        assert f"changing copies would take {taken} of them" in dry.out
        used = store.used["push_notification"]
        ran = reads(journaled, value, **probed)
        assert ran.out.count(costs) == 1
        assert store.used["push_notification"] - used == taken
    reads(journaled, 9)
    dry = reads(journaled, 10, dry_run="true")
    assert "whether an edit is pushed again is not known (lib.tools.probe)" in dry.out
    assert "whether an edit costs a unit of the push quota is not known" in dry.out
    assert "changing copies would take" not in dry.out


def test_a_dry_run_beside_a_run_that_may_be_telling_says_so(journaled: Journaled) -> None:  # noqa: F811
    reads(journaled, 9)
    (started,) = [row for row in journaled.rows("notify_campaign") if row["value"] == "started"]
    journaled.sandbox.store.data[journaled.device["id"]] = [
        row for row in journaled.sandbox.store.data[journaled.device["id"]] if row["value"] not in ("left", "finished")
    ]
    ran = reads_at_once(journaled, 10, dry_run="true")
    assert f"another run may be at campaign {started['group']} now" in ran.out, ran.out


def test_a_dry_run_of_an_alarm_without_a_journal_says_what_one_would_add(journaled: Journaled) -> None:  # noqa: F811
    ran = reads(journaled, 9, dry_run="true", delivery_log_token="")
    (line,) = [line for line in ran.out.splitlines() if "delivery_log_token" in line]
    assert "repeat tells nobody again and brings the copies up to date, and an all-clear closes them" in line


def test_a_dry_run_says_that_the_journal_cannot_be_read(journaled: Journaled) -> None:  # noqa: F811
    journaled.sandbox.trouble.faults = [Fault("503", route=("GET", "/data"), attempts=99)]
    ran = reads(journaled, 9, dry_run="true", time_budget="10s")
    assert ran.code == 0, ran.out + ran.err
    assert "Journal: CANNOT BE USED NOW" in ran.out
    assert "7 would be told" in ran.out


def press_late(journaled: Journaled, **variables: str) -> Ran:  # noqa: F811
    """Ana has pressed before the alarm was over, and TagoIO hands it in after."""
    (anas,) = copies(journaled, "Ana Souza")
    anas["buttons_enabled"] = True
    return press(journaled, "Ana Souza", **variables)


def test_a_press_after_the_end_is_told_that_and_how_it_was_over(journaled: Journaled) -> None:  # noqa: F811
    reads(journaled, 9)
    reads(journaled, 4)
    (bens,) = copies(journaled)
    late = press_late(journaled)
    assert late.code == 0, late.out + late.err
    assert re.search(
        r"Ana Souza pressed acknowledge: it was over before: De volta ao normal: 4 °C, \d\d:\d\d$", late.out, re.M
    )
    assert "it counts" not in late.out
    without = press_late(journaled, delivery_log_token="")
    assert without.code == 0, without.out + without.err
    said = r"""settled already; "(Back to|De volta ao) normal: 4 °C, \d\d:\d\d" stands on .*'s copy"""
    assert re.search(said, without.out)
    assert "it counts" not in without.out
    assert copies(journaled) == [bens]


def test_two_events_at_the_same_moment_are_one_alarm(journaled: Journaled) -> None:  # noqa: F811
    runs = [threading.Thread(target=reads_at_once, args=(journaled, value)) for value in (9, 10, 11)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert times_told(journaled) == ONCE
    raised = [row for row in journaled.rows("notify_campaign") if row["value"] == "started"]
    assert len({row["group"] for row in raised}) == 1


def test_without_a_journal_every_event_is_told_and_a_line_says_what_one_would_add(
    journaled: Journaled,  # noqa: F811
) -> None:
    for value in (9, 10):
        ran = reads(journaled, value, delivery_log_token="")
        assert ran.code == 0, ran.out + ran.err
        assert "without a journal (delivery_log_token) every event is told anew" in ran.out
    assert times_told(journaled) == dict.fromkeys(MAINTENANCE, 2)
    assert reads(journaled, 4, delivery_log_token="").code == 0


def test_another_device_has_an_alarm_of_its_own(journaled: Journaled) -> None:  # noqa: F811
    reads(journaled, 9)
    journaled.age()
    point = {"id": "x", "variable": "temperature", "value": 9, "device": "e" * 24}
    journaled.run([point], **EVENT, notification=json.dumps(WARM))
    assert times_told(journaled) == dict.fromkeys(MAINTENANCE, 2)


def test_closing_an_alarm_by_hand_names_the_older_campaigns_whose_copies_stay(journaled: Journaled) -> None:  # noqa: F811
    escalating = {**WARM, "escalate": [{"after": "15m", "to": "group=office"}]}
    both = [{**HOT, "priority": "high"}, escalating]
    reads(journaled, 9, both)
    for _ in range(16):
        journaled.age()
    assert journaled.run(notification=json.dumps(both), **{**EVENT, "_action_type": "schedule"}).code == 0
    reads(journaled, 21, both)
    env = journaled.env()
    token = {"account_token": env["T_ANALYSIS_TOKEN"], "delivery_log_token": journaled.token}
    given = {**token, "TAGOIO_API": journaled.sandbox.api}
    ran = run_python("-m", "lib.tools.campaign", "close", "last", "--dry-run", env={**BARE, **given}, cwd=ROOT)
    assert ran.code == 0, ran.out + ran.err
    assert re.search(r"Of the same alarm, \d+ copies of campaign \w{10} stay: do that too", ran.out)


def test_no_cooldown_swallows_the_end_of_an_alarm(journaled: Journaled) -> None:  # noqa: F811
    telling = {**WARM, "priority": "high", "all_clear_tell": True}
    for value in (9, 4, 9, 4):
        assert reads(journaled, value, telling, cooldown="1h").code == 0
    assert times_told(journaled) == dict.fromkeys(MAINTENANCE, 4)
