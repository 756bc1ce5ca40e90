"""The journal on a device of the sandbox, and on a fake one that can be killed at any call."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lib.base.errors import Doubtful, Rejected, SetupError
from lib.campaign.campaign import Campaign
from lib.campaign.campaign_log import ALIVE_EVERY, FLUSH_EVERY, CampaignLog
from lib.campaign.report import Outcome
from lib.delivery.delivery import Delivery
from lib.delivery.window import RateWindow
from lib.message.trigger import DataPoint, Trigger
from lib.message.user import User
from lib.tagoio.journal import GIVEN_UP, Journal
from lib.tagoio.transport import Client, TagoIO
from lib.tools.sandbox.server import Sandbox
from tests.fakes import NOTE, FakeClock, ScriptedChannel, some_users

TRIGGER = Trigger(
    "action", (DataPoint("t", 9, "C", "2026-01-01", "d", "g", "1"), DataPoint("t", 10)), "act", "unlocked", "dev"
)


class FakeDevice:
    """Keeps rows as TagoIO does; `at` is its clock. `fails` may raise before or after a call is carried out."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.rows: list[dict[str, Any]] = []
        self.fails: Callable[[str], None] = lambda when: None

    def sendData(self, data: list[dict[str, Any]]) -> str:  # noqa: N802
        self.fails("before")
        when = datetime.fromtimestamp(self.clock.at, UTC).isoformat()
        self.rows += [{"time": when, **row} for row in data]
        self.fails("after")
        return f"{len(data)} Data Added"

    def getData(self, queryParams: dict[str, Any]) -> list[dict[str, Any]]:  # noqa: N802, N803
        self.fails("before")
        wanted = queryParams
        found = [
            row
            for row in reversed(self.rows)
            if row["variable"] in wanted.get("variables", [row["variable"]])
            and row["group"] in wanted.get("groups", [row["group"]])
        ]
        return found[wanted["skip"] : wanted["skip"] + min(wanted["qty"], 7)]  # a page smaller than asked for


def make(clock: FakeClock, device: FakeDevice | None = None, sleep: Callable[[float], None] | None = None) -> Journal:
    now = lambda: datetime.fromtimestamp(clock.at, UTC)  # noqa: E731
    return Journal(device or FakeDevice(clock), now, sleep=sleep or clock.sleep)


def a_campaign(clock: FakeClock, key: str = "aaaaaaaaaa") -> Campaign:
    return Campaign(key, datetime.fromtimestamp(clock.at, UTC))


def ids(users: list[User]) -> list[str]:
    return [user.id for user in users]


def sent(user: User) -> Outcome:
    return Outcome(user.id, user.name, "sent", notification_id="n")


def test_what_a_run_leaves_is_known_to_the_next() -> None:
    clock = FakeClock()
    journal = make(clock)
    users = some_users(250)
    log = journal.begin(a_campaign(clock), TRIGGER, ids(users))
    log.record(sent(users[0]))
    log.record(Outcome("u1", "b", "failed", "x"))
    log.record(Outcome("u2", "c", "unknown", "y"))
    log.record(Outcome("u3", "d", "pending", "z"))
    log.close()
    clock.at += 100
    (left,) = journal.unfinished()
    assert left.campaign == a_campaign(FakeClock())
    assert left.trigger == TRIGGER
    assert left.pending == {user.id for user in users[2:]}
    assert not left.is_running
    assert journal.state_of("aaaaaaaaaa") == "unfinished"


def test_a_campaign_with_nobody_left_is_finished() -> None:
    clock = FakeClock()
    journal = make(clock)
    log = journal.begin(a_campaign(clock), Trigger(), ids(some_users(1)))
    log.record(sent(some_users(1)[0]))
    log.close()
    assert list(journal.unfinished()) == []
    assert journal.state_of("aaaaaaaaaa") == "finished"
    assert journal.state_of("bbbbbbbbbb") == ""


def test_a_campaign_older_than_a_day_is_let_be() -> None:
    clock = FakeClock()
    journal = make(clock)
    journal.begin(a_campaign(clock), Trigger(), ids(some_users(1)))
    clock.at += timedelta(days=1, minutes=1).total_seconds()
    assert list(journal.unfinished()) == []


