"""The lease: its numbers stand in one order, and of several runs all agree on the holder."""

import pytest

from lib.campaign.lease import FLUSH, FRESH, GIVEN_UP, HEARTBEAT, LATE, MARGIN, Sign, holder


def test_the_numbers_stand_in_the_one_order_that_keeps_two_runs_apart() -> None:
    assert FLUSH < HEARTBEAT < 5 < MARGIN < FRESH < GIVEN_UP < LATE
    assert HEARTBEAT * 2 < MARGIN, "one heartbeat may fail"
    assert GIVEN_UP - MARGIN > 5, "rows that show 5 s late make nobody seem dead who still tells"


@pytest.mark.parametrize(
    ("signs", "run"),
    [
        ([], ""),
        ([Sign("a", 95)], "a"),
        ([Sign("b", 96), Sign("a", 95)], "a"),
        ([Sign("b", 95, "2"), Sign("a", 95, "1")], "a"),  # the same instant: by id
        ([Sign("a", 80), Sign("b", 97)], "b"),  # a is not fresh
        ([Sign("a", 80), Sign("b", 97), Sign("a", 99)], "b"),  # a was away, and has only young signs
        ([Sign("a", 87), Sign("b", 93), Sign("a", 95)], "a"),  # a is at it since 87, though that sign is old
        ([Sign("a", 70), Sign("a", 80), Sign("b", 81), Sign("b", 90), Sign("a", 93)], "b"),  # a was away from 80 to 93
        ([Sign("a", 95), Sign("a", 96, is_end=True), Sign("b", 97)], "b"),
        ([Sign("a", 95), Sign("a", 96, is_end=True), Sign("b", 97), Sign("a", 98)], "b"),
        ([Sign("a", 80)], ""),
    ],
)
def test_the_run_that_is_at_it_for_longest_without_a_gap_is_the_holder(signs: list[Sign], run: str) -> None:
    assert holder(signs, 100.0) == run
    assert holder(reversed(signs), 100.0) == run
