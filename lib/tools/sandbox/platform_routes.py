"""The profile, Actions and Access Management in the sandbox, and whose a token is."""

from typing import Any

from aiohttp import web

from lib.tools.sandbox.app import answered, body, store_of, who
from lib.tools.sandbox.records import found_in, page_of, profile_only
from lib.tools.sandbox.refusal import Refusal
from lib.tools.sandbox.run_routes import read_fields
from lib.tools.sandbox.store import DENIED, Record, new_id

routes = web.RouteTableDef()


@routes.get("/info")
async def info(request: web.Request) -> web.Response:
    """The Analysis or the device that a token belongs to."""
    store, identity = store_of(request), who(request)
    if identity.kind == "analysis":
        return answered({key: value for key, value in store.analyses[identity.id].items() if key != "token"})
    if identity.kind == "device":
        return answered(store.devices[identity.id])
    raise DENIED


@routes.get("/profile/{id}")
async def profile(request: web.Request) -> web.Response:
    if not store_of(request).may(who(request), "access", "profile"):
        raise DENIED
    info = {"id": store_of(request).profile_id, "account": new_id(), "name": "Sandbox", "timezone": "UTC"}
    return answered({"info": info, "allocation": {}, "addons": {}, "account_plan": "starter"})


@routes.get("/profile/{id}/summary")
async def summary(request: web.Request) -> web.Response:
    store = store_of(request)
    if not store.may(who(request), "access", "profile"):
        raise DENIED
    return answered(
        {"limit": store.limits, "limit_used": store.used, "amount": {"run_users": len(store.users)}, "addons": {}}
    )


@routes.get("/action")
async def list_actions(request: web.Request) -> web.Response:
    profile_only(request)
    return page_of(store_of(request).actions, request)


@routes.post("/action")
async def create_action(request: web.Request) -> web.Response:
    store_of(request).check_room("Action", store_of(request).actions)
    return answered({"action": _create(request, store_of(request).actions)})


@routes.get("/am")
async def list_policies(request: web.Request) -> web.Response:
    profile_only(request)
    if {"permissions", "targets"} & set(read_fields(request)):
        raise Refusal(500, "Sorry, Internal Error")  # C cli
    return page_of(store_of(request).policies, request)


@routes.post("/am")
async def create_policy(request: web.Request) -> web.Response:
    for name in ("targets", "permissions"):
        if name not in body(request):
            raise Refusal(400, "Required")
        if not body(request)[name]:
            raise Refusal(400, "Array must contain at least 1 element(s)")
    store_of(request).check_room("Access management", store_of(request).policies)
    return answered({"am_id": _create(request, store_of(request).policies)})


def _create(request: web.Request, records: dict[str, Record]) -> str:
    profile_only(request)
    record: dict[str, Any] = {
        "id": new_id(),
        "active": True,
        "tags": [],
        "created_at": store_of(request).now(),
        **body(request),
    }
    records[record["id"]] = record
    return str(record["id"])


def _member(path: str, name: str, updated: str, records_of: str) -> None:
    """GET, PUT and DELETE of one record."""

    async def read(request: web.Request) -> web.Response:
        profile_only(request)
        return answered(found_in(getattr(store_of(request), records_of), request, name))

    async def edit(request: web.Request) -> web.Response:
        profile_only(request)
        found_in(getattr(store_of(request), records_of), request, name).update(body(request))
        return answered(updated)

    async def remove(request: web.Request) -> web.Response:
        profile_only(request)
        records = getattr(store_of(request), records_of)
        del records[found_in(records, request, name)["id"]]
        return answered("Successfully Removed")

    routes.get(path)(read)
    routes.put(path)(edit)
    routes.delete(path)(remove)


_member("/action/{id}", "Action", "Action Successfully Updated", "actions")
_member("/am/{id}", "Access Management", "Access Management Successfully Updated", "policies")
