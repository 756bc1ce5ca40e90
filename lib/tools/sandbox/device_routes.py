"""Devices in the sandbox: their records, tokens and configuration parameters."""

from aiohttp import web

from lib.tools.sandbox.app import BODY, answered, body, number_of, store_of
from lib.tools.sandbox.listing import read_fields
from lib.tools.sandbox.records import allow, found_in, may_see, page_of
from lib.tools.sandbox.refusal import Refusal
from lib.tools.sandbox.storage import check_device
from lib.tools.sandbox.store import Identity, Record, new_id

routes = web.RouteTableDef()

FIXED = ("id", "type", "chunk_period", "profile", "created_at")  # by an edit; D api/edit-device


def _device(request: web.Request, action: str) -> Record:
    device = found_in(store_of(request).devices, request, "Device")
    allow(request, action, "device", device)
    return device


def shown(device: Record) -> Record:
    """With its bucket, which is the device itself (C sdk-js devices.types.ts)."""
    return {**device, "bucket": {"id": device["id"], "name": device["name"]}}


@routes.get("/device")
async def list_devices(request: web.Request) -> web.Response:
    """A list has the bucket's id alone, and name and tags whatever is asked for (C sdk-js devices.types.ts; the CLI's
    device-list.ts relies on it)."""
    devices = may_see(request, store_of(request).devices.values(), "device")
    listed = ({**device, "bucket": device["id"]} for device in devices)
    always = ("id", "name", "tags")
    return page_of(listed, request, "connector", "network", always=always)  # D api/list-of-devices


@routes.post("/device")
async def create_device(request: web.Request) -> web.Response:
    allow(request, "create", "device")
    check_device(body(request))
    store_of(request).check_room("Device", store_of(request).devices)
    device, token = store_of(request).add_device(body(request))
    return answered({"device_id": device["id"], "bucket_id": device["id"], "token": token})


@routes.get("/device/{id}")
async def device_info(request: web.Request) -> web.Response:
    return answered(shown(_device(request, "access")))


@routes.put("/device/{id}")
async def edit_device(request: web.Request) -> web.Response:
    device = _device(request, "edit")
    changes = {name: value for name, value in body(request).items() if name not in FIXED}
    device.update(changes, updated_at=store_of(request).now())
    return answered("Successfully Updated")


@routes.delete("/device/{id}")
async def delete_device(request: web.Request) -> web.Response:
    store_of(request).remove_device(_device(request, "delete")["id"])
    return answered("Successfully Removed")


# ---- tokens


@routes.get("/device/token/{id}")
async def list_tokens(request: web.Request) -> web.Response:
    device, store = _device(request, "token_access"), store_of(request)
    tokens = [
        {"name": "Default", "permission": "full", "serie_number": None, "expire_time": "never",
         "created_at": device["created_at"], "token": text}
        for text, whose in store.tokens.items() if whose.kind == "device" and whose.id == device["id"]
    ]  # fmt: skip
    fields = read_fields(request, ("name", "token", "permission"))
    start = (number_of(request, "page", 1) - 1) * number_of(request, "amount", 20)
    page = tokens[start : start + number_of(request, "amount", 20)]
    return answered([{name: token[name] for name in fields if name in token} for token in page])


@routes.post("/device/token")
async def create_token(request: web.Request) -> web.Response:
    device = store_of(request).devices.get(str(body(request).get("device")))
    allow(request, "token_access", "device", device)
    if device is None:
        raise Refusal(404, "Device Not Found")
    token = store_of(request).token_for(Identity("device", device["id"]))
    return answered({"token": token, "expire_date": "never", "permission": "full"})


@routes.delete("/device/token/{token}")
async def delete_token(request: web.Request) -> web.Response:
    store, token = store_of(request), request.match_info["token"]
    whose = store.tokens.get(token)
    if whose is None or whose.kind != "device":
        raise Refusal(404, "Token Not Found")
    allow(request, "token_access", "device", store.devices[whose.id])
    del store.tokens[token]
    return answered("Token Successfully Removed")


# ---- configuration parameters


@routes.get("/device/{id}/params")
async def list_parameters(request: web.Request) -> web.Response:
    listed = store_of(request).parameters.get(_device(request, "access")["id"], [])
    sent = request.query.get("sent_status", "").lower()
    return answered([each for each in listed if not sent or str(each["sent"]).lower() == sent])


@routes.post("/device/{id}/params")
async def set_parameters(request: web.Request) -> web.Response:
    """One or a list; those with an id are edited, the others are new (C sdk-js Devices.paramSet)."""
    kept = store_of(request).parameters.setdefault(_device(request, "edit")["id"], [])
    given = request[BODY] if isinstance(request[BODY], list) else [request[BODY]]
    for each in given:
        if not isinstance(each, dict):
            raise Refusal(400, "Expected object")
        found = next((other for other in kept if each.get("id") and other["id"] == each["id"]), None)
        if found is None and not each.get("key"):
            raise Refusal(400, "key: Required")
        if found is None:
            kept.append({"value": "", "sent": False, **each, "id": new_id()})
        else:
            found.update(each)
    return answered("Params Successfully Updated")


@routes.delete("/device/{id}/params/{param}")
async def delete_parameter(request: web.Request) -> web.Response:
    kept = store_of(request).parameters.get(_device(request, "edit")["id"], [])
    found = next((each for each in kept if each["id"] == request.match_info["param"]), None)
    if found is None:
        raise Refusal(404, "Param Not Found")
    kept.remove(found)
    return answered("Successfully Removed")
