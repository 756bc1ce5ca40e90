"""Keeps script out of the page: whatever a user's text holds, the browser runs nothing but the page's own."""

from aiohttp import web

from lib.tools.sandbox.app import is_page

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


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    if is_page(request):
        response.headers.update(HEADERS)
