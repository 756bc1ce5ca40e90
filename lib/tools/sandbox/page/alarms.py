"""The alarms that the page shows, as the rows of the sandbox's journal tell of them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from lib.campaign.alarm import Alarm
from lib.campaign.lease import DAY
from lib.campaign.rows import ALARM, Row, read_row
from lib.campaign.state import CampaignState
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


def alarms_of(store: Store, variables: Sequence[dict[str, str]]) -> Alarms:
    """Of the journal that the Analysis' variables name."""
    rows = _journal(store, variables)
    if rows is None:
        return Alarms(is_kept=False, open=[], last=None)
    found = list(_found(store, rows))
    ended = [each for each in found if each.ended]
    last = max(ended, key=lambda each: each.ended_at, default=None)
    return Alarms(is_kept=True, open=[each for each in found if not each.ended], last=last)


def deciders(store: Store, variables: Sequence[dict[str, str]], campaigns: Iterable[str]) -> dict[str, str]:
    """Who settled each of the campaigns that somebody has settled."""
    rows, found = _journal(store, variables) or [], {}
    for campaign in campaigns:
        state = CampaignState(campaign)
        state.take(rows)
        if state.decision:
            found[campaign] = state.decision.user_id
    return found


def _journal(store: Store, variables: Sequence[dict[str, str]]) -> list[Row] | None:
    """Its rows; None where the variables name none."""
    token = next((each["value"] for each in variables if each["key"].lower() == "delivery_log_token"), "")
    bearer = store.tokens.get(token)
    if bearer is None or bearer.kind != "device":
        return None
    return [row for row in map(read_row, store.rows_of(bearer.id)) if row]


def _found(store: Store, rows: list[Row]) -> Iterator[AlarmView]:
    of_alarms: dict[str, list[Row]] = {}
    for row in rows:
        if row.kind == ALARM:
            of_alarms.setdefault(row.key, []).append(row)
    for listed in of_alarms.values():
        alarm = Alarm(listed)
        newest = {turn.campaign: turn for turn in sorted(alarm.turns.values(), key=lambda turn: turn.count)}
        for campaign, turn in newest.items():
            state = CampaignState(campaign)
            state.take(rows)
            if state.started:
                yield _view(store, state, turn.since, turn.count, is_open=campaign == alarm.campaign)


def _view(store: Store, state: CampaignState, since: float, events: int, *, is_open: bool) -> AlarmView:
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
    return AlarmView(
        campaign=state.key,
        device=str(store.devices.get(device, {}).get("name") or device),
        name=state.started.text("alarm"),
        since=_clock(since),
        events=events,
        open_copies=0 if ended else len(state.copies()),
        copies=len(list(state.told_ids())),
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
