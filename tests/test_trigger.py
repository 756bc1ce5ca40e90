from typing import Any

import pytest

from lib.message.trigger import DataPoint, PressIds, Trigger, read_trigger

POINT = {"id": "1", "variable": "temperature", "value": 9, "unit": "C", "time": "2026-01-01T00:00:00Z", "device": "d"}


def env(**variables: str) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in variables.items()]


@pytest.mark.parametrize(
    ("environment", "scope", "kind"),
    [
        (None, None, "manual"),
        ([], [], "manual"),
        ([], {"a": 1}, "manual"),
        (env(tag_key="x"), [POINT], "manual"),
        (env(_action_id="a", _action_type="condition"), [POINT], "action"),
        (env(_action_id="a", _action_type="schedule"), None, "schedule"),
        (env(_action_id="a", _action_type="interval"), [], "schedule"),
        (env(button_id="b", user_id="u", notification_id="n"), None, "press"),
        (env(button_id="b", user_id="u", notification_id="n"), [POINT], "press"),
        (env(button_id="b"), None, "press"),
        (env(notification_id="n", user_id="u"), None, "press"),
        (env(user_id="u"), None, "manual"),
    ],
)
def test_the_kind_follows_from_what_tagoio_hands_over(environment: Any, scope: Any, kind: str) -> None:
    assert read_trigger(environment, scope).kind == kind


@pytest.mark.parametrize("scope", [None, [], {}, "text", 5, [None, "x", {}, {"variable": ""}]])
def test_a_scope_without_data_has_no_points(scope: Any) -> None:
    assert read_trigger([], scope).points == ()


def test_the_points_of_an_action_can_be_asked_for_by_variable() -> None:
    trigger = read_trigger(env(_action_id="a"), [POINT, {"variable": "temperature", "value": 0}], "id")
    assert trigger.points[0] == DataPoint("temperature", 9, "C", "2026-01-01T00:00:00Z", "d", "", "1")
    assert trigger.value("temperature") == 0
    assert trigger.value("humidity") is None
    assert trigger.unit("temperature") == trigger.unit("humidity") == ""
    assert (trigger.device_id, trigger.analysis_id) == ("d", "id")


@pytest.mark.parametrize(
    ("value", "number"),
    [
        *((9, 9), ("9", 9), (9.0, 9), ("9.5", 9.5), (" -3 ", -3), ("1e2", 100)),
        *((value, None) for value in (True, "open", "", None, "9,5", {"lat": 1}, [9], float("nan"), "inf", 10**400)),
    ],
)
def test_a_value_is_a_number_or_none_and_never_compares_wrongly(value: Any, number: Any) -> None:
    found = read_trigger([], {**POINT, "value": value}).value("temperature")
    assert found == number
    assert type(found) is type(number)


@pytest.mark.parametrize(("value", "text"), [("open", "open"), (0, "0"), (True, "true"), (None, ""), (2.5, "2.5")])
def test_a_value_can_be_had_as_text(value: Any, text: str) -> None:
    trigger = read_trigger([], {**POINT, "value": value})
    assert (trigger.text("temperature"), trigger.text("door"), trigger.unit("temperature")) == (text, "", "C")


def test_the_device_has_a_name_only_where_there_is_a_device() -> None:
    asked = read_trigger([], POINT)._replace(name_of=lambda device: f"Fridge {device}")
    assert asked.device_name == "Fridge d"
    assert read_trigger([], None).device_name == ""


def test_what_a_run_brought_is_said_by_variable_the_newest_value_of_each() -> None:
    points = [POINT, {"variable": "door", "value": "open"}, {"variable": "temperature", "value": 12, "unit": "C"}]
    assert read_trigger([], points).brought == "this run brought temperature = 12 C, door = open"
    many = [{"variable": f"v{number}", "value": number} for number in range(5)]
    assert read_trigger([], many).brought == "this run brought v0 = 0, v1 = 1, v2 = 2 and 2 more"
    assert read_trigger([], None).brought == "this run brought no data"


def test_an_object_as_scope_is_one_point() -> None:
    assert read_trigger([], POINT).value("temperature") == 9


def test_texts_that_cannot_be_written_are_made_fit_to_be() -> None:
    unfit = {name: f"{name}\0\ud800" for name in ("variable", "value", "unit", "time", "device", "group", "id")}
    trigger = read_trigger(env(_action_id="a\0", _action_state="\udfff"), [unfit, {**unfit, "value": 1.5}])
    made = {name: f"{name}\ufffd" for name in unfit}
    assert trigger.points == (DataPoint(**made), DataPoint(**{**made, "value": 1.5}))  # type: ignore[arg-type]
    assert (trigger.action_id, trigger.action_state, trigger.device_id) == ("a", "\ufffd", "device\ufffd")
    press = read_trigger(env(button_id="b\0", user_id="u\ud800", notification_id="n"), None).press
    assert press == PressIds("b", "u\ufffd", "n")


def test_a_press_keeps_its_three_ids() -> None:
    trigger = read_trigger(env(button_id="b", user_id="u", notification_id="n"), None, "x")
    assert trigger == Trigger("press", analysis_id="x", press=PressIds("b", "u", "n"))
