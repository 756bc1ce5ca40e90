"""A run that ran out of time starts its own Analysis once more, and no more often than that helps anybody."""

import time
from typing import Any

import pytest

from lib.message.trigger import HAND_ON, read_trigger
from lib.tools.sandbox.runner import Run
from lib.tools.sandbox.trouble import Fault
from tests.conftest import ANALYSIS, MAINTENANCE, names_told
from tests.test_dispatch import EVENT, POINT, Journaled, journaled  # noqa: F401  # a fixture

GRANT = {"effect": "allow", "action": ["run_analysis"], "resource": ["analysis"]}


@pytest.fixture
def on_tagoio(journaled: Journaled) -> Journaled:  # noqa: F811
    """With the Analysis installed, and allowed to run itself; TagoIO takes three notifications, and then no more."""
    store, trouble = journaled.sandbox.store, journaled.sandbox.trouble
    (analysis,) = store.analyses.values()
    store.scripts[analysis["id"]] = ANALYSIS
    given = {
        "tag_key": "group", "tag_value": "maintenance", "delivery_log_token": journaled.token, "time_budget": "10s",
    }  # fmt: skip
    analysis["variables"] = [{"key": key, "value": value} for key, value in given.items()]
    store.policies["seeded"]["permissions"].append(GRANT)
    trouble.rate_limit, trouble.window = 3, 10**8
    return journaled


def start(place: Journaled, scope: Any = None, **extra: str) -> None:
    (analysis,) = place.sandbox.store.analyses.values()
    place.sandbox.call(place.sandbox.runner.start(analysis, extra, scope))


def runs(place: Journaled, number: int, all_ended: bool = True) -> list[Run]:
    """Once so many have begun, and the first or all have ended."""
    found = place.sandbox.runner.runs
    until = time.monotonic() + 60
    while time.monotonic() < until and (
        len(found) < number or any(run.code is None for run in list(found)[: None if all_ended else 1])
    ):
        if len(found) > 1:
            place.sandbox.trouble.rate_limit = None
        time.sleep(0.05)
    return list(found)


@pytest.mark.waits(15)
def test_a_run_out_of_time_is_gone_on_with_by_one_successor(on_tagoio: Journaled) -> None:
    start(on_tagoio, POINT, **EVENT)
    first, second = runs(on_tagoio, 2)
    said = "\n".join(first.lines)
    assert "4 users are still to be told or asked about; this Analysis was started once more for them" in said, said
    assert first.code == 1
    assert second.code == 0, "\n".join(second.lines)
    assert "took up campaign" in "\n".join(second.lines)
    assert names_told(on_tagoio.sandbox) == MAINTENANCE
    time.sleep(0.5)
    assert len(on_tagoio.sandbox.runner.runs) == 2


def test_a_successor_starts_no_round_of_its_own(on_tagoio: Journaled) -> None:
    start(on_tagoio, {"variable": HAND_ON, "value": 0})
    (ran,) = runs(on_tagoio, 1)
    assert ran.code == 0, "\n".join(ran.lines)
    assert not on_tagoio.sandbox.store.notifications
    assert not on_tagoio.rows("notify_campaign")


@pytest.mark.waits(25)
def test_after_three_minutes_of_runs_that_settled_nobody_there_is_no_other(on_tagoio: Journaled) -> None:
    on_tagoio.run(POINT, time_budget="10s", hand_on="false", **EVENT)
    start(on_tagoio, {"variable": HAND_ON, "value": 17})
    (ran,) = runs(on_tagoio, 1)
    assert "the next run takes them up, as 18 runs in a row have settled nobody" in "\n".join(ran.lines)
    time.sleep(0.5)
    assert len(on_tagoio.sandbox.runner.runs) == 1


@pytest.mark.waits(10)
def test_a_person_stops_it_by_a_variable(on_tagoio: Journaled) -> None:
    ran = on_tagoio.run(POINT, time_budget="10s", hand_on="false", **EVENT)
    assert "4 users are still to be told or asked about; the next run takes them up, as hand_on is false" in ran.out
    assert not on_tagoio.sandbox.runner.runs


@pytest.mark.waits(10)
def test_without_the_right_it_says_which(on_tagoio: Journaled) -> None:
    on_tagoio.sandbox.store.policies["seeded"]["permissions"].remove(GRANT)
    ran = on_tagoio.run(POINT, time_budget="10s", **EVENT)
    assert "could not be started once more (allow Analysis / Run Analysis)" in ran.out
    assert not on_tagoio.sandbox.runner.runs


@pytest.mark.parametrize("scope", [{"variable": HAND_ON, "value": 1}, [{"variable": HAND_ON, "value": 1}]])
def test_the_mission_is_read_in_either_form(scope: Any) -> None:
    trigger = read_trigger([], scope, "an-analysis")
    assert trigger.kind == "successor"
    assert trigger.fruitless == 1


@pytest.mark.parametrize(("value", "fruitless"), [(-5, 0), ("x", 0), (None, 0), (True, 0), (2.0, 2), ("3", 3)])
def test_a_forged_count_is_never_below_none(value: Any, fruitless: int) -> None:
    assert read_trigger([], {"variable": HAND_ON, "value": value}).fruitless == fruitless


@pytest.mark.waits(15)
def test_whoever_is_in_doubt_when_time_ends_is_left_to_a_successor(on_tagoio: Journaled) -> None:
    trouble = on_tagoio.sandbox.trouble
    trouble.rate_limit, trouble.faults = None, [Fault("502", processed=False, attempts=1)]
    start(on_tagoio, POINT, **EVENT)
    first = runs(on_tagoio, 2, all_ended=False)[0]
    assert "7 users are still to be told or asked about; this Analysis was started once more" in "\n".join(first.lines)
    on_tagoio.sandbox.call(on_tagoio.sandbox.runner.stop())


def test_a_devices_data_point_makes_no_successor() -> None:
    trigger = read_trigger([{"key": "_action_id", "value": "e"}], [{"variable": HAND_ON, "value": 1}])
    assert trigger.kind == "action"
