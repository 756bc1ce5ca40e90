"""The board of a day, of runs and steps that are made up: whom it shows, and what it says of them."""

from collections.abc import Iterable
from itertools import count

import pytest

from lib.campaign.outcome import Outcome
from lib.campaign.rows import decision_row, outcome_rows, started_rows
from lib.message.trigger import DataPoint, Trigger
from lib.tools.sandbox.page.alarms import alarms_of
from lib.tools.sandbox.page.board import Board, board_of
from lib.tools.sandbox.page.desk import Desk
from lib.tools.sandbox.page.journal import journal_of
from lib.tools.sandbox.page.runs import failure_of, waits_for
from lib.tools.sandbox.page.witness import Kind, Step
from lib.tools.sandbox.runner import Run

KEY, OTHER = "aaaaaaaaaa", "bbbbbbbbbb"
RUN = "0123456789ab"
TRIGGER = Trigger("action", (DataPoint("temperature", 9, device="d"),), device_id="d")


class Story:
    """Runs that have ended and what TagoIO saw of them."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.users = [user["id"] for user in desk.store.users.values() if user["active"]][:7]
        self.names = {user["id"]: user["name"].split()[0] for user in desk.store.users.values()}
        self._at = count(1)

    def run(self, code: int = 0, *, is_going: bool = False, **extra: str) -> Run:
        runs = self.desk.sandbox.runner.runs
        run = Run(self.desk.analyses[0]["id"], extra, number=len(runs) + 1, code=None if is_going else code)
        run.ended = 0.0 if is_going else 1.0
        runs.append(run)
        return run

    def told(self, run: Run, users: Iterable[str], key: str = KEY, *, kind: Kind = "sent") -> list[str]:
        """The ids of the notifications."""
        notes = []
        for user in users:
            note_id = ""
            if kind == "sent":
                buttons = [
                    {"id": f"ack-n{key}", "label": "Acknowledge", "analysis": run.analysis_id},
                    {"id": f"see-n{key}", "label": "See", "url": "/x"},
                ]
                given = {"run_user": user, "title": "t", "message": "m", "buttons": buttons}
                note_id = self.desk.store.notify(given)["id"]
                run.outcomes[key, user] = {"status": "sent"}
            self._saw(Step(run.number, user, kind, next(self._at), what=(key, "t"), note_id=note_id))
            notes.append(note_id)
        return notes

    def updated(self, run: Run, users: Iterable[str]) -> None:
        for user in users:
            (note,) = self.desk.store.inbox(user)
            self._saw(Step(run.number, user, "updated", next(self._at), note_id=note["id"]))

    def journal(self, users: list[str], key: str = KEY, sent: Iterable[str] = (), **about: str) -> None:
        rows = [*started_rows(key, RUN, TRIGGER, users, **about)]
        rows += outcome_rows(key, [Outcome(user, "", "sent", notification_id="n", run=RUN) for user in sent])
        self.write(*(row.wire() for row in rows))

    def write(self, *rows: object) -> None:
        token = next(each["value"] for each in self.desk.variables if each["key"] == "delivery_log_token")
        self.desk.store.add_data(self.desk.store.tokens[token].id, list(rows))

    def without_journal(self) -> None:
        for analysis in self.desk.analyses:
            analysis["variables"] = [each for each in analysis["variables"] if each["key"] != "delivery_log_token"]

    def board(self, place: int = -1) -> Board:
        return board_of(self.desk, self.desk.days()[place])

    def ends(self, place: int = -1) -> dict[str, str]:
        return {self.names[row.user_id]: row.end.text for row in self.board(place).rows}

    def _saw(self, step: Step) -> None:
        self.desk.witness.steps.append(step)


@pytest.fixture
def story(desk: Desk) -> Story:
    return Story(desk)


def test_a_later_run_s_board_shows_whom_it_told_of_an_earlier_campaign(story: Story) -> None:
    first, later = story.users[:4], story.users[4:]
    story.journal(story.users, sent=story.users)
    stopped = story.run(-9)
    story.told(stopped, first)
    story.told(stopped, later, kind="wait")
    finishing = story.run()
    story.told(finishing, later)
    story.updated(finishing, first)
    assert list(story.ends().values()) == ["told before"] * 4 + ["told once"] * 3
    assert story.board().verdict.text == "Nobody lost, nobody told twice"
    assert set(story.ends(0).values()) == {"told once"}, "what became of the first day's campaign is told there too"
    assert story.board(0).verdict.text == "Nobody lost, nobody told twice"


def test_who_is_told_the_same_on_two_days_is_told_twice(story: Story) -> None:
    story.told(story.run(), story.users)
    story.told(story.run(), story.users[:2])
    assert story.board().verdict.text == "2 told twice"
    story.told(story.run(), story.users, OTHER)
    assert story.board().verdict.text == "Nobody lost, nobody told twice", "another campaign is another thing"


def test_the_board_shows_the_whole_audience_from_the_start(story: Story) -> None:
    story.journal(story.users)
    run = story.run(is_going=True)
    story.told(run, story.users[:1], kind="wait")
    assert [row.end.text for row in story.board().rows] == ["under way", *["waiting"] * 6]
    assert story.board().verdict.text == "0 of 7 told so far"
    run.ended, run.code = 1.0, -9
    assert [row.end.text for row in story.board().rows] == ["not told"] * 7
    assert story.board().verdict.text == "7 not told, nobody told twice"
    assert len(story.desk.audience_of(story.desk.days()[-1])) == 7, "the plain loop is run for all of them"


def test_whom_the_journal_says_to_be_held_is_not_lost(story: Story) -> None:
    first = story.run()
    story.journal(story.users)
    story.write(*(row.wire() for row in outcome_rows(KEY, [Outcome(story.users[6], "", "held", "at night", run=RUN)])))
    story.told(first, story.users[:6])
    assert story.board().verdict.text == "Nobody lost, nobody told twice"
    assert [row.end.text for row in story.board().left_out] == ["held: at night"]


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (3, "Cut off: whom else it was to tell is not known, nobody told twice"),
        (2, "At least 1 not told, nobody told twice"),
    ],
)
def test_without_a_journal_a_run_that_was_cut_off_may_have_had_more_to_tell(story: Story, told: int, said: str) -> None:
    story.without_journal()
    run = story.run(-9)
    story.told(run, story.users[:told])
    story.told(run, story.users[told:3], kind="wait")
    assert story.board().verdict.text == said


def test_the_verdict_counts_what_the_rows_say_while_a_run_goes_on(story: Story) -> None:
    run = story.run(is_going=True)
    story.told(run, story.users[:2])
    run.outcomes.clear()  # TagoIO has answered, and the Analysis has not logged it yet
    story.told(run, story.users[2:3], kind="doubt")
    board = story.board()
    assert [row.end.text for row in board.rows] == ["told once", "told once", "under way"]
    assert board.verdict.text == "2 told so far"


def test_only_a_button_that_runs_the_analysis_is_an_answer(story: Story) -> None:
    notes = story.told(story.run(), story.users[:2])
    story.desk.store.note_event("pressed", story.users[0], notes[0])  # a link
    assert set(story.ends().values()) == {"told once"}
    story.run(button_id=f"ack-n{KEY}", user_id=story.users[1], notification_id=notes[1])
    assert list(story.ends().values()) == ["told once", "answered"]


def test_a_notification_that_tagoio_drops_is_not_told(story: Story) -> None:
    run = story.run()
    story.told(run, story.users[:2])
    story.told(run, story.users[2:3], kind="dropped")
    run.outcomes[KEY, story.users[2]] = {"status": "sent"}
    assert list(story.ends().values()) == ["told once", "told once", "dropped by TagoIO"]
    assert story.board().verdict.text == "1 not told, nobody told twice"


def test_a_user_without_a_name_is_shown_by_the_id(story: Story) -> None:
    users = story.users[:2]
    for user, name in zip(users, ("", "  "), strict=True):
        story.desk.store.users[user]["name"] = name
    story.told(story.run(), users)
    assert [row.name for row in story.board().rows] == users


def test_a_run_that_was_cut_off_has_more_copies_than_it_could_write_down(story: Story) -> None:
    run = story.run(-9)
    story.journal(story.users, alarm="temperature")
    event = {"run": RUN, "event": KEY, "priority": 1, "place": 1}
    story.write({"variable": "notify_alarm", "value": "holds", "group": OTHER, "metadata": event})
    notes = story.told(run, story.users[:3])
    journal = journal_of(story.desk.store, story.desk.analyses[0])
    (alarm,) = alarms_of(story.desk.store, journal).open
    assert (alarm.open_copies, alarm.copies) == (3, 3)
    story.desk.store.notifications[notes[0]]["buttons_enabled"] = False
    (alarm,) = alarms_of(story.desk.store, journal).open
    assert (alarm.open_copies, alarm.copies) == (2, 3)


def test_a_journal_whose_token_is_among_tagoio_s_secrets_is_read(story: Story) -> None:
    store, token = (
        story.desk.store,
        next(each["value"] for each in story.desk.variables if each["key"] == "delivery_log_token"),
    )
    installed = store.add_analysis({"name": "Installed", "variables": []})
    assert not journal_of(store, installed).is_kept
    store.kept_secrets["s"] = {"id": "s", "key": "DELIVERY_LOG_TOKEN", "value": token, "tags": []}
    store.policies["s"] = {
        "id": "s", "name": "s", "active": True, "tags": [], "targets": [["analysis", "id", installed["id"]]],
        "permissions": [{"effect": "allow", "action": ["access"], "resource": ["secrets", "id", "s"]}],
    }  # fmt: skip
    assert journal_of(store, installed).is_kept
    notes = story.told(story.run(), story.users[:2])
    story.desk.sandbox.runner.runs[0].analysis_id = installed["id"]
    for user, note, run in zip(story.users, notes, ("1" * 12, "2" * 12), strict=False):
        about = {"user": user, "notification": note, "run": run, "analysis": installed["id"]}
        story.write({"variable": "notify_press", "value": f"ack-n{KEY}", "group": KEY, "metadata": about})
        story.write(decision_row(KEY, "verified", run, run, name="A", label="Acknowledge").wire())
        story.run(button_id=f"ack-n{KEY}", user_id=user, notification_id=note).analysis_id = installed["id"]
    assert sorted(story.ends().values()) == ["answered", "answered, settled before"]


def test_why_a_run_failed_names_the_reason_and_the_users_first(story: Story) -> None:
    run = story.run(1)
    run.lines.extend(["Notified 6 of 8 users in 0.1 s", "  failed  1  not told", '{"event": "run.finished"}'])
    run.outcomes[KEY, story.users[0]] = {"status": "failed", "reason": "compose: ValueError: boom"}
    run.outcomes[KEY, story.users[1]] = {"status": "sent"}
    failure = failure_of(story.desk.store, [run], "ring")
    assert failure.text == "failed: compose: ValueError: boom: Ana Souza; Notified 6 of 8 users in 0.1 s"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], ""),
        (["3 of 7 users"], "Run 1 says: 3 of 7 users"),
        (["Watching 16 s whether it is still at it"], "Run 1 says: Watching 16 s whether it is still at it"),
        (["Watching 16 s", "0 of 3 users", "1 of 3 users, 6 a minute"], "Run 1 says: Watching 16 s"),
        (["Watching", "1 of 3 users, 6 a minute"], "Run 1 says: 1 of 3 users, 6 a minute"),
        (["Watching 0 s", "1 of 3 users, 6 a minute"], "Run 1 says: 1 of 3 users, 6 a minute"),
        (["Watching", "0 of 3 users; rate limit reached, going on in 7 s"],
         "Run 1 says: 0 of 3 users; rate limit reached, going on in 7 s"),
    ],
)  # fmt: skip
def test_the_board_says_what_a_run_waits_for(story: Story, lines: list[str], said: str) -> None:
    run = story.run(is_going=True)
    for line in lines:
        run.say(line)
    assert waits_for([run]) == said
    run.said_at = dict.fromkeys(run.said_at, 1.0)
    assert waits_for([run]) == (f"Run 1 says: {lines[-1]}" if lines else ""), "what was waited for is over"
    run.ended = 1.0
    assert waits_for([run]) == ""


@pytest.mark.parametrize(
    "note", [f"campaign {KEY} is being delivered by another run; left to it",
             f"campaign {KEY} was dealt with by another run", f"this event was dealt with before, as campaign {KEY}"],
)  # fmt: skip
def test_a_run_that_leaves_its_event_to_another_shows_whom_that_one_tells(story: Story, note: str) -> None:
    story.journal(story.users)
    first = story.run(is_going=True)
    story.told(first, story.users[:2])
    second = story.run()
    second.lines.extend(["Notified nobody: there was nobody to tell, in 17.0 s", f"  note: {note}"])
    assert story.board().verdict.text == "Left to run 1, which is telling them"
    assert story.board().is_going
    assert [row.end.text for row in story.board().rows] == ["told once"] * 2 + ["waiting"] * 5
    assert [len(row.chips) for row in story.board().rows] == [1] * 2 + [0] * 5
    story.told(first, story.users[2:])
    first.ended, first.code = 1.0, 0
    assert story.board().verdict.text == "Left to run 1: nobody lost, nobody told twice"
    assert set(story.ends().values()) == {"told once"}
    assert story.board(0).verdict.text == "Nobody lost, nobody told twice"


def test_an_event_that_comes_again_belongs_to_the_day_of_its_run(story: Story) -> None:
    story.without_journal()
    killed = story.run(-9)
    story.told(killed, story.users[:3])
    story.told(story.run(), story.users, OTHER)
    again = story.run()
    story.desk.again[again.number] = killed.number
    story.told(again, story.users)
    first, second = story.board(0), story.board(1)
    assert (first.runs, first.verdict.text) == ("Runs 1 and 3", "3 told twice")
    assert (second.runs, second.verdict.text) == ("Run 2", "Nobody lost, nobody told twice")
    assert {len(row.chips) for row in second.rows} == {1}


def test_copies_that_were_never_made_are_not_counted_as_copies(story: Story) -> None:
    run = story.run()
    story.journal(story.users, sent=story.users, alarm="temperature")
    event = {"run": RUN, "event": KEY, "priority": 1, "place": 1}
    story.write({"variable": "notify_alarm", "value": "holds", "group": OTHER, "metadata": event})
    story.told(run, story.users[:3])
    (alarm,) = alarms_of(story.desk.store, journal_of(story.desk.store, story.desk.analyses[0])).open
    assert (alarm.open_copies, alarm.copies, alarm.missing) == (3, 3, 1)  # all of the journal bear one id


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("Dry run: nobody was notified.", "dry run"),
        ('  note: the alarm "t" of this device is open, and was answered as campaign c; this is event 2',
         "the alarm was answered already"),
        ('  note: nothing to end: no alarm "t" of this device is open', "no alarm was open"),
        ("Notified nobody: there was nobody to tell, in 0.0 s", "see its console"),
    ],
)  # fmt: skip
def test_where_nobody_was_told_the_board_says_why(story: Story, line: str, said: str) -> None:
    story.run().lines.append(line)
    assert story.board().verdict.text == f"Nobody was told: {said}"


def test_where_all_are_held_the_board_says_how_many(story: Story) -> None:
    run = story.run()
    run.outcomes = {(KEY, user): {"status": "held", "reason": "at night"} for user in story.users}
    assert story.board().verdict.text == "Nobody was told: 7 held until later"
