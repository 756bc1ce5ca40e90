"""What a run says besides is true: figures, exit codes, presses; and nothing secret is in it."""

import re
from collections import Counter
from collections.abc import Iterator

from tests.simulation.developer import CHANNELS
from tests.simulation.facts import Facts
from tests.simulation.history import Ran
from tests.simulation.request import Request
from tests.simulation.server import ACCOUNT_TOKEN, DEVICE_TOKEN
from tests.simulation.violation import Violation

TROUBLE = ("failed", "unknown", "pending")
SECRETS = (ACCOUNT_TOKEN, DEVICE_TOKEN, "s3cr3t-pass", "t0k3n-0f-text", "ACc0ffee77", "@mail.example", "+15550")
NO_SUMMARY = ("Nobody was notified",)
BROKEN = ("Traceback", "internal error", "Stopped by an unexpected")


def figures_agree(facts: Facts) -> Iterator[Violation]:
    """The summary counts what the log names, and the exit code follows from it."""
    for ran in facts.history.ran:
        if ran.code is None or ran.run.kind == "press" or any(word in ran.console for word in NO_SUMMARY):
            continue
        last = {(said.campaign, said.user): said.status for said in facts.said if said.ran is ran}
        counts = Counter(last.values())
        head = re.search(r"Notified (\d+) of (\d+) users?", ran.console)
        others = {(said.campaign, said.user) for said in facts.said if said.ran is not ran and said.at < ran.over}
        is_alone = not others & last.keys()  # what another run came to later counts, and is that run's to report
        is_anothers = "another run has settled it" in ran.console and not is_alone
        if "Notified nobody" in ran.console and (not counts or is_anothers):
            continue
        if head is None:
            yield Violation("a summary", f"{ran.name} has none", ran.name)
            continue
        told = counts["sent"] + counts["fallback"]
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
        if ran.is_honest and "Press refused: " in ran.console and not _may_be_refused(facts, ran):
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
    return bool(
        platform.inbox == "hidden" or platform.inbox_late or user.person.old >= 15 or user.left_at < float("inf")
    )


PROMISES = (
    figures_agree,
    nobody_means_nobody,
    nothing_broke,
    no_secret_shows,
    presses_are_answered,
    closed_copies_are_closed,
)
