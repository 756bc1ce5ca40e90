"""The rows of a campaign: facts, and their form on a TagoIO device (docs/journal.md shows them too).

All have the campaign's key as `group`, so that a dashboard can show them. `run` is the run that wrote a row.

- `notify_campaign`: `started`, `resumed` (by another run), `escalated`, `left` (in good order; something is or will be
  due) or `finished`. Metadata of `started`: `trigger`, `analysis`, `action`, `action_state`, `device`, `started_at`,
  `size`, `escalate` (its steps), `buttons` (the ids of those that run an Analysis), `alarm` (its name), `replaces`
  (the older campaigns of the alarm; `passed` is a row of the users whom those know to be told anew), `all_clear`
  (the alarm that it tells the end of, with the `line`, or `lines` by language); of `finished`: what it has `seen` of
  presses, repeats and the end; `first`: the user whom this run tells before all others; of `escalated`: `step`, `to`.
- `notify_change`, which a run that is telling people looks for: of an alarm `repeated`, by which `event` with how many
  `points`, and how many users it has `added`; of what is over `ended`: `why`, the `line` (or `lines` by language), and
  whether to `tell` it, with all that was cleared `by` that event; `told`: that is begun; `joined`: how many users are
  `added` to what has begun; of an older campaign of an alarm `replaced`: the line of those who are told anew, `by`
  which campaign, and `anew`: which `users` were; and `late`: what a run that lost its journal wrote down at its end
  only, as its `sent` outcomes.
- `notify_alarm`, in a group of its own for each alarm of a device: an `event` at which it `holds`, or that is to
  `clear` it, with the `line` (or `lines`) and whether to `tell`; metadata of the former: `priority`, `place`, `again`,
  `over` (a campaign seen to be closed), and of the campaign seen to be open: `open`, `since` (milliseconds), `count`,
  `open_priority`, `open_place`.
- `notify_heartbeat`: `telling` or `answering`.
- `notify_trigger`: a data point of the trigger; metadata: `order`, `variable`, `unit`, `time`, `device`, `group`, `id`,
  `event` (that repeated the alarm).
- `notify_audience`: how many users, in metadata `users` with a space between; `step` is that of the escalation. Whom
  the repeat of an alarm adds has the `run`: what a run that had begun before says of a rule does not count for them.
- `notify_outcome`: `sent`, `skipped`, …, of `users`, with their `notifications` (`-` for none); metadata: `reason`,
  `subject` (a hash), `priority`, `channel`, `step`.
- `notify_fallback`: `begun`, the claim before another channel is tried for `users`, then how it went: `taken`,
  `refused`, `doubt`, that it was not needed: `read`, `gone`, `ruled out`, or, untried, `left` to the next run;
  metadata: `channel`, `reason`.
- `notify_press`: the id of a button that somebody pressed, as TagoIO handed it in; metadata: `user`, `notification`,
  `each`, `analysis`.
- `notify_decision`, of a `press` (the run that wrote that row): `verified` with `name` and `label`, or `refused`;
  `taken`, a claim to call `decide` for it; or `answered`, with the `line` that it gave (or `lines` by language),
  `user`, `name`, `label`, `button`, `seconds` after the sending.
- `notify_closed`: how many copies were closed; metadata `notifications`; `ended` where that was at the end; `how`,
  where a person took it back (lib/tools/campaign).
- `notify_updated`: how many copies were brought up to date with event number `count`; metadata `notifications`.

No message text and no e-mail address is in them.
"""

import json
import math
import re
from collections.abc import Collection, Container, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, NamedTuple

from lib.campaign.outcome import Outcome
from lib.message.trigger import DataPoint, Trigger

CAMPAIGN, HEARTBEATS, POINT = "notify_campaign", "notify_heartbeat", "notify_trigger"
AUDIENCE, OUTCOME, FALLBACK = "notify_audience", "notify_outcome", "notify_fallback"
PRESS, DECISION, CLOSED = "notify_press", "notify_decision", "notify_closed"
CHANGE, ALARM, UPDATED = "notify_change", "notify_alarm", "notify_updated"
POINT_PARTS = ("variable", "unit", "time", "device", "group", "id")

RUN = re.compile("[0-9a-f]{12}")
METADATA = 9_000  # bytes of a row's metadata: TagoIO takes 10 kB (D docs sending-data.md)
REASON = 500  # characters of a reason that are kept
WORDS = 500  # characters that are kept of any text but these, which fit or are built to
WHOLE_TEXTS = ("users", "notifications", "escalate", "lines", "id", "buttons", "replaces")

