"""Notifications of Run users in the sandbox, from the profile's side and from the user's own."""

from typing import Any

from aiohttp import web

from lib.tools.sandbox.app import answered, body, store_of, who
from lib.tools.sandbox.records import allow
from lib.tools.sandbox.refusal import Denied, Refusal
from lib.tools.sandbox.runner import Runner, runner_of
from lib.tools.sandbox.store import Record, Store

routes = web.RouteTableDef()

NEWEST = 20


@routes.post("/run/notification")
async def create_notification(request: web.Request) -> web.Response:
    store = store_of(request)
    allow(request, "create_notification", "run_user", store.users.get(str(body(request).get("run_user"))))
    return answered({"id": store.notify(body(request))["id"]})


@routes.get("/run/notification/{id}")
async def list_notifications(request: web.Request) -> web.Response:
    """Whether a policy that does not allow it empties the list, as it does others, is unknown."""
    store = store_of(request)
    user = store.users.get(request.match_info["id"])
    if not store.may(who(request), "access_notification", "run_user", user):
        if store.facts["denied_list"] == "empty":
            return answered([])
        raise Denied
    if user is None:
        raise Refusal(404, "User Not Found")
    return answered([_listed(note, store) for note in _shown(store, user["id"])])


def _shown(store: Store, user_id: str) -> list[Record]:
    latest = store.now(-float(store.facts["notifications_show_after"]))
    shown = [note for note in store.inbox(user_id) if note["created_at"] <= latest]
    return shown[:NEWEST] if store.facts["inbox_lists"] == "newest_20" else shown


def _listed(note: Record, store: Store) -> Record:
    hidden = ("run_user", "updated_at")
    listed = {key: value for key, value in note.items() if key not in hidden}
    if not note["buttons_enabled"] and store.facts["disabled_buttons"] == "left_out":
        listed["buttons"] = []
    return listed


def _note(request: web.Request, action: str) -> Record:
    note = store_of(request).notification(request.match_info["id"])
    allow(request, action, "run_user", store_of(request).users.get(note["run_user"]))
    return note


@routes.put("/run/notification/{id}")
async def edit_notification(request: web.Request) -> web.Response:
    note = _note(request, "edit_notification")
    store_of(request).edit_notification(note, body(request))
    store_of(request).account_for_edit(note)
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
        raise Denied
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
    """As TagoRUN does for its user. What TagoIO answers is unknown; these are the words of sdk-python's tests for an
    admin's button (C test_notifications.py)."""
    _own_inbox(request)
    await press_button(runner_of(request), who(request).id, request.match_info["id"], request.match_info["button"])
    return answered("Button action processed")


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
    facts = runner.store.facts
    pressed = {"button_id": button_id, "user_id": user_id, "notification_id": note["id"]}
    if facts["press_user_id"] == "set":
        pressed["_user_id"] = user_id
    scope: list[Any] | None = [] if facts["press_scope"] == "list" else None
    for analysis_id in analyses_of(button):
        analysis = runner.store.analyses.get(analysis_id)
        if analysis is not None:
            await runner.start_from("A button", analysis, pressed, scope)


def analyses_of(button: Record) -> list[str]:
    """The documented form has `analysis`, the SDK's has `triggers`."""
    ids = [str(trigger["analysis_id"]) for trigger in triggers_of(button) if trigger.get("analysis_id")]
    return [str(button["analysis"]), *ids] if button.get("analysis") else ids


def triggers_of(button: Record) -> list[Record]:
    given = button.get("triggers") or []
    return [each for each in (given if isinstance(given, list) else [given]) if isinstance(each, dict)]
