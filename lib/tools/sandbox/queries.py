"""What a query for a device's data selects, of which rows how many, and what it adds up."""

import operator
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from lib.tools.sandbox.refusal import Refusal
from lib.tools.sandbox.storage import time_of

Record = dict[str, Any]

FIELDS = {"variables": "variable", "groups": "group", "ids": "id", "values": "value"}
RELATIVE = re.compile(r"(\d+)\s*(minute|hour|day|week|month|quarter|year)s?")
SECONDS = {
    "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800, "month": 2_629_800, "quarter": 7_889_400,
    "year": 31_557_600,
}  # fmt: skip

NUMBERS = ("count", "min", "max", "avg", "sum")
SINGLE = tuple(f"{end}_{what}" for end in ("last", "first") for what in ("item", "value", "location", "insert"))
MODES = ("default", *NUMBERS, *SINGLE, "aggregate", "conditional")  # C sdk-js device.types.ts, D api/get-data
COMPARING: dict[str, Callable[[Any, Any], bool]] = {
    "gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le, "eq": operator.eq, "ne": operator.ne,
}  # fmt: skip


def selected(
    rows: list[Record], wanted: dict[str, list[str]], start: str, end: str, now: float, ordination: str
) -> list[Record]:
    """By variables, groups, ids and values, and dates; newest first unless ascending. Raises Refusal."""
    first, last = _moment(start, now), _moment(end, now)
    found = [
        row
        for row in rows
        if all(not values or _text(row.get(FIELDS[name])) in values for name, values in wanted.items())
        and (first is None or time_of(row) >= first)
        and (last is None or time_of(row) <= last)
    ]
    oldest_first = sorted(found, key=lambda row: str(row["time"]))  # of one moment: as they came
    return oldest_first if ordination == "ascending" else oldest_first[::-1]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _moment(text: str, now: float) -> datetime | None:
    """A date, or relative as `1 day` (D api/get-data)."""
    if not text:
        return None
    relative = RELATIVE.fullmatch(text)
    if relative:
        return datetime.fromtimestamp(now, UTC) - timedelta(seconds=seconds_of(int(relative[1]), relative[2]))
    return time_of({"time": text})


def seconds_of(count: int, unit: str) -> int:
    return count * SECONDS[unit]


def newest_of_each(
    rows: list[Record], variables: list[str], amount: int, skip: int = 0, *, skips_each: bool = False
) -> list[Record]:
    """`qty` counts per variable that is asked for (C kick alert-dispatcher.ts, rtls edit.data.ts); what `skip` counts
    is unknown. The rows keep their order."""
    if not variables:
        return rows[skip : skip + amount]
    if not skips_each:
        rows = rows[skip:]
    seen: dict[str, int] = {}
    found = []
    for row in rows:
        place = seen.get(row["variable"], 0) - (skip if skips_each else 0)
        seen[row["variable"]] = seen.get(row["variable"], 0) + 1
        if 0 <= place < amount:
            found.append(row)
    return found


def singled_out(mode: str, rows: list[Record], variables: list[str]) -> list[Record]:
    """`last_value` is the newest row that has a value, `last_location` that with a location (D getting-data.md),
    `last_insert` the one that came last; likewise `first_…` (C sdk-js device.types.ts). `rows` are the newest first."""
    end, _, what = mode.partition("_")
    if what in ("value", "location"):
        rows = [row for row in rows if row.get(what) is not None]
    elif what == "insert":
        rows = sorted(rows, key=lambda row: str(row["created_at"]), reverse=True)
    return newest_of_each(rows if end == "last" else rows[::-1], variables, 1)


def meeting(function: str, wanted: str, rows: list[Record]) -> list[Record]:
    """`query=conditional`: those whose number compares so (C sdk-js device.types.ts). Raises Refusal."""
    if function not in COMPARING:
        raise Refusal(400, f"function: Expected one of {', '.join(COMPARING)}")
    try:
        limit = float(wanted)
    except ValueError as error:
        raise Refusal(400, "value: Expected number") from error
    numbers = [row for row in rows if isinstance(row.get("value"), int | float)]
    return [row for row in numbers if COMPARING[function](row["value"], limit)]


def check_mode(mode: str, start: str) -> None:
    """Raises Refusal for a query that TagoIO does not know, for one without the start_date that it needs (C sdk-js
    device.types.ts), and for the one that is not played here."""
    if mode and mode not in MODES:
        raise Refusal(400, f"query: Expected one of {', '.join(MODES)}")
    if mode == "aggregate":
        raise Refusal(400, "query: the sandbox does not play aggregate")
    if mode in ("avg", "sum", "conditional") and not start:
        raise Refusal(400, "start_date: Required")


def add_up(mode: str, rows: list[Record]) -> float:
    """A number, as both SDKs take it (C sdk-js Device.ts); a whole one without a fraction, as JavaScript writes it: the
    Python SDK takes no other (C whl Device.py). Raises Refusal where there is nothing to add up."""
    if mode == "count":
        return len(rows)
    values = [float(row["value"]) for row in rows if isinstance(row.get("value"), int | float)]
    if not values:
        raise Refusal(400, "There is no data")
    found: float = {"min": min(values), "max": max(values), "sum": sum(values), "avg": sum(values) / len(values)}[mode]
    return int(found) if found.is_integer() else found
