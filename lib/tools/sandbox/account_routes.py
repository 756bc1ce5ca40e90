"""The account and its one profile in the sandbox, and whose a token is."""

import secrets

from aiohttp import web

from lib.tools.sandbox.app import answered, body, store_of, who
from lib.tools.sandbox.device_routes import shown
from lib.tools.sandbox.records import allow, profile_only
from lib.tools.sandbox.refusal import Denied, Refusal
from lib.tools.sandbox.seed import DEVELOPER
from lib.tools.sandbox.store import Identity, Record, Store

routes = web.RouteTableDef()

SERVICES = ("input", "output", "sms", "email", "analysis", "data_records", "run_users", "push_notification",
            "file_storage")  # fmt: skip  # C sdk-js profile.types.ts


@routes.get("/info")
async def info(request: web.Request) -> web.Response:
    """The Analysis, the device or the profile that a token belongs to."""
    store, identity = store_of(request), who(request)
    if identity.kind == "analysis":
        return answered({key: value for key, value in store.analyses[identity.id].items() if key != "token"})
    if identity.kind == "device":
        return answered(shown(store.devices[identity.id]))
    if identity.kind == "profile":
        return answered({"id": store.profile_id, "name": "Profile token", "type": "profile"})  # C mcp fixtures.ts
    raise Denied


@routes.get("/account")
async def account(request: web.Request) -> web.Response:
    """C sdk-js account.types.ts."""
    allow(request, "access", "account")
    return answered(_account(store_of(request)))


@routes.post("/account/login")
async def log_in(request: web.Request) -> web.Response:
    """C sdk-js LoginResponse: no token, but the profiles for one of which a token can then be made."""
    store = _check_password(request)
    whose = {name: _account(store)[name] for name in ("type", "id", "email", "company", "name")}
    return answered({**whose, "profiles": [_listed(store)]})


@routes.post("/account/profile/token")
async def create_token(request: web.Request) -> web.Response:
    store = _check_password(request)
    if body(request).get("profile_id") != store.profile_id:
        raise Refusal(404, "Profile Not Found")
    token = store.token_for(Identity("profile", store.profile_id))
    return answered({"token": token, "expire_date": "never", "profile": store.profile_id})


def _check_password(request: web.Request) -> Store:
    """Whoever has it gets a token that uploads what is then run here."""
    given, store = body(request), store_of(request)
    typed = str(given.get("password")).encode(errors="replace")
    if given.get("email") != DEVELOPER or not secrets.compare_digest(typed, store.account_password.encode()):
        raise Refusal(401, "Invalid credentials")
    return store


def _account(store: Store) -> Record:
    return {
        "id": store.account_id, "name": "Sandbox Developer", "email": DEVELOPER, "timezone": "UTC", "company": "",
        "active": True, "blocked": False, "language": "en-us", "last_login": None, "options": {}, "phone": None,
        "newsletter": False, "developer": True, "send_invoice": False, "stripe_id": None, "type": "user",
        "plan": "starter", "created_at": store.now(), "updated_at": store.now(),
    }  # fmt: skip


def _listed(store: Store) -> Record:
    return {"id": store.profile_id, "account": store.account_id, "name": "Sandbox", "logo_url": None}


@routes.get("/profile")
async def list_profiles(request: web.Request) -> web.Response:
    profile_only(request)
    return answered([_listed(store_of(request))])


@routes.get("/profile/{id}")
async def profile(request: web.Request) -> web.Response:
    """It carries no time zone (C cli run-user-create.ts)."""
    store = _profile(request, "access_profile")
    profile_info = {**_listed(store), "banner_url": None, "created_at": store.now(), "updated_at": store.now()}
    allocation = dict.fromkeys(SERVICES, 0) | store.limits
    return answered({"info": profile_info, "allocation": allocation, "addons": {}, "account_plan": "starter"})


@routes.get("/profile/{id}/summary")
async def summary(request: web.Request) -> web.Response:
    """What is used of the services this month. Whether an Analysis may read it, given the right to, is unknown."""
    store = _profile(request, "access_profile")
    if who(request).kind == "analysis" and store.facts["quota_readable"] == "no":
        raise Denied
    amount = {
        "device": len(store.devices), "bucket": len(store.devices), "analysis": len(store.analyses),
        "action": len(store.actions), "am": len(store.policies), "run_users": len(store.users), "dashboard": 0,
        "dashboard_shared": 0, "dictionary": 0, "connectors": 0, "networks": 0, "tcore": 0,
    }  # fmt: skip
    limit, used = {name: 0 for name in SERVICES if name != "push_notification"} | store.limits, _used(store)
    return answered({"limit": limit, "limit_used": {**used, "tcore": 0}, "amount": amount, "addons": {}})


@routes.get("/profile/{id}/statistics")
async def statistics(request: web.Request) -> web.Response:
    """One entry, of this hour; a service that was not used is not in it (C sdk-js profile.types.ts)."""
    store = _profile(request, "access_profile_statistics")
    return answered([{"time": store.now(), **{name: count for name, count in _used(store).items() if count}}])


def _profile(request: web.Request, action: str) -> Store:
    store = store_of(request)
    allow(request, action, "account", {"id": store.profile_id})
    if request.match_info["id"] not in ("current", store.profile_id):
        raise Refusal(404, "Profile Not Found")
    return store


def _used(store: Store) -> Record:
    counted = {"run_users": len(store.users), "data_records": sum(map(len, store.data.values()))}
    return dict.fromkeys(SERVICES, 0) | counted | store.used
