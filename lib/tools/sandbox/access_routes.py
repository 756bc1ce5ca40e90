"""The policies of Access Management in the sandbox."""

from aiohttp import web

from lib.tools.sandbox.access import check_policy, settings
from lib.tools.sandbox.app import answered, body, store_of
from lib.tools.sandbox.listing import read_fields
from lib.tools.sandbox.records import allow, created, found_in, may_see, page_of
from lib.tools.sandbox.refusal import Refusal
from lib.tools.sandbox.store import Record

routes = web.RouteTableDef()


@routes.get("/am/settings")
async def policy_settings(request: web.Request) -> web.Response:
    allow(request, "access", "access_management")
    return answered(settings())


@routes.get("/am")
async def list_policies(request: web.Request) -> web.Response:
    if {"permissions", "targets"} & set(read_fields(request)):
        raise Refusal(500, "Sorry, Internal Error")  # C cli
    policies = may_see(request, store_of(request).policies.values(), "access_management")
    return page_of(policies, request, "active", "profile", "created_at")  # D api/get-policy-list


@routes.post("/am")
async def create_policy(request: web.Request) -> web.Response:
    allow(request, "create", "access_management")
    given = check_policy(body(request), is_new=True)
    given["profile"] = store_of(request).profile_id
    return answered({"am_id": created(request, "Access management", store_of(request).policies, given)})


def _policy(request: web.Request, action: str) -> Record:
    policy = found_in(store_of(request).policies, request, "Access Management")
    allow(request, action, "access_management", policy)
    return policy


@routes.get("/am/{id}")
async def policy_info(request: web.Request) -> web.Response:
    """Allow before deny, whatever the order it was written in (C mcp AGENTS.md)."""
    policy = _policy(request, "access")
    return answered({**policy, "permissions": sorted(policy["permissions"], key=lambda rule: str(rule["effect"]))})


@routes.put("/am/{id}")
async def edit_policy(request: web.Request) -> web.Response:
    """Targets and permissions are replaced whole."""
    policy = _policy(request, "edit")
    changes = check_policy({name: value for name, value in body(request).items() if name != "id"}, is_new=False)
    policy.update(changes, updated_at=store_of(request).now())
    return answered("Access Management Successfully Updated")


@routes.delete("/am/{id}")
async def delete_policy(request: web.Request) -> web.Response:
    del store_of(request).policies[_policy(request, "delete")["id"]]
    return answered("Successfully Removed")
