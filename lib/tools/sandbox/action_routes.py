"""The Actions of the sandbox as records; what they do is in actions.py."""

from aiohttp import web

from lib.tools.sandbox.action_form import check_action
from lib.tools.sandbox.app import answered, body, store_of
from lib.tools.sandbox.records import allow, created, found_in, may_see, page_of
from lib.tools.sandbox.store import Record

routes = web.RouteTableDef()


@routes.get("/action")
async def list_actions(request: web.Request) -> web.Response:
    return page_of(may_see(request, store_of(request).actions.values(), "action"), request)


@routes.post("/action")
async def create_action(request: web.Request) -> web.Response:
    allow(request, "create", "action")
    given = {"type": "condition", "trigger": [], "lock": False, **check_action(body(request))}
    given |= {"profile": store_of(request).profile_id, "last_triggered": None}
    return answered({"action": created(request, "Action", store_of(request).actions, given)})


def _action(request: web.Request, right: str) -> Record:
    action = found_in(store_of(request).actions, request, "Action")
    allow(request, right, "action", action)
    return action


@routes.get("/action/{id}")
async def action_info(request: web.Request) -> web.Response:
    return answered(_action(request, "access"))


@routes.put("/action/{id}")
async def edit_action(request: web.Request) -> web.Response:
    action = _action(request, "edit")
    changes = check_action({name: value for name, value in body(request).items() if name != "id"}, action["type"])
    action.update(changes, updated_at=store_of(request).now())
    return answered("Successfully Updated")


@routes.delete("/action/{id}")
async def delete_action(request: web.Request) -> web.Response:
    del store_of(request).actions[_action(request, "delete")["id"]]
    return answered("Successfully Removed")
