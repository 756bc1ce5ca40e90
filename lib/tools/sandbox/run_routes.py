"""TagoRUN in the sandbox: users and their notifications, from the profile's side and from the user's own."""

import re
from typing import Any

from aiohttp import web

from lib.tools.sandbox.app import answered, body, number_of, store_of, who
from lib.tools.sandbox.refusal import Refusal
from lib.tools.sandbox.runner import Runner, runner_of
from lib.tools.sandbox.store import DENIED, Record, select

routes = web.RouteTableDef()

FILTER = re.compile(r"filter\[(\w+)\](?:\[(\d+)\]\[(\w+)\])?")


def read_filters(request: web.Request) -> Record:
    """`filter[name]=…`, `filter[tags][0][key]=…`, as both official SDKs encode them."""
    filters: Record = {}
    tags: dict[str, dict[str, str]] = {}
    for key, value in request.query.items():
        found = FILTER.fullmatch(key)
        if found and found[2] is not None:
            tags.setdefault(found[2], {})[found[3]] = value
        elif found:
            filters[found[1]] = value
    if tags:
        filters["tags"] = list(tags.values())
    return filters


def read_fields(request: web.Request) -> list[str]:
    """`fields=a&fields=b` (Python SDK) or `fields[0]=a` (JavaScript SDK); id and name unless told otherwise."""
    found = [value for key, value in request.query.items() if re.fullmatch(r"fields(\[\d*\])?", key)]
    return list(dict.fromkeys(["id", *found])) if found else ["id", "name"]


def _order(request: web.Request) -> str:
    parts = [value for key, value in request.query.items() if re.fullmatch(r"orderBy(\[\d*\])?", key)]
    return ",".join(parts) or "name,asc"


@routes.get("/run")
async def run_info(request: web.Request) -> web.Response:
    if not store_of(request).may(who(request), "access", "run"):
        raise DENIED
    url = store_of(request).run_url
    return answered({"profile": store_of(request).profile_id, "active": True, "name": "Sandbox", "url": url})


@routes.get("/run/users")
async def list_users(request: web.Request) -> web.Response:
    store = store_of(request)
    seen = [user for user in store.users.values() if store.may(who(request), "access", "run_user", user, listing=True)]
    amount = min(number_of(request, "amount", 20), store.page_cap)
    page = number_of(request, "page", 1)
    return answered(select(seen, read_filters(request), _order(request), page, amount, read_fields(request)))


@routes.post("/run/users")
async def create_user(request: web.Request) -> web.Response:
    _allow(request, "create", None)
    given = body(request)
    for name in ("name", "email", "timezone"):
        if not given.get(name):
            raise Refusal(400, f"{name}: Required")
    return answered({"user": store_of(request).add_user(given)["id"]})


def _user(request: web.Request, action: str) -> Record:
    user = store_of(request).users.get(request.match_info["id"])
    _allow(request, action, user)
    if user is None:
        raise Refusal(404, "User Not Found")
    return user


def _allow(request: web.Request, action: str, user: Record | None) -> None:
    if not store_of(request).may(who(request), action, "run_user", user):
        raise DENIED


@routes.get("/run/users/{id}")
async def user_info(request: web.Request) -> web.Response:
    return answered(_user(request, "access"))


@routes.put("/run/users/{id}")
async def edit_user(request: web.Request) -> web.Response:
    store_of(request).edit_user(_user(request, "edit"), body(request))
    return answered("TagoIO Run User Successfully Updated")


@routes.delete("/run/users/{id}")
async def delete_user(request: web.Request) -> web.Response:
    store_of(request).remove_user(_user(request, "delete")["id"])
    return answered("Successfully Removed")


@routes.post("/run/notification")
async def create_notification(request: web.Request) -> web.Response:
    _allow(request, "create_notification", store_of(request).users.get(str(body(request).get("run_user"))))
    return answered({"id": store_of(request).notify(body(request))["id"]})


@routes.get("/run/notification/{id}")
async def list_notifications(request: web.Request) -> web.Response:
    user = _user(request, "access_notification")
    hidden = ("run_user", "updated_at")
    inbox = store_of(request).inbox(user["id"])
    return answered([{key: value for key, value in note.items() if key not in hidden} for note in inbox])


