"""Reads a campaign for the report: a line for each user, from the journal and from TagoIO's lists of notifications."""

import statistics
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.progress import track

from lib.base.errors import SetupError, TagoIOError
from lib.campaign.rows import DECISION, OUTCOME, PRESS, Row, about_of, iso_of, time_of
from lib.tagoio.audience import retrying
from lib.tagoio.journal import Journal
from lib.tagoio.transport import TagoIO

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


def last_key(journal: Journal) -> str:
    """Raises SetupError where the journal has no campaign."""
    key = next(iter(journal.campaigns()), "")
    if not key:
        raise SetupError("The journal has no campaign yet")
    return key


def read_campaign(tago: TagoIO, journal: Journal, key: str) -> list[Line]:
    """A line for each user, by name. Raises SetupError for a key that the journal does not know."""
    lines: dict[str, Line] = {}
    presses: list[Row] = []
    winners: set[str] = set()
    for row in journal.rows_of(key):  # newest first: a user's last outcome counts
        about = about_of(row)
        user = str(about.get("user") or "")
        if row.get("variable") == OUTCOME and user not in lines:
            texts = [str(about.get(name) or "") for name in ("name", "reason", "notification")]
            sent_at = iso_of(row) if row.get("value") == "sent" else ""
            line = lines[user] = Line(user, texts[0], str(row.get("value")), texts[1], texts[2], sent_at)
            line.channel, line.step = str(about.get("channel") or ""), str(about.get("step") or "")
        elif row.get("variable") == PRESS:
            presses.append(row)
        elif row.get("variable") == DECISION:
            winners.add(user)
    if not lines:
        raise SetupError(f"The journal knows no campaign {key}")
    for row in presses:  # the oldest of a user's presses stays
        user = str(about_of(row).get("user"))
        if user in lines:
            line = lines[user]
            line.pressed, line.pressed_at = str(row.get("value")), iso_of(row)
            line.counts = "yes" if user in winners else "no"
    _add_reads(tago, [line for line in lines.values() if line.notification])
    return sorted(lines.values(), key=lambda line: line.name.lower())


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
    return (time_of(end) - time_of(start)).total_seconds() if start and end else None


def _median(found: Iterator[float | None]) -> float | None:
    known = [max(seconds, 0.0) for seconds in found if seconds is not None]
    return round(statistics.median(known), 1) if known else None
