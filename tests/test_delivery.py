import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.base.errors import Doubtful, Refused, Rejected, TagoIOError
from lib.campaign.report import Outcome, Report
from lib.delivery.delivery import TRIES, Channel, Delivery
from lib.delivery.window import RateWindow
from lib.message.notification import Notification
from lib.message.user import User
from tests.fakes import NOTE, FakeClock, ScriptedChannel, some_users

USER = User("u", "Ana")
LOST = (False, Doubtful("cut"))
ARRIVED = (True, Doubtful("cut"))
LIMITED = (False, Refused("Too many requests", status=429, retry_after=2))
UNREACHABLE = (False, Refused("cannot be reached"))
REJECTED = (False, Rejected("400 no"))
NO_ANSWER = Doubtful("no answer within 15 s", status=408)


def delivery(
    channel: Channel, clock: FakeClock | None = None, deadline: float = float("inf"), workers: int = 1
) -> Delivery:
    clock = clock or FakeClock()
    window = RateWindow(clock=clock, sleep=clock.sleep)
    return Delivery(channel, window, clock=clock, sleep=clock.sleep, deadline=deadline, workers=workers)


def tell(channel: Channel, clock: FakeClock | None = None, deadline: float = float("inf")) -> Outcome:
    return delivery(channel, clock, deadline).tell(USER, NOTE)


def test_an_accepted_message_is_sent_with_its_id() -> None:
    assert tell(ScriptedChannel()) == Outcome("u", "Ana", "sent", "", "n1")


@pytest.mark.parametrize(
    ("steps", "status", "sends"),
    [
        ([LOST], "sent", 2),
        ([ARRIVED], "sent", 1),
        ([LIMITED] * 3, "sent", 4),
        ([UNREACHABLE] * 2, "sent", 3),
        ([UNREACHABLE, LOST, LIMITED, ARRIVED], "sent", 4),
        ([REJECTED], "failed", 1),
        ([LOST, REJECTED], "failed", 2),
        ([UNREACHABLE] * TRIES, "pending", TRIES),
        ([LOST] * TRIES, "failed", TRIES),
    ],
)
def test_every_kind_of_trouble_ends_as_it_should(
    steps: list[tuple[bool, TagoIOError | None]], status: str, sends: int
) -> None:
    channel = ScriptedChannel(steps)
    outcome = tell(channel)
    assert (outcome.status, channel.sends) == (status, sends)
    assert len(channel.inbox.get("u", [])) == (status == "sent")


def test_the_reason_of_a_failure_is_what_tagoio_said() -> None:
    assert tell(ScriptedChannel([REJECTED])).reason == "400 no"
    assert tell(ScriptedChannel([LOST] * TRIES)).reason == "cut"


def test_doubt_is_settled_by_asking_before_anything_is_sent_again() -> None:
    order: list[str] = []

    class Watched(ScriptedChannel):
        def send(self, user: User, notification: Notification) -> str:
            order.append("send")
            return super().send(user, notification)

        def find(self, user: User, notification: Notification) -> str:
            order.append("find")
            return super().find(user, notification)

    tell(Watched([LOST]))
    assert order == ["send", "find", "find", "find", "send"]


def test_a_request_that_comes_in_late_is_waited_for_and_not_repeated() -> None:
    clock = FakeClock()
    start = clock.at
    channel = ScriptedChannel([(True, NO_ANSWER)], arrives=lambda: clock.at > start + 10)
    assert tell(channel, clock).status == "sent"
    assert channel.sends == 1


def test_where_tagoio_cannot_be_asked_the_outcome_is_unknown_and_says_so() -> None:
    channel = ScriptedChannel([LOST], looks=[Doubtful("TagoIO answered 500")] * 9)
    outcome = tell(channel)
    assert (outcome.status, channel.sends) == ("unknown", 1)
    assert "could not be asked what became of it: TagoIO answered 500" in outcome.reason
    denied = tell(ScriptedChannel([LOST], looks=[Rejected("401 Authorization Denied")]))
    assert denied.status == "unknown"
    assert "Run User / Access notification" in denied.reason


def test_a_look_that_fails_once_is_repeated() -> None:
    assert tell(ScriptedChannel([ARRIVED], looks=[Refused("busy", status=429, retry_after=3)])).status == "sent"


def test_the_time_budget_ends_the_run_in_good_order() -> None:
    clock = FakeClock()
    report = Report()
    channel = ScriptedChannel([(True, None), (True, None), *[LIMITED] * 99])
    delivery(channel, clock, deadline=clock.at + 10).deliver(((user, NOTE) for user in some_users(5)), report.add)
    assert report.counts == {"sent": 2, "pending": 3}
    assert clock.at <= 1_000_010


def test_doubt_at_the_end_of_the_time_budget_is_unknown() -> None:
    clock = FakeClock()
    outcome = tell(ScriptedChannel([LOST]), clock, deadline=clock.at + 2.1)
    assert outcome.status == "unknown"
    assert "time ran out" in outcome.reason


def test_a_rate_limit_that_never_ends_leaves_the_rest_pending() -> None:
    report = Report()
    never = ScriptedChannel([LIMITED] * 10_000)
    delivery(never).deliver(((user, NOTE) for user in some_users(3)), report.add)
    assert report.counts == {"pending": 3}
    assert "nothing got through" in report.outcomes[0].reason


