"""What a run says of each user is true, by the exact meaning of each status."""

import re
from collections.abc import Callable, Iterator

from tests.simulation.facts import Facts, Said
from tests.simulation.violation import Violation

CERTAIN = re.compile(
    r"(20[01]|4(?!08)\d\d|refused|unreachable)"
)  # an answer from which it is known whether it was done
REJECTED = re.compile(r"4(?!08|29)\d\d")


def _sent(facts: Facts, said: Said) -> str:
    done = any(min(each.carried_at) <= said.at for each in facts.told.get((said.user, said.topic), []))
    return "" if done else "TagoIO had no such notification"


def _failed(facts: Facts, said: Said) -> str:
    if facts.users[said.user].left_at <= said.at:
        return ""
    told = _told_by(facts, said)
    if told:
        return f"it was carried out for {told}"
    asked = facts.asked.get((said.user, said.topic), [])
    return "" if any(REJECTED.fullmatch(each.answer) for each in asked) else "TagoIO has rejected nothing"


def _pending(facts: Facts, said: Said) -> str:
    """*Not told yet*: what a run that is alive does is its own affair."""
    if "another run is at it" in said.reason or said.ran.process.frozen_for:
        return ""
    told = _told_by(facts, said)
    return f"it was carried out for {told}" if told else ""


def _told_by(facts: Facts, said: Said) -> str:
    """Whose request was carried out, whenever, of those that were sent before; without a journal only its own."""
    for request in facts.told.get((said.user, said.topic), []):
        is_known = request.process == said.ran.name or (facts.has_journal and not facts.is_blind(said.ran.name))
        is_known = is_known and not facts.is_at_risk(said.topic)
        if request.sent_at <= said.at and is_known and not _is_beside(facts, request.process, said):
            return request.process
    return ""


def _is_beside(facts: Facts, process: str, said: Said) -> bool:
    """Another run that was still alive then."""
    other = facts.runs[process]
    over = [at for at in (other.ended, other.killed) if at is not None]
    return other is not said.ran and (not over or over[0] > said.at)


def _unknown(facts: Facts, said: Said) -> str:
    """Only where something was sent, and no answer told what became of it."""
    where = said.user, said.topic
    if facts.is_begun(*where) or "another channel may have" in said.reason:
        return ""
    sent = [each for each in facts.asked.get(where, []) if each.sent_at <= said.at]
    if any(each.answered_at > said.at or not CERTAIN.fullmatch(each.answer) for each in sent):
        return _could_be_settled(facts, said)
    others = {stored.process for stored in facts.rows[said.topic] if stored.at <= said.at} - {said.ran.name}
    if others and "an earlier run" in said.reason:
        return _could_be_settled(facts, said)
    if said.ran.process.frozen_for:
        return ""
    return "nothing was in doubt"


def _could_be_settled(facts: Facts, said: Said) -> str:
    scenario = facts.history.scenario
    routes = {fault.route for fault in scenario.faults} | {name for each in scenario.outages for name in each.routes}
    has_left = facts.users[said.user].left_at <= said.at
    is_timeless = not scenario.platform.has_date and not facts.has_journal and not scenario.setup.has_buttons
    if (
        is_timeless
        or has_left
        or routes & {"inbox", "rows", "write", "user", "users"}  # who cannot be looked up cannot be asked about
        or facts.is_unseen(said.user)
        or scenario.setup.time_budget
    ):
        return ""
    return "" if said.ran.process.frozen_for else "TagoIO could have been asked"


def _fallback(facts: Facts, said: Said) -> str:
    taken = any(each.at <= said.at for each in facts.taken.get((said.user, said.topic), []))
    return "" if taken else "no channel took it"


def _skipped(facts: Facts, said: Said) -> str:
    user = facts.users[said.user]
    if "decided" in said.reason:
        return "" if facts.first_decided(said.topic) <= said.at else "nobody had decided"
    if "inactive" in said.reason:
        return "" if not user.is_active else "the user is active"
    if "opted out" in said.reason or "high priority only" in said.reason:
        return "" if user.person.opt_out else "the user has not opted out"
    has_text = said.ran.run.kind != "schedule" and not (
        facts.history.scenario.setup.is_document and said.ran.run.kind == "manual"
    )
    return "there is a notification for them" if has_text and said.topic in facts.notes else ""


def _held(_facts: Facts, _said: Said) -> str:
    return "nobody asked for quiet hours"


CHECKS: dict[str, Callable[[Facts, Said], str]] = {
    "sent": _sent,
    "failed": _failed,
    "pending": _pending,
    "unknown": _unknown,
    "fallback": _fallback,
    "skipped": _skipped,
    "held": _held,
}


def outcomes_are_true(facts: Facts) -> Iterator[Violation]:
    for said in facts.said:
        problem = CHECKS[said.status](facts, said) if said.status in CHECKS else f"{said.status} is no status"
        if problem:
            text = f"{said.ran.name} said {said.status} ({said.reason}) of {said.user} {said.topic}: {problem}"
            yield Violation(f"{said.status} is true", text, said.ran.name, said.user, said.topic)


PROMISES = (outcomes_are_true,)
