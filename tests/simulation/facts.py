"""What can be read from a history before anything is judged: who was told what by which request, and what was said."""

import re
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from tests.simulation.device import Stored
from tests.simulation.history import Decided, History, Ran, Tried, campaign_of
from tests.simulation.request import Request
from tests.simulation.scenario import value_of
from tests.simulation.server import Note, User

ABOUT = re.compile(r"It is at (\d+)")
BY_HAND = "by hand"
REMINDED = "You have not opened this"  # docs/fallback.md: one who has not read it by then
LATE = 30.0  # seconds in which what a run has sent may come or show
PERHAPS = "It is not known whether TagoRUN"


@dataclass(frozen=True, slots=True)
class Said:
    """The outcome of a user, as a run said it. `topic`: what the notification is about."""

    at: float
    ran: Ran
    topic: str
    campaign: str
    user: str
    status: str
    reason: str


@dataclass(slots=True)
class Facts:
    """`told` has the requests that TagoIO carried out, by user and topic, whatever it answered."""

    history: History
    told: dict[tuple[str, str], list[Request]] = field(default_factory=lambda: defaultdict(list))
    asked: dict[tuple[str, str], list[Request]] = field(default_factory=lambda: defaultdict(list))
    taken: dict[tuple[str, str], list[Tried]] = field(default_factory=lambda: defaultdict(list))
    tried: dict[tuple[str, str], list[Tried]] = field(default_factory=lambda: defaultdict(list))
    notes: dict[str, list[Note]] = field(default_factory=lambda: defaultdict(list))  # by topic
    topics: dict[str, str] = field(default_factory=dict)  # by campaign
    rows: dict[str, list[Stored]] = field(default_factory=lambda: defaultdict(list))  # by topic
    decided: dict[str, list[Decided]] = field(default_factory=lambda: defaultdict(list))  # by topic
    said: list[Said] = field(default_factory=list)
    runs: dict[str, Ran] = field(default_factory=dict)

    @property
    def users(self) -> dict[str, User]:
        return self.history.server.users

    @property
    def has_journal(self) -> bool:
        return self.history.scenario.setup.has_journal

    def is_blind(self, process: str) -> bool:
        """A run that has lost its journal, and says so; or was killed before it could, but looked into each inbox first
        and wrote nothing more."""
        ran = self.runs[process]
        if ran.killed is None:
            return "JOURNAL IS GONE" in ran.console or "journal was away" in ran.console
        if any(row.process == process and row.row["value"] == "late" for row in self.history.server.device.rows):
            return True
        requests = [each for each in self.history.requests if each.process == process]
        first = min((each.sent_at for each in requests if each.route == "create"), default=0.0)
        has_looked = any(each.route == "inbox" and each.sent_at < first for each in requests)
        has_written = any(each.route == "write" and each.carried_at and each.sent_at >= first for each in requests)
        return has_looked and not has_written

    def is_at_risk(self, topic: str) -> bool:
        """Two runs had one event at the same time, and one of them was without its journal, so that neither knows of
        the other: docs/journal.md, Two runs at once. Without a mark not even the inbox tells; and of a run
        that could write nothing no later run knows, as it says itself."""
        at_it = {each.process for (_, about), listed in self.asked.items() if about == topic for each in listed}
        at_it |= {each.process for (_, about), listed in self.tried.items() if about == topic for each in listed}
        blind = {name for name in at_it if self.is_blind(name)}
        wrote = {stored.process for stored in self.rows[topic]}
        is_hidden = self.history.scenario.platform.inbox == "hidden"  # then what it cannot read it cannot see either
        if is_hidden or blind - wrote or not self.history.scenario.setup.has_buttons:
            return len(at_it) > 1 and bool(blind)
        runs = [self.runs[name] for name in sorted(at_it)]
        return any(
            self.is_blind(one.name) and one.started <= other.over + LATE and other.started <= one.over + LATE
            for one in runs
            for other in runs
            if one is not other
        )

    def is_unseen(self, user: str) -> bool:
        """Of them TagoIO's lists may never tell anything: docs/delivery.md, *not there*."""
        scenario, old = self.history.scenario, self.users[user].person.old
        cut = old >= 15 and scenario.platform.inbox in ("oldest", "unordered")
        return cut or not old or scenario.platform.inbox == "hidden"

    def is_begun(self, user: str, topic: str) -> bool:
        """Another channel was claimed for them: docs/fallback.md, of whom a killed run had begun to tell."""
        rows = (each for each in self.rows[topic] if each.row["variable"] == "notify_fallback")
        return any(user in str(each.about.get("users")).split() for each in rows) or bool(self.tried.get((user, topic)))

    def first_told(self, topic: str, group: str) -> float:
        """When somebody of that group was first told, in whatever way; long ago where nobody was."""
        where = [(user, topic) for user, each in self.users.items() if each.person.group == group]
        told = [min(each.carried_at) for each in chain.from_iterable(self.told.get(each, ()) for each in where)]
        taken = [each.at for each in chain.from_iterable(self.taken.get(each, ()) for each in where)]
        return min([*told, *taken], default=float("-inf"))

    def first_decided(self, topic: str) -> float:
        """When a press was known to be true; for ever away where none was."""
        decisions = [stored for stored in self.rows[topic] if stored.row["variable"] == "notify_decision"]
        verified = [stored.at for stored in decisions if stored.row["value"] in ("verified", "answered")]
        return min([*verified, *(each.at for each in self.decided[topic])], default=float("inf"))


