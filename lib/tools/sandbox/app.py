"""The sandbox's HTTP side: who may ask, TagoIO's envelope, its tokens, the trouble in between, the list of routes."""

import re
import traceback
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from lib.tools.sandbox.changes import Changes
from lib.tools.sandbox.refusal import Denied, Refusal
from lib.tools.sandbox.store import Identity, Record, Store
from lib.tools.sandbox.strict_json import read_json
from lib.tools.sandbox.trouble import Trouble

STORE = web.AppKey("store", Store)
TROUBLE = web.AppKey("trouble", Trouble)
CHANGES = web.AppKey("changes", Changes)
BODY: web.RequestKey[Any] = web.RequestKey("body", object)
WHO = web.RequestKey("who", Identity)
ANONYMOUS = re.compile(
    r"GET /events/?|POST /run/[^/]+/login/?|POST /account/login/?|POST /account/profile/token/?|GET /scripts/\w+"
)
PAGE = ("/", "/page/")  # what TagoIO does not have: the sandbox's own page, and what stands below it
OWN_NAMES = ("127.0.0.1", "localhost", "[::1]")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def is_page(request: web.Request) -> bool:
    return request.path == PAGE[0] or request.path.startswith(PAGE[1])


@web.middleware
async def only_this_machine(request: web.Request, handler: Handler) -> web.StreamResponse:
    """No name that somebody's page had resolved to this machine (DNS rebinding), and no other site's request."""
    if request.host.rsplit(":", 1)[0] not in OWN_NAMES and request.host not in OWN_NAMES:
        return web.Response(status=421, text="The sandbox answers to 127.0.0.1 and localhost only.\n")
    if is_from_elsewhere(request):
        return web.Response(status=403, text="The sandbox takes no requests from other sites.\n")
    return await handler(request)


def is_from_elsewhere(request: web.Request) -> bool:
    """Another site's request, as every browser marks it. Following a link to the page is let through."""
    site = request.headers.get("sec-fetch-site", "none")
    follows_a_link = request.method == "GET" and request.headers.get("sec-fetch-mode") == "navigate"
    if site not in ("none", "same-origin") and not (follows_a_link and is_page(request)):
        return True
    origin = request.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != request.host


@web.middleware
async def as_tagoio(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every answer in TagoIO's envelope, whatever goes wrong on the way, after the trouble has had its turn."""
    if is_page(request):
        return await handler(request)
    try:
        body, is_read = _read(await request.read())
    except ConnectionError:  # the client went away while it was still speaking
        return web.Response(status=400)
    request[BODY] = body

    async def carry_out() -> web.Response:
        try:
            if not is_read:
                raise Refusal(400, "Invalid JSON")  # the status and the text are guesses
            if not ANONYMOUS.fullmatch(f"{request.method} {request.path}"):
                request[WHO] = _identify(request)
            return await handler(request)  # type: ignore[return-value]  # a stream, for /events only
        except Exception as error:
            return _refused(request, error)

    request.app[STORE].log.append((request.method, request.path))
    subject = str(body.get("run_user", "")) if isinstance(body, dict) else ""
    answer = await request.app[TROUBLE].play(request, subject or request.path, carry_out)
    request.app[TROUBLE].answered[str(answer.status)] += 1
    if not answer.prepared:
        answer.headers["date"] = formatdate(request.app[STORE].clock(), usegmt=True)
    if request.method != "GET":
        request.app[CHANGES].tell()
    return answer


def _refused(request: web.Request, error: Exception) -> web.Response:
    match error:
        case Denied():
            status, message = int(request.app[STORE].facts["denied_create"]), error.message
        case Refusal():
            status, message = error.status, error.message
        case web.HTTPNotFound() | web.HTTPMethodNotAllowed():
            status, message = 404, "Route not found"
        case _:
            traceback.print_exception(error)
            status, message = 500, "Sorry, Internal Error"
    return web.json_response({"status": False, "message": message}, status=status)


def _read(content: bytes) -> tuple[Any, bool]:
    """What a body says, and whether it can be read: JSON in any Unicode, as deep as Python takes it."""
    try:
        return (read_json(content) if content else {}), True
    except (ValueError, RecursionError):
        return {}, False


def _identify(request: web.Request) -> Identity:
    who = request.app[STORE].tokens.get(request.headers.get("token", ""))
    if who is None:
        raise Refusal(401, "Invalid token")  # bad token: 401 (C whl); TagoIO's text for it is unknown
    return who


def number_of(request: web.Request, name: str, otherwise: int) -> int:
    """A whole number in the query."""
    text = request.query.get(name, "")
    if text and not text.isdecimal():
        raise Refusal(400, f"{name}: Expected number")
    return int(text or otherwise)


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