WireRow = dict[str, Any]


class Row(NamedTuple):
    """One fact of a campaign. `at` (seconds since the epoch) and `id` are TagoIO's; those of a row that it has not
    shown yet are this run's."""

    key: str
    kind: str
    value: Any
    about: Mapping[str, Any] = {}
    at: float = 0.0
    id: str = ""
    location: Any = None

    @property
    def run(self) -> str:
        """ "" for what is no run of ours: somebody else may write to the device."""
        found = self.text("run")
        return found if RUN.fullmatch(found) else ""

    def text(self, name: str) -> str:
        found = self.about.get(name)
        return "" if found is None else str(found)

    def words(self, name: str) -> list[str]:
        return self.text(name).split()

    def number(self, name: str) -> int:
        return whole(self.about.get(name))

    def wire(self) -> WireRow:
        """The data point that a device takes: words of others are cut, so that a row always fits."""
        about = {
            name: text[:WORDS] if isinstance(text, str) and name not in WHOLE_TEXTS else text
            for name, text in self.about.items()
        }
        row = {"variable": self.kind, "value": self.value, "group": self.key, "metadata": about}
        return row if self.location is None else {**row, "location": self.location}


def read_row(given: Any) -> Row | None:
    """A row as a device shows it, of whatever shape; None for what is none."""
    if not isinstance(given, dict) or not given.get("group") or not isinstance(given.get("variable"), str):
        return None
    about = given.get("metadata")
    return Row(
        str(given["group"]),
        given["variable"],
        given.get("value"),
        about if isinstance(about, dict) else {},
        seconds_of(given.get("time")),
        str(given.get("id") or ""),
        given.get("location"),
    )


def campaign_row(key: str, value: str, run: str, **about: Any) -> Row:
    return Row(key, CAMPAIGN, value, {"run": run, **about})


def started_rows(key: str, run: str, trigger: Trigger, users: list[str], by: str = "", **about: Any) -> Iterator[Row]:
    """The rows that begin a campaign; `started` is the last, so that the others are whole when it is there."""
    yield from point_rows(key, trigger)
    yield from audience_rows(key, users, by=by)
    yield campaign_row(
        key,
        "started",
        run,
        trigger=trigger.kind,
        analysis=trigger.analysis_id,
        action=trigger.action_id,
        action_state=trigger.action_state,
        device=trigger.device_id,
        size=len(users),
        **about,
    )


def point_rows(key: str, trigger: Trigger, event: str = "") -> Iterator[Row]:
    for order, point in enumerate(trigger.points):
        parts = {"order": order, "event": event, **{name: getattr(point, name) for name in POINT_PARTS}}
        yield Row(key, POINT, _finite(point.value), parts, location=point.location)


def audience_rows(key: str, users: Iterable[str], step: int = 0, by: str = "") -> Iterator[Row]:
    """`by` the run that adds them, whatever rule has left them out before."""
    for part in _fitting(users, len):
        about = {"users": " ".join(part), "step": step}
        yield Row(key, AUDIENCE, len(part), {**about, "run": by} if by else about)


def outcome_rows(key: str, outcomes: Iterable[Outcome]) -> Iterator[Row]:
    """One row for the users of whom the same is to be said."""

    def said(each: Outcome) -> tuple[Any, ...]:
        return each.status, each.reason[:REASON], each.subject, each.priority, each.channel, each.step, each.run

    for alike, listed in groupby(sorted(outcomes, key=said), key=said):
        status, reason, subject, priority, channel, step, run = alike
        about = {
            "reason": reason,
            "subject": subject,
            "priority": priority,
            "channel": channel,
            "step": step,
            "run": run,
        }
        for part in _fitting(listed, lambda each: len(each.user_id) + len(each.notification_id) + 2):
            ids = {"users": " ".join(each.user_id for each in part)}
            if any(each.notification_id for each in part):
                ids["notifications"] = " ".join(each.notification_id or "-" for each in part)
            yield Row(key, OUTCOME, status, {**ids, **{name: value for name, value in about.items() if value}})


