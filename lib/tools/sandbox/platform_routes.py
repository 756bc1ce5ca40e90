"""The rest of TagoIO that both SDKs use here: Analyses, their services and stream, devices, Actions, policies."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from aiohttp import web

from lib.tools.sandbox.app import BODY, answered, body, number_of, store_of, who
from lib.tools.sandbox.run_routes import read_fields, read_filters
from lib.tools.sandbox.runner import runner_of
from lib.tools.sandbox.store import DENIED, Identity, Record, Refusal, new_id, select

routes = web.RouteTableDef()


def _profile_only(request: web.Request) -> None:
    if who(request).kind != "profile":
        raise DENIED


def _found(records: dict[str, Record], request: web.Request, name: str) -> Record:
    record = records.get(request.match_info["id"])
    if record is None:
        raise Refusal(404, f"{name} Not Found")
    return record


def _listed(records: dict[str, Record], request: web.Request) -> web.Response:
    page, amount = number_of(request, "page", 1), number_of(request, "amount", 20)
    listed = [{"active": True, "created_at": "", **record} for record in records.values()]
    return answered(select(listed, read_filters(request), "name,asc", page, amount, read_fields(request)))


@routes.get("/info")
async def info(request: web.Request) -> web.Response:
    """The Analysis or the device that a token belongs to."""
    store, identity = store_of(request), who(request)
    if identity.kind == "analysis":
        return answered({key: value for key, value in store.analyses[identity.id].items() if key != "token"})
    if identity.kind == "device":
        return answered(store.devices[identity.id])
    raise DENIED


@routes.get("/profile/{id}")
async def profile(request: web.Request) -> web.Response:
    if not store_of(request).may(who(request), "access", "profile"):
        raise DENIED
    info = {"id": store_of(request).profile_id, "account": new_id(), "name": "Sandbox", "timezone": "UTC"}
    return answered({"info": info, "allocation": {}, "addons": {}, "account_plan": "starter"})


@routes.get("/profile/{id}/summary")
async def summary(request: web.Request) -> web.Response:
    store = store_of(request)
    if not store.may(who(request), "access", "profile"):
        raise DENIED
    return answered(
        {"limit": store.limits, "limit_used": store.used, "amount": {"run_users": len(store.users)}, "addons": {}}
    )


# ---- devices and their data


def _device_of(request: web.Request, *, writing: bool) -> str:
    """By a device's own token on /data; by an Analysis (or, to read, a profile) on /device/:id/data (C mcp)."""
    identity = who(request)
    if "id" not in request.match_info:
        if identity.kind != "device":
            raise DENIED
        return identity.id
    device = _found(store_of(request).devices, request, "Device")
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
    device = _found(store_of(request).devices, request, "Device")
    if not store_of(request).may(who(request), "access", "device", device):
        raise DENIED
    return answered(device)


@routes.get("/device")
async def list_devices(request: web.Request) -> web.Response:
    _profile_only(request)
    return _listed(store_of(request).devices, request)


@routes.post("/device")
async def create_device(request: web.Request) -> web.Response:
    _profile_only(request)
    device, token = store_of(request).add_device(body(request))
    return answered({"device_id": device["id"], "bucket_id": device["id"], "token": token})


@routes.get("/device/token/{id}")
async def list_device_tokens(request: web.Request) -> web.Response:
    _profile_only(request)
    device = _found(store_of(request).devices, request, "Device")
    tokens = store_of(request).tokens.items()
    return answered([{"name": "Token", "token": text} for text, whose in tokens if whose.id == device["id"]])


@routes.post("/device/token")
async def create_device_token(request: web.Request) -> web.Response:
    _profile_only(request)
    device = store_of(request).devices.get(str(body(request).get("device")))
    if device is None:
        raise Refusal(404, "Device Not Found")
    token = store_of(request).token_for(Identity("device", device["id"]))
    return answered({"token": token, "expire_date": "never", "permission": "full"})


