"""What an Analysis calls, services and console, and the notifications of whoever owns the profile."""

from aiohttp import web

from lib.tools.sandbox.app import answered, body, store_of, who
from lib.tools.sandbox.records import allow, profile_only
from lib.tools.sandbox.refusal import Denied, Refusal
from lib.tools.sandbox.runner import runner_of
from lib.tools.sandbox.store import Record, new_id

routes = web.RouteTableDef()

# Under Access Management (D API changelog v8.11.6); how its rights are called on the wire is unknown.
RIGHTS = {"notification": "send_notification", "email": "send_email", "sms": "send_sms"}
ENDED = ("email", "sms")  # D e-mail-service.md, sms-service.md


@routes.post("/analysis/services/console/send")
async def console(request: web.Request) -> web.Response:
    if who(request).kind != "analysis":
        raise Denied
    token, line = request.headers.get("token", ""), str(body(request).get("message", ""))
    runner_of(request).print_line(who(request).id, line, token=token)
    return answered("Successfully Sent")


@routes.post("/analysis/services/{service}/send")
async def service(request: web.Request) -> web.Response:
    name, given = request.match_info["service"], body(request)
    if name not in RIGHTS:
        raise Refusal(404, "Route not found")
    if who(request).kind != "analysis":
        raise Denied
    allow(request, RIGHTS[name], "service")
    if name in ENDED:
        raise Refusal(400, "This service has ended")
    _add(request, given)
    return answered("Successfully Sent")


def _add(request: web.Request, given: Record) -> str:
    for name in ("title", "message"):
        if not given.get(name):
            raise Refusal(400, f"{name}: Required")
    store = store_of(request)
    note = {
        "id": new_id(), "buttons": [], "buttons_enabled": True, "buttons_autodisable": False, **given, "read": False,
        "created_at": store.now(),
    }  # fmt: skip
    store.admin_notifications.append(note)
    return str(note["id"])


@routes.get("/notification")
async def list_own(request: web.Request) -> web.Response:
    allow(request, "access_notification", "profile")
    return answered(store_of(request).admin_notifications[::-1])


@routes.post("/notification")
async def create_own(request: web.Request) -> web.Response:
    allow(request, "create_notification", "profile")
    return answered({"id": _add(request, body(request))})


@routes.put("/notification/read")
async def mark_read(request: web.Request) -> web.Response:
    """`{notification_ids, read}` (C sdk-js Notifications.ts); the answer as in sdk-python's tests (C)."""
    allow(request, "edit_notification", "profile")
    wanted = body(request).get("notification_ids") or []
    for note in store_of(request).admin_notifications:
        if note["id"] in wanted:
            note["read"] = bool(body(request).get("read", True))
    return answered("TagoIO Notification Run Successfully Updated")


@routes.put("/notification/markallread")
async def mark_all_read(request: web.Request) -> web.Response:
    allow(request, "edit_notification", "profile")
    for note in store_of(request).admin_notifications:
        note["read"] = True
    return answered("All TagoIO Notification Run Successfully Updated")


@routes.post("/notification/push/register")
async def register_phone(request: web.Request) -> web.Response:
    """Of TagoIO's own app (C sdk-python Notifications.py; the answers as in its tests)."""
    store_of(request).phones[_phone(request)] = str(body(request).get("platform") or "")
    return answered("Device successfully registered")


@routes.post("/notification/push/unregister")
async def unregister_phone(request: web.Request) -> web.Response:
    if store_of(request).phones.pop(_phone(request), None) is None:
        raise Refusal(404, "Device Not Found")
    return answered("Device successfully unregistered")


def _phone(request: web.Request) -> str:
    profile_only(request)
    token = body(request).get("device_token")
    if not token or not isinstance(token, str):
        raise Refusal(400, "device_token: Required")
    return token


@routes.put("/notification/{id}/{button}")
async def press(request: web.Request) -> web.Response:
    """What TagoIO then runs is that of a Run user's button; here it only disables them."""
    allow(request, "edit_notification", "profile")
    note = _note(request)
    if not any(str(button.get("id")) == request.match_info["button"] for button in note["buttons"]):
        raise Refusal(404, "Button Not Found")
    note["buttons_enabled"] = note["buttons_enabled"] and not note["buttons_autodisable"]
    return answered("Button action processed")


@routes.delete("/notification/{id}")
async def remove(request: web.Request) -> web.Response:
    allow(request, "delete_notification", "profile")
    store_of(request).admin_notifications.remove(_note(request))
    return answered("Successfully Removed")


def _note(request: web.Request) -> Record:
    wanted = request.match_info["id"]
    note = next((note for note in store_of(request).admin_notifications if note["id"] == wanted), None)
    if note is None:
        raise Refusal(404, "Notification Not Found")
    return note
