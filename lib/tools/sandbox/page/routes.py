"""The sandbox's page: what its forms post to, and the server-sent events that keep it up to date."""

import asyncio
import contextlib
from pathlib import Path
from typing import Any

from aiohttp import web
from multidict import MultiDictProxy

from lib.tools.sandbox.app import CHANGES
from lib.tools.sandbox.page.desk import DESK, Desk
from lib.tools.sandbox.page.forms import BadInput, Outdated
from lib.tools.sandbox.page.guard import add_headers, only_with_the_key
from lib.tools.sandbox.page.rendering import linked, rendered

HERE = Path(__file__).parent
PAUSE = 0.15  # seconds between two pieces of news
ALIVE = 15.0  # seconds after which a silent stream says that it lives

routes = web.RouteTableDef()


def add_page(app: web.Application, desk: Desk) -> None:
    """Put the page at / and /page/ of the sandbox."""
    app[DESK] = desk
    app.middlewares.extend([only_with_the_key, say_what_is_wrong])
    app.router.add_routes(routes)
    app.router.add_static("/page/static", HERE / "static")
    app.on_response_prepare.append(add_headers)


@routes.get("/")
async def page(request: web.Request) -> web.Response:
    return rendered(request)


@routes.get("/page/admin/{kind}")
@routes.get("/page/admin/{kind}/{id}")
async def admin(request: web.Request) -> web.Response:
    """Where what ran here finds the pages of TagoIO's admin: the Analysis is the one that is chosen to run."""
    chosen = request.match_info.get("id", "") if request.match_info["kind"] == "analysis" else ""
    return web.Response(status=303, headers={"location": linked(request, tab="run", analysis=chosen)})


@routes.get("/page/changes")
async def changes(request: web.Request) -> web.StreamResponse:
    """The version of what the page shows, each time it has grown."""
    stream = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await stream.prepare(request)
    news, version = request.app[CHANGES], -1
    with contextlib.suppress(ConnectionError):  # the browser has gone
        while True:
            try:
                version = await asyncio.wait_for(news.after(version), ALIVE)
            except TimeoutError:
                await stream.write(b": alive\n\n")
                continue
            await stream.write(f"data: {version}\n\n".encode())
            await asyncio.sleep(PAUSE)
    return stream


@routes.post("/page/run")
async def run(request: web.Request) -> web.Response:
    return _done(request, await request.app[DESK].run(await request.post(), _chosen(request)))


@routes.post("/page/preset")
async def preset(request: web.Request) -> web.Response:
    return _done(request, request.app[DESK].switches.set_preset(await request.post()))


@routes.post("/page/compare")
async def compare(request: web.Request) -> web.Response:
    return _done(request, await request.app[DESK].compare(await request.post()))


@routes.post("/page/start-over")
async def start_over(request: web.Request) -> web.Response:
    return _done(request, await request.app[DESK].start_over(await request.post()))


@routes.post("/page/schedule")
async def schedule(request: web.Request) -> web.Response:
    return _done(request, await request.app[DESK].set_schedule(await request.post(), _chosen(request)))


@routes.post("/page/stop")
async def stop(request: web.Request) -> web.Response:
    return _done(request, request.app[DESK].stop(await request.post()))


@routes.post("/page/variables")
async def variables(request: web.Request) -> web.Response:
    form, desk = await request.post(), request.app[DESK]
    names, values = _all(form, "name"), _all(form, "value")
    try:
        return _done(request, desk.set_variables(names, values, form))
    except BadInput as error:
        typed = [{"key": name, "value": value} for name, value in zip(names, values, strict=False) if name or value]
        return _refused(request, error, typed)


@routes.post("/page/trouble")
async def trouble(request: web.Request) -> web.Response:
    form = await request.post()
    return _done(request, request.app[DESK].switches.set_each(form, _all(form, "fault")))


@routes.post("/page/facts")
async def facts(request: web.Request) -> web.Response:
    return _done(request, request.app[DESK].switches.set_facts(await request.post()))


@routes.post("/page/clock")
async def move_clock(request: web.Request) -> web.Response:
    return _done(request, request.app[DESK].move_clock(await request.post()))


@routes.post("/page/read")
async def read(request: web.Request) -> web.Response:
    return _done(request, request.app[DESK].read(await request.post()))


@routes.post("/page/press")
async def press(request: web.Request) -> web.Response:
    return _done(request, await request.app[DESK].press(await request.post()))


@web.middleware
async def say_what_is_wrong(request: web.Request, handler: Any) -> web.StreamResponse:
    try:
        answer: web.StreamResponse = await handler(request)
    except BadInput as error:
        return _refused(request, error)
    except (LookupError, UnicodeError):  # a form in a charset that nobody knows, or not in the one it names
        return _refused(request, BadInput("The form cannot be read"))
    except web.HTTPRequestEntityTooLarge:
        return _refused(request, BadInput("That is more than the sandbox takes"))
    return answer


def _chosen(request: web.Request) -> str:
    """The Analysis that the page shows."""
    return str(request.query.get("analysis", ""))


def _all(form: MultiDictProxy[Any], name: str) -> list[str]:
    return [str(value) for value in form.getall(name, [])]


def _done(request: web.Request, said: str) -> web.Response:
    """Back to the page, so that loading it again sends nothing twice; a script loads what it shows itself."""
    request.app[DESK].said = said
    request.app[CHANGES].tell()
    if request.headers.get("x-page") == "script":
        return web.Response(text=said)
    return web.Response(status=303, headers={"location": linked(request)})


def _refused(request: web.Request, error: BadInput, typed: list[dict[str, str]] | None = None) -> web.Response:
    """The sentence alone for a script, which keeps what was typed; else the page with it. What was said last was
    before."""
    request.app[DESK].said = ""
    request.app[CHANGES].tell()
    if request.headers.get("x-page") == "script":
        runs = request.app[DESK].sandbox.runner.runs
        headers = {"x-run": str(runs[-1].number) if runs else ""}
        if isinstance(error, Outdated):
            headers["x-version"] = error.version
        return web.Response(status=400, text=str(error), headers=headers)
    return rendered(request, wrong=str(error), status=400, variables=typed)
