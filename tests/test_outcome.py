from typing import Any, get_args

import pytest

from lib.campaign.outcome import (
    DECIDED,
    EARLIER,
    ELSEWHERE,
    FINAL,
    NO_TIME,
    STATUSES,
    TOLD,
    Outcome,
    Status,
)


def outcome(status: Any = "sent", at: float = 100.0, **more: Any) -> Outcome:
    return Outcome("u", "", status, at=at, **more)


def test_the_statuses_are_those_of_the_type_and_three_of_them_are_not_the_last_word() -> None:
    assert get_args(Status) == STATUSES
    assert set(STATUSES) - set(FINAL) == {"held", "unknown", "pending"}
    assert set(FINAL) - set(TOLD) == {"skipped", "failed"}


def test_the_reasons_that_rows_keep_are_known_again_by_a_later_version() -> None:
    assert (DECIDED, ELSEWHERE) == ("decided meanwhile", "another run is at it")
    assert (NO_TIME, EARLIER) == ("time budget used up", "an earlier run may have sent it")


def test_nothing_is_said_of_a_user_but_what_is_given() -> None:
    assert Outcome("u", "Ana", "held") == Outcome("u", "Ana", "held", "", "", "", "", "", 0, "", 0.0)


@pytest.mark.parametrize(
    ("one", "other", "counts"),
    [
        (outcome(at=101), outcome(at=100), True),
        (outcome(at=101, notification_id="n"), outcome(at=100, notification_id="n"), False),
        (outcome(at=100, notification_id="n"), outcome(at=101, notification_id="n"), True),
        (outcome(at=101, notification_id="n"), outcome(at=100, notification_id="m"), True),
        (outcome(at=100), outcome(at=101), False),
        (outcome(at=100), outcome("skipped", at=200), True),
        (outcome("fallback", at=100), outcome("failed", at=200), True),
        (outcome("pending", at=200), outcome("sent", at=100), False),
        (outcome("pending", at=200), outcome("unknown", at=100), True),
        (outcome(run="a"), outcome(run="b"), False),
    ],
)
def test_who_was_told_was_told_and_else_the_newest_counts(one: Outcome, other: Outcome, counts: bool) -> None:
    assert one.counts_before(other) is counts


@pytest.mark.parametrize(
    ("more", "same"),
    [
        ({}, True),
        ({"at": 200.0}, True),
        ({"run": "b"}, False),
        ({"status": "unknown"}, False),
        ({"reason": "other"}, False),
        ({"notification_id": "n2"}, False),
    ],
)
def test_a_fact_read_once_more_is_the_same_whenever_it_was_read(more: dict[str, Any], same: bool) -> None:
    first = outcome(run="a", reason="why", notification_id="n1")
    again = outcome(**{"run": "a", "reason": "why", "notification_id": "n1", **more})
    assert first.says_the_same(again) is same
