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
    """An alarm of a device: raised `since`, of so many `events`; `open_copies` of the `copies` can still be pressed.
    `answered` says by whom, `ended` how; both are "" while nobody has, and it is open."""

    campaign: str
    device: str
    name: str
    since: str
    events: int
    open_copies: int
    copies: int
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
    last = max(ended, key=lambda each: each.ended_at, default=None)
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
    ended, ended_at = "", 0.0
    if state.ending:
        line = state.ending.answer.line
        ended_at, ended = (
            state.ending.at,
            f"{state.ending.why} at {_clock(state.ending.at)}{f', “{line}”' * bool(line)}",
        )
    elif not is_open or store.clock() - since > DAY:
        ended_at, ended = since + DAY, "let go after a day"
    told = {note for _, note in state.told_ids()}
    unwritten = {note for note in marked - told if store.notifications[note]["buttons_enabled"]}
    still_open = {*state.copies().values(), *unwritten}
    return AlarmView(
        campaign=state.key,
        device=str(store.devices.get(device, {}).get("name") or device),
        name=state.started.text("alarm"),
        since=_clock(since),
        events=events,
        open_copies=0 if ended else len(still_open),
        copies=len(told | marked),
        answered=_answered(state),
        ended=ended,
        ended_at=ended_at,
    )


def _answered(state: CampaignState) -> str:
    press = state.decision
    if press is None:
        return ""
    verdict = state.verdicts[press.run]
    return f"{verdict.user_name}, {verdict.label or press.button}, {_clock(press.at)}"


def _clock(at: float) -> str:
    """On this machine's clock."""
    return f"{datetime.fromtimestamp(at):%H:%M}"