def facts_of(history: History) -> Facts:
    facts = Facts(history, runs={ran.name: ran for ran in history.ran})
    _add_notes(facts)
    _add_rows(facts)
    for request in history.requests:
        if request.route == "create":
            _add_create(facts, request)
    for decided in history.decided:
        facts.decided[facts.topics.get(decided.campaign, f"{BY_HAND} {decided.campaign}")].append(decided)
    for ran in history.ran:
        facts.said += [_said(facts, ran, at, line) for at, line in ran.outcomes()]
    facts.said.sort(key=lambda said: said.at)
    for tried in history.tried:
        where = tried.user, _topic_of_tried(facts, tried)
        facts.tried[where].append(tried)
        if tried.is_taken:
            facts.taken[where].append(tried)
    return facts


def _add_notes(facts: Facts) -> None:
    for note in facts.history.notes():
        topic = topic_of(note.body["message"], campaign_of(note))
        facts.topics.setdefault(campaign_of(note), topic)
        facts.notes[topic].append(note)


def _add_rows(facts: Facts) -> None:
    rows = facts.history.server.device.rows
    for stored in rows:
        if stored.row["variable"] == "notify_trigger":
            facts.topics.setdefault(stored.row["group"], f"at {stored.row['value']}")
        elif stored.row["value"] == "started" and stored.about.get("trigger") in ("manual", "schedule"):
            facts.topics.setdefault(stored.row["group"], f"{BY_HAND} {stored.row['group']}")
    for stored in rows:
        facts.rows[facts.topics.get(stored.row["group"], f"{BY_HAND} {stored.row['group']}")].append(stored)


def topic_of(text: str, campaign: str) -> str:
    found = ABOUT.search(text)
    return f"at {found[1]}" if found else f"{BY_HAND} {campaign}"


def _topic_of_tried(facts: Facts, tried: Tried) -> str:
    """No text by hand names its campaign; what that run says of the user does."""
    topic = topic_of(tried.text, "")
    spoken = [said for said in facts.said if (said.ran.name, said.user) == (tried.process, tried.user)]
    spoken.sort(key=lambda said: said.status != "fallback")  # it may have told them of its own round in TagoRUN
    by_hand = (said.topic for said in spoken if said.status != "skipped" and said.topic.startswith(BY_HAND))
    return topic if topic.startswith("at ") else next(by_hand, topic)


def own_topic(ran: Ran) -> str:
    """What a run of an Action is about."""
    return f"at {value_of(ran.run.number)}" if ran.run.kind == "action" else ""


def _add_create(facts: Facts, request: Request) -> None:
    note = Note("", "", 0.0, request.body, None)
    where = request.user, topic_of(request.body["message"], campaign_of(note))
    facts.asked[where].append(request)
    if request.carried_at:
        facts.told[where].append(request)


def _said(facts: Facts, ran: Ran, at: float, line: dict[str, Any]) -> Said:
    campaign = line["campaign"]
    topic = facts.topics.get(campaign) or own_topic(ran) or f"{BY_HAND} {campaign}"
    return Said(at, ran, topic, campaign, line["user"], line["status"], line["reason"])
