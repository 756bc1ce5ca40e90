from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.delivery.window import OUTAGE, RateWindow, Ticket
from tests.fakes import FakeClock


class Server:
    """A fixed window as TagoIO's: so many requests per clock minute; its clock may differ from ours."""

    def __init__(self, clock: FakeClock, limit: int, *, ahead: float = 0.0, others: int = 0) -> None:
        self.clock, self.limit, self.ahead, self.others = clock, limit, ahead, others
        self.index, self.used, self.refusals = -1, 0, 0

    def takes(self) -> bool:
        index = int((self.clock.at + self.ahead) // 60)
        if index != self.index:
            self.index, self.used = index, self.others
        if self.used >= self.limit:
            self.refusals += 1
            return False
        self.used += 1
        return True


def send_all(window: RateWindow, server: Server, number: int, *, says_when: bool = False) -> None:
    clock = server.clock
    for _ in range(number):
        while True:
            ticket = window.enter()
            assert ticket is not None
            if server.takes():
                window.passed(ticket)
                break
            window.refused(ticket, 60 - (clock.at + server.ahead) % 60 if says_when else None)


def make(clock: FakeClock, limit: int | None = None) -> RateWindow:
    return RateWindow(limit, clock=clock, sleep=clock.sleep)


def test_a_run_that_fits_one_window_never_waits() -> None:
    clock = FakeClock()
    send_all(make(clock, 100), Server(clock, 100), 100)
    assert clock.slept == []


def test_a_given_limit_is_used_up_at_once_and_then_the_next_minute_is_awaited() -> None:
    clock = FakeClock(60_000 + 30)
    server = Server(clock, 100)
    send_all(make(clock, 100), server, 250)
    assert server.refusals == 0
    assert 60_000 + 120 < clock.at < 60_000 + 120.2


def test_a_learnt_limit_costs_few_refusals() -> None:
    clock = FakeClock(60_000)
    server = Server(clock, 100)
    send_all(make(clock), server, 1000, says_when=True)
    assert server.refusals <= 10
    assert clock.at < 60_000 + 9 * 60 + 1


def test_a_refusal_without_a_time_is_tried_again_now_and_then() -> None:
    clock = FakeClock(60_000)
    server = Server(clock, 100)
    send_all(make(clock), server, 1000)
    assert server.refusals <= 10 * 8
    assert clock.at < 60_000 + 9 * 60 + 1


def test_refusals_that_have_nothing_to_do_with_the_minute_do_not_cost_minutes() -> None:
    """Every user's first request is refused, whatever the window."""
    clock = FakeClock(60_000)
    window = make(clock)
    for _ in range(100):
        ticket = window.enter()
        assert ticket is not None
        window.refused(ticket, None)
        ticket = window.enter()
        assert ticket is not None
        window.passed(ticket)
    assert clock.at < 60_000 + 100 * 2


def test_what_another_program_leaves_is_used() -> None:
    clock = FakeClock(60_000)
    server = Server(clock, 100, others=70)
    send_all(make(clock, 100), server, 90, says_when=True)
    assert clock.at < 60_000 + 2 * 60 + 1
    assert server.refusals <= 4


def test_a_limit_learnt_too_low_grows_again() -> None:
    clock = FakeClock(60_000)
    server = Server(clock, 100, others=90)
    window = make(clock)
    send_all(window, server, 10 + 1)
    server.others = 0
    clock.at += 60
    before = server.refusals
    send_all(window, server, 100)
    assert server.refusals - before <= 1


@given(st.floats(-20, 20), st.integers(1, 50), st.booleans(), st.booleans())
def test_a_clock_that_is_off_costs_time_but_no_flood_of_refusals(
    ahead: float, limit: int, is_given: bool, says_when: bool
) -> None:
    clock = FakeClock(60_000)
    server = Server(clock, limit, ahead=ahead)
    send_all(make(clock, limit if is_given else None), server, limit * 4, says_when=says_when)
    assert server.refusals <= 4 * 12
    assert clock.at <= 60_000 + 8 * 60


def test_whole_seconds_that_tagoio_rounds_up_cost_no_second() -> None:
    clock = FakeClock(60_000 + 59.3)
    window = make(clock)
    ticket = window.enter()
    assert ticket is not None
    window.refused(ticket, 1)
    assert window.enter() is not None
    assert clock.at < 60_000 + 60.1


def test_waiting_is_announced_once_with_how_long() -> None:
    clock = FakeClock(60_000 + 20)
    said: list[float] = []
    window = RateWindow(1, clock=clock, sleep=clock.sleep, on_wait=said.append)
    send_all(window, Server(clock, 1), 2)
    assert [round(seconds) for seconds in said] == [40]


def test_a_place_after_the_deadline_is_not_waited_for() -> None:
    clock = FakeClock(60_000)
    window = make(clock, 1)
    assert window.enter(clock.at + 30) is not None
    assert window.enter(clock.at + 30) is None
    assert clock.slept == []


def test_a_probe_is_answered_by_its_own_request_only() -> None:
    """Others may still be under way when a probe goes: their answers say nothing about it."""
    clock = FakeClock(60_000)
    window = make(clock)
    early = [window.enter() for _ in range(3)]
    late = window.enter()
    assert late is not None
    for ticket in early[:2]:
        assert ticket is not None
        window.passed(ticket)
    window.refused(late, None)
    probe = window.enter()
    assert probe is not None
    assert probe.is_probe
    assert clock.at == 60_001
    assert early[2] is not None
    window.passed(early[2])
    assert window.enter(clock.at + 0.01) is None
    window.passed(probe)
    assert window.enter(clock.at + 0.01) is not None


def test_a_probe_that_is_not_sent_after_all_holds_nobody_up() -> None:
    clock = FakeClock(600.0)
    window = make(clock)
    first = window.enter()
    assert first is not None
    window.refused(first, 5.0)
    probe = window.enter()
    assert probe is not None
    assert probe.is_probe
    window.unused(probe)
    before = clock.at
    again = window.enter()
    assert again is not None
    assert again.is_probe
    assert clock.at == before


def test_who_waits_for_the_next_window_is_told_soon_that_it_is_over() -> None:
    clock = FakeClock(600.0)
    window = make(clock, limit=1)
    assert window.enter() is not None
    assert window.enter(is_over=lambda: clock.at > 603) is None
    assert clock.at < 606


def test_at_each_limit_that_a_plan_has_a_single_request_goes_ahead_once() -> None:
    clock = FakeClock(60_000)
    window = make(clock)
    for most in (60, 100, 1000):
        tickets: list[Any] = []
        while not (tickets and tickets[-1].is_probe):
            ticket = window.enter(clock.at + 0.001)
            assert ticket is not None
            tickets.append(ticket)
        assert window._used == most + 1
        assert window.enter(clock.at + 0.001) is None, "the others wait"
        for ticket in tickets:
            window.passed(ticket)
    clock.at += 60
    for _ in range(1000):
        ticket = window.enter(clock.at + 0.001)
        assert ticket is not None
        assert not ticket.is_probe, "it was seen that the limit is higher"


def let_through(window: RateWindow) -> Ticket:
    ticket = window.enter()
    assert ticket is not None
    return ticket


@pytest.mark.parametrize("answered", [lambda window: window.passed(let_through(window)), RateWindow.alive])
def test_only_answers_that_fail_in_a_row_are_an_outage(answered: Callable[[RateWindow], None]) -> None:
    window = make(FakeClock(60_000), 1000)
    window.passed(let_through(window))
    for _ in range(5):
        for _ in range(OUTAGE - 1):
            window.lost(let_through(window))
            assert not window.is_outage
        answered(window)
    for _ in range(OUTAGE):
        assert not window.is_outage
        window.lost(let_through(window))
    assert window.is_outage
    answered(window)
    assert not window.is_outage
