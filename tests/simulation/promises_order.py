"""Urgent first, limits and the time budget kept, and everything settled when the trouble is over."""

from collections import Counter
from collections.abc import Iterator

from tests.simulation.facts import REMINDED, Facts, topic_of
from tests.simulation.history import Ran, campaign_of
from tests.simulation.request import Request
from tests.simulation.scenario import level_of
from tests.simulation.server import MINUTE, Note
from tests.simulation.violation import Violation

OVER = 1.0  # seconds past the time budget
AT_ONCE = 6.0  # seconds in which workers that go side by side may overtake one another
CLOCKS = 3.0  # seconds that two clocks may be read apart


def urgent_first(facts: Facts) -> Iterator[Violation]:
    """Nobody is sent a notification of lower priority while one of higher waits in the same round."""
    for ran in facts.history.ran:
        firsts: dict[tuple[str, str], Request] = {}
        for request in facts.history.requests:
            if request.process == ran.name and request.route == "create":
                note = Note("", "", 0.0, request.body, None)
                firsts.setdefault((request.user, topic_of(request.body["message"], campaign_of(note))), request)
        yield from _inversions(facts, ran, firsts)


def _inversions(facts: Facts, ran: Ran, firsts: dict[tuple[str, str], Request]) -> Iterator[Violation]:
    ranks = {"high": 0, "normal": 1, "low": 2}
    if "watching" in ran.console:
        return  # a second round comes later
    asked = {each.target for each in facts.history.requests if each.process == ran.name and each.route == "inbox"}
    ordered = [
        (request.sent_at, ranks[_level(topic)], user)
        for (user, topic), request in firsts.items()
        if user not in asked and len(facts.asked[user, topic]) == 1  # who is in doubt waits
    ]
    for at, rank, _ in ordered:
        late = [user for other_at, other, user in ordered if other < rank and other_at > at + AT_ONCE]
        if late:
            yield Violation(
                "urgent first", f"{ran.name} let {late[0]} wait for something less urgent", ran.name, late[0]
            )
            return


def _level(topic: str) -> str:
    return level_of(int(topic[3:]) % 100) if topic.startswith("at ") else "normal"


def time_budget_holds(facts: Facts) -> Iterator[Violation]:
    scenario = facts.history.scenario
    budget = scenario.setup.time_budget
    for ran in facts.history.ran:
        if not budget or ran.ended is None or ran.process.frozen_for or scenario.setup.decide == "slow":
            continue
        took = ran.ended - ran.started
        if took > budget + OVER + 0.2 * scenario.stretch:
            yield Violation("time budget", f"{ran.name} took {took:.1f} s of {budget:.0f} s", ran.name)


def limits_are_respected(facts: Facts) -> Iterator[Violation]:
    """Of a minute's requests few are refused: one to learn with, and those that were under way with it."""
    refused: Counter[tuple[str, int]] = Counter()
    for request in facts.history.requests:
        if request.route == "create" and request.answer == "429":
            refused[request.process, int(request.sent_at // MINUTE)] += 1
    most = 2 * len(facts.history.scenario.people) + 8
    for (process, _), number in refused.items():
        if number > most:
            yield Violation("rate limit", f"{process} was refused {number} times in a minute", process)


def everything_settles(facts: Facts) -> Iterator[Violation]:
    """The last of the quiet runs has nothing to do, writes nothing and ends with 0."""
    ran = facts.history.ran[-1]
    if _stays_open(facts):
        return
    done = [
        each
        for each in facts.history.requests
        if each.process == ran.name and each.route in ("create", "write", "change")
    ]
    if done:
        kinds = ", ".join(sorted({_kind(each) for each in done}))
        yield Violation("everything settles", f"long after the trouble a run still has to do: {kinds}", ran.name)
    elif ran.code != 0 and "No TagoRUN user has" not in ran.console:
        yield Violation(
            "everything settles", f"long after the trouble a run ends with {ran.code}: {ran.console}", ran.name
        )


def _kind(request: Request) -> str:
    if request.route != "write":
        return request.route
    return " ".join(sorted({f"{row['variable']}={row['value']}" for row in request.body}))


def _stays_open(facts: Facts) -> bool:
    """Where TagoIO never tells who was told, *unknown* is asked about again."""
    last = {(said.topic, said.user): said.status for said in facts.said}
    return any(status == "unknown" and facts.is_unseen(user) for (_, user), status in last.items())


def nobody_is_early(facts: Facts) -> Iterator[Violation]:
    """A step of the escalation, and a reminder, only after its time from the first sending."""
    setup = facts.history.scenario.setup
    for (id, topic), requests in facts.asked.items():
        if facts.users[id].person.group == "boss" and setup.send_to == "tags" and setup.escalate_after:
            first = facts.first_told(topic, "crew")
            if requests[0].sent_at < first + setup.escalate_after - CLOCKS:
                yield Violation("nobody is early", f"{id} was told by a step before its time {topic}", user=id)
    for (id, topic), tries in facts.tried.items():
        told = [min(each.carried_at) for each in facts.told.get((id, topic), [])]
        if not told or REMINDED not in tries[0].text:
            continue
        if tries[0].at < min(told) + setup.remind_after - CLOCKS:
            yield Violation("nobody is early", f"{id} was reminded before the time {topic}", user=id)
        read = min((note.read_at for note in facts.notes[topic] if note.user == id), default=float("inf"))
        if len(told) == 1 and tries[0].at > read + AT_ONCE:
            yield Violation("nobody is reminded for nothing", f"{id} had read {topic}, and was reminded", user=id)


PROMISES = (urgent_first, time_budget_holds, limits_are_respected, everything_settles, nobody_is_early)
