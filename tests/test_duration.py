import pytest

from lib.base.duration import read_duration, shown_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("15m", 900), ("2h", 7200), ("1d", 86_400), (" 1.5 H ", 5400), ("0s", 0), ("999999s", 999_999)],
)
def test_a_duration_is_a_number_and_a_unit(text: str, seconds: float) -> None:
    assert read_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "15", "m", "15 min", "-1m", "1,5h", "1.h", ".5h", "1234567s", "1m30s", "1  m"])
def test_anything_else_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="use a number with s, m, h or d") as caught:
        read_duration(text)
    assert f'is "{text}"' in str(caught.value)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (7200, "2 h"), (3600, "1 h"), (5400, "90 min"), (60, "1 min"), (90, "90 s"), (59, "59 s"), (0, "0 s"),
        (0.5, "0.5 s"),
    ],
)  # fmt: skip
def test_people_read_it_in_the_largest_unit_that_leaves_no_fraction(seconds: float, shown: str) -> None:
    assert shown_duration(seconds) == shown
