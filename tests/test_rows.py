"""The form of a campaign's rows on a device, and what is read of whatever a device shows."""

import json
import re
import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from lib.campaign.outcome import Outcome
from lib.campaign.rows import (
    ALARM,
    AUDIENCE,
    CAMPAIGN,
    CHANGE,
    CLOSED,
    DECISION,
    FALLBACK,
    HEARTBEATS,
    METADATA,
    OUTCOME,
    POINT,
    PRESS,
    REASON,
    UPDATED,
    Row,
    anew_rows,
    audience_rows,
    campaign_row,
    closed_rows,
    decision_row,
    ended_row,
    fallback_rows,
    joining_rows,
    outcome_rows,
    outcomes_of,
    passed_rows,
    point_of,
    point_rows,
    read_row,
    replaced_row,
    seconds_of,
    started_rows,
    told_row,
    updated_rows,
    whole,
)
from lib.message.trigger import DataPoint, Trigger

KEY, RUN = "kkkkkkkkkk", "a" * 12
DOCS = Path(__file__).parents[1] / "docs"
A_POINT = DataPoint("t", 9, "C", "2026-01-01T00:00:00Z", "d", "g", "1", {"coordinates": [1, 2]})
ABOUT_POINT = {
    "variable": "t", "unit": "C", "time": "2026-01-01T00:00:00Z", "device": "d", "group": "g", "id": "1",
}  # fmt: skip
TRIGGER = Trigger("action", (A_POINT,), "act", "on", "dev", "an")


def row(kind: str, value: Any, **metadata: Any) -> dict[str, Any]:
    return {"variable": kind, "value": value, "group": KEY, "metadata": metadata}


@pytest.mark.parametrize(
    ("rows", "wire"),
    [
        ([campaign_row(KEY, "left", RUN, more=1)], [row("notify_campaign", "left", run=RUN, more=1)]),
        (audience_rows(KEY, ["u1", "u2"], 3), [row("notify_audience", 2, users="u1 u2", step=3)]),
        (audience_rows(KEY, ["u1"]), [row("notify_audience", 1, users="u1", step=0)]),
        (audience_rows(KEY, []), []),
        (
            fallback_rows(KEY, ["u1", "u2"], "taken", RUN, "mailto", "404"),
            [row("notify_fallback", "taken", users="u1 u2", run=RUN, channel="mailto", reason="404")],
        ),
        (
            fallback_rows(KEY, ["u1"], "begun", RUN),
            [row("notify_fallback", "begun", users="u1", run=RUN, channel="", reason="")],
        ),
        (closed_rows(KEY, ["n1", "n2"], RUN), [row("notify_closed", 2, notifications="n1 n2", run=RUN)]),
        (
            closed_rows(KEY, ["n1"], RUN, ended=True),
            [row("notify_closed", 1, notifications="n1", run=RUN, ended=True)],
        ),
        (
            updated_rows(KEY, ["n1", "n2"], RUN, 4),
            [row("notify_updated", 2, notifications="n1 n2", run=RUN, count=4)],
        ),
        (
            [ended_row(KEY, RUN, "cleared", "Over", {"pt": "Já acabou"})],
            [row("notify_change", "ended", run=RUN, why="cleared", line="Over", lines='{"pt": "Já acabou"}')],
        ),
        (
            [ended_row(KEY, RUN, "cleared", "Over", {})],
            [row("notify_change", "ended", run=RUN, why="cleared", line="Over", lines="")],
        ),
        (
            [ended_row(KEY, RUN, "cleared", "Over", {}, tell=True), ended_row(KEY, RUN, "", "", {}, tell=True, by="e")],
            [
                row("notify_change", "ended", run=RUN, why="cleared", line="Over", lines="", tell=True, by=""),
                row("notify_change", "ended", run=RUN, why="", line="", lines="", tell=True, by="e"),
            ],
        ),
        (
            [replaced_row(KEY, RUN, "newer", "worse", "See", {"de": "Da"})],
            [row("notify_change", "replaced", run=RUN, by="newer", why="worse", line="See", lines='{"de": "Da"}')],
        ),
        (
            anew_rows(KEY, RUN, "newer", ["u1", "u2", "u3"], {"u1", "u3"}),
            [
                row("notify_change", "anew", run=RUN, by="newer", users="u1 u3", strange=False),
                row("notify_change", "anew", run=RUN, by="newer", users="u2", strange=True),
            ],
        ),
        (passed_rows(KEY, RUN, ["u1", "u2"]), [row("notify_campaign", "passed", run=RUN, users="u1 u2")]),
        (
            joining_rows(KEY, RUN, ["u1"]),
            [
                row("notify_change", "joined", run=RUN, added=1),
                row("notify_audience", 1, users="u1", step=0, run=RUN),
            ],
        ),
        ([told_row(KEY, RUN)], [row("notify_change", "told", run=RUN)]),
        (
            [decision_row(KEY, "verified", RUN, "p" * 12, name="Ana")],
            [row("notify_decision", "verified", press="p" * 12, run=RUN, name="Ana")],
        ),
        (
            point_rows(KEY, TRIGGER, "e2"),
            [
                {
                    **row("notify_trigger", 9, order=0, event="e2", **ABOUT_POINT),
                    "location": {"coordinates": [1, 2]},
                }
            ],
        ),
        (
            started_rows(KEY, RUN, Trigger("manual"), ["u1"], first=""),
            [
                row("notify_audience", 1, users="u1", step=0),
                row(
                    "notify_campaign", "started", run=RUN, trigger="manual", analysis="", action="", action_state="",
                    device="", size=1, first="",
                ),
            ],
        ),
    ],
)  # fmt: skip
def test_each_fact_travels_as_the_docs_say(rows: Any, wire: list[dict[str, Any]]) -> None:
    assert [each.wire() for each in rows] == wire


