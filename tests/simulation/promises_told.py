"""Nobody lost, nobody twice, nobody who should not be."""

from collections import Counter
from collections.abc import Iterator, Sequence

from tests.simulation.facts import BY_HAND, PERHAPS, REMINDED, Facts, own_topic
from tests.simulation.history import Ran, Tried
from tests.simulation.request import Request
from tests.simulation.scenario import level_of
from tests.simulation.server import User
from tests.simulation.violation import Violation

AWARE = 12.0  # seconds after a press was written down in which a run that begins may not have seen it yet


def nobody_twice(facts: Facts) -> Iterator[Violation]:
    """In TagoRUN once, by another channel once, by both only as a reminder."""
    for user, topic in {**facts.told, **facts.taken}:
        requests, taken = facts.told.get((user, topic), []), facts.taken.get((user, topic), [])
        if facts.is_at_risk(topic):
            continue
        if topic.startswith(BY_HAND) and topic.endswith(" "):
            continue  # without a mark nobody knows one round by hand from another
        for many, what in ((_most(facts, requests), "TagoRUN"), (_most(facts, taken), "another channel")):
            if many > 1:
                yield Violation(
                    "nobody twice", f"{user} was told {many} times by {what} {topic}", user=user, topic=topic
                )
        sure = [each for each in taken if REMINDED not in each.text and PERHAPS not in each.text]
        if requests and sure and _are_of_one(facts, [*requests, *sure]):
            yield Violation(
                "nobody twice", f"{user} was told by TagoRUN and by another channel {topic}", user=user, topic=topic
            )


def nobody_lost(facts: Facts) -> Iterator[Violation]:
    """Whoever was to be told of a campaign that the journal knows has been, or it is said truly why not."""
    if not facts.has_journal:
        return
    for topic, rows in facts.rows.items():
        begun = [each for each in rows if each.row["variable"] == "notify_campaign" and each.row["value"] == "started"]
        if not begun or not topic.startswith("at "):
            continue
        for user in audience(facts, topic, facts.runs[begun[0].process].started):
            if not _is_settled(facts, user, topic):
                yield Violation("nobody lost", f"{user.id} was never told {topic}", user=user.id, topic=topic)


def nobody_left_out(facts: Facts) -> Iterator[Violation]:
    """When a run came to its end, it or another had a word on everybody in its audience; or it says why not."""
    for ran in facts.history.ran:
        if ran.run.kind != "action" or ran.ended is None or _has_no_round(ran):
            continue
        topic = own_topic(ran)
        named = {said.user for said in facts.said if said.topic == topic and said.at <= ran.ended}  # another run may
        for user in audience(facts, topic, ran.started):
            if user.id not in named:
                yield Violation(
                    "nobody unmentioned", f"{ran.name} has no word on {user.id} {topic}", ran.name, user.id, topic
                )


def nobody_else(facts: Facts) -> Iterator[Violation]:
    """No notification for whom a rule leaves out, or who is in no group that was to be told."""
    setup = facts.history.scenario.setup
    for (id, topic), requests in facts.asked.items():
        user = facts.users[id]
        is_high = not topic.startswith("at ") or level_of(int(topic[3:]) % 100) == "high"
        is_wanted = user.person.group == "crew" or setup.send_to == "all" or (setup.escalate_after and is_high)
        is_out = user.person.opt_out == "off" or (user.person.opt_out == "high" and not is_high)
        if not is_wanted or is_out or not user.person.is_active:
            yield Violation(
                "nobody else", f"{id} was to be left out, and was told {topic}", requests[0].process, id, topic
            )


def nobody_after_a_decision(facts: Facts) -> Iterator[Violation]:
    if facts.history.scenario.setup.answers != "first" or not facts.has_journal:
        return
    scenario = facts.history.scenario
    troubles = {fault.route for fault in scenario.faults} | {name for each in scenario.outages for name in each.routes}
    can_look = "rows" not in troubles  # it is looked for a press every five seconds
    for (user, topic), requests in facts.asked.items():
        decided = float("inf") if facts.is_at_risk(topic) else facts.first_decided(topic)
        for request in requests:
            ran = facts.runs[request.process]
            is_late = ran.started > decided + AWARE or (can_look and request.sent_at > decided + 2 * AWARE)
            if is_late and not ran.process.frozen_for and not facts.is_blind(request.process):
                text = f"{user} was sent {topic}, though somebody had decided"
                yield Violation("nobody after a decision", text, request.process, user, topic)


PROMISES = (nobody_twice, nobody_lost, nobody_left_out, nobody_else, nobody_after_a_decision)


def audience(facts: Facts, topic: str, at: float) -> Iterator[User]:
    """Who is surely to be told: there, active and willing all day long."""
    setup = facts.history.scenario.setup
    is_high = level_of(int(topic[3:]) % 100) == "high"
    for user in facts.users.values():
        is_wanted = user.person.group == "crew" or setup.send_to == "all"
        is_willing = user.person.opt_out == "" or (user.person.opt_out == "high" and is_high)
        is_there = user.joined_at <= at and user.left_at == user.inactive_from == float("inf")
        if is_wanted and is_willing and is_there and user.person.is_active:
            yield user


def _is_settled(facts: Facts, user: User, topic: str) -> bool:
    if facts.told.get((user.id, topic)) or facts.taken.get((user.id, topic)):
        return True
    if facts.first_decided(topic) < float("inf"):
        return True  # decided meanwhile
    said = {each.status for each in facts.said if (each.user, each.topic) == (user.id, topic)}
    if facts.is_begun(user.id, topic) or ("unknown" in said and facts.is_unseen(user.id)):
        return True
    return "failed" in said and not _could_be_reached(facts, user)


def _could_be_reached(facts: Facts, user: User) -> bool:
    channels = facts.history.scenario.setup.fallback
    return "text" in channels or ("mail" in channels and bool(user.email))


def _most(facts: Facts, tellings: Sequence[Request | Tried]) -> int:
    """How often one was told; without a journal each run counts for itself."""
    if facts.has_journal or not tellings:
        return len(tellings)
    return max(Counter(each.process for each in tellings).values())


def _are_of_one(facts: Facts, tellings: Sequence[Request | Tried]) -> bool:
    return facts.has_journal or len({each.process for each in tellings}) < len(tellings)


def _has_no_round(ran: Ran) -> bool:
    reasons = (
        "Nobody was notified", "was dealt with", "goes on with campaign", "was not begun", "left to it",
    )  # fmt: skip
    return any(reason in ran.console for reason in reasons)
