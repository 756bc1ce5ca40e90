"""Analyses in the sandbox: their records, their scripts, the stream of their triggers and console."""

import asyncio
import contextlib
import secrets
from collections.abc import Callable

from aiohttp import web

from lib.tools.sandbox.analysis_form import check_analysis, check_runtime, script_in
from lib.tools.sandbox.app import answered, body, store_of
from lib.tools.sandbox.records import allow, may_see, page_of
from lib.tools.sandbox.refusal import Refusal
from lib.tools.sandbox.runner import runner_of
from lib.tools.sandbox.store import Identity, Record

routes = web.RouteTableDef()

CONSOLE_LINES = 200  # of an Analysis' info; how many TagoIO keeps is unknown


@routes.get("/analysis")
async def list_analyses(request: web.Request) -> web.Response:
    analyses = may_see(request, store_of(request).analyses.values(), "analysis")
    return page_of(({key: value for key, value in each.items() if key != "token"} for each in analyses), request)


@routes.post("/analysis")
async def create_analysis(request: web.Request) -> web.Response:
    allow(request, "create", "analysis")
    if not body(request).get("name"):
        raise Refusal(400, "name: Required")
    check_analysis(body(request))
    store_of(request).check_room("Analysis", store_of(request).analyses)
    analysis = store_of(request).add_analysis(body(request))
    external = analysis["run_on"] == "external"
    return answered({"id": analysis["id"], "token": _token(request, analysis) if external else ""})


def _token(request: web.Request, analysis: Record) -> str:
    if not analysis.get("token"):
        analysis["token"] = store_of(request).token_for(Identity("analysis", analysis["id"]))
    return str(analysis["token"])


def _analysis(request: web.Request, action: str = "access") -> Record:
    """Raises Refusal; TagoIO's words for one that is not there are those of C mcp read-analysis-console.ts."""
    analysis = store_of(request).analyses.get(request.match_info["id"])
    if analysis is None:
        raise Refusal(400, "Analysis can't be found")
    allow(request, action, "analysis", analysis)
    return analysis


@routes.get("/analysis/{id}")
async def analysis_info(request: web.Request) -> web.Response:
    """With its console, the last lines of it (C sdk-js analysis.types.ts, mcp read-analysis-console.ts)."""
    analysis = _analysis(request)
    return answered({**analysis, "console": runner_of(request).console_of(analysis["id"])[-CONSOLE_LINES:]})


@routes.put("/analysis/{id}")
async def edit_analysis(request: web.Request) -> web.Response:
    """PUT cannot change the runtime: that is the last upload's language (C cli). Changing run_on resets the token
    (D creating-analysis.md)."""
    analysis, store = _analysis(request, "edit"), store_of(request)
    check_analysis(body(request))
    changes = {key: value for key, value in body(request).items() if key not in ("id", "runtime", "token")}
    if changes.get("run_on", analysis["run_on"]) != analysis["run_on"]:
        store.tokens.pop(str(analysis.pop("token", "")), None)
    analysis.update(changes, updated_at=store.now())
    if analysis["run_on"] == "external":
        _token(request, analysis)
    return answered("Successfully Updated")


@routes.delete("/analysis/{id}")
async def delete_analysis(request: web.Request) -> web.Response:
    """With its script (C mcp delete-analysis.ts), and its tokens."""
    analysis, store = _analysis(request, "delete"), store_of(request)
    del store.analyses[analysis["id"]]
    store.scripts.pop(analysis["id"], None)
    store.forget_tokens(analysis["id"])
    return answered("Successfully Removed")


@routes.get("/analysis/{id}/token")
async def analysis_token(request: web.Request) -> web.Response:
    analysis = _analysis(request)
    if analysis["run_on"] != "external":
        raise Refusal(400, "Analysis is not external")
    return answered({"analysis_token": _token(request, analysis)})


@routes.post("/analysis/{id}/upload")
async def upload(request: web.Request) -> web.Response:
    analysis, given = _analysis(request, "upload_analysis_script"), body(request)
    check_runtime(given, "language")
    language = str(given.get("language") or "")
    runner_of(request).keep_upload(analysis["id"], script_in(given), str(given.get("file_name", "")))
    analysis["runtime"] = {"python": "python-rt2025"}.get(language, language) or analysis["runtime"]
    return answered("Analysis Script Successfully Uploaded")


@routes.get("/analysis/{id}/download")
async def download(request: web.Request) -> web.Response:
    """An address at which the script can be had for a while, without a token (C sdk-js Analyses.downloadScript)."""
    analysis, runner = _analysis(request, "download_analysis_script"), runner_of(request)
    script = runner.store.scripts.get(analysis["id"])
    if script is None:
        raise Refusal(404, "Script Not Found")
    key = secrets.token_hex(16)
    runner.store.downloads[key] = script
    shown = {"url": f"{runner.api}/scripts/{key}", "size": round(script.stat().st_size / 1024, 2), "size_unit": "KB"}
    return answered({**shown, "expire_at": runner.store.now(3600)})


@routes.get("/scripts/{key}")
async def script_file(request: web.Request) -> web.Response:
    script = store_of(request).downloads.get(request.match_info["key"])
    if script is None:
        raise Refusal(404, "Script Not Found")
    return web.Response(body=script.read_bytes(), content_type="application/octet-stream")


@routes.post("/analysis/{id}/run")
async def run_analysis(request: web.Request) -> web.Response:
    token = await runner_of(request).start(_analysis(request, "run_analysis"), {}, body(request).get("scope"))
    return answered({"analysis_token": token})


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
