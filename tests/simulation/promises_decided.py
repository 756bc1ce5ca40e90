"""One decision to a campaign, by an honest press, and every copy closed with its line."""

from collections.abc import Iterator

from tests.simulation.facts import Facts
from tests.simulation.history import Decided, campaign_of
from tests.simulation.server import Note
from tests.simulation.violation import Violation

GIVEN_UP = 15.0  # seconds: docs/journal.md, Two runs at once


def decide_is_called_once(facts: Facts) -> Iterator[Violation]:
    """Once per decision; once more for each run that died, or was taken for dead, after it had called."""
    for topic, calls in facts.decided.items():
        for user in _counted_apart(facts, calls):
            ours = [call for call in calls if user in ("", call.user)]
            again = ours[1:] if facts.has_journal else [call for call in ours[1:] if call.process == ours[0].process]
            excuses = sum(_was_taken_for_dead(facts, call) for call in ours)
            if len(again) > excuses:
                who = ", ".join(f"{call.process} for {call.user}" for call in ours)
                yield Violation(
                    "one decision", f"decide was called {len(ours)} times {topic}: {who}", ours[-1].process, topic=topic
                )


def decisions_are_honest(facts: Facts) -> Iterator[Violation]:
    presses = [ran for ran in facts.history.ran if ran.is_honest]
    for call in facts.history.decided:
        if not any(ran.pressed["user_id"] == call.user and ran.started <= call.at for ran in presses):
            yield Violation(
                "honest decisions", f"{call.process} decided for {call.user}, who pressed nothing", call.process
            )


def the_first_wins(facts: Facts) -> Iterator[Violation]:
    """The oldest honest press that TagoIO took settles a campaign, unless it was refused: its user is gone, say."""
    if not facts.has_journal or facts.history.scenario.setup.answers != "first":
        return
    for topic, calls in facts.decided.items():
        refused = {each.about.get("press") for each in facts.rows[topic] if each.row["value"] == "refused"}
        presses = [
            each
            for each in facts.rows[topic]
            if each.row["variable"] == "notify_press"
            and facts.runs[each.process].is_honest
            and each.about.get("run") not in refused
        ]
        if not presses:
            continue
        first = min(presses, key=lambda each: (each.stamped, each.at))
        equal = {str(each.about.get("user")) for each in presses if each.stamped == first.stamped}
        for call in calls:
            if call.user not in equal:
                yield Violation("the first wins", f"{call.process} decided for {call.user} {topic}", call.process)


def every_copy_is_closed(facts: Facts) -> Iterator[Violation]:
    scenario = facts.history.scenario
    if not facts.has_journal or scenario.setup.answers != "first":
        return
    for topic, notes in facts.notes.items():
        calls = facts.decided.get(topic)
        there = [note for note in notes if facts.users[note.user].left_at == facts.users[note.user].inactive_from]
        if not calls:
            continue
        for note in there:
            if note.is_enabled and not is_unknown(facts, note) and not is_unrecorded(facts, note):
                yield Violation(
                    "every copy is closed", f"the copy of {note.user} {topic} is open", user=note.user, topic=topic
                )
        lines = {line for note in there if (line := _closing_line(note.body["message"]))}
        if len({line.rpartition(",")[0] for line in lines}) > 1:
            yield Violation("one decision", f"the copies {topic} say different things: {sorted(lines)}")


def only_decided_copies_close(facts: Facts) -> Iterator[Violation]:
    keys = {call.campaign for call in facts.history.decided}
    ids = {note.id: note for note in facts.history.notes()}
    for request in facts.history.requests:
        if request.route != "change" or not request.carried_at:
            continue
        note = ids.get(request.target)
        if note is None or campaign_of(note) not in keys:
            text = f"{request.process} changed {request.target}, of which nobody decided"
            yield Violation("only what is decided closes", text, request.process)


PROMISES = (
    decide_is_called_once,
    decisions_are_honest,
    the_first_wins,
    every_copy_is_closed,
    only_decided_copies_close,
)


def _counted_apart(facts: Facts, calls: list[Decided]) -> list[str]:
    """ "" for the campaign as a whole; with `answers` each, each user."""
    each = facts.history.scenario.setup.answers == "each"
    return sorted({call.user for call in calls}) if each else [""]


def _was_taken_for_dead(facts: Facts, call: Decided) -> bool:
    ran, setup = facts.runs[call.process], facts.history.scenario.setup
    outlasts = setup.decide == "slow" and setup.time_budget  # then no time is left to write the answer down
    is_gone = ran.killed is not None or facts.is_blind(call.process)  # docs/decisions.md: the answer was not written
    return is_gone or ran.process.frozen_for >= GIVEN_UP or bool(outlasts)


def is_unknown(facts: Facts, note: Note) -> bool:
    """A copy of which no run can learn: TagoIO made two of one request, or does not list it."""
    assert note.by is not None
    is_doubled = len(note.by.carried_at) > 1
    topic = facts.topics.get(campaign_of(note), "")
    said = {each.status for each in facts.said if (each.user, each.topic) == (note.user, topic)}
    return is_doubled or ("unknown" in said and facts.is_unseen(note.user))


def is_unrecorded(facts: Facts, note: Note) -> bool:
    """Whoever made it had no journal any more, as it says, and no later run knows of it, for nobody pressed it either
    (docs/journal.md)."""
    rows = facts.rows[facts.topics[campaign_of(note)]]
    named = (f"{stored.about.get('notifications')} {stored.about.get('notification')}" for stored in rows)
    is_recorded = any(note.id in text.split() for text in named)
    return note.by is not None and facts.is_blind(note.by.process) and not is_recorded


def _closing_line(message: str) -> str:
    """The line that was added, "" where there is none."""
    lines = [line for line in message.split("\n")[1:] if not line.startswith("No answer for")]
    return lines[-1] if lines else ""
