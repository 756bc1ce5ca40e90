"""Reads campaigns: which there are, and a line for each user of one, from the journal and from TagoIO's lists of
notifications."""

import statistics
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import Any

from rich.console import Console
from rich.progress import track

from lib.base.errors import SetupError, TagoIOError
from lib.base.text import one_line
from lib.campaign.outcome import Outcome
from lib.campaign.rows import CAMPAIGN, seconds_of
from lib.campaign.state import CampaignState
from lib.tagoio.audience import retrying, users_by_id
from lib.tagoio.inbox import Inbox
from lib.tagoio.journal_device import JournalDevice
from lib.tagoio.transport import TOTAL_TIME, PooledDevice, TagoIO

LISTED = 20  # campaigns
TITLES_ASKED_FOR = 3  # users of a campaign
LOOKERS = 10  # users asked about at once; a rate limit is waited out


@dataclass(slots=True)
class Line:
    """One user of the campaign. Times are ISO, "" where not known; TagoIO may not say when something was read.
    `channel` took it instead of TagoRUN, `step` of the escalation told them."""

    user: str
    name: str
    status: str
    reason: str = ""
    notification: str = ""
    sent_at: str = ""
    read: str = ""
    read_at: str = ""
    pressed: str = ""
    pressed_at: str = ""
    counts: str = ""
    channel: str = ""
    step: str = ""


class NoSuchCampaign(SetupError):
    """A key that the journal does not know."""


@dataclass(frozen=True, slots=True)
class Found:
    """A campaign there is; `began` is ISO, `outcomes` in words."""

    key: str
    began: str
    title: str
    outcomes: str


def open_device(tago: TagoIO, token: str) -> JournalDevice:
    """The journal's device, over connections of its own: what ends the calls to TagoIO does not end those to it."""
    beside = tago.client.beside(connections=2, total=TOTAL_TIME)
    return JournalDevice(PooledDevice(beside, token), lambda: tago.client.time_at_tagoio().timestamp())


@contextmanager
def journal_read() -> Iterator[None]:
    """Raises SetupError where the journal cannot be read."""
    try:
        yield
    except TagoIOError as error:
        raise SetupError(f"The journal cannot be read (delivery_log_token): {error.message}") from error


def keys_there_are(journal: JournalDevice) -> list[str]:
    """Of the campaigns, the newest first. Raises SetupError where the journal has none."""
    with journal_read():
        rows = journal.rows({"variables": [CAMPAIGN]})
        keys = list(dict.fromkeys(row.key for row in rows if row.value == "started"))
    if not keys:
        raise SetupError("The journal has no campaign yet")
    return keys


def find(journal: JournalDevice, key: str) -> CampaignState:
    """The campaign of a key; `last` is the newest. Raises NoSuchCampaign, SetupError."""
    key = keys_there_are(journal)[0] if key == "last" else key
    with journal_read():
        state = journal.states([key])[key]
    if not (state.started or state.outcomes):
        raise NoSuchCampaign(f"The journal knows no campaign {one_line(key)}; there are, the newest first:")
    return state


def campaigns(tago: TagoIO, journal: JournalDevice) -> Iterator[Found]:
    """The newest."""
    keys = keys_there_are(journal)[:LISTED]
    with journal_read():
        states = journal.states(keys)
    for key, state in states.items():
        counts = Counter(outcome.status for outcome in state.outcomes.values())
        shown = ", ".join(f"{count} {status}" for status, count in counts.items())
        shown += (
            f"; {one_line(state.ending.why)}" if state.ending else f"; {one_line(state.why_over)}" * bool(state.anew)
        )
        yield Found(key, iso(state.started_at), title_of(Inbox(tago.run), state), shown)


def title_of(inbox: Inbox, state: CampaignState) -> str:
    """What was sent, as the first of its users whose notification TagoIO still lists has it; "" where none does: the
    journal has no text."""
    for user, notification in islice(state.told_ids(), TITLES_ASKED_FOR):
        try:
            listed = retrying(partial(inbox.listed, user), time.sleep)
        except TagoIOError:
            return ""
        found = next((each for each in listed if each.id == notification), None)
        if found:
            return str(found.title)
    return ""


def read_campaign(tago: TagoIO, state: CampaignState) -> list[Line]:
    """A line for each user, by name."""
    names = {user_id: user.name for user_id, user in users_by_id(tago.run, set(state.outcomes)).items()}
    lines = {user: _line(outcome, names.get(user, "")) for user, outcome in state.outcomes.items()}
    counting = {press.run for press in state.deciding()}
    for press in sorted(state.presses.values(), key=lambda each: (each.run in counting, -each.at)):
        line, verdict = lines.get(press.user_id), state.verdicts.get(press.run)
        if line and (verdict is None or verdict.is_true):  # the one of a user that counts stays, else the oldest
            line.pressed, line.pressed_at = one_line(press.button), iso(press.at)
            line.counts = "yes" if press.run in counting else "no"
    _add_reads(tago, [line for line in lines.values() if line.notification])
    return sorted(lines.values(), key=lambda line: line.name.lower())


def _line(outcome: Outcome, name: str) -> Line:
    sent_at = iso(outcome.at) if outcome.status == "sent" else ""
    step = str(outcome.step) if outcome.step else ""
    return Line(
        outcome.user_id, name, outcome.status, one_line(outcome.reason), outcome.notification_id, sent_at,
        channel=one_line(outcome.channel), step=step,
    )  # fmt: skip


def iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


def _add_reads(tago: TagoIO, lines: list[Line]) -> None:
    def look(line: Line) -> None:
        try:
            listed = retrying(lambda: tago.run.notificationList(line.user), time.sleep)
        except TagoIOError:
            line.read = "unknown"
            return
        found = next((each for each in listed if each.get("id") == line.notification), None)
        if found is None:
            line.read = "deleted"
            return
        line.sent_at = str(found.get("created_at") or line.sent_at)
        line.read = "yes" if found.get("read") else "no"
        line.read_at = str(found.get("read_at") or "") if found.get("read") else ""

    with ThreadPoolExecutor(LOOKERS) as pool:
        looks: Iterable[Any] = pool.map(look, lines)
        for _ in track(looks, "Reading notifications", len(lines), console=Console(stderr=True), transient=True):
            pass


def figures(lines: list[Line]) -> dict[str, Any]:
    """What the table, the page and the JSON object begin with; seconds are medians, None where nothing is known."""
    return {
        "outcomes": dict(Counter(line.status for line in lines)),
        "reasons": dict(Counter(line.reason for line in lines if line.reason)),
        "read": sum(line.read == "yes" for line in lines),
        "pressed": dict(Counter(line.pressed for line in lines if line.pressed)),
        "seconds_to_read": _median(seconds_between(line.sent_at, line.read_at) for line in lines),
        "seconds_to_press": _median(seconds_between(line.sent_at, line.pressed_at) for line in lines),
    }


def seconds_between(start: str, end: str) -> float | None:
    return seconds_of(end) - seconds_of(start) if start and end else None


def _median(found: Iterator[float | None]) -> float | None:
    known = [max(seconds, 0.0) for seconds in found if seconds is not None]
    return round(statistics.median(known), 1) if known else None
