"""The fold of an alarm's rows, and what a notification may say of an alarm."""

from collections.abc import Iterator
from itertools import permutations

import pytest

from lib.base.errors import SetupError
from lib.campaign.alarm import Alarm, Turn, alarm_key, all_clear_key, clear_row
from lib.campaign.lease import DAY
from lib.campaign.rows import Row
from lib.message.alarm import AllClear, ordinal, repeated_line
from lib.message.notification import Notification

KEY = alarm_key("a" * 24, "d" * 24, "temperature")
RUN = "f" * 12
BEGAN = 1_000_000.0


def holds(alarm: Alarm, event: str, at: float, severity: tuple[int, int] = (1, 0), **about: object) -> Row:
    given = {"again": False, "over": "", **about}
    row = alarm.event(KEY, event, RUN, severity, **given)  # type: ignore[arg-type]  # a row is text
    return row._replace(at=BEGAN + at, id=f"{event}{at}")


def clears(event: str, at: float) -> Row:
    return clear_row(KEY, event, RUN, "Over", {})._replace(at=BEGAN + at, id=event)


def kinds(*rows: Row) -> dict[str, tuple[str, str]]:
    return {event: (turn.kind, turn.campaign) for event, turn in Alarm(rows).turns.items()}


NEW = Alarm()


def test_the_first_event_raises_it_and_others_repeat_it() -> None:
    rows = [holds(NEW, "e1", 1), holds(NEW, "e2", 2), holds(NEW, "e3", 3)]
    assert kinds(*rows) == {"e1": ("raised", "e1"), "e2": ("repeated", "e1"), "e3": ("repeated", "e1")}
    assert Alarm(rows).turns["e3"] == Turn("repeated", "e1", count=3, since=BEGAN + 1)


def test_all_come_to_the_same_in_whatever_order_the_rows_show() -> None:
    rows = [holds(NEW, "e1", 1), holds(NEW, "e2", 2), clears("c1", 3), holds(NEW, "e3", 4, (0, 0)), clears("c2", 4.5)]
    results = {str(sorted(kinds(*order).items())) for order in permutations(rows)}
    assert len(results) == 1
    assert kinds(*rows)["e3"] == ("raised", "e3")


def test_an_event_that_is_handed_in_twice_counts_once() -> None:
    alarm = Alarm([holds(NEW, "e1", 1), holds(NEW, "e2", 2), holds(NEW, "e2", 5)])
    assert (alarm.count, alarm.turns["e2"].count) == (2, 2)


def test_each_event_has_the_whole_of_what_it_was() -> None:
    alarm = Alarm()
    rows = [clears("c0", 0), holds(NEW, "e1", 1), holds(NEW, "e2", 2), holds(NEW, "e3", 3, (0, 0)), clears("c1", 4)]
    assert [alarm.take(row) for row in rows] == [
        Turn("nothing", "", "", 0, 0.0),
        Turn("raised", "e1", "", 1, BEGAN + 1),
        Turn("repeated", "e1", "", 2, BEGAN + 1),
        Turn("raised", "e3", "e1", 1, BEGAN + 3),
        Turn("cleared", "e3", "", 1, BEGAN + 3),
    ]
    assert (alarm.campaign, alarm.older, list(alarm.cleared)) == ("", [], ["e1", "e3"])
    assert (NEW.campaign, NEW.older, NEW.cleared) == ("", [], {})


def test_one_in_whose_place_another_is_raised_is_older_until_all_are_cleared() -> None:
    rows = [holds(NEW, "e1", 1), holds(NEW, "e2", 2, (0, 0)), holds(NEW, "e3", 3, (0, 0), again=True)]
    alarm = Alarm(rows)
    assert (alarm.campaign, alarm.older, alarm.cleared) == ("e3", ["e1", "e2"], {})
    closed_by_hand = holds(alarm, "e4", 4, (1, 0), over="e3")
    assert list(Alarm([*rows, closed_by_hand, clears("c", 5)]).cleared) == ["e1", "e2", "e4"]


