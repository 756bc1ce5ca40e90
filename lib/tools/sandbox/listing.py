"""TagoIO's lists: how both SDKs ask for one, and what is then in it."""

import fnmatch
import re
from collections.abc import Iterable
from typing import Any

from aiohttp import web

from lib.tools.sandbox.refusal import Refusal

Record = dict[str, Any]

FILTER = re.compile(r"filter\[(\w+)\](?:\[(\d+)\]\[(\w+)\])?")
SORTABLE = ("name", "active", "last_login", "created_at", "updated_at")  # of users, C cli
# Of the other resources (C sdk-js *.types.ts).
ALSO_SORTABLE = (*SORTABLE, "visible", "last_input", "last_output", "last_triggered", "last_run", "run_on")


def read_filters(request: web.Request) -> Record:
    """`filter[name]=…`, `filter[tags][0][key]=…`, as both official SDKs encode them."""
    filters: Record = {}
    tags: dict[str, dict[str, str]] = {}
    for key, value in request.query.items():
        found = FILTER.fullmatch(key)
        if found and found[2] is not None:
            tags.setdefault(found[2], {})[found[3]] = value
        elif found:
            filters[found[1]] = value
    if tags:
        filters["tags"] = list(tags.values())
    return filters


def read_fields(request: web.Request, otherwise: Iterable[str] = ("id", "name")) -> list[str]:
    """`fields=a&fields=b` (Python SDK) or `fields[0]=a` (JavaScript SDK)."""
    found = [value for key, value in request.query.items() if re.fullmatch(r"fields(\[\d*\])?", key)]
    return list(dict.fromkeys(["id", *found])) if found else list(otherwise)


def read_order(request: web.Request) -> str:
    """`orderBy=name,asc` (Python SDK), `orderBy[0]=name&orderBy[1]=asc`, or `orderBy=created_at` (D)."""
    parts = [value for key, value in request.query.items() if re.fullmatch(r"orderBy(\[\d*\])?", key)]
    return ",".join(parts) or "name,asc"


def select(
    records: Iterable[Record],
    filters: Record,
    order: str,
    page: int,
    amount: int,
    fields: list[str],
    *,
    sortable: tuple[str, ...] = SORTABLE,
    past_end: str = "empty",
) -> list[Record]:
    """Raises Refusal. `past_end` is the fact of that name, `page_past_end`."""
    key, _, direction = order.partition(",")
    if key not in sortable:
        raise Refusal(400, "Invalid orderBy parameter")
    found = [record for record in records if all(_holds(record, name, wanted) for name, wanted in filters.items())]
    found.sort(key=lambda record: str(record.get(key) or "").lower(), reverse=direction == "desc")
    start = (page - 1) * amount
    if past_end == "error" and page > 1 and start >= len(found):
        raise Refusal(400, "Invalid page parameter")
    return [{name: record.get(name) for name in fields if name in record} for record in found[start : start + amount]]


def _holds(record: Record, name: str, wanted: Any) -> bool:
    if name == "tags":
        return all(
            any(all(tag.get(part) == text for part, text in tag_wanted.items()) for tag in record.get("tags", []))
            for tag_wanted in wanted
        )
    value = record.get(name)
    if isinstance(value, bool):
        return str(value).lower() == str(wanted).lower()
    if name in ("name", "email"):
        pattern = str(wanted).replace("[", "[[]").replace("?", "[?]")
        return fnmatch.fnmatchcase(str(value).lower(), pattern.lower())
    return str(value) == str(wanted)