@routes.delete("/device/{id}")
async def delete_device(request: web.Request) -> web.Response:
    _profile_only(request)
    del store_of(request).devices[_found(store_of(request).devices, request, "Device")["id"]]
    return answered("Successfully Removed")


# ---- Analyses


@routes.get("/analysis")
async def list_analyses(request: web.Request) -> web.Response:
    _profile_only(request)
    return _listed(store_of(request).analyses, request)


@routes.post("/analysis")
async def create_analysis(request: web.Request) -> web.Response:
    _profile_only(request)
    if not body(request).get("name"):
        raise Refusal(400, "name: Required")
    store_of(request).check_room("Analysis", store_of(request).analyses)
    analysis = store_of(request).add_analysis(body(request))
    external = analysis["run_on"] == "external"
    return answered({"id": analysis["id"], "token": _token(request, analysis) if external else ""})


def _token(request: web.Request, analysis: Record) -> str:
    if not analysis.get("token"):
        analysis["token"] = store_of(request).token_for(Identity("analysis", analysis["id"]))
    return str(analysis["token"])


def _analysis(request: web.Request) -> Record:
    _profile_only(request)
    return _found(store_of(request).analyses, request, "Analysis")


@routes.get("/analysis/{id}")
async def analysis_info(request: web.Request) -> web.Response:
    return answered(_analysis(request))


@routes.put("/analysis/{id}")
async def edit_analysis(request: web.Request) -> web.Response:
    """PUT cannot change the runtime: that is the last upload's language (C cli)."""
    analysis = _analysis(request)
    listed = body(request).get("variables", [])
    if not isinstance(listed, list) or not all(isinstance(each, dict) and each.get("key") for each in listed):
        raise Refusal(400, "variables: Expected array of key and value")
    analysis.update({key: value for key, value in body(request).items() if key not in ("id", "runtime", "token")})
    return answered("Successfully Updated")


@routes.delete("/analysis/{id}")
async def delete_analysis(request: web.Request) -> web.Response:
    del store_of(request).analyses[_analysis(request)["id"]]
    return answered("Successfully Removed")


@routes.get("/analysis/{id}/token")
async def analysis_token(request: web.Request) -> web.Response:
    analysis = _analysis(request)
    if analysis["run_on"] != "external":
        raise Refusal(400, "Analysis is not external")
    return answered({"analysis_token": _token(request, analysis)})


@routes.post("/analysis/{id}/upload")
async def upload(request: web.Request) -> web.Response:
    analysis, given = _analysis(request), body(request)
    runner_of(request).keep_upload(analysis["id"], str(given.get("file", "")), str(given.get("file_name", "")))
    analysis["runtime"] = {"python": "python-rt2025"}.get(given.get("language", ""), given.get("language"))
    return answered("Analysis Script Successfully Uploaded")


@routes.post("/analysis/{id}/run")
async def run_analysis(request: web.Request) -> web.Response:
    token = await runner_of(request).start(_analysis(request), {}, body(request).get("scope"))
    return answered({"analysis_token": token})


# ---- what an Analysis calls


@routes.post("/analysis/services/{service}/send")
async def service(request: web.Request) -> web.Response:
    identity, given = who(request), body(request)
    name = request.match_info["service"]
    if identity.kind != "analysis":
        raise DENIED
    if name == "console":
        token = request.headers.get("token", "")
        runner_of(request).print_line(identity.id, str(given.get("message", "")), token=token)
    elif name == "notification":
        store_of(request).admin_notifications.append(
            {"id": new_id(), **given, "read": False, "created_at": store_of(request).now()}
        )
    elif name in ("email", "sms"):
        raise Refusal(400, "This service has ended")  # D e-mail-service.md, sms-service.md
    return answered("Successfully Sent")


@routes.get("/notification")
async def admin_notifications(request: web.Request) -> web.Response:
    _profile_only(request)
    return answered(store_of(request).admin_notifications)


