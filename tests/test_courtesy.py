from datetime import UTC, datetime, time, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.campaign.courtesy import cooling, is_quiet, opted_out, quiet, read_quiet_hours, subject_key
from lib.message.notification import Notification
from lib.message.user import User

NORMAL = Notification("t", "m")
HIGH = Notification("t", "m", priority="high")
NIGHT = (time(22), time(7))


@pytest.mark.parametrize(
    ("wish", "normal", "high"),
    [("off", True, True), (" OFF ", True, True), ("high", True, False), ("on", False, False), ("", False, False)],
)
def test_a_user_opts_out_by_their_own_tag(wish: str, normal: bool, high: bool) -> None:
    policy = opted_out("notifications")
    user = User("u", tags=(("notifications", wish),) if wish else ())
    assert (bool(policy(user, NORMAL)), bool(policy(user, HIGH))) == (normal, high)


@pytest.mark.parametrize(
    ("hours", "at", "expected"),
    [
        (NIGHT, time(21, 59, 59), False),
        (NIGHT, time(22), True),
        (NIGHT, time(0), True),
        (NIGHT, time(6, 59), True),
        (NIGHT, time(7), False),
        ((time(12), time(14)), time(13), True),
        ((time(12), time(14)), time(14), False),
        ((time(12), time(14)), time(11), False),
        ((time(0), time(6)), time(0), True),
        ((time(8), time(8)), time(8), False),
    ],
)
def test_quiet_hours_may_lie_on_both_sides_of_midnight(hours: tuple[time, time], at: time, expected: bool) -> None:
    assert is_quiet(hours, at) is expected


@given(st.times(), st.times(), st.times())
def test_a_moment_is_quiet_in_the_hours_or_in_their_complement(start: time, end: time, at: time) -> None:
    if start != end:
        assert is_quiet((start, end), at) != is_quiet((end, start), at)


def policy_at(moment: datetime, asked: list[str] | None = None) -> object:
    def otherwise(name: str) -> tzinfo:
        if asked is not None:
            asked.append(name)
        return ZoneInfo("Asia/Tokyo")

    return quiet(NIGHT, lambda: moment, otherwise)


def quiet_for(user: User, moment: datetime, notification: Notification = NORMAL) -> str | None:
    return policy_at(moment)(user, notification)  # type: ignore[operator, no-any-return]


def test_quiet_hours_go_by_each_users_own_clock() -> None:
    moment = datetime(2026, 6, 1, 23, tzinfo=UTC)
    assert quiet_for(User("u", timezone="Europe/London"), moment) == "quiet hours until 07:00 (Europe/London)"
    assert quiet_for(User("u", timezone="America/Sao_Paulo"), moment) is None
    assert quiet_for(User("u", timezone="Europe/London"), moment, HIGH) is None


@given(st.datetimes(datetime(2025, 1, 1), datetime(2027, 1, 1)), st.sampled_from(["Europe/Paris", "America/New_York"]))
def test_a_change_of_the_clocks_is_followed(naive: datetime, zone: str) -> None:
    moment = naive.replace(tzinfo=UTC)
    local = moment.astimezone(ZoneInfo(zone))
    expected = local.hour >= 22 or local.hour < 7
    assert (quiet_for(User("u", timezone=zone), moment) is not None) == expected


def test_a_zone_that_nobody_knows_is_asked_for_elsewhere() -> None:
    asked: list[str] = []
    policy = policy_at(datetime(2026, 6, 1, 15, tzinfo=UTC), asked)  # midnight there, and day in UTC
    assert policy(User("u", timezone="Mars/Base"), NORMAL) == "quiet hours until 07:00 (Asia/Tokyo)"  # type: ignore[operator]
    assert asked == ["Mars/Base"]
    assert policy(User("u", timezone="Europe/London"), NORMAL) is None  # type: ignore[operator]
    assert asked == ["Mars/Base"], "of a zone that is known nobody asks"


def test_the_same_subject_is_not_told_again_so_soon() -> None:
    policy = cooling({("u", subject_key("t"))})
    assert policy(User("u"), NORMAL)
    assert policy(User("u"), HIGH) is None
    assert policy(User("v"), NORMAL) is None
    assert policy(User("u"), Notification("other", "m")) is None


@pytest.mark.parametrize(
    ("text", "hours"), [("22:00-07:00", NIGHT), (" 22:00 - 07:00 ", NIGHT), ("00:30-06:15", (time(0, 30), time(6, 15)))]
)
def test_quiet_hours_are_two_times_of_day(text: str, hours: tuple[time, time]) -> None:
    assert read_quiet_hours(text) == hours


@pytest.mark.parametrize(
    "text",
    [
        "22-07",
        "22:00",
        "22:00-24:00",
        "25:00-07:00",
        "22:00-07:00-08:00",
        "08:00-08:00",
        "x",
        "22:00-07",
        "22:00-07h00",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match='is "'):
        read_quiet_hours(text)


@pytest.mark.parametrize(
    ("subject", "key"),
    [("", ""), ("Pump 3 is too hot", "5543c48f7534"), ("half of a pair: \ud83d", "9d0a1d76b75f")],
)
def test_a_subject_is_known_again_by_a_later_version(subject: str, key: str) -> None:
    assert subject_key(subject) == key
