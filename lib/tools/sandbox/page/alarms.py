"""The alarms that the page shows, as the rows of the sandbox's journal tell of them."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from lib.campaign.alarm import Alarm
from lib.campaign.key import marked_parts
from lib.campaign.lease import DAY
from lib.campaign.state import CampaignState
from lib.tools.sandbox.page.journal import Journal
from lib.tools.sandbox.store import Store


@dataclass(frozen=True, slots=True)
class AlarmView:
    """An alarm of a device: raised `since`, of so many `events`; `open_copies` of the `copies` can still be pressed;
    `missing` are told of and not there: dropped by TagoIO, or deleted.
    `answered` says by whom, `ended` how; both are "" while nobody has, and it is open."""

    campaign: str
    device: str
    name: str
    since: float
    events: int
    open_copies: int
    copies: int
    missing: int
    answered: str
    ended: str
    ended_at: float


@dataclass(frozen=True, slots=True)
class Alarms:
    """Those that are open, and the `last` that ended. Without a journal (`is_kept`) nothing is known of any."""

    is_kept: bool
    open: list[AlarmView]
    last: AlarmView | None


def alarms_of(store: Store, journal: Journal) -> Alarms:
    found = list(_found(store, journal))
    ended = [each for each in found if each.ended]
    last = max(ended, key=lambda each: (each.ended_at, each.since), default=None)
    return Alarms(journal.is_kept, [each for each in found if not each.ended], last)


def _found(store: Store, journal: Journal) -> Iterator[AlarmView]:
    marked = _marked(store)
    for listed in journal.alarms():
        alarm = Alarm(listed)
        newest = {turn.campaign: turn for turn in sorted(alarm.turns.values(), key=lambda turn: turn.count)}
        for campaign, turn in newest.items():
            state = journal.state(campaign)
            if state.started:
                is_open = campaign == alarm.campaign
                yield _view(store, state, marked[campaign], turn.since, turn.count, is_open=is_open)


def _marked(store: Store) -> defaultdict[str, set[str]]:
    """The notifications that the inboxes show of each campaign: a run that was cut off has told more than it could
    write down."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for note in store.notifications.values():
        for button in note["buttons"]:
            found[marked_parts(str(button["id"]))[1]].add(note["id"])
    return found


def _view(
    store: Store, state: CampaignState, marked: set[str], since: float, events: int, *, is_open: bool
) -> AlarmView:
    assert state.started is not None
    device = state.started.text("device")
    ended_at, ended = _ended(state, since, is_let_go=not is_open or store.clock() - since > DAY)
    copies = marked | {note for _, note in state.told_ids()}
    there = [store.notifications[note] for note in copies if note in store.notifications]
    return AlarmView(
        campaign=state.key,
        device=str(store.devices.get(device, {}).get("name") or device),
        name=state.started.text("alarm"),
        since=since,
        events=events,
        open_copies=sum(bool(note["buttons_enabled"]) for note in there),
        copies=len(there),
        missing=len(copies) - len(there),
        answered=_answered(state),
        ended=ended,
        ended_at=ended_at,
    )


def _ended(state: CampaignState, since: float, *, is_let_go: bool) -> tuple[float, str]:
    """When and how. In whose place a worse one was raised, that is over as an alarm."""
    ending = min(state.replaced.values(), key=lambda each: each.at, default=state.ending)
    if ending is None:
        return (since + DAY, "let go after a day") if is_let_go else (0.0, "")
    line = ending.answer.line
    return ending.at, f"{ending.why} at {clock_of(ending.at)}{f', “{line}”' * bool(line)}"


def _answered(state: CampaignState) -> str:
    press = state.decision
    if press is None:
        return ""
    verdict = state.verdicts[press.run]
    return f"{verdict.user_name}, {verdict.label or press.button}, {clock_of(press.at)}"


def clock_of(at: float) -> str:
    """On this machine's clock."""
    return f"{datetime.fromtimestamp(at):%H:%M}"