def test_the_row_of_an_event_says_what_its_writer_saw_open() -> None:
    about = {"event": "e1", "run": RUN, "priority": 1, "place": 2, "again": False, "over": ""}
    row = NEW.event(KEY, "e1", RUN, (1, 2), again=False, over="")
    assert (row.key, row.kind, row.value, row.about) == (KEY, "notify_alarm", "holds", about)
    seen = Alarm([holds(NEW, "e1", 1.5, (1, 2))])
    row = seen.event(KEY, "e2", RUN, (0, 3), again=True, over="e0")
    assert row.about == {
        "event": "e2", "run": RUN, "priority": 0, "place": 3, "again": True, "over": "e0",
        "open": "e1", "since": 1_000_001_500, "count": 1, "open_priority": 1, "open_place": 2,
    }  # fmt: skip
    row = clear_row(KEY, "c", RUN, "Over", {"pt": "Já"}, tell=True)
    about = {"event": "c", "run": RUN, "tell": True, "line": "Over", "lines": '{"pt": "Já"}'}
    assert (row.kind, row.value, row.about) == ("notify_alarm", "clear", about)


@pytest.mark.parametrize(
    ("severity", "turn"),
    [
        ((1, 2), Turn("repeated", "e1", "", 3, BEGAN + 1.5)),
        ((1, 1), Turn("raised", "e3", "e1", 1, BEGAN + 3)),
        ((0, 5), Turn("raised", "e3", "e1", 1, BEGAN + 3)),
    ],
)
def test_what_a_writer_saw_open_is_open_for_whoever_reads_only_its_row(severity: tuple[int, int], turn: Turn) -> None:
    seen = Alarm([holds(NEW, "e1", 1.5, (1, 2)), holds(NEW, "e2", 2, (1, 2))])
    assert Alarm([holds(seen, "e3", 3, severity)]).turns == {"e3": turn}


@pytest.mark.parametrize(
    ("between", "cleared"),
    [
        ([clears("c1", 2)], ["e1"]),
        ([holds(NEW, "e2", 2, (0, 0)), clears("c1", 3)], ["e1", "e2"]),
        ([holds(NEW, "e2", 2, over="e1"), clears("c1", 3)], ["e2"]),
    ],
)
def test_what_is_over_is_not_opened_by_one_that_still_saw_it_open(between: list[Row], cleared: list[str]) -> None:
    first = holds(NEW, "e1", 1)
    late = holds(Alarm([first]), "e9", 9)
    alarm = Alarm([first, *between, late])
    assert alarm.turns["e9"] == Turn("raised", "e9", "", 1, BEGAN + 9)
    assert list(alarm.cleared) == cleared


def test_a_clear_ends_what_is_open_and_nothing_else() -> None:
    rows = [clears("c0", 0), holds(NEW, "e1", 1), clears("c1", 2), clears("c2", 3)]
    found = {"c0": ("nothing", ""), "e1": ("raised", "e1"), "c1": ("cleared", "e1"), "c2": ("nothing", "")}
    assert kinds(*rows) == found


@pytest.mark.parametrize(
    ("severity", "about", "kind"),
    [
        ((1, 0), {}, "repeated"),
        ((1, 1), {}, "repeated"),
        ((2, 0), {}, "repeated"),
        ((0, 5), {}, "raised"),
        ((1, 1), {"again": True}, "raised"),
    ],
)
def test_only_a_worse_one_or_one_that_tells_again_takes_its_place(
    severity: tuple[int, int], about: dict[str, object], kind: str
) -> None:
    alarm = Alarm([holds(NEW, "e1", 1, (1, 0)), holds(NEW, "e2", 2, severity, **about)])
    assert alarm.turns["e2"].kind == kind
    assert alarm.turns["e2"].replaced == ("e1" if kind == "raised" else "")


def test_a_variant_that_stands_earlier_is_worse_at_the_same_priority() -> None:
    assert Alarm([holds(NEW, "e1", 1, (1, 1)), holds(NEW, "e2", 2, (1, 0))]).turns["e2"].replaced == "e1"


def test_less_bad_after_worse_does_not_lower_the_bar() -> None:
    rows = [holds(NEW, "e1", 1, (0, 0)), holds(NEW, "e2", 2, (1, 0)), holds(NEW, "e3", 3, (0, 0))]
    assert kinds(*rows)["e3"] == ("repeated", "e1")


def test_one_that_nobody_clears_is_let_go_after_a_day() -> None:
    rows = [holds(NEW, "e1", 0), holds(NEW, "e2", DAY), holds(NEW, "e3", DAY + 1), clears("c", DAY + 2)]
    found = kinds(*rows)
    assert (found["e2"], found["e3"], found["c"]) == (("repeated", "e1"), ("raised", "e3"), ("cleared", "e3"))


def test_one_that_was_closed_by_hand_is_over() -> None:
    rows = [holds(NEW, "e1", 0), holds(NEW, "e2", 1, over="e1"), holds(NEW, "e3", 2, over="e1")]
    assert kinds(*rows) == {"e1": ("raised", "e1"), "e2": ("raised", "e2"), "e3": ("repeated", "e2")}


