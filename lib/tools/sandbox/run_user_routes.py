"""TagoRUN's settings and its users in the sandbox, from the profile's side."""

from typing import Any

from aiohttp import web

from lib.tools.sandbox.app import answered, body, number_of, store_of
from lib.tools.sandbox.listing import read_fields, read_filters, read_order, select
from lib.tools.sandbox.records import allow, may_see
from lib.tools.sandbox.refusal import Refusal
from lib.tools.sandbox.seed import DEVELOPER
from lib.tools.sandbox.store import Identity, Record

routes = web.RouteTableDef()

DATES = ("created_at", "updated_at", "last_login")


@routes.get("/run")
async def run_info(request: web.Request) -> web.Response:
    """D api/get-run-settings, without its `anonymous_token`: that is a credential."""
    allow(request, "access_tagorun_settings", "profile")
    return answered(store_of(request).run_settings)


@routes.put("/run")
async def edit_run(request: web.Request) -> web.Response:
    allow(request, "edit_tagorun_settings", "profile")
    fixed = ("profile", "url")
    store_of(request).run_settings.update({key: value for key, value in body(request).items() if key not in fixed})
    return answered("TagoIO Run Successfully Updated")


@routes.get("/run/users")
async def list_users(request: web.Request) -> web.Response:
    store = store_of(request)
    users, fields = may_see(request, store.users.values(), "run_user"), read_fields(request)
    if "options" in fields and store.facts["user_options"] == "refused":
        raise Refusal(400, "Invalid field: options")
    amount = min(number_of(request, "amount", 20), store.page_cap)
    page, order, past_end = number_of(request, "page", 1), read_order(request), store.facts["page_past_end"]
    return answered(select(users, read_filters(request), order, page, amount, fields, past_end=past_end))


@routes.post("/run/users")
async def create_user(request: web.Request) -> web.Response:
    allow(request, "create", "run_user")
    given, store = body(request), store_of(request)
    for name in ("name", "email", "timezone"):
        if not given.get(name):
            raise Refusal(400, f"{name}: Required")
        if not isinstance(given[name], str):
            raise Refusal(400, f"{name}: Expected string")
    for name, kind in (("tags", list), ("active", bool)):
        if not isinstance(given.get(name, kind()), kind):
            raise Refusal(400, f"{name}: Expected {kind.__name__}")
    store.check_email(given)
    store.check_room("Run users", store.users)
    return answered({"user": store.add_user(given)["id"]})


def _user(request: web.Request, action: str) -> Record:
    user = store_of(request).users.get(request.match_info["id"])
    allow(request, action, "run_user", user)
    if user is None:
        raise Refusal(404, "User Not Found")
    return user


@routes.get("/run/users/{id}")
async def user_info(request: web.Request) -> web.Response:
    user = _user(request, "access")
    if store_of(request).facts["user_dates"] == "odd":
        user = {name: _odd(value) if name in DATES else value for name, value in user.items()}
    return answered(user)


def _odd(date: Any) -> Any:
    """What the Python SDK's dateutil cannot parse."""
    return f"{date}[UTC]" if date else date


@routes.put("/run/users/{id}")
async def edit_user(request: web.Request) -> web.Response:
    store_of(request).edit_user(_user(request, "edit"), body(request))
    return answered("TagoIO Run User Successfully Updated")


@routes.delete("/run/users/{id}")
async def delete_user(request: web.Request) -> web.Response:
    store_of(request).remove_user(_user(request, "delete")["id"])
    return answered("Successfully Removed")


@routes.get("/run/users/{id}/login")
async def log_in_as(request: web.Request) -> web.Response:
    """D api/login-as-user; its moment is `expire_time` there, and `expire_date` in both SDKs' types (C)."""
    user, store = _user(request, "login_as_user"), store_of(request)
    name = f"Login by Run Administrator({DEVELOPER})"
    token = store.token_for(Identity("run_user", user["id"]))
    shown = {"token": token, "name": name, "run_user": user["id"]}
    until = store.now(3600)
    return answered({**shown, "expire_time": until, "expire_date": until, "created_at": store.now()})
