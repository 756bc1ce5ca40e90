"""Keeps other sites out of the page: their requests are refused, and no text of a user's can become script."""

from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from aiohttp import web

from lib.tools.sandbox.app import is_page

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

HEADERS = {
    # A notification's icon may be a picture from anywhere; everything else is the page's own. Styles carry the colours
    # of buttons, each checked to be a colour.
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: http: https:; "
        "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}


@web.middleware
async def only_this_page(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The Host header is checked for the whole sandbox (lib/tools/sandbox/app.py)."""
    if not is_page(request):
        return await handler(request)
    if is_from_elsewhere(request):
        return web.Response(status=403, text="This page takes no requests from other sites.\n")
    return await handler(request)


def is_from_elsewhere(request: web.Request) -> bool:
    """Another site's request, as every browser marks it. Following a link to the page is let through."""
    site = request.headers.get("sec-fetch-site", "none")
    follows_a_link = request.method == "GET" and request.headers.get("sec-fetch-mode") == "navigate"
    if site not in ("none", "same-origin") and not follows_a_link:
        return True
    origin = request.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != request.host


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    if is_page(request):
        response.headers.update(HEADERS)