def long_alarms() -> Iterator[Row]:
    """An event every hour for four days, each written by a run that read a day and an hour of rows."""
    rows: list[Row] = []
    for hour in range(96):
        seen = Alarm(row for row in rows if row.at >= BEGAN + hour * 3600 - DAY - 3600)
        rows.append(holds(seen, f"e{hour}", hour * 3600))
    yield from rows


def test_whoever_reads_only_the_last_day_comes_to_the_same() -> None:
    rows = list(long_alarms())
    whole = Alarm(rows)
    for hour in range(30, 96):
        part = Alarm(row for row in rows[: hour + 1] if row.at >= BEGAN + hour * 3600 - DAY - 3600)
        assert part.turns[f"e{hour}"] == whole.turns[f"e{hour}"]
    raised = [event for event, turn in whole.turns.items() if turn.kind == "raised"]
    assert raised == ["e0", "e25", "e50", "e75"]


def test_keys_differ_by_device_and_name_and_are_as_long_as_a_campaigns() -> None:
    keys = {
        KEY,
        alarm_key("a" * 24, "e" * 24, "temperature"),
        alarm_key("a" * 24, "d" * 24, "door"),
        all_clear_key(KEY),
    }
    assert len(keys) == 4
    assert {len(key) for key in keys} == {10}
    assert alarm_key("a", "bc", "d") != alarm_key("ab", "c", "d")
    assert len(alarm_key("a", "d", "half of a pair: \ud83d")) == 10


def test_keys_are_the_same_in_a_later_version() -> None:
    assert (KEY, all_clear_key("kkkkkkkkkk")) == ("ye6vykohrr", "rsbypxerut")


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"all_clear": "Over"}, "all_clear, repeat and repeated need alarm"),
        ({"repeat": "again"}, "need alarm"),
        ({"alarm": "t", "repeat": "twice"}, 'repeat "twice" is not one of update, again'),
        ({"alarm": "t", "all_clear_tell": True}, "all_clear_tell needs all_clear"),
        ({"alarm": "t", "all_clear": "x", "all_clear_tell": "yes"}, "must be true or false"),
        ({"alarm": "t", "all_clear": "Thanks $USER.NAME$"}, "the same for everybody"),
        ({"alarm": "t", "all_clear": "x", "translations": {"pt": {"all_clear": "$TIME$"}}}, "the same for everybody"),
        ({"alarm": "t", "repeated": "$FOO$ since $SINCE$"}, r"repeated: \$FOO\$ is not known; it takes \$NTH\$"),
        ({"alarm": "t", "translations": {"pt": {"repeated": "$VALUE$"}}}, r"repeated: \$VALUE\$ is not known"),
        ({"alarm": "t", "repeated": "x" * 251}, "repeated: 251 characters are too many for a line; 250 at most"),
        ({"alarm": 3}, "alarm must be text"),
        ({"alarm": "t", "answers": "each"}, 'alarm needs answers "first"'),
    ],
)
def test_a_mistake_is_named_with_the_mend(fields: dict[str, object], problem: str) -> None:
    with pytest.raises(SetupError, match=problem):
        Notification("t", "m", **fields)  # type: ignore[arg-type]  # that is the test


def test_an_all_clear_needs_a_name_and_a_text() -> None:
    with pytest.raises(SetupError, match="message is missing"):
        AllClear("temperature", " ")
    with pytest.raises(SetupError, match="tell must be"):
        AllClear("temperature", "Over", tell="no")  # type: ignore[arg-type]  # that is the test


def test_an_all_clear_is_read_in_the_readers_language() -> None:
    over = AllClear("temperature", "Over", translations={"pt": "Acabou"})
    assert [over.in_language(code) for code in ("pt-BR", "pt_PT", "de", "")] == ["Acabou", "Acabou", "Over", "Over"]


def test_the_line_of_a_repeat_counts_in_words_or_in_figures() -> None:
    assert repeated_line("$NTH$ time since $SINCE$", 3, "14:02") == "3rd time since 14:02"
    assert repeated_line("$count$x, $since$", 2, "$NTH$") == "2x, $NTH$"
    numbers = (1, 2, 3, 4, 11, 12, 13, 21, 102, 111)
    assert [ordinal(number)[-2:] for number in numbers] == ["st", "nd", "rd", "th", "th", "th", "th", "st", "nd", "th"]
