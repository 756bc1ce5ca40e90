"""The lease: its numbers stand in one order, and of several runs all agree on the holder."""

import re
from pathlib import Path

import pytest

from lib.campaign.lease import DAY, FLUSH, FRESH, GIVEN_UP, HEARTBEAT, LATE, MARGIN, Sign, holder

DOCS = Path(__file__).parents[1] / "docs"


def test_the_numbers_stand_in_the_one_order_that_keeps_two_runs_apart() -> None:
    assert FLUSH < HEARTBEAT < 5 < MARGIN < FRESH < GIVEN_UP < LATE
    assert HEARTBEAT * 2 < MARGIN, "one heartbeat may fail"
    assert GIVEN_UP - MARGIN > 5, "rows that show 5 s late make nobody seem dead who still tells"
    assert FLUSH <= 1, "a killed run leaves the outcomes of a second in doubt"
    assert DAY == 24 * 60 * 60


def test_the_numbers_are_those_that_the_docs_name() -> None:
    journal, delivery = (" ".join((DOCS / name).read_text().split()) for name in ("journal.md", "delivery.md"))
    told = re.search(
        r"heartbeat every ([\d.]+) seconds.*confirmed more than (\d+) seconds ago.*without any row for (\d+) seconds"
        r".*carries out more than (\d+) seconds after",
        journal,
    )
    assert told
    assert tuple(map(float, told.groups())) == (HEARTBEAT, MARGIN, GIVEN_UP, MARGIN + LATE)
    assert f"asked about for {LATE:g} seconds" in delivery


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
        ([Sign("b", 95), Sign("a", 95, "1")], "b"),  # a row that TagoIO has not shown yet has no id
        ([Sign("a", 76), Sign("b", 80), Sign("a", 88), Sign("b", 90)], "a"),  # 12 s are no gap, and still fresh
        ([Sign("a", 95), Sign("a", 96, "1", is_end=True), Sign("a", 96, "2")], ""),  # in the instant in which it left
    ],
)
def test_the_run_that_is_at_it_for_longest_without_a_gap_is_the_holder(signs: list[Sign], run: str) -> None:
    assert holder(signs, 100.0) == run
    assert holder(reversed(signs), 100.0) == run