def test_what_started_a_campaign_is_kept_with_it() -> None:
    *_, started = started_rows(KEY, RUN, TRIGGER, ["u1", "u2"])
    assert {name: started.about[name] for name in ("trigger", "analysis", "action", "action_state", "device")} == {
        "trigger": "action", "analysis": "an", "action": "act", "action_state": "on", "device": "dev",
    }  # fmt: skip
    (point, *_) = started_rows(KEY, RUN, TRIGGER, [])
    assert point_of(point) == A_POINT
    assert point.about["event"] == ""


@pytest.mark.parametrize(
    ("value", "kept"),
    [(float("nan"), "nan"), (float("inf"), "inf"), (1.5, 1.5), (7, 7), ("x", "x"), (None, None)],
)
def test_a_number_that_json_cannot_carry_travels_as_text(value: Any, kept: Any) -> None:
    (point,) = point_rows(KEY, Trigger("action", (DataPoint("t", value),)))
    assert point.value == kept


def test_outcomes_of_whom_the_same_is_to_be_said_are_one_row() -> None:
    same = {"reason": "why", "subject": "s", "priority": "high", "channel": "mailto", "step": 2, "run": RUN}
    given: list[Any] = [
        Outcome("u2", "", "sent", notification_id="n2"),
        Outcome("u1", "", "sent", notification_id="n1"),
        Outcome("u3", "", "fallback", **same),  # type: ignore[arg-type]  # mypy sees objects
        Outcome("u4", "", "held"),
        Outcome("u5", "", "sent"),
    ]
    assert [each.wire() for each in outcome_rows(KEY, given)] == [
        row("notify_outcome", "fallback", users="u3", **same),
        row("notify_outcome", "held", users="u4"),
        row("notify_outcome", "sent", users="u2 u1 u5", notifications="n2 n1 -"),
    ]


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome("u", "", "sent", notification_id="n", subject="s", priority="high", step=2, run=RUN, at=5.0),
        Outcome("u", "", "fallback", reason="why", channel="mailto", at=5.0),
        Outcome("u", "", "pending", at=5.0),
    ],
)
def test_an_outcome_is_read_as_it_was_written(outcome: Outcome) -> None:
    (written,) = outcome_rows(KEY, [outcome])
    shown = read_row({**written.wire(), "time": "1970-01-01T00:00:05Z", "id": "x"})
    assert shown
    assert list(outcomes_of(shown)) == [outcome]


def test_of_a_row_that_was_cut_each_user_is_read_with_what_is_left() -> None:
    cut = Row(KEY, "notify_outcome", "sent", {"users": "u1 u2 u3", "notifications": "n1 -"})
    assert [(each.user_id, each.notification_id) for each in outcomes_of(cut)] == [("u1", "n1"), ("u2", ""), ("u3", "")]
    more = Row(KEY, "notify_outcome", "sent", {"users": "u1", "notifications": "n1 n2"})
    assert [(each.user_id, each.notification_id) for each in outcomes_of(more)] == [("u1", "n1")]


def test_words_of_others_are_cut_and_what_is_built_to_fit_is_not() -> None:
    long = "x" * 501
    about = {"name": long, "users": long, "lines": long, "buttons": long, "count": 12_345}
    assert Row(KEY, "notify_press", "ack", about).wire()["metadata"] == {**about, "name": "x" * 500}
    (failed,) = outcome_rows(KEY, [Outcome("u", "", "failed", reason="y" * (REASON + 1))])
    (begun,) = fallback_rows(KEY, ["u"], "refused", RUN, reason="y" * (REASON + 1))
    assert (failed.text("reason"), begun.text("reason")) == ("y" * REASON, "y" * REASON)


