"""Devices in the sandbox, and their data."""

from aiohttp import web

from lib.tools.sandbox.app import BODY, answered, body, number_of, store_of, who
from lib.tools.sandbox.records import found_in, page_of, profile_only
from lib.tools.sandbox.store import DENIED, Identity, Record, Refusal

routes = web.RouteTableDef()


def _device_of(request: web.Request, *, writing: bool) -> str:
    """By a device's own token on /data; by an Analysis (or, to read, a profile) on /device/:id/data (C mcp)."""
    identity = who(request)
    if "id" not in request.match_info:
        if identity.kind != "device":
            raise DENIED
        return identity.id
    device = found_in(store_of(request).devices, request, "Device")
    action = "send_data" if writing else "get_data"
    if (writing and identity.kind != "analysis") or not store_of(request).may(identity, action, "device", device):
        raise DENIED
    return str(device["id"])


@routes.post("/data")
@routes.post("/device/{id}/data")
async def send_data(request: web.Request) -> web.Response:
    count = store_of(request).add_data(_device_of(request, writing=True), request[BODY])
    return answered(f"{count} Data Added")


@routes.get("/data")
@routes.get("/device/{id}/data")
async def get_data(request: web.Request) -> web.Response:
    found = _selected(store_of(request).data[_device_of(request, writing=False)], request)
    query = request.query
    skip, amount = number_of(request, "skip", 0), number_of(request, "qty", 15)
    return answered(found[skip : skip + (1 if query.get("query", "").startswith("last") else amount)])


@routes.delete("/data")
async def delete_data(request: web.Request) -> web.Response:
    device = _device_of(request, writing=True)
    gone = {point["id"] for point in _selected(store_of(request).data[device], request)}
    store_of(request).data[device] = [point for point in store_of(request).data[device] if point["id"] not in gone]
    return answered(f"{len(gone)} Data Removed")


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
    del store_of(request).devices[found_in(store_of(request).devices, request, "Device")["id"]]
    return answered("Successfully Removed")
