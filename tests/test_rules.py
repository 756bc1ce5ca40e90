"""What the rules of courtesy ask of the profile."""

from datetime import UTC, datetime, time
from typing import Any

import pytest

from lib.app.rules import Rules
from lib.app.settings import Settings
from lib.message.notification import Notification
from lib.message.user import User
from lib.tagoio.journal import Journal


class Profile:
    def __init__(self, info: Any) -> None:
        self.given = info

    def info(self, profileID: str) -> Any:  # noqa: N803  # the SDK's name
        return {"info": self.given}

    summary = info


@pytest.mark.parametrize(
    ("info", "reason", "took"),
    [
        ({"timezone": "Asia/Tokyo"}, "quiet hours until 07:00 (Asia/Tokyo)", "Asia/Tokyo"),  # midnight there
        ({"timezone": "Europe/Paris"}, None, "Europe/Paris"),
        ({"timezone": ""}, None, "UTC"),
        ({}, None, "UTC"),
        (None, None, "UTC"),
    ],
)
def test_a_time_zone_that_nobody_knows_is_the_profiles_and_that_is_said_once(
    info: Any, reason: str | None, took: str
) -> None:
    said: list[str] = []
    moment = datetime(2026, 6, 1, 15, tzinfo=UTC)
    settings = Settings(quiet_hours=(time(22), time(7)))
    rules = Rules(settings, Journal(None, lambda: 0.0), Profile(info), lambda: moment, said.append)
    for name in ("u1", "u2"):
        outcome = rules.verdict(User(name, timezone="Mars/Base"), Notification("t", "m"))
        assert (outcome.reason if outcome else None) == reason
    assert said == [f'some users\' time zone is "Mars/Base" and not known; took {took} for it']
