"""Keeps strangers and script out: the page opens by the key in the address that the sandbox prints, and whatever a
user's text holds, the browser runs only what is the page's own."""

import secrets

from aiohttp import web

from lib.tools.sandbox.app import Handler, is_page
from lib.tools.sandbox.page.desk import DESK
from lib.tools.sandbox.page.rendering import templates

CLOSED = "Open the address that the sandbox printed when it started: the key to this page is in it."

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
async def only_with_the_key(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The key comes once in the address, then as a cookie, which no script reads and no other site's request brings."""
    if not is_page(request):
        return await handler(request)
    desk = request.app[DESK]
    is_known = _is(request.cookies.get(desk.cookie, ""), desk.key)
    is_look = request.method in ("GET", "HEAD")
    if is_look and "key" in request.query and (is_known or _is(request.query["key"], desk.key)):
        answer = web.Response(status=303, headers={"location": str(request.rel_url.without_query_params("key"))})
        answer.set_cookie(desk.cookie, desk.key, httponly=True, samesite="Strict", secure=request.secure)
        return answer
    return await handler(request) if is_known else _closed(request)


def _is(given: str, key: str) -> bool:
    return secrets.compare_digest(given.encode(errors="surrogateescape"), key.encode())


def _closed(request: web.Request) -> web.Response:
    if "text/html" not in request.headers.get("accept", ""):
        return web.Response(status=403, text=CLOSED)
    # A browser keeps the cookie back when a link of another site leads here. The page's own request has it.
    came_by_a_link = request.headers.get("sec-fetch-site") == "cross-site"
    text = templates.get_template("closed.html").render(said=CLOSED, again=came_by_a_link)
    return web.Response(status=403, text=text, content_type="text/html")


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    if is_page(request):
        response.headers.update(HEADERS)
