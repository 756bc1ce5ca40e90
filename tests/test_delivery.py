"""The send loop, on a clock that runs fast."""

import time
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.base.errors import Doubtful, Refused, Rejected, TagoIOError
from lib.delivery.delivery import TRIES, Delivery, Task
from lib.delivery.window import RateWindow
from lib.message.notification import Notification
from lib.message.user import User
from lib.tagoio.inbox import UNPROVEN, Look
from tests.fakes import NOTE, FastClock, ScriptedLane, some_users

Step = tuple[bool, TagoIOError | None]
LOST = (False, Doubtful("cut"))
ARRIVED = (True, Doubtful("cut"))
LIMITED = (False, Refused("Too many requests", status=429, retry_after=2))
UNREACHABLE = (False, Refused("cannot be reached"))
REJECTED = (False, Rejected("400 no"))


def deliver(lane: ScriptedLane, users: int = 1, budget: float = float("inf"), stopped: str = "") -> Delivery:
    clock = lane.clock
    waiting = iter([Task(user, NOTE, lane) for user in some_users(users)])
    window = RateWindow(clock=clock, sleep=clock.sleep)
    made = Delivery(
        lambda: next(waiting, None), window, deadline=clock.at + budget, workers=2, clock=clock, sleep=clock.sleep
    )
    made.stopped = stopped
    made.deliver()
    return made


def taking(waiting: list[Task]) -> tuple[Callable[[], Task | None], Callable[[], bool]]:
    return lambda: waiting.pop() if waiting else None, lambda: bool(waiting)


def statuses(lane: ScriptedLane) -> dict[str, int]:
    return dict(Counter(outcome.status for outcome in lane.outcomes.values()))


@pytest.mark.parametrize(
    ("steps", "status", "sends"),
    [
        ([], "sent", 1),
        ([LOST], "sent", 2),
        ([ARRIVED], "sent", 1),
        ([LIMITED] * 3, "sent", 4),
        ([UNREACHABLE] * 2, "sent", 3),
        ([UNREACHABLE, LOST, LIMITED, ARRIVED], "sent", 4),
        ([REJECTED], "failed", 1),
        ([LOST, REJECTED], "failed", 2),
        ([LOST] * TRIES, "pending", TRIES),
    ],
)
def test_every_kind_of_trouble_ends_as_it_should(steps: list[Step], status: str, sends: int) -> None:
    lane = ScriptedLane(FastClock(), steps)
    deliver(lane)
    assert (statuses(lane), len(lane.sent_at)) == ({status: 1}, sends)
    assert len(lane.inbox.get("u0", [])) == (status == "sent")


def test_who_is_in_doubt_is_asked_about_for_long_before_a_second_send_and_holds_nobody_up() -> None:
    lane = ScriptedLane(FastClock(), [LOST])
    start = lane.clock.at
    deliver(lane, users=5)
    assert statuses(lane) == {"sent": 5}
    assert max(lane.sent_at) - min(lane.sent_at) > 30
    assert sum(at - start < 25 for at in lane.sent_at) == 5, "the others were told meanwhile"


def test_a_request_that_is_carried_out_late_is_not_repeated() -> None:
    clock = FastClock()
    start = clock.at
    lane = ScriptedLane(clock, [ARRIVED], arrives=lambda: clock.at > start + 20)
    deliver(lane)
    assert (statuses(lane), len(lane.sent_at)) == ({"sent": 1}, 1)


@pytest.mark.parametrize("error", [Rejected("401 Authorization Denied", status=401), Refused("no"), Doubtful("500")])
def test_a_look_that_fails_in_mid_wait_fails_nobody_and_keeps_no_place_of_the_window(error: TagoIOError) -> None:
    lane = ScriptedLane(FastClock(), [LOST], looks=[error])
    made = deliver(lane, users=3)
    assert statuses(lane).get("failed") is None
    assert lane.outcomes["u1"].status == lane.outcomes["u2"].status == "sent"
    assert made.window._probe is None
    if isinstance(error, Rejected):
        assert "allow Run User / Access notification" in next(
            outcome.reason for outcome in lane.outcomes.values() if outcome.status == "unknown"
        )


def test_where_tagoio_can_never_be_asked_the_outcome_is_unknown_and_says_so() -> None:
    lane = ScriptedLane(FastClock(), [LOST], looks=[Doubtful("TagoIO answered 500")] * 999)
    deliver(lane)
    assert statuses(lane) == {"unknown": 1}
    assert "could not be asked what became of it: TagoIO answered 500" in lane.outcomes["u0"].reason


def test_a_list_that_cannot_be_believed_leaves_it_unknown_and_nobody_is_told_twice() -> None:
    lane = ScriptedLane(FastClock(), [ARRIVED], looks=[Look(doubt=UNPROVEN)] * 999)
    deliver(lane)
    assert (statuses(lane), len(lane.sent_at)) == ({"unknown": 1}, 1)
    assert UNPROVEN in lane.outcomes["u0"].reason


