"""Actions fire: on data that meets a condition (with lock and unlock), and by TagoIO's clock.

Those of type resource, mqtt_topic, usage_alert and condition_geofence are kept and never fire here.
"""

import asyncio
import json
from typing import Any

from lib.tools.sandbox.action_form import interval_of, next_of
from lib.tools.sandbox.refusal import Refusal
from lib.tools.sandbox.runner import Runner
from lib.tools.sandbox.store import Record, new_id

PAUSE = 0.2  # seconds between two looks at the clock


async def fire_on_data(runner: Runner, device: Record, rows: list[Record]) -> None:
    """One push of data: an Action fires once for it, however many conditions are met (D trigger-by-variable.md)."""
    for action in _active(runner, "condition"):
        mine = [trigger for trigger in _triggers(action) if _watches(trigger, device)]
        fires = _meets(mine, rows, unlock=False)
        unlocks = _meets(mine, rows, unlock=True)
        if fires and not action.get("lock"):
            # It is locked first, then it fires (D trigger-unlock.md). What _action_state says then is unknown.
            action["lock"] = any(trigger.get("unlock") for trigger in mine)
            await _carry_out(runner, action, device, rows)
        elif unlocks and action.get("lock"):
            action["lock"] = False
            if action.get("trigger_when_unlock"):
                await _carry_out(runner, action, device, rows)


async def fire_by_clock(runner: Runner) -> None:
    """For ever: what is due by TagoIO's clock. After a jump of that clock an Action fires once."""
    due: dict[str, tuple[str, float]] = {}
    while True:
        now = runner.store.clock()
        for action in [*_active(runner, "interval"), *_active(runner, "schedule")]:
            form = json.dumps(action.get("trigger"))
            known, moment = due.get(action["id"], ("", 0.0))
            if known != form:
                due[action["id"]] = form, _next(action, now)
            elif moment <= now:
                due[action["id"]] = form, _next(action, now)
                await _carry_out(runner, action, None, None)
        await asyncio.sleep(PAUSE)


def _active(runner: Runner, kind: str) -> list[Record]:
    actions = runner.store.actions.values()
    return [action for action in actions if action.get("type") == kind and action.get("active")]


def _triggers(action: Record) -> list[Record]:
    return list(action.get("trigger") or ())


def _next(action: Record, now: float) -> float:
    moments = [
        now + (interval_of(trigger["interval"]) or 0) if action["type"] == "interval" else next_of(trigger, now)
        for trigger in _triggers(action)
    ]
    return min(moments, default=float("inf"))


def _watches(trigger: Record, device: Record) -> bool:
    if trigger.get("device"):
        return bool(trigger["device"] == device["id"])
    return {"key": trigger.get("tag_key"), "value": trigger.get("tag_value")} in device["tags"]


def _meets(triggers: list[Record], rows: list[Record], *, unlock: bool) -> bool:
    asked = [trigger for trigger in triggers if bool(trigger.get("unlock")) == unlock]
    return any(_holds(trigger, row) for trigger in asked for row in rows)


def _holds(trigger: Record, row: Record) -> bool:
    """TagoIO compares by the trigger's type (D trigger-by-variable.md). Whether >< has its ends in it is unknown."""
    if row["variable"] != str(trigger["variable"]).lower():
        return False
    if trigger["is"] == "*":
        return True
    as_number = trigger.get("value_type") == "number" or trigger["is"] in ("<", ">", "><")
    try:
        value, wanted = (_as(each, as_number) for each in (row.get("value"), trigger.get("value")))
        if trigger["is"] == "><":
            return bool(wanted <= value <= _as(trigger.get("second_value"), as_number))
    except (TypeError, ValueError):
        return False
    held: bool = {"<": value < wanted, ">": value > wanted, "=": value == wanted, "!": value != wanted}[trigger["is"]]
    return held


def _as(value: Any, as_number: bool) -> Any:
    if as_number:
        return float(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


async def _carry_out(runner: Runner, action: Record, device: Record | None, rows: list[Record] | None) -> None:
    """A script, or one of the two kinds of notification; what would leave this machine (http, mail, …) is not done."""
    store = runner.store
    action["last_triggered"] = store.now()
    state = "locked" if action.get("lock") else "unlocked"
    extra = {"_action_id": action["id"], "_action_type": action["type"], "_action_state": state}
    if device:
        extra["_device_id"] = device["id"]
    target = action.get("action") or {}
    for script in target.get("script", []) if target.get("type") == "script" else []:
        if str(script) in store.analyses:
            await runner.start_from(f"The Action {action['name']}", store.analyses[str(script)], extra, rows)
    texts = {"title": target.get("subject", ""), "message": target.get("message", "")}
    texts = {name: _filled(str(text), state, device, rows) for name, text in texts.items()}
    if target.get("type") == "notification":
        store.admin_notifications.append({"id": new_id(), **texts, "read": False, "created_at": store.now()})
    elif target.get("type") == "notification_run":
        try:
            store.notify({**texts, "run_user": target.get("run_user")})
        except Refusal as refusal:
            runner.say(f"The Action {action['name']} could not notify: {refusal.message}")


def _filled(text: str, state: str, device: Record | None, rows: list[Record] | None) -> str:
    """The message variables of D defining-actions.md, but for $LOCATION$."""
    row, device = (rows or [{}])[0], device or {}
    values = {
        "VARIABLE": row.get("variable"), "VALUE": row.get("value"), "UNIT": row.get("unit"), "TIME": row.get("time"),
        "DEVICE.NAME": device.get("name"), "DEVICE": device.get("id"), "ACTION.STATE": state,
    }  # fmt: skip
    for name, value in values.items():
        text = text.replace(f"${name}$", "" if value is None else str(value))
    return text
