"""What the routes of every kind of resource do alike: who may, which one, a page of many, one that is new."""

from collections.abc import Iterable

from aiohttp import web

from lib.tools.sandbox.app import answered, number_of, store_of, who
from lib.tools.sandbox.listing import ALSO_SORTABLE, read_fields, read_filters, read_order, select
from lib.tools.sandbox.refusal import Denied, Refusal
from lib.tools.sandbox.store import Record, new_id


def allow(request: web.Request, action: str, resource: str, entity: Record | None = None) -> None:
    """Raises Denied. A profile's token may do everything; Access Management speaks of Analyses and Run users only."""
    if not store_of(request).may(who(request), action, resource, entity):
        raise Denied


def profile_only(request: web.Request) -> None:
    if who(request).kind != "profile":
        raise Denied


def found_in(records: dict[str, Record], request: web.Request, name: str) -> Record:
    record = records.get(request.match_info["id"])
    if record is None:
        raise Refusal(404, f"{name} Not Found")
    return record


def may_see(request: web.Request, records: Iterable[Record], resource: str) -> list[Record]:
    """A list has what the token may see: none of it is no error (C mcp AGENTS.md, of device, analysis, run_user)."""
    store = store_of(request)
    return [each for each in records if store.may(who(request), "access", resource, each, listing=True)]


def page_of(records: Iterable[Record], request: web.Request, *more: str, always: tuple[str, ...] = ()) -> web.Response:
    """`more`: the fields that are listed beside id, name and tags where none are asked for; `always`: those that are
    listed whatever is asked for."""
    page, amount = number_of(request, "page", 1), number_of(request, "amount", 20)
    listed = [{"active": True, "created_at": "", "tags": [], **record} for record in records]
    fields = list(dict.fromkeys([*always, *read_fields(request, ("id", "name", "tags", *more))]))
    past_end = store_of(request).facts["page_past_end"]
    order = read_order(request)
    filters = read_filters(request)
    return answered(select(listed, filters, order, page, amount, fields, sortable=ALSO_SORTABLE, past_end=past_end))


def created(request: web.Request, kind: str, records: dict[str, Record], given: Record) -> str:
    """Its id. `kind` is what the plan's limit calls it. Raises Refusal."""
    store = store_of(request)
    store.check_room(kind, records)
    moment = store.now()
    record = {"id": new_id(), "active": True, "tags": [], "created_at": moment, "updated_at": moment, **given}
    records[record["id"]] = record
    return str(record["id"])
