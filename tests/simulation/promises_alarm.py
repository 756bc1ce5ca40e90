"""One alarm is open at a time: nobody is told again while it is, its copies are up to date, and closed when it ends."""

from collections.abc import Iterator
from dataclasses import dataclass

from tests.simulation.device import Stored
from tests.simulation.facts import Facts
from tests.simulation.history import campaign_of
from tests.simulation.promises_decided import is_unknown, is_unrecorded
from tests.simulation.request import Request
from tests.simulation.server import Note, User
from tests.simulation.violation import Violation

SEEN = 15.0  # seconds after which a run that tells an end has seen that the alarm is raised again


@dataclass(slots=True)
class Period:
    """From an event that raised the alarm until it was cleared; `is_newest` until another took its place."""

    campaign: str
    severity: tuple[int, int]
    at: float
    by: str  # the run whose event raised it
    over_by: str = ""  # the run that wrote it down
    is_newest: bool = True

    @property
    def is_over(self) -> bool:
        return bool(self.over_by)


def periods(facts: Facts) -> list[Period]:
    """By the rows of the events, in the order in which TagoIO took them."""
    found: list[Period] = []
    seen: set[str] = set()
    for stored in facts.history.server.device.rows:
        event = str(stored.about.get("event"))
        if stored.row["variable"] != "notify_alarm" or event in seen:
            continue
        seen.add(event)
        current = found[-1] if found and not found[-1].is_over else None
        if stored.row["value"] == "clear":
            for each in found:
                each.over_by = each.over_by or stored.process
            continue
        severity = stored.about["priority"], stored.about["place"]
        if current is None or severity < current.severity:
            if current:
                current.is_newest = False
            found.append(Period(event, severity, stored.at, stored.process))
    return found


def one_is_open(facts: Facts) -> Iterator[Violation]:
    raised = {period.campaign for period in periods(facts)}
    told = [
        (each, campaign_of(Note("", "", 0.0, each.body, None)))
        for each in facts.history.requests
        if each.route == "create"
    ]
    raised |= {campaign for each, campaign in told if facts.is_blind(each.process)}
    raised |= {str(row.row["group"]) for row in _rows(facts, "started") if facts.is_blind(row.process)}
    for request, campaign in told:
        if campaign and campaign not in raised:
            text = f"{request.process} told {request.user} of {campaign}, while the alarm was open or before it was"
            yield Violation("one alarm", text, request.process, request.user)


def nobody_again(facts: Facts) -> Iterator[Violation]:
    """By a second request: of one TagoIO may have made two."""
    blind = any(facts.is_blind(name) for name in facts.runs)
    told: dict[tuple[str, str], Request | None] = {}
    for note in facts.history.notes():
        where = note.user, campaign_of(note)
        if where[1] and told.setdefault(where, note.by) is not note.by and not blind:
            yield Violation("nobody again", f"{note.user} was told twice of {where[1]}", "", note.user)


def everybody_of_what_is_open(facts: Facts) -> Iterator[Violation]:
    told = {(note.user, campaign_of(note)) for note in facts.history.notes()}
    for campaign in _open(facts):
        for user in facts.users.values():
            is_wanted = user.person.is_active and _is_willing(facts, user, campaign) and user.person.group == "crew"
            statuses = {said.status for said in facts.said if (said.user, said.campaign) == (user.id, campaign)}
            is_unsure = "unknown" in statuses and facts.is_unseen(user.id)
            if is_wanted and (user.id, campaign) not in told and not is_unsure and "failed" not in statuses:
                yield Violation("nobody lost", f"{user.id} was never told of the alarm {campaign}", "", user.id)


def what_is_raised_is_begun(facts: Facts) -> Iterator[Violation]:
    """By the run whose event raised it, unless that was killed or lost its journal."""
    is_anybody = any(user.person.is_active and user.person.group == "crew" for user in facts.users.values())
    for period in periods(facts)[-1:]:
        run = facts.runs[period.by]
        is_hit = run.killed is not None or facts.is_blind(period.by) or run.process.frozen_for
        if is_anybody and not (period.is_over or is_hit or _rows(facts, "started", period.campaign)):
            yield Violation("one alarm", f"the event {period.campaign} raised it, and nobody is told of it", period.by)