def outcomes_of(row: Row) -> Iterator[Outcome]:
    users, notifications = row.words("users"), row.words("notifications")
    notifications += ["-"] * (len(users) - len(notifications))
    about = {name: row.text(name) for name in ("reason", "subject", "priority", "channel", "run")}
    for user, notification in zip(users, notifications, strict=False):
        known = "" if notification == "-" else notification
        status: Any = str(row.value)
        yield Outcome(user, "", status, notification_id=known, step=row.number("step"), at=row.at, **about)


def fallback_rows(
    key: str, users: Iterable[str], value: str, run: str, channel: str = "", reason: str = ""
) -> Iterator[Row]:
    for part in _fitting(users, len):
        about = {"users": " ".join(part), "run": run, "channel": channel, "reason": reason[:REASON]}
        yield Row(key, FALLBACK, value, about)


def closed_rows(key: str, notifications: Iterable[str], run: str, *, ended: bool = False) -> Iterator[Row]:
    for part in _fitting(notifications, len):
        about = {"notifications": " ".join(part), "run": run}
        yield Row(key, CLOSED, len(part), {**about, "ended": True} if ended else about)


def updated_rows(key: str, notifications: Iterable[str], run: str, count: int) -> Iterator[Row]:
    for part in _fitting(notifications, len):
        yield Row(key, UPDATED, len(part), {"notifications": " ".join(part), "run": run, "count": count})


def ended_row(
    key: str, run: str, why: str, line: str, lines: Mapping[str, str], *, tell: bool = False, by: str = ""
) -> Row:
    about = {"run": run, "why": why, **line_about(line, lines)}
    return Row(key, CHANGE, "ended", {**about, "tell": True, "by": by} if tell else about)


def replaced_row(key: str, run: str, by: str, why: str, line: str, lines: Mapping[str, str]) -> Row:
    return Row(key, CHANGE, "replaced", {"run": run, "by": by, "why": why, **line_about(line, lines)})


def anew_rows(key: str, run: str, by: str, users: Iterable[str], audience: Container[str]) -> Iterator[Row]:
    """Apart those who are not known to be in the audience of that campaign, whose rows may show late."""
    listed = list(users)
    for is_strange in (False, True):
        for part in _fitting((user for user in listed if (user not in audience) == is_strange), len):
            yield Row(key, CHANGE, "anew", {"run": run, "by": by, "users": " ".join(part), "strange": is_strange})


def passed_rows(key: str, run: str, users: Iterable[str]) -> Iterator[Row]:
    for part in _fitting(users, len):
        yield Row(key, CAMPAIGN, "passed", {"run": run, "users": " ".join(part)})


def line_about(line: str, lines: Mapping[str, str]) -> dict[str, str]:
    """How a line, or lines by language, stand in the metadata of a row."""
    return {"line": line, "lines": json.dumps(dict(lines), ensure_ascii=False) if lines else ""}


def joining_rows(key: str, run: str, users: Collection[str]) -> Iterator[Row]:
    """Users whom a run adds to a campaign that has begun; it is not finished then, whoever said so."""
    yield Row(key, CHANGE, "joined", {"run": run, "added": len(users)})
    yield from audience_rows(key, users, by=run)


def told_row(key: str, run: str) -> Row:
    return Row(key, CHANGE, "told", {"run": run})


def decision_row(key: str, value: str, run: str, press: str, **about: Any) -> Row:
    return Row(key, DECISION, value, {"press": press, "run": run, **about})


def point_of(row: Row) -> DataPoint:
    parts = {name: row.text(name) for name in POINT_PARTS}
    return DataPoint(value=row.value, location=row.location, **parts)


def seconds_of(given: Any) -> float:
    """A time of TagoIO in seconds since the epoch: ISO text, or the SDK's naive datetime, in UTC; one that cannot be
    read is long ago."""
    try:
        found = given if isinstance(given, datetime) else datetime.fromisoformat(str(given))
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return 0.0


def size_of(row: Row) -> int:
    """In bytes, as it travels."""
    return len(json.dumps(row.wire(), default=str))


def whole(given: Any) -> int:
    text = str(given)
    return int(text) if text.isdecimal() and len(text) < 16 else 0


def _fitting(listed: Iterable[Any], size: Any) -> Iterator[list[Any]]:
    """In parts whose ids fit the metadata of one row."""
    part: list[Any] = []
    room = METADATA - 2 * REASON
    for each in listed:
        room -= size(each) + 1
        if room < 0 and part:
            yield part
            part, room = [], METADATA - 2 * REASON - size(each)
        part.append(each)
    if part:
        yield part


def _finite(value: Any) -> Any:
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
