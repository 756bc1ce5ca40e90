"""The journal on a device of the sandbox, over the SDK's `Device`."""

import time
from typing import Any

import pytest

from lib.base.errors import Doubtful, Rejected
from lib.campaign.outcome import Outcome
from lib.campaign.rows import Row, started_rows
from lib.campaign.state import CampaignState
from lib.message.trigger import DataPoint, Trigger
from lib.tagoio.journal import Journal
from lib.tagoio.journal_device import JournalDevice
from lib.tagoio.transport import Client, TagoIO
from lib.tools.sandbox.server import Sandbox

TRIGGER = Trigger(
    "action", (DataPoint("t", 9, "C", "2026-01-01", "d", "g", "1"), DataPoint("t", 10)), "act", "on", "dev"
)
KEY = "aaaaaaaaaa"


class Kept:
    """A device of the sandbox, and journals of several runs on it."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.tago = TagoIO(sandbox.store.profile_token, Client(sandbox.api))
        self.record, self.token = sandbox.store.add_device({"name": "journal"})
        self.rows = sandbox.store.data[self.record["id"]]
        self.fails: list[Exception] = []
        self.slept: list[float] = []

    def now(self) -> float:
        return self.tago.client.time_at_tagoio().timestamp()

    def device(self) -> JournalDevice:
        module = self.tago.device(self.token)
        send = module.sendData

        def send_or_fail(rows: list[dict[str, Any]]) -> Any:
            if self.fails:
                raise self.fails.pop(0)
            return send(rows)

        module.sendData = send_or_fail
        return JournalDevice(module, self.now, patience=lambda: 1.0, sleep=self.slept.append)

    def journal(self) -> Journal:
        return Journal(self.device(), self.now)

    def begin(self, journal: Journal, users: list[str]) -> set[str]:
        about: dict[str, Any] = {"started_at": self.now(), "escalate": "", "first": users[0]}
        return journal.begin({KEY: list(started_rows(KEY, journal.run, TRIGGER, users, **about))})

    def state(self) -> CampaignState:
        return self.device().states([KEY])[KEY]


@pytest.fixture
def kept(peopled: Sandbox) -> Kept:
    return Kept(peopled)


def sent(user: str) -> Outcome:
    return Outcome(user, user, "sent", notification_id=f"n-{user}")


def test_what_a_run_wrote_the_next_one_reads(kept: Kept) -> None:
    journal = kept.journal()
    users = [f"user-{number}" for number in range(1500)]
    assert kept.begin(journal, users) == {KEY}
    for user in users[:1200]:
        journal.record(KEY, sent(user))
    journal.end(KEY, "left")
    journal.close(10)
    (state,) = kept.device().unfinished("")
    assert sorted(state.unsettled()) == sorted(users[1200:])
    assert state.trigger == TRIGGER
    assert state.outcomes["user-7"].notification_id == "n-user-7"
    assert len(kept.rows) < 30, "rows are dense"
    assert journal.states[KEY].outcomes.keys() == state.outcomes.keys(), "in memory as on the device"


def test_of_two_runs_that_begin_the_same_event_the_second_leaves_it(kept: Kept) -> None:
    first, second = kept.journal(), kept.journal()
    assert kept.begin(first, ["u"]) == {KEY}
    assert kept.begin(second, ["u"]) == set()
    assert (first.may_tell(KEY), second.may_tell(KEY)) == (True, False)
    first.close(1)
    second.close(1)


def test_a_finished_campaign_is_not_looked_at_again(kept: Kept) -> None:
    journal = kept.journal()
    kept.begin(journal, ["u"])
    journal.record(KEY, sent("u"))
    journal.end(KEY, "finished")
    journal.close(5)
    assert kept.device().unfinished("") == []


@pytest.mark.parametrize("error", [Rejected("full", status=400), Doubtful("503", status=503)])
def test_a_device_that_takes_no_rows_stops_nobody(kept: Kept, error: Exception) -> None:
    kept.fails = [error] * 99
    journal = kept.journal()
    assert kept.begin(journal, ["u"]) == {KEY}
    assert journal.may_tell(KEY)
    assert "THE JOURNAL IS GONE" in next(journal.notes())


def test_what_a_journal_that_was_away_has_missed_is_written_at_the_end(kept: Kept) -> None:
    kept.fails = [Doubtful("503", status=503)] * 99
    journal = kept.journal()
    kept.begin(journal, ["u", "v"])
    journal.record(KEY, sent("u"))
    journal.end(KEY, "left")
    kept.fails = []
    journal.close(5)
    assert "the journal was away (503)" in next(journal.notes())
    (state,) = kept.device().unfinished("")
    assert (state.outcomes["u"].notification_id, list(state.unsettled())) == ("n-u", ["v"])


def test_what_a_device_refuses_in_mid_run_is_written_at_the_end(kept: Kept) -> None:
    journal = kept.journal()
    kept.begin(journal, ["u", "v"])
    kept.fails = [Rejected("bad", status=400)] * 99
    journal.record(KEY, sent("u"))
    journal.flush()
    assert journal.gone == "bad"
    kept.fails = []
    journal.record(KEY, sent("v"))
    journal.close(5)
    assert {each.notification_id for each in kept.state().outcomes.values()} == {"n-u", "n-v"}
    assert "wrote down at its end whom" in next(journal.notes())


def test_a_run_that_was_frozen_while_it_read_the_journal_reads_it_again_before_it_tells(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    rival = kept.journal()  # so that what it wrote is read
    kept.begin(rival, ["u"])
    rival.end(KEY, "left")
    rival.close(5)
    journal = kept.journal()
    ahead = 0.0
    journal.clock = lambda: time.monotonic() + ahead
    read = journal._read_again

    def read_slowly(key: str) -> list[Row]:
        nonlocal ahead
        ahead += 20.0
        return read(key)

    monkeypatch.setattr(journal, "_read_again", read_slowly)
    journal._ends.set()  # as if its thread were frozen too
    assert kept.begin(journal, ["u"]) == {KEY}
    assert journal.may_tell(KEY) is None


def test_without_a_confirmed_heartbeat_nobody_is_told_before_it_was_read_again(kept: Kept) -> None:
    journal = kept.journal()
    kept.begin(journal, ["u"])
    journal._ends.set()  # as if the thread were frozen
    journal._valid_until = journal.clock() - 1
    assert journal.may_tell(KEY) is None
    rival = kept.journal()
    for row in kept.rows:
        row["time"] = "2026-01-01T00:00:00.000Z"  # long ago
    assert kept.begin(rival, ["u"]) == {KEY}
    journal._come_back()
    assert journal.may_tell(KEY) is False, "another run has taken over"
    rival.close(1)


def test_one_row_that_the_device_refuses_keeps_the_others_from_nothing(kept: Kept) -> None:
    journal = kept.journal()
    kept.begin(journal, ["u", "v"])
    kept.fails = [Rejected("together", status=400), Rejected("alone", status=400)]
    journal.record(KEY, sent("u"))
    journal.record(KEY, sent("v")._replace(status="failed", reason="no"))
    journal.close(5)
    assert journal.unwritten == 1
    assert len(kept.state().outcomes) == 1


def test_a_run_without_a_device_holds_everything_in_memory() -> None:
    journal = Journal(None, lambda: 100.0)
    rows = list(started_rows(KEY, journal.run, TRIGGER, ["u"], started_at=1.0, escalate="", first=""))
    assert journal.begin({KEY: rows}) == {KEY}
    journal.record(KEY, sent("u"))
    assert journal.may_tell(KEY)
    assert (journal.states[KEY].outcomes["u"].status, list(journal.states[KEY].unsettled())) == ("sent", [])
    journal.close(1)
