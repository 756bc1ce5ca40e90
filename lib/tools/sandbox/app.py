"""The sandbox's HTTP side: who may ask, TagoIO's envelope, its tokens, the trouble in between, the list of routes."""

import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from email.utils import formatdate
from typing import Any

from aiohttp import web

from lib.tools.sandbox.changes import Changes
from lib.tools.sandbox.store import Identity, Record, Refusal, Store
from lib.tools.sandbox.trouble import Trouble

STORE = web.AppKey("store", Store)
TROUBLE = web.AppKey("trouble", Trouble)
CHANGES = web.AppKey("changes", Changes)
BODY: web.RequestKey[Any] = web.RequestKey("body", object)
WHO = web.RequestKey("who", Identity)
ANONYMOUS = ("/login", "/events")
PAGE = ("/", "/page/")  # what TagoIO does not have: the sandbox's own page, and what stands below it
OWN_NAMES = ("127.0.0.1", "localhost", "[::1]")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def is_page(request: web.Request) -> bool:
    return request.path == PAGE[0] or request.path.startswith(PAGE[1])


@web.middleware
async def only_this_machine(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A name that somebody's page had resolved to this machine (DNS rebinding) is not ours."""
    if request.host.rsplit(":", 1)[0] not in OWN_NAMES and request.host not in OWN_NAMES:
        return web.Response(status=421, text="The sandbox answers to 127.0.0.1 and localhost only.\n")
    return await handler(request)


@web.middleware
async def as_tagoio(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every answer in TagoIO's envelope, whatever goes wrong on the way, after the trouble has had its turn."""
    if is_page(request):
        return await handler(request)
    try:
        body = await _body(request)
    except ConnectionError:  # the client went away while it was still speaking
        return web.Response(status=400)
    request[BODY] = body

    async def carry_out() -> web.Response:
        try:
            if not request.path.endswith(ANONYMOUS):
                request[WHO] = _identify(request)
            answer = await handler(request)
        except Refusal as refusal:
            return web.json_response({"status": False, "message": refusal.message}, status=refusal.status)
        except web.HTTPNotFound:
            return web.json_response({"status": False, "message": "Route not found"}, status=404)
        return answer  # type: ignore[return-value]  # a stream, for /events only

    request.app[STORE].log.append((request.method, request.path))
    subject = str(body.get("run_user", "")) if isinstance(body, dict) else ""
    answer = await request.app[TROUBLE].play(request, subject or request.path, carry_out)
    request.app[TROUBLE].answered[str(answer.status)] += 1
    if not answer.prepared:
        answer.headers["date"] = formatdate(request.app[STORE].clock(), usegmt=True)
    if request.method != "GET":
        request.app[CHANGES].tell()
    return answer


async def _body(request: web.Request) -> Any:
    content = await request.read()
    if not content:
        return {}
    with suppress(ValueError):
        return json.loads(content)
    return {}


def _identify(request: web.Request) -> Identity:
    who = request.app[STORE].tokens.get(request.headers.get("token", ""))
    if who is None:
        raise Refusal(401, "Invalid token")  # bad token: 401 (C whl); TagoIO's text for it is unknown
    return who


def answered(result: Any) -> web.Response:
    return web.json_response({"status": True, "result": result})


def store_of(request: web.Request) -> Store:
    return request.app[STORE]


def who(request: web.Request) -> Identity:
    return request[WHO]


def body(request: web.Request) -> Record:
    given = request[BODY]
    return given if isinstance(given, dict) else {}


def make_app(store: Store, trouble: Trouble, changes: Changes, *route_tables: web.RouteTableDef) -> web.Application:
    """An application with these routes, each with and without a slash at its end."""
    app = web.Application(middlewares=[only_this_machine, as_tagoio], client_max_size=8 * 1024**2)
    app[STORE], app[TROUBLE], app[CHANGES] = store, trouble, changes
    for table in route_tables:
        for route in table:
            if isinstance(route, web.RouteDef):
                app.router.add_route(route.method, route.path, route.handler)
                app.router.add_route(route.method, f"{route.path}/", route.handler)
    return app
