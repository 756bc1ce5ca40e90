"""What the routes of every kind of resource do alike: who may, which one, a page of many."""

from aiohttp import web

from lib.tools.sandbox.app import answered, number_of, who
from lib.tools.sandbox.refusal import Refusal
from lib.tools.sandbox.run_routes import read_fields, read_filters
from lib.tools.sandbox.store import DENIED, Record, select


def profile_only(request: web.Request) -> None:
    if who(request).kind != "profile":
        raise DENIED


def found_in(records: dict[str, Record], request: web.Request, name: str) -> Record:
    record = records.get(request.match_info["id"])
    if record is None:
        raise Refusal(404, f"{name} Not Found")
    return record


def page_of(records: dict[str, Record], request: web.Request) -> web.Response:
    page, amount = number_of(request, "page", 1), number_of(request, "amount", 20)
    listed = [{"active": True, "created_at": "", **record} for record in records.values()]
    return answered(select(listed, read_filters(request), "name,asc", page, amount, read_fields(request)))
