"""What a run says is true: outcomes, figures, exit codes; and nothing secret is in it."""

import re
from collections import Counter
from collections.abc import Iterator

from tests.simulation.developer import CHANNELS
from tests.simulation.facts import Facts, Said
from tests.simulation.history import Ran
from tests.simulation.request import Request
from tests.simulation.server import ACCOUNT_TOKEN, DEVICE_TOKEN
from tests.simulation.violation import Violation

TROUBLE = ("failed", "unknown", "pending")
CERTAIN = re.compile(r"(20[01]|4(?!08)\d\d|refused|unreachable)")  # an answer from which it is known whether it was done
REJECTED = re.compile(r"4(?!08|29)\d\d")
SECRETS = (ACCOUNT_TOKEN, DEVICE_TOKEN, "s3cr3t-pass", "t0k3n-0f-text", "ACc0ffee77", "@mail.example", "+15550")
NO_SUMMARY = ("Nobody was notified",)
BROKEN = ("Traceback", "internal error", "Stopped by an unexpected")


def outcomes_are_true(facts: Facts) -> Iterator[Violation]:
    for said in facts.said:
        problem = CHECKS[said.status](facts, said) if said.status in CHECKS else f"{said.status} is no status"
        if problem:
            text = f"{said.ran.name} said {said.status} ({said.reason}) of {said.user} {said.topic}: {problem}"
            yield Violation(f"{said.status} is true", text, said.ran.name, said.user, said.topic)


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
    if "another run is at it" in said.reason:
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
    if has_left or routes & {"inbox", "rows", "write"} or facts.is_unseen(said.user) or scenario.setup.time_budget:
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
    has_text = said.ran.run.kind != "schedule" and not (facts.history.scenario.setup.is_document and said.ran.run.kind == "manual")
    return "there is a notification for them" if has_text and said.topic in facts.notes else ""


CHECKS = {
    "sent": _sent,
    "failed": _failed,
    "pending": _pending,
    "unknown": _unknown,
    "fallback": _fallback,
    "skipped": _skipped,
    "held": lambda _facts, _said: "nobody asked for quiet hours",
}


def figures_agree(facts: Facts) -> Iterator[Violation]:
    """The summary counts what the log names, and the exit code follows from it."""
    for ran in facts.history.ran:
        if ran.code is None or ran.run.kind == "press" or any(word in ran.console for word in NO_SUMMARY):
            continue
        last = {(said.campaign, said.user): said.status for said in facts.said if said.ran is ran}
        counts = Counter(last.values())
        head = re.search(r"Notified (\d+) of (\d+) users?", ran.console)
        if head is None:
            yield Violation("a summary", f"{ran.name} has none", ran.name)
            continue
        told = counts["sent"] + counts["fallback"]
        others = {(said.campaign, said.user) for said in facts.said if said.ran is not ran and said.at < ran.over}
        is_alone = not others & last.keys()  # what another run came to later counts, and is that run's to report
        if is_alone and (int(head[1]), int(head[2])) != (told, len(last)):
            yield Violation("figures agree", f"{ran.name}: {head[0]}, but {told} of {len(last)} in the log", ran.name)
        has_trouble = any(counts[status] for status in TROUBLE)
        if is_alone and has_trouble and ran.code == 0:
            yield Violation("exit code", f"{ran.name} ended with 0, and not everybody was told", ran.name)
        if not has_trouble and ran.code == 1 and "note:" not in ran.console:
            yield Violation("exit code", f"{ran.name} ended with 1, and says no reason", ran.name)


def nobody_means_nobody(facts: Facts) -> Iterator[Violation]:
    for ran in facts.history.ran:
        if "Nobody was notified" in ran.console:
            sent = [each for each in facts.history.requests if each.process == ran.name and each.route == "create"]
            if sent:
                yield Violation("nobody is nobody", f"{ran.name} had sent, and says nobody was notified", ran.name)
            if ran.code != 1:
                yield Violation("exit code", f"{ran.name} notified nobody and ended with {ran.code}", ran.name)


def nothing_broke(facts: Facts) -> Iterator[Violation]:
    for ran in facts.history.ran:
        output = ran.console + ran.log
        for word in BROKEN:
            if word in output:
                where = output.index(word)
                yield Violation("nothing breaks", f"{ran.name}: {output[where : where + 300]}", ran.name)


def no_secret_shows(facts: Facts) -> Iterator[Violation]:
    passwords = [part for address in CHANNELS.values() for part in (address,)]
    for ran in facts.history.ran:
        output = ran.console + ran.log
        for secret in (*SECRETS, *passwords):
            if secret in output:
                yield Violation("no secret", f"{ran.name} shows {secret[:6]}…", ran.name)


def presses_are_answered(facts: Facts) -> Iterator[Violation]:
    """A forged press is refused with 1; an honest one ends with 1 only where it says why."""
    for ran in facts.history.ran:
        if ran.run.kind != "press" or ran.code is None:
            continue
        if not ran.is_honest and (ran.code != 1 or "it counts" in ran.console):
            yield Violation("presses are verified", f"{ran.name} is forged ({ran.run.forged}) and counted", ran.name)
        if ran.code == 1 and not _has_reason(ran):
            yield Violation("exit code", f"{ran.name} ended with 1, and says no reason", ran.name)
        if ran.is_honest and "Press refused" in ran.console and not _may_be_refused(facts, ran):
            yield Violation("presses count", f"{ran.name} was refused: {ran.console.strip()}", ran.name)


def closed_copies_are_closed(facts: Facts) -> Iterator[Violation]:
    """So many as a press says it has closed."""
    for ran in facts.history.ran:
        found = re.search(r"closed (\d+) cop", ran.console)
        if found is None:
            continue
        changes = [each for each in facts.history.requests if each.process == ran.name and each.route == "change"]
        closed = {each.target for each in changes if "buttons_enabled" in each.body and _is_done(each)}
        if int(found[1]) > len(closed):
            yield Violation("closed is true", f"{ran.name} said {found[0]}ies, and closed {len(closed)}", ran.name)


def _is_done(request: Request) -> bool:
    return bool(request.carried_at) or request.answer == "404"


def _has_reason(ran: Ran) -> bool:
    return any(word in ran.console for word in ("note:", "refused", "could not be settled", "Nobody was notified"))


def _may_be_refused(facts: Facts, ran: Ran) -> bool:
    """Where TagoIO does not show the notification."""
    platform, user = facts.history.scenario.platform, facts.users[ran.pressed["user_id"]]
    return bool(platform.inbox == "hidden" or platform.inbox_late or user.person.old >= 15 or user.left_at < float("inf"))


PROMISES = (
    outcomes_are_true,
    figures_agree,
    nobody_means_nobody,
    nothing_broke,
    no_secret_shows,
    presses_are_answered,
    closed_copies_are_closed,
)