@pytest.mark.parametrize(
    ("size", "parts"),
    [
        (24, [320, 1]),  # each with the space behind it: 320 times 25 is 8000, what is left beside a reason
        (399, [20, 20, 1]),
        (METADATA, [1, 1, 1]),
    ],
)
def test_ids_are_parted_where_a_row_is_full(size: int, parts: list[int]) -> None:
    assert METADATA - 2 * REASON == 8000
    ids = [f"{number:0{size}}" for number in range(sum(parts))]
    rows = list(audience_rows(KEY, ids))
    assert [each.value for each in rows] == parts
    assert [word for each in rows for word in each.words("users")] == ids


def test_an_outcome_takes_the_room_of_both_its_ids_in_a_row() -> None:
    outcomes = [Outcome(f"{number:024}", "", "sent", notification_id=f"{number:024}") for number in range(160)]
    assert [len(each.words("users")) for each in outcome_rows(KEY, outcomes)] == [156, 4]  # 24 + 24 + 2 + 1 each


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ("1970-01-01T00:01:00Z", 60.0),
        ("1970-01-01T00:01:00", 60.0),
        ("1970-01-01T02:01:00+02:00", 60.0),
        (datetime(1970, 1, 1, 0, 1), 60.0),
        (datetime(1970, 1, 1, 0, 1, tzinfo=UTC), 60.0),
        (datetime(1970, 1, 1, 2, 1, tzinfo=timezone(timedelta(hours=2))), 60.0),
        ("9999-99-99", 0.0),
        ("yesterday", 0.0),
        (None, 0.0),
        (datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=23))), -62135679600.0),
    ],
)
def test_a_time_is_in_utc_unless_it_says_otherwise_and_long_ago_where_it_cannot_be_read(
    given: Any, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert seconds_of(given) == seconds
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("given", "number"),
    [
        (5, 5), ("12", 12), ("9" * 15, int("9" * 15)), ("9" * 16, 0), (-1, 0), (1.5, 0), ("x", 0), (None, 0), ("", 0),
    ],
)  # fmt: skip
def test_a_number_is_whole_and_of_a_length_that_people_write_or_it_is_none(given: Any, number: int) -> None:
    assert whole(given) == number
    assert Row(KEY, "notify_updated", 1, {"count": given}).number("count") == number


@pytest.mark.parametrize(("run", "read"), [(RUN, RUN), ("A" * 12, ""), ("a" * 11, ""), ("a" * 13, ""), (None, "")])
def test_only_a_run_of_ours_is_one(run: Any, read: str) -> None:
    assert Row(KEY, "notify_press", "x", {"run": run}).run == read


def test_a_row_is_read_with_all_that_the_device_shows() -> None:
    given = {**row("notify_trigger", 9, run=RUN), "time": "1970-01-01T00:00:05Z", "id": "i", "location": {"lat": 1}}
    assert read_row(given) == Row(KEY, "notify_trigger", 9, {"run": RUN}, 5.0, "i", {"lat": 1})
    assert read_row({"variable": "v", "group": 7}) == Row("7", "v", None, {}, 0.0, "", None)
    assert read_row({**row("v", 1), "metadata": "text"}) == Row(KEY, "v", 1)


@pytest.mark.parametrize("name", ["users", "notifications", "escalate", "lines", "id", "buttons", "replaces"])
def test_what_is_built_to_fit_a_row_is_never_cut(name: str) -> None:
    about = {name: "x" * 501}
    assert Row(KEY, "any", "kind", about).wire()["metadata"] == about


def test_lines_by_language_are_read_again_as_they_were() -> None:
    ended = ended_row(KEY, RUN, "cleared", "Over", {"pt": "Já", "de": "Aus"})
    assert json.loads(ended.text("lines")) == {"pt": "Já", "de": "Aus"}


def test_the_variables_on_the_device_are_those_that_the_docs_show() -> None:
    shown = re.findall(r"^\| `(notify_\w+)`", (DOCS / "journal.md").read_text(), re.MULTILINE)
    assert {
        CAMPAIGN, CHANGE, HEARTBEATS, POINT, AUDIENCE, OUTCOME, FALLBACK, PRESS, DECISION, CLOSED, UPDATED, ALARM,
    } == set(shown)  # fmt: skip
    assert (POINT, OUTCOME, FALLBACK) == ("notify_trigger", "notify_outcome", "notify_fallback")
    assert (PRESS, DECISION, CHANGE) == ("notify_press", "notify_decision", "notify_change")
    assert (HEARTBEATS, UPDATED, ALARM) == ("notify_heartbeat", "notify_updated", "notify_alarm")