def what_is_over_is_closed(facts: Facts) -> Iterator[Violation]:
    ended = {stored.row["group"] for stored in _rows(facts, "ended")}
    for period in periods(facts):
        is_begun = bool(_rows(facts, "started", period.campaign))
        copies = (note for note in facts.history.notes() if campaign_of(note) == period.campaign)
        is_open = period.is_newest or any(note.is_enabled and not is_unknown(facts, note) for note in copies)
        if period.is_over and is_begun and is_open and period.campaign not in ended and not _did_not_see(facts, period):
            yield Violation("the end", f"{period.campaign} is over, and no row says so", "")
    for note in facts.history.notes():
        is_hidden = facts.history.scenario.platform.inbox == "hidden" or is_unrecorded(facts, note)
        is_hidden = is_hidden or _is_second(facts, note)
        if campaign_of(note) not in ended or is_hidden:
            continue
        has_line = "Over at" in note.body["message"] or "→" in note.body["message"] or _was_unseen(facts, note)
        if (note.is_enabled and not is_unknown(facts, note)) or not (has_line or is_unknown(facts, note)):
            state = "open" if note.is_enabled else "without its line"
            yield Violation("the end", f"the copy of {note.user} of {campaign_of(note)}, which is over, is {state}", "")


def older_copies_are_closed_for_who_is_told_anew(facts: Facts) -> Iterator[Violation]:
    """And stay open for all others, until the end."""
    order = {period.campaign: number for number, period in enumerate(periods(facts))}
    listed = [(note, order[campaign_of(note)]) for note in facts.history.notes() if campaign_of(note) in order]
    for note, number in listed:
        newer = [each for each, later in listed if each.user == note.user and later > number]
        is_pointed = "→" in note.body["message"]
        if is_pointed and not newer:
            yield Violation("told anew", f"{note.user} reads {note.body['message']!r}, and was not told anew", "")
        unsure = any(is_unknown(facts, each) or is_unrecorded(facts, each) for each in (note, *newer))
        is_next = any(order[campaign_of(each)] for each in newer) and not unsure and not _is_second(facts, note)
        blind = any(each.by is not None and facts.is_blind(each.by.process) for each in (note, *newer))
        if is_next and note.is_enabled and not blind:
            yield Violation("told anew", f"the older copy of {note.user}, of {campaign_of(note)}, is open", "")


def copies_are_of_the_newest_event(facts: Facts) -> Iterator[Violation]:
    blind = {name for name in facts.runs if facts.is_blind(name)}
    for campaign in _open(facts):
        repeats: dict[str, Stored] = {}  # by event, which an Action may hand in twice
        for stored in sorted(_rows(facts, "repeated", campaign), key=lambda stored: (stored.stamped, stored.at)):
            repeats.setdefault(str(stored.about["event"]), stored)
        if not repeats:
            continue
        event, newest = list(repeats.items())[-1]
        value = _value(facts, campaign, event)
        for note in facts.history.notes():
            is_lost = _is_second(facts, note) or is_unknown(facts, note) or _is_refused(facts, note)
            is_lost = is_lost or _is_written_over(facts, note)
            is_lost = is_lost or (note.by is not None and note.by.process in blind)
            if (
                campaign_of(note) == campaign
                and not is_lost
                and not note.body["message"].startswith(f"It is at {value}\n")
            ):
                text = f"the copy of {note.user} does not show the event {event}: {note.body['message']!r}"
                yield Violation("up to date", text, newest.process, note.user)


def the_end_is_told_once(facts: Facts) -> Iterator[Violation]:
    """Where that is wanted: to who had been told, and not once the alarm is raised again."""
    if not facts.history.scenario.setup.all_clear_tell:
        return
    blind = any(facts.is_blind(name) for name in facts.runs)
    told_of_it = {note.user for note in facts.history.notes() if campaign_of(note)}
    told: dict[tuple[str, str], Request | None] = {}
    for note in facts.history.notes():
        if not note.body["message"].startswith("Over at"):
            continue
        if note.user not in told_of_it:
            yield Violation("the end is told", f"{note.user} is told the end of nothing", "", note.user)
        if told.setdefault((note.user, note.body["message"]), note.by) is not note.by and not blind:
            yield Violation("the end is told", f"{note.user} is told twice: {note.body['message']}", "", note.user)
        if note.by and _is_raised(facts, note.by) and not facts.is_blind(note.by.process):
            yield Violation("the end is told", f"{note.user} is told it after it was raised again", "", note.user)
    yield from _untold_ends(facts, {user for user, _ in told})


def _untold_ends(facts: Facts, told: set[str]) -> Iterator[Violation]:
    """Of the last alarm, where it was cleared."""
    tells = [stored for stored in _rows(facts, "ended") if stored.about.get("tell")]
    last = [period.campaign for period in periods(facts)[-1:] if period.is_over]
    for stored in tells:
        if [stored.row["group"]] != last or any(facts.is_blind(name) for name in facts.runs):
            continue
        recorded = {
            user
            for row in facts.history.server.device.rows
            if (row.row["variable"], row.row["value"], row.row["group"]) == ("notify_outcome", "sent", *last)
            and row.at <= stored.at
            for user in str(row.about.get("users")).split()
        }
        for id in recorded - told:
            statuses = {said.status for said in facts.said if said.user == id}
            if not statuses & {"failed", "unknown"} and not facts.users[id].person.opt_out:
                yield Violation("the end is told", f"{id} was told of {last[0]}, and never that it is over", "", id)