@routes.get("/events")
async def events(request: web.Request) -> web.StreamResponse:
    """Server-sent events, chunked, one event a chunk: the Python SDK withholds an event that is not."""
    identity = store_of(request).tokens.get(request.query.get("token", ""))
    channel = request.query.get("channel") or request.query.get("channels") or ""
    if identity is None:
        raise Refusal(401, "Invalid token")
    if channel == "analysis_trigger":
        channel = f"analysis_trigger.{identity.id}"
    stream = web.StreamResponse(headers={"content-type": "text/event-stream", "cache-control": "no-store"})
    stream.enable_chunked_encoding()
    await stream.prepare(request)
    await stream.write(b": connected\n\n")
    queue: asyncio.Queue[str] = asyncio.Queue()
    runner_of(request).listeners[channel].add(queue)
    try:
        with contextlib.suppress(ConnectionError):  # the listener has gone
            await _pass_on(queue, stream, lambda: request.transport is None or request.transport.is_closing())
    finally:
        runner_of(request).listeners[channel].discard(queue)
    return stream


async def _pass_on(queue: asyncio.Queue[str], stream: web.StreamResponse, is_gone: Callable[[], bool]) -> None:
    quiet = 0
    while not is_gone():
        try:
            event = await asyncio.wait_for(queue.get(), timeout=1)
        except TimeoutError:
            quiet += 1
            if quiet % 5 == 0:
                await stream.write(b": keep-alive\n\n")
            continue
        if event == "":
            return
        await stream.write(f"data: {event}\n\n".encode())


# ---- Actions and Access Management


@routes.get("/action")
async def list_actions(request: web.Request) -> web.Response:
    _profile_only(request)
    return _listed(store_of(request).actions, request)


@routes.post("/action")
async def create_action(request: web.Request) -> web.Response:
    store_of(request).check_room("Action", store_of(request).actions)
    return answered({"action": _create(request, store_of(request).actions)})


@routes.get("/am")
async def list_policies(request: web.Request) -> web.Response:
    _profile_only(request)
    if {"permissions", "targets"} & set(read_fields(request)):
        raise Refusal(500, "Sorry, Internal Error")  # C cli
    return _listed(store_of(request).policies, request)


@routes.post("/am")
async def create_policy(request: web.Request) -> web.Response:
    for name in ("targets", "permissions"):
        if name not in body(request):
            raise Refusal(400, "Required")
        if not body(request)[name]:
            raise Refusal(400, "Array must contain at least 1 element(s)")
    store_of(request).check_room("Access management", store_of(request).policies)
    return answered({"am_id": _create(request, store_of(request).policies)})


def _create(request: web.Request, records: dict[str, Record]) -> str:
    _profile_only(request)
    record: dict[str, Any] = {
        "id": new_id(),
        "active": True,
        "tags": [],
        "created_at": store_of(request).now(),
        **body(request),
    }
    records[record["id"]] = record
    return str(record["id"])


def _member(path: str, name: str, updated: str, records_of: str) -> None:
    """GET, PUT and DELETE of one record."""

    async def read(request: web.Request) -> web.Response:
        _profile_only(request)
        return answered(_found(getattr(store_of(request), records_of), request, name))

    async def edit(request: web.Request) -> web.Response:
        _profile_only(request)
        _found(getattr(store_of(request), records_of), request, name).update(body(request))
        return answered(updated)

    async def remove(request: web.Request) -> web.Response:
        _profile_only(request)
        records = getattr(store_of(request), records_of)
        del records[_found(records, request, name)["id"]]
        return answered("Successfully Removed")

    routes.get(path)(read)
    routes.put(path)(edit)
    routes.delete(path)(remove)


_member("/action/{id}", "Action", "Action Successfully Updated", "actions")
_member("/am/{id}", "Access Management", "Access Management Successfully Updated", "policies")
