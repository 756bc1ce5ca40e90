"""The sandbox's page: rendered here on the server, kept up to date by server-sent events."""

import asyncio
import contextlib
import secrets
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from multidict import MultiDictProxy

from lib.tools.sandbox.app import CHANGES
from lib.tools.sandbox.page import view
from lib.tools.sandbox.page.desk import DESK, MAX_VARIABLES, BadInput, Desk
from lib.tools.sandbox.page.figures import HEIGHT, WIDTH, course, now_at, plotted
from lib.tools.sandbox.page.guard import add_headers
from lib.tools.sandbox.trouble import KINDS, PLANS

HERE = Path(__file__).parent
RUNS_SHOWN = 12
USERS_SHOWN = 300
SPARE_ROWS = 3  # empty rows of the variables
INSTANCE = secrets.token_hex(4)  # another after a restart
PAUSE = 0.15  # seconds between two pieces of news
ALIVE = 15.0  # seconds after which a silent stream says that it lives

routes = web.RouteTableDef()
templates = Environment(
    loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
    lstrip_blocks=True,
)  # fmt: skip


def add_page(app: web.Application, desk: Desk) -> None:
    """Put the page at / and /page/ of the sandbox."""
    app[DESK] = desk
    app.middlewares.append(say_what_is_wrong)
    app.router.add_routes(routes)
    app.router.add_static("/page/static", HERE / "static")
    app.on_response_prepare.append(add_headers)


@routes.get("/")
async def page(request: web.Request) -> web.Response:
    return _rendered(request)


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
    return _done(request, await request.app[DESK].run(await request.post()))


@routes.post("/page/schedule")
async def schedule(request: web.Request) -> web.Response:
    return _done(request, await request.app[DESK].set_schedule(await request.post()))


@routes.post("/page/stop")
async def stop(request: web.Request) -> web.Response:
    return _done(request, request.app[DESK].stop(await request.post()))


@routes.post("/page/variables")
async def variables(request: web.Request) -> web.Response:
    form, desk = await request.post(), request.app[DESK]
    names, values = _all(form, "name"), _all(form, "value")
    try:
        return _done(request, desk.set_variables(names, values, str(form.get("version", ""))))
    except BadInput as error:
        typed = [{"key": name, "value": value} for name, value in zip(names, values, strict=False) if name or value]
        return _refused(request, error, typed)


@routes.post("/page/trouble")
async def trouble(request: web.Request) -> web.Response:
    form = await request.post()
    return _done(request, request.app[DESK].set_trouble(form, _all(form, "fault")))


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


def _all(form: MultiDictProxy[Any], name: str) -> list[str]:
    return [str(value) for value in form.getall(name, [])]


def _done(request: web.Request, said: str) -> web.Response:
    """Back to the page, so that loading it again sends nothing twice; a script loads what it shows itself."""
    request.app[DESK].said = said
    request.app[CHANGES].tell()
    if request.headers.get("x-page") == "script":
        return web.Response(status=204)
    user = request.query.get("user", "")
    return web.Response(status=303, headers={"location": f"/?{urlencode({'user': user})}" if user else "/"})


def _refused(request: web.Request, error: BadInput, typed: list[dict[str, str]] | None = None) -> web.Response:
    """The sentence alone for a script, which keeps what was typed; else the page with it."""
    if request.headers.get("x-page") == "script":
        return web.Response(status=400, text=str(error))
    return _rendered(request, wrong=str(error), status=400, variables=typed)


def _rendered(
    request: web.Request, *, wrong: str = "", status: int = 200, variables: list[dict[str, str]] | None = None
) -> web.Response:
    desk = request.app[DESK]
    runs = list(desk.sandbox.runner.runs)
    people = view.users(desk.store, runs)
    wanted = request.query.get("user", "")
    shown = next((user for user in people if user.id == wanted), people[0] if people else None)
    number = request.query.get("run", "")
    run = next((run for run in runs if str(run.number) == number), runs[-1] if runs else None)
    steps = course(desk.store.events)
    lines, start, span = plotted(steps, desk.store.clock())
    content = templates.get_template("page.html").render(
        instance=INSTANCE,
        desk=desk,
        wrong=wrong,
        users=people[:USERS_SHOWN],
        users_left=max(len(people) - USERS_SHOWN, 0),
        user=shown,
        cards=view.cards(desk.store, shown.id, runs) if shown else [],
        runs=[view.run_view(desk.store, run, whole=False) for run in runs[: -RUNS_SHOWN - 1 : -1]],
        run=view.run_view(desk.store, run) if run else None,
        is_newest=run is not None and run is runs[-1],
        figures=now_at(steps),
        plot=lines,
        plot_size=(WIDTH, HEIGHT),
        started=f"{datetime.fromtimestamp(start):%H:%M:%S}",
        plot_span=span,
        variables=desk.variables if variables is None else variables,
        version=desk.version,
        spare=range(min(SPARE_ROWS, MAX_VARIABLES - len(desk.variables))),
        quota=desk.quota_left,
        clock=desk.clock,
        of_user=f"?{urlencode({'user': shown.id})}" if shown else "",
        trouble=desk.sandbox.trouble,
        faults={fault.kind for fault in desk.sandbox.trouble.faults},
        kinds=KINDS,
        plans=PLANS,
    )
    return web.Response(text=content, content_type="text/html", status=status)