def test_a_run_that_is_still_at_it_is_noticed() -> None:
    clock = FakeClock()
    journal = make(clock)
    log = journal.begin(a_campaign(clock), Trigger(), ids(some_users(2)))

    def sleep(seconds: float) -> None:
        clock.at += seconds
        log.record(sent(some_users(1)[0]))
        log.clock = lambda: clock.at
        log.tick()

    other = make(clock, journal.device, sleep)  # type: ignore[arg-type]
    clock.at += 2
    (left,) = other.unfinished()
    assert left.is_running


def test_a_run_that_has_just_died_is_waited_for_and_then_taken_up() -> None:
    clock = FakeClock()
    journal = make(clock)
    journal.begin(a_campaign(clock), Trigger(), ids(some_users(2)))
    clock.at += 2
    (left,) = journal.unfinished()
    assert not left.is_running
    assert clock.slept == [GIVEN_UP]


def test_a_run_that_ended_in_good_order_is_not_waited_for() -> None:
    """Unless it left doubt: what is still under way is given time to arrive."""
    for status, slept in (("pending", []), ("held", []), ("unknown", [GIVEN_UP])):
        clock = FakeClock()
        journal = make(clock)
        log = journal.begin(a_campaign(clock), Trigger(), ids(some_users(2)))
        log.record(sent(some_users(1)[0]))
        log.record(Outcome("u1", "b", status))  # type: ignore[arg-type]
        log.close()
        clock.at += 2
        other = make(clock, journal.device)  # type: ignore[arg-type]
        (left,) = other.unfinished()
        assert (left.pending, left.is_running, clock.slept) == ({"u1"}, False, slept)
        other.resume(left.campaign)
        assert other.is_ours(left.campaign), "the run that left does not count any more"


def test_outcomes_are_written_in_batches_and_a_waiting_run_gives_signs_of_life() -> None:
    clock = FakeClock()
    device = FakeDevice(clock)
    log = CampaignLog(make(clock, device), "aaaaaaaaaa", clock)
    for user in some_users(5):
        log.record(sent(user))
        log.tick()
    assert device.rows == []
    clock.at += FLUSH_EVERY
    log.tick()
    assert [row["value"] for row in device.rows] == ["sent"] * 5
    clock.at += ALIVE_EVERY
    log.tick()
    assert device.rows[-1]["value"] == "running"


def test_the_rows_hold_no_text_and_no_address() -> None:
    clock = FakeClock()
    device = FakeDevice(clock)
    users = [User("u", "Ana", "ana@example.com", phone="+1555")]
    log = make(clock, device).begin(a_campaign(clock), TRIGGER, ids(users))
    log.record(Outcome("u", "Ana", "failed", "reason"))
    log.close()
    written = str(device.rows)
    for private in ("ana@example.com", "+1555", NOTE.message * 3):
        assert private not in written
    assert {row["variable"] for row in device.rows} == {
        "notify_campaign", "notify_trigger", "notify_audience", "notify_outcome",
    }  # fmt: skip
    assert all(row["group"] == "aaaaaaaaaa" for row in device.rows)


def test_a_journal_that_cannot_be_begun_or_read_stops_the_run() -> None:
    clock = FakeClock()
    device = FakeDevice(clock)

    def denied(when: str) -> None:
        raise Rejected("401 Authorization Denied")

    device.fails = denied
    with pytest.raises(SetupError, match=r"cannot be written \(delivery_log_token\): 401"):
        make(clock, device).begin(a_campaign(clock), Trigger(), ids(some_users(1)))
    with pytest.raises(SetupError, match="cannot be read"):
        list(make(clock, device).unfinished())


def test_a_journal_that_fails_midway_is_a_note_and_the_campaign_stays_open() -> None:
    clock = FakeClock()
    device = FakeDevice(clock)
    log = make(clock, device).begin(a_campaign(clock), Trigger(), ids(some_users(2)))

    def down(when: str) -> None:
        raise Doubtful("TagoIO answered 500", status=500)

    device.fails = down
    log.record(sent(some_users(1)[0]))
    log.close()
    (note,) = log.notes()
    assert "1 outcomes are missing" in note
    device.fails = lambda when: None
    clock.at += 100
    (left,) = make(clock, device).unfinished()
    assert left.pending == {"u0", "u1"}


