"""What a device's storage takes, refuses and keeps, by its type: mutable or immutable.

Other types (`legacy`, the default in the types of TagoIO's SDKs; `hybrid`) are taken as they are, without limits.
TagoIO documents the limits, but not what it answers beyond them: the status 400 is a guess (U). The words are those of
TagoIO's own TagoCore (packages/server/Services/DeviceData/DeviceData.ts, C) where they are quoted as such below.
"""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from lib.tools.sandbox.refusal import Refusal

Record = dict[str, Any]

TYPES = ("mutable", "immutable", "legacy", "hybrid")  # C sdk-js devices.types.ts
MUTABLE_ROWS = 50_000  # D docs devices/index.md, device-data-management.md
# D docs data-retention-feature.md, api/edit-device; C tagoio-cli device-create.ts. Not so: 0 to 36 for every period in
# D docs api/create-new-device and in the SDKs, up to 36,500 in C mcp create-device.ts.
MOST_PERIODS = {"day": 31, "week": 26, "month": 36, "quarter": 36}

# D docs sending-data.md. How TagoIO counts is U: here kB are 1,000 bytes, of JSON as the Python SDK writes it (ASCII).
POST_BYTES, METADATA_BYTES, VALUE_BYTES = 200_000, 10_000, 6_000
VARIABLE_LENGTH, GROUP_LENGTH, UNIT_LENGTH = 100, 100, 25
NOT_IN_NAMES = re.compile(r"[*?!<>.\-=$\s]")


def check_device(given: Record) -> None:
    """What a new device must have (D docs api/create-new-device). Raises Refusal."""
    for name in ("name", "network", "connector"):
        if not given.get(name):
            raise Refusal(400, f"{name}: Required")
    if given.get("type") is not None and given["type"] not in TYPES:
        raise Refusal(400, f"type: Expected one of {', '.join(TYPES)}")
    if given.get("type") != "immutable":
        return
    period, kept = given.get("chunk_period"), given.get("chunk_retention")
    for name, value in (("chunk_period", period), ("chunk_retention", kept)):
        if value is None:
            raise Refusal(400, f"{name}: Required")
    if period not in MOST_PERIODS:
        raise Refusal(400, f"chunk_period: Expected one of {', '.join(MOST_PERIODS)}")
    if not isinstance(kept, int) or isinstance(kept, bool) or not 0 <= kept <= MOST_PERIODS[period]:
        raise Refusal(400, f"chunk_retention: Expected a number from 0 to {MOST_PERIODS[period]}")


def check_size(posted: int) -> None:
    """Of one POST, in bytes. Raises Refusal."""
    if posted > POST_BYTES:
        raise Refusal(400, f"The maximum payload size is {POST_BYTES // 1000} kB")


def check_row(given: Any) -> Record:
    """A row as TagoIO takes it, its variable in lower case (D docs sending-data.md). Raises Refusal."""
    if not isinstance(given, dict) or not given.get("variable"):
        raise Refusal(400, "variable: Required")
    variable = str(given["variable"]).lower()
    if NOT_IN_NAMES.search(variable):
        raise Refusal(400, f"variable: {variable} has a character that is not allowed")
    for name, most in (("variable", VARIABLE_LENGTH), ("group", GROUP_LENGTH), ("unit", UNIT_LENGTH)):
        if len(str(given.get(name) or "")) > most:
            raise Refusal(400, f"{name}: String must contain at most {most} character(s)")
    metadata = given.get("metadata")
    if metadata is not None and not isinstance(metadata, dict):
        raise Refusal(400, "metadata: Expected object")
    for name, most in (("metadata", METADATA_BYTES), ("value", VALUE_BYTES)):
        if len(json.dumps(given.get(name))) > most:
            raise Refusal(400, f"{name}: larger than {most // 1000} kB")
    return {**given, "variable": variable}


def put_rows(device: Record, rows: list[Record], fresh: list[Record], now: float, when_full: str = "refused") -> None:
    """Add the `fresh` ones to `rows`; all of them or none. `when_full` is the fact `full_device`. Raises Refusal."""
    if device.get("type") == "mutable" and len(rows) + len(fresh) > MUTABLE_ROWS and when_full == "refused":
        # C TagoCore's words; on TagoIO U. TagoCore looks before it writes: there a POST may go past the limit.
        raise Refusal(400, f"The device has reached the limit of {MUTABLE_ROWS} data registers")
    if device.get("type") == "immutable":
        first, last = first_kept(device, now), _end_of_tomorrow(now)
        for row in fresh:
            if not first <= time_of(row) <= last:  # C TagoCore's words; D docs device-data-management.md, of imports
                raise Refusal(400, f"Time must be between {first:%Y-%m-%d} and {last:%Y-%m-%d}")
    rows += fresh
    if device.get("type") == "mutable":
        del rows[:-MUTABLE_ROWS]


def check_change(device: Record, doing: str) -> None:
    """Rows of an immutable device are neither edited nor deleted (D docs devices/index.md; C mcp edit-device-data.ts,
    delete-device-data.ts). `doing`: `edit` or `delete`. Raises Refusal, in TagoCore's words (C)."""
    if device.get("type") != "immutable":
        return
    if doing == "edit":
        raise Refusal(400, "You cannot edit data on immutable device")
    raise Refusal(400, "Data in immutable devices cannot be deleted")


def check_query(device: Record, ids: list[str]) -> None:
    """Rows of an immutable device cannot be asked for by their ids (C TagoCore; on TagoIO U). Raises Refusal."""
    if ids and device.get("type") == "immutable":
        raise Refusal(400, "Filter using ID(s) is not supported on Immutable Storage Type")


def first_kept(device: Record, now: float) -> datetime:
    """The begin of the oldest period that an immutable device keeps: the retention, and the period that runs.

    Periods begin at 00:00 UTC, weeks on Mondays, quarters with January (D docs data-retention-feature.md). TagoIO
    removes what is older some hours later; here it is gone at once.
    """
    period, kept = device["chunk_period"], int(device["chunk_retention"])
    today = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if period == "day":
        return today - timedelta(days=kept)
    if period == "week":
        return today - timedelta(days=today.weekday(), weeks=kept)
    months = today.year * 12 + today.month - 1
    months -= kept if period == "month" else months % 3 + 3 * kept
    return today.replace(year=months // 12, month=months % 12 + 1, day=1)


def kept_of(rows: list[Record], first: datetime) -> list[Record]:
    return [row for row in rows if time_of(row) >= first]


def _end_of_tomorrow(now: float) -> datetime:
    tomorrow = datetime.fromtimestamp(now, UTC) + timedelta(days=1)
    return tomorrow.replace(hour=23, minute=59, second=59, microsecond=999_999)


def time_of(row: Record) -> datetime:
    """ISO 8601, or seconds since the epoch (D docs api/send-data). Raises Refusal."""
    given = row.get("time")
    try:
        if isinstance(given, int | float):
            return datetime.fromtimestamp(given / 1000 if given > 1e11 else given, UTC)
        found = datetime.fromisoformat(str(given))
    except (ValueError, OverflowError, OSError) as error:
        raise Refusal(400, "time: Invalid date") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)
