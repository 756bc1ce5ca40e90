"""Devices in the sandbox, and their data."""

from aiohttp import web

from lib.tools.sandbox.app import BODY, answered, body, number_of, store_of, who
from lib.tools.sandbox.records import found_in, page_of, profile_only
from lib.tools.sandbox.refusal import Refusal
from lib.tools.sandbox.storage import check_change, check_device, check_query, check_row, check_size
from lib.tools.sandbox.store import DENIED, Identity, Record

routes = web.RouteTableDef()


def _device_of(request: web.Request, right: str) -> Record:
    """By a device's own token on /data; by an Analysis with that right (C mcp fixtures.ts), or a profile, which may do
    all but send (C mcp handlers.ts), on /device/:id/data."""
    identity = who(request)
    if "id" not in request.match_info:
        if identity.kind != "device":
            raise DENIED
        return store_of(request).devices[identity.id]
    device = found_in(store_of(request).devices, request, "Device")
    may_at_all = right != "send_data" or identity.kind == "analysis"
    if not may_at_all or not store_of(request).may(identity, right, "device", device):
        raise DENIED
    return device


@routes.post("/data")
@routes.post("/device/{id}/data")
async def send_data(request: web.Request) -> web.Response:
    device = _device_of(request, "send_data")
    check_size(len(await request.read()))
    count = store_of(request).add_data(device["id"], request[BODY])
    return answered(f"{count} Data Added")


@routes.get("/data")
@routes.get("/device/{id}/data")
async def get_data(request: web.Request) -> web.Response:
    device = _device_of(request, "get_data")
    check_query(device, _many(request, "ids"))
    found = _selected(store_of(request).rows_of(device["id"]), request)
    query = request.query
    skip, amount = number_of(request, "skip", 0), number_of(request, "qty", 15)
    return answered(found[skip : skip + (1 if query.get("query", "").startswith("last") else amount)])


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
    device = _device_of(request, "delete_data")
    check_change(device, "delete")
    rows = store_of(request).rows_of(device["id"])
    gone = {row["id"] for row in _selected(rows, request)}
    store_of(request).data[device["id"]] = [row for row in rows if row["id"] not in gone]
    return answered(f"{len(gone)} Data Removed")


@routes.post("/device/{id}/empty")
async def empty_device(request: web.Request) -> web.Response:
    """All of it, of a device of any type (C sdk-js devices.types.ts, DeviceEmptyParams)."""
    device = _device_of(request, "delete_data")
    store_of(request).data[device["id"]] = []
    return answered("Data Successfully Removed")


def _selected(points: list[Record], request: web.Request) -> list[Record]:
    """Newest first, by variables, groups and dates."""
    wanted = {name: _many(request, name) for name in ("variables", "groups", "ids")}
    field_of = {"variables": "variable", "groups": "group", "ids": "id"}
    start, end = request.query.get("start_date", ""), request.query.get("end_date", "9999")
    found = [
        point
        for point in points
        if all(not values or point.get(field_of[name]) in values for name, values in wanted.items())
        and start <= str(point["time"]) <= end
    ]
    newest_first = request.query.get("ordination", "descending") != "ascending"
    return sorted(found, key=lambda point: str(point["time"]), reverse=newest_first)


def _many(request: web.Request, name: str) -> list[str]:
    """`variables=a&variables=b`, `variables[0]=a`, or `variable=a`."""
    singular = name.removesuffix("s")
    return [value for key, value in request.query.items() if key.split("[")[0] in (name, singular)]


@routes.get("/device/{id}")
async def device_info(request: web.Request) -> web.Response:
    device = found_in(store_of(request).devices, request, "Device")
    if not store_of(request).may(who(request), "access", "device", device):
        raise DENIED
    return answered(device)


@routes.get("/device")
async def list_devices(request: web.Request) -> web.Response:
    profile_only(request)
    return page_of(store_of(request).devices, request)


@routes.post("/device")
async def create_device(request: web.Request) -> web.Response:
    profile_only(request)
    check_device(body(request))
    device, token = store_of(request).add_device(body(request))
    return answered({"device_id": device["id"], "bucket_id": device["id"], "token": token})


@routes.get("/device/token/{id}")
async def list_device_tokens(request: web.Request) -> web.Response:
    profile_only(request)
    device = found_in(store_of(request).devices, request, "Device")
    tokens = store_of(request).tokens.items()
    return answered([{"name": "Token", "token": text} for text, whose in tokens if whose.id == device["id"]])


@routes.post("/device/token")
async def create_device_token(request: web.Request) -> web.Response:
    profile_only(request)
    device = store_of(request).devices.get(str(body(request).get("device")))
    if device is None:
        raise Refusal(404, "Device Not Found")
    token = store_of(request).token_for(Identity("device", device["id"]))
    return answered({"token": token, "expire_date": "never", "permission": "full"})


@routes.delete("/device/{id}")
async def delete_device(request: web.Request) -> web.Response:
    profile_only(request)
    store_of(request).remove_device(found_in(store_of(request).devices, request, "Device")["id"])
    return answered("Successfully Removed")
