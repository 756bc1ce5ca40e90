"""Analyses in the sandbox: their records, their services and console, the stream of their triggers."""

import asyncio
import contextlib
from collections.abc import Callable

from aiohttp import web

from lib.tools.sandbox.app import answered, body, store_of, who
from lib.tools.sandbox.records import found_in, page_of, profile_only
from lib.tools.sandbox.refusal import Refusal
from lib.tools.sandbox.runner import runner_of
from lib.tools.sandbox.store import DENIED, Identity, Record, new_id

routes = web.RouteTableDef()


@routes.get("/analysis")
async def list_analyses(request: web.Request) -> web.Response:
    profile_only(request)
    return page_of(store_of(request).analyses, request)


@routes.post("/analysis")
async def create_analysis(request: web.Request) -> web.Response:
    profile_only(request)
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
    profile_only(request)
    return found_in(store_of(request).analyses, request, "Analysis")


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
    profile_only(request)
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