def _note(request: web.Request, action: str) -> Record:
    note = store_of(request).notification(request.match_info["id"])
    _allow(request, action, store_of(request).users.get(note["run_user"]))
    return note


@routes.put("/run/notification/{id}")
async def edit_notification(request: web.Request) -> web.Response:
    store_of(request).edit_notification(_note(request, "edit_notification"), body(request))
    return answered("TagoIO Notification User Successfully Updated")


@routes.delete("/run/notification/{id}")
async def delete_notification(request: web.Request) -> web.Response:
    store_of(request).remove_notification(_note(request, "delete_notification")["id"])
    return answered("Successfully Removed")


# ---- the user's own side (C js RunUser)


@routes.post("/run/{url}/login")
async def log_in(request: web.Request) -> web.Response:
    _check_url(request)
    token = store_of(request).log_in(str(body(request).get("email", "")), str(body(request).get("password", "")))
    return answered({"token": token, "expire_date": "never"})


def _own_inbox(request: web.Request) -> list[Record]:
    _check_url(request)
    if who(request).kind != "run_user":
        raise DENIED
    return store_of(request).inbox(who(request).id)


def _check_url(request: web.Request) -> None:
    if request.match_info["url"] != store_of(request).run_url:
        raise Refusal(404, "TagoRUN not found")


@routes.get("/run/{url}/info")
async def own_info(request: web.Request) -> web.Response:
    _own_inbox(request)
    user = store_of(request).users.get(who(request).id)
    if user is None:
        raise Refusal(404, "User Not Found")
    return answered(user)


@routes.get("/run/{url}/notification")
async def own_notifications(request: web.Request) -> web.Response:
    return answered(_own_inbox(request))


@routes.put("/run/{url}/notification")
async def mark_read(request: web.Request) -> web.Response:
    wanted: Any = body(request).get("notification_ids") or []
    for note in _own_inbox(request):
        if note["id"] in wanted:
            store_of(request).edit_notification(note, {"read": bool(body(request).get("read", True))})
    return answered("Notifications Successfully Updated")


@routes.put("/run/{url}/notification/markallread")
async def mark_all_read(request: web.Request) -> web.Response:
    for note in _own_inbox(request):
        store_of(request).edit_notification(note, {"read": True})
    return answered("Notifications Successfully Updated")


@routes.delete("/run/{url}/notification/{id}")
async def delete_own(request: web.Request) -> web.Response:
    _own_inbox(request)
    note = store_of(request).notification(request.match_info["id"], who(request).id)
    store_of(request).remove_notification(note["id"])
    return answered("Successfully Removed")


@routes.put("/run/{url}/notification/{id}/{button}")
async def press(request: web.Request) -> web.Response:
    """As TagoRUN does for its user. What TagoIO answers is unknown."""
    _own_inbox(request)
    await press_button(runner_of(request), who(request).id, request.match_info["id"], request.match_info["button"])
    return answered("Button pressed")


async def press_button(runner: Runner, user_id: str, notification_id: str, button_id: str) -> None:
    """Run what the button runs. When exactly TagoIO disables the buttons is unknown."""
    note = runner.store.notification(notification_id, user_id)
    button = next((button for button in note["buttons"] if str(button["id"]) == button_id), None)
    if button is None:
        raise Refusal(404, "Button Not Found")
    if not note["buttons_enabled"]:
        raise Refusal(400, "Buttons are disabled")
    if note["buttons_autodisable"]:
        note["buttons_enabled"] = False
    runner.store.note_event("pressed", user_id, note["id"])
    pressed = {"button_id": button_id, "user_id": user_id, "notification_id": note["id"]}
    for analysis_id in analyses_of(button):
        analysis = runner.store.analyses.get(analysis_id)
        if analysis is not None:
            await runner.start(analysis, pressed, runner.press_scope)


def analyses_of(button: Record) -> list[str]:
    """The documented form has `analysis`, the SDK's has `triggers`."""
    ids = [str(trigger["analysis_id"]) for trigger in triggers_of(button) if trigger.get("analysis_id")]
    return [str(button["analysis"]), *ids] if button.get("analysis") else ids


def triggers_of(button: Record) -> list[Record]:
    given = button.get("triggers") or []
    return [each for each in (given if isinstance(given, list) else [given]) if isinstance(each, dict)]
