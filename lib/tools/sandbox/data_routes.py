"""The data of devices in the sandbox."""

from typing import Any

from aiohttp import web

from lib.tools.sandbox.actions import fire_on_data
from lib.tools.sandbox.app import BODY, answered, number_of, store_of, who
from lib.tools.sandbox.queries import (
    NUMBERS,
    SINGLE,
    add_up,
    check_mode,
    meeting,
    newest_of_each,
    selected,
    singled_out,
)
from lib.tools.sandbox.records import allow, found_in
from lib.tools.sandbox.refusal import Denied
from lib.tools.sandbox.runner import runner_of
from lib.tools.sandbox.storage import check_change, check_query, check_row, check_size
from lib.tools.sandbox.store import Record

routes = web.RouteTableDef()


def _device_of(request: web.Request, right: str) -> Record:
    """By a device's own token on /data; by an Analysis with that right (C mcp fixtures.ts), or a profile, which may do
    all but send (C mcp handlers.ts), on /device/:id/data."""
    if "id" not in request.match_info:
        if who(request).kind != "device":
            raise Denied
        return store_of(request).devices[who(request).id]
    device = found_in(store_of(request).devices, request, "Device")
    if right == "send_data" and who(request).kind != "analysis":
        raise Denied
    allow(request, right, "device", device)
    return device


@routes.post("/data")
@routes.post("/device/{id}/data")
async def send_data(request: web.Request) -> web.Response:
    device = _device_of(request, "send_data")
    check_size(len(await request.read()))
    rows = store_of(request).add_data(device["id"], request[BODY])
    await fire_on_data(runner_of(request), device, [_shown(row) for row in rows])
    return answered(f"{len(rows)} Data Added")


@routes.get("/data")
@routes.get("/device/{id}/data")
async def get_data(request: web.Request) -> web.Response:
    device, query = _device_of(request, "get_data"), request.query
    check_query(device, many(request, "ids"))
    mode, variables = query.get("query", ""), many(request, "variables")
    check_mode(mode, query.get("start_date", ""))
    found = _selected(device, request, query.get("ordination", "descending"))
    if mode in NUMBERS:
        return answered(add_up(mode, found))
    if mode in SINGLE:
        found = singled_out(mode, _selected(device, request, "descending"), variables)
    else:
        if mode == "conditional":
            found = meeting(query.get("function", ""), query.get("value", ""), found)
        skip, amount = number_of(request, "skip", 0), number_of(request, "qty", 15)
        per_variable = store_of(request).facts["skip_counts"] == "per_variable"
        found = newest_of_each(found, variables, amount, skip, skips_each=per_variable)
    with_details = query.get("details", "").lower() == "true"
    return answered(found if with_details else [_shown(row) for row in found])


@routes.put("/data")
@routes.put("/device/{id}/data")
async def edit_data(request: web.Request) -> web.Response:
    device = _device_of(request, "edit_data")
    check_change(device, "edit")
    given = request[BODY] if isinstance(request[BODY], list) else [request[BODY]]
    changes = {str(each.get("id")): each for each in given if isinstance(each, dict)}
    found = [row for row in store_of(request).rows_of(device["id"]) if row["id"] in changes]
    for row, changed in [(row, check_row({**row, **changes[row["id"]]})) for row in found]:
        row.update(changed)
    return answered(f"{len(found)} item(s) updated")


@routes.delete("/data")
@routes.delete("/device/{id}/data")
async def delete_data(request: web.Request) -> web.Response:
    """15 rows unless told otherwise, `ids` as many as are named (D api/delete-data); of each variable that is asked for
    (C snippets data-retention.ts)."""
    device, ids = _device_of(request, "delete_data"), many(request, "ids")
    check_change(device, "delete")
    found = _selected(device, request, request.query.get("ordination", "descending"))
    skip, amount = number_of(request, "skip", 0), number_of(request, "qty", len(ids) or 15)
    gone = {row["id"] for row in newest_of_each(found, many(request, "variables"), amount, skip, skips_each=True)}
    rows = store_of(request).rows_of(device["id"])
    store_of(request).data[device["id"]] = [row for row in rows if row["id"] not in gone]
    return answered(f"{len(gone)} Data Removed")


@routes.get("/device/{id}/data_amount")
async def data_amount(request: web.Request) -> web.Response:
    device = _device_of(request, "get_data")
    return answered(len(store_of(request).rows_of(device["id"])))


@routes.post("/device/{id}/empty")
async def empty_device(request: web.Request) -> web.Response:
    """All of it, of a device of any type (C sdk-js devices.types.ts, DeviceEmptyParams)."""
    device = _device_of(request, "delete_data")
    store_of(request).data[device["id"]] = []
    return answered("Data Successfully Removed")


def _selected(device: Record, request: web.Request, ordination: str) -> list[Record]:
    store = store_of(request)
    latest = store.now(-float(store.facts["rows_show_after"]))
    rows = [row for row in store.rows_of(device["id"]) if row["created_at"] <= latest]
    wanted = {name: many(request, name) for name in ("variables", "groups", "ids", "values")}
    if request.query.get("query") == "conditional":  # its `value` is what is compared with
        wanted["values"] = []
    dates = request.query.get("start_date", ""), request.query.get("end_date", "")
    return selected(rows, wanted, *dates, store.clock(), ordination)


def many(request: web.Request, name: str) -> list[str]:
    """`variables=a&variables=b`, `variables[0]=a`, or `variable=a`."""
    singular = name.removesuffix("s")
    return [value for key, value in request.query.items() if key.split("[")[0] in (name, singular)]


def _shown(row: Record) -> dict[str, Any]:
    """Without the "internal details" that `details` adds (C sdk-js device.types.ts)."""
    return {name: value for name, value in row.items() if name != "created_at"}
