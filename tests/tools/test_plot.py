"""The plot of both pages: axes that can be read, and nothing outside of them."""

import re

import pytest

from lib.tools.plot import TICKS, drawn_steps

Places = list[tuple[float, str]]


def labels(drawn: str, axis: str, side: str) -> Places:
    found = re.findall(rf'<span class="{axis}" style="{side}: ([\d.]+)%">([^<]+)</span>', drawn)
    return [(float(place), text) for place, text in found]


@pytest.mark.parametrize(
    ("span", "across"),
    [
        (0.2, ["0 s", "1 s"]),
        (4.0, ["0 s", "1 s", "2 s", "3 s", "4 s"]),
        (47.0, ["0 s", "10 s", "20 s", "30 s", "40 s"]),
        (130.0, ["0 s", "30 s", "60 s", "90 s", "120 s"]),
        (1000.0, ["0 min", "5 min", "10 min", "15 min"]),
        (20_000.0, ["0 h", "2 h", "4 h"]),
        (400_000.0, ["0 d", "1 d", "2 d", "3 d", "4 d"]),
        (9_000_000.0, ["0 d", "50 d", "100 d"]),
    ],
)
def test_time_is_in_round_steps_of_one_unit(span: float, across: list[str]) -> None:
    drawn = drawn_steps({"sent": [(100.0, 1), (100.0 + span, 2)]}, 100.0 + span, "users", "10:00")
    assert [text for _, text in labels(drawn, "x", "left")] == across
    assert "time since 10:00" in drawn


@pytest.mark.parametrize(
    ("most", "down"),
    [
        (1, [0, 1]),
        (7, [0, 2, 4, 6]),
        (20, [0, 5, 10, 15, 20]),
        (1234, [0, 500, 1000]),
        (99_999, [*range(0, 99_999, 20_000)]),
    ],
)
def test_numbers_are_in_round_steps(most: int, down: list[int]) -> None:
    drawn = drawn_steps({"sent": [(0.0, most)], "read": [(3.0, 1)]}, 5.0, "users", "10:00")
    assert [int(text) for _, text in labels(drawn, "y", "top")] == down


@pytest.mark.parametrize("span", [0.0, 1.0, 61.0, 86_000.0])
@pytest.mark.parametrize("most", [1, 13, 1000])
def test_nothing_lies_outside_of_the_axes(span: float, most: int) -> None:
    steps = [(span * count / most, count) for count in range(1, most + 1)]
    back = [(0.0, 3), (span, 0)]
    drawn = drawn_steps({"sent": steps, "held": back}, span, "users", "10:00", {"read": 2})
    for axis, side in (("x", "left"), ("y", "top")):
        places = [place for place, _ in labels(drawn, axis, side)]
        assert 2 <= len(places) <= TICKS + 1
        assert len(set(places)) == len(places)
        assert all(0 <= place <= 100 for place in places)
    for path in re.findall(r' d="([^"]+)"', drawn):
        assert all(0 <= float(number) <= 100 for number in re.findall(r"[\d.-]+", path))


def test_it_says_in_words_what_it_shows_and_no_text_becomes_markup() -> None:
    drawn = drawn_steps({"sent": [(0.0, 1), (1.0, 7)], "read": [(2.0, 2)], "held": []}, 9.0, 'a "b" <i>', "<b>")
    assert 'aria-label="a &quot;b&quot; &lt;i&gt; over 9 s: sent 7, read 2"' in drawn
    assert "<b>" not in drawn
    assert "<i>" not in drawn


def test_nothing_that_happened_is_no_plot() -> None:
    assert drawn_steps({"sent": []}, 5.0, "users", "10:00") == ""
