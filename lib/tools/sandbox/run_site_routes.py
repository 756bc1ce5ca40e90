"""What else belongs to a TagoRUN in the sandbox: single sign-on, a domain of its own, a test mail.

It keeps what is set and gives it back; nobody signs on, no name is looked up, no mail is sent. Paths, fields and
answers: C sdk-python Run.py, Run_Type.py and its tests.
"""

import base64
import binascii
import re
import secrets
from contextlib import suppress

from aiohttp import web

from lib.tools.sandbox.app import answered, body, store_of
from lib.tools.sandbox.records import profile_only
from lib.tools.sandbox.refusal import Refusal
from lib.tools.sandbox.seed import DEVELOPER
from lib.tools.sandbox.store import Record

routes = web.RouteTableDef()

# Which records TagoIO asks for, and of what type, is not documented; the types are those of sdk-python's tests.
DNS = {"dns_ssl": "TXT", "dns_page": "CNAME", "dns_email_1": "MX", "dns_email_2": "TXT", "dns_email_3": "TXT"}


@routes.post("/run/email_test")
async def email_test(request: web.Request) -> web.Response:
    profile_only(request)
    for name in ("subject", "body"):
        if not body(request).get(name):
            raise Refusal(400, f"{name}: Required")
    return answered(f"E-mail sent to {DEVELOPER}")


@routes.get("/run/sso/saml")
async def saml(request: web.Request) -> web.Response:
    profile_only(request)
    store = store_of(request)
    address = f"https://{store.run_url}/saml"
    provider = {"entity_id": address, "acs_url": f"{address}/acs", "metadata": f"{address}/metadata"}
    kept = {"idp": {"issuer": ""}, "mapping": {}, **store.run_site.get("saml", {})}
    return answered({"sp": provider, **kept})


@routes.put("/run/sso/saml")
async def edit_saml(request: web.Request) -> web.Response:
    profile_only(request)
    given, kept = body(request), store_of(request).run_site.setdefault("saml", {})
    if "idp_metadata" in given:
        kept["idp"] = {"issuer": _issuer(str(given["idp_metadata"] or ""))}
    if isinstance(given.get("mapping"), dict):
        kept["mapping"] = given["mapping"]
    return answered("TagoIO Run SAML SSO Successfully Updated")


def _issuer(metadata: str) -> str:
    """TagoIO parses the XML, which comes in base64; here its entityID is looked for."""
    with suppress(binascii.Error):  # what TagoIO does with what is not base64 is unknown; it is taken as it stands
        metadata = base64.b64decode(metadata, validate=True).decode(errors="replace")
    found = re.search(r'\bentityID="([^"]*)"', metadata)
    return found[1] if found else ""


@routes.post("/run/customdomain/{profile}")
async def create_domain(request: web.Request) -> web.Response:
    site, given = _site(request), body(request)
    if not given.get("domain"):
        raise Refusal(400, "domain: Required")
    asked = {name: str(given.get(name) or "") for name in ("domain", "subdomain", "email")}
    site["domain"] = {"active": False, **asked, **_dns(), "created_at": store_of(request).now()}
    return answered("Custom domain created successfully")


@routes.get("/run/customdomain/{profile}")
async def domain(request: web.Request) -> web.Response:
    return answered(_domain(request))


@routes.delete("/run/customdomain/{profile}")
async def delete_domain(request: web.Request) -> web.Response:
    _domain(request)
    del _site(request)["domain"]
    return answered("Custom domain deleted successfully")


@routes.put("/run/customdomain/regenerate/{profile}")
async def regenerate_domain(request: web.Request) -> web.Response:
    """With other values for the DNS."""
    _domain(request).update(_dns())
    return answered("Custom domain regenerated successfully")


def _site(request: web.Request) -> Record:
    profile_only(request)
    if request.match_info["profile"] != store_of(request).profile_id:
        raise Refusal(404, "Profile Not Found")
    return store_of(request).run_site


def _domain(request: web.Request) -> Record:
    found: Record | None = _site(request).get("domain")
    if found is None:
        raise Refusal(404, "Custom Domain Not Found")
    return found


def _dns() -> Record:
    """Not one is configured: nothing here asks a name server."""
    return {
        name: {"status": False, "type": kind, "key": f"{name}-{secrets.token_hex(4)}", "value": secrets.token_hex(16)}
        for name, kind in DNS.items()
    }