def test_an_outage_that_never_ends_leaves_all_pending_and_few_were_tried() -> None:
    lane = ScriptedLane(FastClock(), [UNREACHABLE] * 10_000)
    deliver(lane, users=200)
    assert statuses(lane) == {"pending": 200}
    assert len(lane.sent_at) < 150


def test_the_time_budget_ends_the_run_in_good_order() -> None:
    lane = ScriptedLane(FastClock(), [(True, None), (True, None), *[LIMITED] * 999])
    start = lane.clock.at
    deliver(lane, users=5, budget=10)
    assert statuses(lane) == {"sent": 2, "pending": 3}
    assert lane.clock.at - start < 12
    doubtful = ScriptedLane(FastClock(), [LOST])
    deliver(doubtful, budget=10)
    assert statuses(doubtful) == {"unknown": 1}
    assert "time ran out" in doubtful.outcomes["u0"].reason


def test_after_the_last_one_no_further_window_is_awaited() -> None:
    lane = ScriptedLane(clock := FastClock())
    waiting = [Task(user, NOTE, lane) for user in some_users(4)]
    window = RateWindow(2, clock=clock, sleep=clock.sleep)
    clock.sleep(60 - clock.at % 60 + 30)  # half a minute into a window: the last two may go in half a minute
    start = clock.at
    take, has_more = taking(waiting)
    Delivery(take, window, has_more=has_more, workers=4, clock=clock, sleep=clock.sleep).deliver()
    assert statuses(lane) == {"sent": 4}
    assert clock.at - start < 60


def test_nobody_sleeps_on_when_all_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lib.delivery.delivery.IDLE", 30.0)
    lane = ScriptedLane(FastClock())
    take, has_more = taking([Task(user, NOTE, lane) for user in some_users(3)])
    began = time.monotonic()
    Delivery(take, RateWindow(), has_more=has_more, workers=3).deliver()
    assert statuses(lane) == {"sent": 3}
    assert time.monotonic() - began < 20


def test_nobody_more_is_sent_anything_once_stopped_or_decided() -> None:
    lane = ScriptedLane(FastClock())
    deliver(lane, users=3, stopped="stopped by hand")
    assert (statuses(lane), lane.sent_at) == ({"pending": 3}, [])
    lane = ScriptedLane(FastClock())
    lane.decided = True
    deliver(lane, users=3)
    assert (statuses(lane), lane.sent_at) == ({"skipped": 3}, [])


def test_a_defect_of_ours_is_one_unknown_outcome_and_not_the_end() -> None:
    class Broken(ScriptedLane):
        def send(self, user, notification):  # type: ignore[no-untyped-def]
            if user.id == "u1":
                raise KeyError("oops")
            return super().send(user, notification)

    lane = Broken(FastClock())
    deliver(lane, users=3)
    assert {user: outcome.status for user, outcome in lane.outcomes.items()} == {
        "u0": "sent", "u1": "unknown", "u2": "sent",
    }  # fmt: skip


steps = st.lists(st.sampled_from([(True, None), LOST, ARRIVED, LIMITED, UNREACHABLE, REJECTED]), max_size=20)
looks = st.lists(
    st.one_of(st.none(), st.sampled_from([Doubtful("500", status=500), Refused("429", status=429), Rejected("403")])),
    max_size=12,
)


@settings(max_examples=25, deadline=None)
@given(steps, looks, st.integers(1, 6), st.one_of(st.just(float("inf")), st.floats(3, 60)))
def test_whatever_goes_wrong_nobody_is_lost_told_twice_or_misreported(
    script: list[Step], look_errors: list[TagoIOError | Look | None], users: int, budget: float
) -> None:
    lane = ScriptedLane(FastClock(), script, look_errors)
    deliver(lane, users, budget)
    assert len(lane.outcomes) == users
    for user, outcome in lane.outcomes.items():
        received = len(lane.inbox.get(user, []))
        assert received <= 1
        if outcome.status == "sent":
            assert received == 1
        elif outcome.status in ("failed", "pending"):
            assert received == 0
        if outcome.status != "sent":
            assert outcome.reason


class Stalling(ScriptedLane):
    """No answer within a second to the first request of each user; nothing of it is carried out."""

    def send(self, user: User, notification: Notification) -> str:
        if user.id not in self.tried:
            self.tried.add(user.id)
            self.clock.sleep(1.0)
            raise Doubtful("no answer within 1 s")
        return super().send(user, notification)

    def __init__(self, clock: FastClock) -> None:
        super().__init__(clock)
        self.tried: set[str] = set()


def test_an_outage_ends_for_whoever_was_tried_before_and_they_do_not_wait_behind_new_ones() -> None:
    lane = Stalling(FastClock())
    made = deliver(lane, users=150)
    assert statuses(lane) == {"sent": 150}, made.stopped
    assert made.stopped == ""