def test_a_long_outage_leaves_the_rest_pending_instead_of_trying_each() -> None:
    report = Report()
    channel = ScriptedChannel([UNREACHABLE] * 10_000)
    delivery(channel).deliver(((user, NOTE) for user in some_users(500)), report.add)
    assert len(report.outcomes) == 500
    assert channel.sends < 500
    assert {outcome.status for outcome in report.outcomes} == {"pending"}


def test_many_workers_tell_everyone_once_and_share_one_window() -> None:
    channel = ScriptedChannel()
    lock = threading.Lock()

    class Locked(ScriptedChannel):
        def send(self, user: User, notification: Notification) -> str:
            with lock:
                return channel.send(user, notification)

    report = Report()
    ticks: list[int] = []
    work = delivery(Locked(), workers=8)
    work.deliver(((user, NOTE) for user in some_users(200)), report.add, tick=lambda: ticks.append(1))
    assert report.counts == {"sent": 200}
    assert all(len(notes) == 1 for notes in channel.inbox.values())


def test_a_defect_of_ours_is_one_unknown_outcome_and_not_the_end() -> None:
    class Broken(ScriptedChannel):
        def send(self, user: User, notification: Notification) -> str:
            if user.id == "u1":
                raise KeyError("oops")
            return super().send(user, notification)

    report = Report()
    delivery(Broken()).deliver(((user, NOTE) for user in some_users(3)), report.add)
    assert [outcome.status for outcome in report.outcomes] == ["sent", "unknown", "sent"]


steps = st.lists(
    st.one_of(
        st.just((True, None)),
        st.sampled_from([LOST, ARRIVED, LIMITED, UNREACHABLE, REJECTED, (True, NO_ANSWER), (False, NO_ANSWER)]),
    ),
    max_size=30,
)
looks = st.lists(
    st.one_of(st.none(), st.sampled_from([Doubtful("500", status=500), Refused("429", status=429), Rejected("403")])),
    max_size=20,
)


@given(steps, looks, st.integers(1, 6), st.one_of(st.just(float("inf")), st.floats(0, 60)))
def test_whatever_goes_wrong_nobody_is_lost_told_twice_or_misreported(
    script: list[tuple[bool, TagoIOError | None]], look_errors: list[TagoIOError | None], users: int, budget: float
) -> None:
    clock = FakeClock()
    channel = ScriptedChannel(script, look_errors)
    report = Report()
    delivery(channel, clock, clock.at + budget).deliver(((user, NOTE) for user in some_users(users)), report.add)
    assert sorted(outcome.user_id for outcome in report.outcomes) == [f"u{number}" for number in range(users)]
    for outcome in report.outcomes:
        received = len(channel.inbox.get(outcome.user_id, []))
        assert received <= 1
        if outcome.status == "sent":
            assert received == 1
        elif outcome.status in ("failed", "pending"):
            assert received == 0
        if outcome.status != "sent":
            assert outcome.reason


def test_an_outcome_that_cannot_be_recorded_stops_the_run() -> None:
    recorded: list[Outcome] = []

    def record(outcome: Outcome) -> None:
        if outcome.status == "sent":
            raise ValueError("full")
        recorded.append(outcome)

    delivery(ScriptedChannel()).deliver(((user, NOTE) for user in some_users(3)), record)
    assert [(outcome.status, outcome.reason) for outcome in recorded] == [
        ("pending", "internal error: ValueError: full")
    ] * 2


def test_nobody_more_is_sent_anything_once_stopped() -> None:
    work = delivery(ScriptedChannel())
    work.stopped = "stopped by hand"
    report = Report()
    work.deliver(((user, NOTE) for user in some_users(3)), report.add)
    assert report.counts == {"pending": 3}


def test_what_an_earlier_run_may_have_sent_is_looked_for_again_after_a_wait() -> None:
    """It arrives while this run waits for the rate window."""
    clock = FakeClock(60_000)
    channel = ScriptedChannel(arrives=lambda: clock.at > 60_010)
    channel.inbox["u"] = ["late"]
    window = RateWindow(1, clock=clock, sleep=clock.sleep)
    assert window.enter() is not None
    work = Delivery(channel, window, clock=clock, sleep=clock.sleep, look_first={"u"}, workers=1)
    assert work.tell(USER, NOTE) == Outcome("u", "Ana", "sent", "", "late")
    assert channel.sends == 0


def test_a_delivery_that_is_stopped_while_the_limit_is_probed_leaves_the_probe_to_the_next_one() -> None:
    """Or everybody after it would wait for what becomes of a request that was never sent."""
    clock = FakeClock(600.0)
    channel = ScriptedChannel([(False, Refused("Too many requests", status=429, retry_after=5))])

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        if clock.at > 605:
            first.stopped = "decided meanwhile"

    window = RateWindow(clock=clock, sleep=sleep)
    first = Delivery(channel, window, clock=clock, sleep=clock.sleep)
    assert first.tell(USER, NOTE) == Outcome("u", "Ana", "pending", "decided meanwhile")
    second = Delivery(channel, window, clock=clock, sleep=clock.sleep)
    stopped_at = clock.at
    assert second.tell(USER, NOTE).status == "sent"
    assert clock.at == stopped_at
