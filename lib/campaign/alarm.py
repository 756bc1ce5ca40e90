"""An alarm of a device: the fold of its rows. Of each name a device has one that is open at a time.

Its rows have a `group` of their own, in the order in which TagoIO took them; each run reads until it sees its own, and
so all come to the same answer of what an event was. An alarm that nobody clears is let go a day after it was raised.

| event, by TagoIO's order             | nothing open        | open                   | open, and this is worse |
|--------------------------------------|---------------------|------------------------|-------------------------|
| the condition holds                  | raised              | repeated               | raised, in its place    |
| the condition holds, `repeat: again` | raised              | raised, in its place   | raised, in its place    |
| the condition does not hold          | nothing             | cleared                | –                       |

A campaign in whose place another was raised is older, and not over: whoever is not told anew keeps their copy of it,
until the alarm is cleared.
"""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from lib.campaign.key import KEY_LENGTH
from lib.campaign.lease import DAY
from lib.campaign.rows import ALARM, Row, line_about

HOLDS, CLEAR = "holds", "clear"
Severity = tuple[int, int]  # the priority's place and the variant's: the lower the worse


@dataclass(frozen=True, slots=True)  # a tuple has a `count` already
class Turn:
    """What one event was to the alarm: of the `campaign`, raised `since`, it was the event number `count`; `replaced`
    is the campaign in whose place it was raised."""

    kind: Literal["raised", "repeated", "cleared", "nothing"]
    campaign: str = ""
    replaced: str = ""
    count: int = 0
    since: float = 0.0


class Alarm:
    """`campaign` is the open one, "" where none is; `older` those in whose place it was raised; `turns` what each event
    was; `cleared` the campaigns that events have cleared, each with the row of that."""

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self.campaign = ""
        self.since = 0.0
        self.count = 0
        self.severity: Severity = (0, 0)
        self.turns: dict[str, Turn] = {}
        self.older: list[str] = []
        self.cleared: dict[str, Row] = {}
        self._over: set[str] = set()  # besides, who was let go
        for row in sorted(rows, key=lambda row: (row.at, row.id)):
            self.take(row)

    def replaced_by(self, campaign: str) -> list[str]:
        """Those in whose place it was raised: it may be older itself by now."""
        return self.older[: self.older.index(campaign)] if campaign in self.older else list(self.older)

    def take(self, row: Row) -> Turn:
        """One event, which TagoIO may hand in twice."""
        event = row.text("event")
        if event not in self.turns:
            self._let_go(row)
            self.turns[event] = self._cleared(row) if row.value == CLEAR else self._held(row, event)
        return self.turns[event]

    def _let_go(self, row: Row) -> None:
        """Of an alarm that is a day old, or that somebody has closed by hand."""
        if self.campaign and (row.at - self.since > DAY or row.text("over") == self.campaign):
            self._over.add(self.campaign)
            self.campaign = ""

    def _cleared(self, row: Row) -> Turn:
        ended = [*self.older, *([self.campaign] if self.campaign else [])]
        turn = Turn("cleared" if ended else "nothing", ended[-1] if ended else "", count=self.count, since=self.since)
        self._over.update(ended)
        self.cleared |= dict.fromkeys(ended, row)
        self.campaign, self.older = "", []
        return turn

    def _held(self, row: Row, event: str) -> Turn:
        severity = (row.number("priority"), row.number("place"))
        self._adopt(row)
        if self.campaign and severity >= self.severity and not row.about.get("again"):
            self.count += 1
            return Turn("repeated", self.campaign, count=self.count, since=self.since)
        replaced, self.campaign, self.since, self.count = self.campaign, event, row.at, 1
        self.severity = severity
        if replaced:
            self._over.add(replaced)
            self.older.append(replaced)
        return Turn("raised", event, replaced, 1, row.at)

    def _adopt(self, row: Row) -> None:
        """What its writer saw open, and was raised before the rows that were read."""
        campaign, since = row.text("open"), row.number("since") / 1000
        if campaign and not self.campaign and campaign not in self._over and row.at - since <= DAY:
            self.campaign, self.since, self.count = campaign, since, row.number("count")
            self.severity = (row.number("open_priority"), row.number("open_place"))

    def event(self, key: str, event: str, run: str, severity: Severity, *, again: bool, over: str) -> Row:
        """The row of an event at which it holds, with what is known to be open; `over` is a campaign that is not any
        more."""
        priority, place = severity
        about = {"event": event, "run": run, "priority": priority, "place": place, "again": again, "over": over}
        if self.campaign:
            about |= {"open": self.campaign, "since": round(self.since * 1000), "count": self.count}
            about |= {"open_priority": self.severity[0], "open_place": self.severity[1]}
        return Row(key, ALARM, HOLDS, about)


def alarm_key(analysis: str, device: str, name: str) -> str:
    """The `group` of an alarm's rows."""
    return _hashed("alarm", analysis, device, name)


def all_clear_key(event: str) -> str:
    """Of the campaign that tells who had been told that it is over, by the event that has cleared it."""
    return _hashed("all clear", event)


def clear_row(key: str, event: str, run: str, line: str, lines: Mapping[str, str], *, tell: bool = False) -> Row:
    """With what copies get, whoever comes to close them."""
    return Row(key, ALARM, CLEAR, {"event": event, "run": run, "tell": tell, **line_about(line, lines)})


def _hashed(*parts: str) -> str:
    digest = hashlib.sha256("\n".join(parts).encode(errors="replace")).digest()
    return base64.b32encode(digest).decode().lower()[:KEY_LENGTH]
