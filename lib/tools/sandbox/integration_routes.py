"""The marketplace in the sandbox: one connector and its network, by which a device is made. They are read only."""

from typing import Any

from aiohttp import web

from lib.tools.install.wanted import CONNECTOR, NETWORK
from lib.tools.sandbox.app import answered
from lib.tools.sandbox.listing import read_fields
from lib.tools.sandbox.records import allow, found_in, may_see, page_of
from lib.tools.sandbox.store import Record

routes = web.RouteTableDef()

_MADE = {"created_at": "2026-01-01T00:00:00.000Z", "updated_at": "2026-01-01T00:00:00.000Z"}
# The fields of C mcp fixtures.ts; the name is that of TagoIO's admin.
CONNECTORS: dict[str, Record] = {
    CONNECTOR: {"id": CONNECTOR, "name": "Custom HTTPS", "public": True, "networks": [NETWORK], **_MADE}
}
NETWORKS: dict[str, Record] = {NETWORK: {"id": NETWORK, "name": "Custom HTTPS", "public": True, **_MADE}}


KINDS = {"connector": CONNECTORS, "network": NETWORKS}


@routes.get("/integration/{kind:connector|network}")
async def list_integrations(request: web.Request) -> web.Response:
    kind = request.match_info["kind"]
    return page_of(may_see(request, _listed(request, KINDS[kind]), kind), request)


@routes.get("/integration/{kind:connector|network}/{id}")
async def integration_info(request: web.Request) -> web.Response:
    kind = request.match_info["kind"]
    return answered(_one(request, KINDS[kind], kind.capitalize()))


def _listed(request: web.Request, records: dict[str, Record]) -> list[Record]:
    """`filter[public]`, whatever its value, leaves the marketplace out (C mcp handlers.ts)."""
    return [] if "filter[public]" in request.query else list(records.values())


def _one(request: web.Request, records: dict[str, Record], name: str) -> dict[str, Any]:
    record = found_in(records, request, name)
    allow(request, "access", name.lower(), record)
    fields = read_fields(request, record)
    return {field: record[field] for field in fields if field in record}