@pytest.mark.parametrize(
    "row",
    [
        {"variable": "notify_campaign", "value": "started", "group": "k", "metadata": None},
        {"variable": "notify_campaign", "value": "started", "group": None},
        {"variable": "notify_audience", "group": "k", "metadata": {"users": 5}},
        {"variable": "notify_outcome", "value": "sent", "group": "k", "metadata": "x"},
        {"variable": None, "group": "k"},
    ],
)
def test_rows_that_somebody_else_wrote_do_no_harm(row: dict[str, Any]) -> None:
    clock = FakeClock()
    device = FakeDevice(clock)
    log = make(clock, device).begin(a_campaign(clock), Trigger(), ids(some_users(1)))
    device.rows.append({"time": "nonsense", **row})
    clock.at += 100
    assert [left.pending for left in make(clock, device).unfinished()] == [{"u0"}]
    assert log.lost == 0


def test_on_the_sandbox_over_the_sdks_device(peopled: Sandbox) -> None:
    tago = TagoIO(peopled.store.profile_token, Client(peopled.api))
    device, token = peopled.store.add_device({"name": "journal"})
    slept: list[float] = []
    journal = Journal(tago.device(token), tago.client.time_at_tagoio, sleep=slept.append)
    users = some_users(1500)
    log = journal.begin(Campaign("aaaaaaaaaa", datetime.now(UTC)), TRIGGER, ids(users))
    for user in users[:1200]:
        log.record(sent(user))
    log.close()
    assert journal.state_of("aaaaaaaaaa") == "finished"
    del peopled.store.data[device["id"]][-1]
    (left,) = journal.unfinished()
    assert left.pending == {user.id for user in users[1200:]}
    assert left.trigger.points == TRIGGER.points
    assert slept == [GIVEN_UP]


class Killed(BaseException):
    """SIGKILL: nothing after it is carried out."""


class RerunUntilDone(RuleBasedStateMachine):
    """A run killed at any call and started again: nobody lost, nobody told twice."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.device = FakeDevice(self.clock)
        self.channel = ScriptedChannel()
        self.users = some_users(12)
        self.calls_left = 0
        self.device.fails = lambda when: self.count()
        self.done = False

    def count(self) -> None:
        self.calls_left -= 1
        if self.calls_left < 0:
            raise Killed

    @rule(calls=st.integers(0, 60), pace=st.floats(0.1, 2))
    @precondition(lambda self: not self.done)
    def run_until_killed(self, calls: int, pace: float) -> None:
        self.calls_left = calls
        try:
            self.run(pace)
        except Killed:
            self.clock.at += 1

    @rule()
    def run_to_the_end(self) -> None:
        self.calls_left = 10**9
        self.run(0.3)
        self.done = True
        assert {user: len(notes) for user, notes in self.channel.inbox.items()} == {f"u{n}": 1 for n in range(12)}

    @invariant()
    def nobody_was_told_twice(self) -> None:
        assert all(len(notes) == 1 for notes in self.channel.inbox.values())

    def run(self, pace: float) -> None:
        """As lib/app/dispatch.py does it, one user after the other."""
        journal = make(self.clock, self.device)
        campaign, own = Campaign("aaaaaaaaaa", datetime.fromtimestamp(1_000_000, UTC)), True
        for left in list(journal.unfinished()):
            own = False
            self.tell(journal.resume(left.campaign), sorted(left.pending), pace, look_first=True)
        if own and not journal.state_of(campaign.key):
            self.tell(journal.begin(campaign, TRIGGER, ids(self.users)), [user.id for user in self.users], pace)

    def tell(self, log: CampaignLog, ids: list[str], pace: float, *, look_first: bool = False) -> None:
        log.clock = self.clock
        window = RateWindow(clock=self.clock, sleep=self.clock.sleep)
        channel = CountedChannel(self)
        look = set(ids) if look_first else set()
        delivery = Delivery(channel, window, clock=self.clock, sleep=self.clock.sleep, look_first=look)
        for user_id in ids:
            log.record(delivery.tell(User(user_id), NOTE))
            self.clock.at += pace
            log.tick()
        log.close()


class CountedChannel:
    """The machine's channel; the process can be killed before or after each call."""

    def __init__(self, machine: RerunUntilDone) -> None:
        self.machine = machine

    def send(self, user: User, notification: Any) -> str:
        self.machine.count()
        created = self.machine.channel.send(user, notification)
        self.machine.count()
        return created

    def find(self, user: User, notification: Any) -> str:
        self.machine.count()
        return self.machine.channel.find(user, notification)


TestRerunUntilDone = RerunUntilDone.TestCase
TestRerunUntilDone.settings = settings(max_examples=60, stateful_step_count=8, deadline=None)