def _is_second(facts: Facts, note: Note) -> bool:
    """Of two that a user has of one campaign as a run without its journal has told them too: no list may show both."""
    both = [each for each in facts.history.notes() if (each.user, campaign_of(each)) == (note.user, campaign_of(note))]
    return len(both) > 1 and any(each.by is not None and facts.is_blind(each.by.process) for each in both)


def _is_raised(facts: Facts, request: Request) -> bool:
    """Whether the alarm was raised so long before that whoever tells its end must have seen it."""
    run = facts.runs[request.process]
    is_raised = any(not each.is_over and each.at < request.sent_at - SEEN for each in periods(facts)[1:])
    return is_raised and not run.process.frozen_for and not _is_hit(facts, "rows")


def _is_hit(facts: Facts, route: str) -> bool:
    day = facts.history.scenario
    return route in {fault.route for fault in day.faults} | {name for each in day.outages for name in each.routes}


def _is_willing(facts: Facts, user: User, campaign: str) -> bool:
    """Who opts in is told by an event after that; one that is handed in twice is judged once."""
    if user.person.opt_out or not user.opted_in_at:
        return not user.person.opt_out
    events = [*_rows(facts, "started", campaign)[:1], *_rows(facts, "repeated", campaign)]
    return any(facts.runs[each.process].started > user.opted_in_at for each in events)


PROMISES = (
    one_is_open,
    nobody_again,
    everybody_of_what_is_open,
    what_is_raised_is_begun,
    what_is_over_is_closed,
    older_copies_are_closed_for_who_is_told_anew,
    copies_are_of_the_newest_event,
    the_end_is_told_once,
)


def _open(facts: Facts) -> Iterator[str]:
    """The campaign of the alarm that is open and has begun, undecided."""
    ended = {stored.row["group"] for stored in _rows(facts, "ended")}
    decided = {decided.campaign for decided in facts.history.decided}
    for period in periods(facts)[-1:]:
        is_gone = period.is_over or period.campaign in ended | decided
        if not is_gone and _rows(facts, "started", period.campaign):
            yield period.campaign


def _rows(facts: Facts, value: str, campaign: str = "") -> list[Stored]:
    kinds = ("notify_campaign", "notify_change")
    rows = (stored for stored in facts.history.server.device.rows if stored.row["variable"] in kinds)
    return [
        each for each in rows if each.row["value"] == value and each.row["group"] in (campaign or each.row["group"],)
    ]


def _did_not_see(facts: Facts, period: Period) -> bool:
    """The run that ended it was killed, or lost its journal, before it saw that it had, and not what it had found open:
    another event came in at the same time."""
    return facts.runs[period.over_by].killed is not None or facts.is_blind(period.over_by)


def _was_unseen(facts: Facts, note: Note) -> bool:
    """When it was closed, TagoIO did not list it, so that its text was not known, or refused the text; the run
    says so. Or a run was frozen in the very call that writes a line, and wrote over a newer one, or TagoIO did."""
    changes = _changes(facts, note)
    written = [each for each in changes if "message" in each.body and each.carried_at]
    if written and facts.runs[max(written, key=lambda each: max(each.carried_at)).process].process.frozen_for:
        return True
    is_late = bool(changes) and changes[-1].sent_at - note.at <= facts.history.scenario.platform.inbox_late
    return is_late or facts.is_unseen(note.user) or _is_refused(facts, note) or _is_written_over(facts, note)


def _is_written_over(facts: Facts, note: Note) -> bool:
    """Whether TagoIO carried out a change after one that was sent later: no client can prevent that."""
    carried = [(max(each.carried_at), each.sent_at) for each in _changes(facts, note) if each.carried_at]
    return [sent for _, sent in sorted(carried)] != sorted(sent for _, sent in carried)


def _is_refused(facts: Facts, note: Note) -> bool:
    """Of a change of the text that TagoIO refuses for good it is said that it could not be made."""
    changes = [each for each in _changes(facts, note) if "message" in each.body]
    return any(not each.carried_at and each.answer.startswith(("400", "403", "404", "422")) for each in changes)


def _changes(facts: Facts, note: Note) -> list[Request]:
    return [each for each in facts.history.requests if each.route == "change" and each.target == note.id]


def _value(facts: Facts, campaign: str, event: str) -> object:
    rows = (stored for stored in facts.history.server.device.rows if stored.row["variable"] == "notify_trigger")
    found = [each for each in rows if each.row["group"] == campaign and each.about.get("event") == event]
    return found[-1].row["value"] if found else None
