"""The form of an Action: what TagoIO takes and refuses of one that is created or edited.

The words of the refusals are unknown (U) where none are quoted.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from lib.tools.sandbox.queries import RELATIVE, SECONDS, seconds_of
from lib.tools.sandbox.refusal import Refusal

Record = dict[str, Any]

COMPARISONS = ("<", ">", "=", "!", "><", "*")  # C whl Common_Type.py
MOST_CONDITIONS = 10  # D trigger-by-geofence.md, trigger-by-usage-alert.md
MOST_SCRIPTS = 10  # D running-analysis-via-action.md
SHORTEST = 60  # seconds, D trigger-by-schedule.md


def check_action(given: Record, kind: str = "") -> Record:
    """`kind` is the type of one that is edited. Raises Refusal."""
    if not kind:
        for name in ("name", "action"):
            if not given.get(name):
                raise Refusal(400, f"{name}: Required")
    kind = given.get("type") or kind or "condition"
    if kind not in TYPES:
        raise Refusal(400, f"type: Expected one of {', '.join(TYPES)}")
    triggers = given.get("trigger", [])
    if not isinstance(triggers, list) or not all(isinstance(each, dict) for each in triggers):
        raise Refusal(400, "trigger: Expected array of objects")
    if len(triggers) > MOST_CONDITIONS:
        raise Refusal(400, f"trigger: Array must contain at most {MOST_CONDITIONS} element(s)")
    for number, trigger in enumerate(triggers):
        TYPES[kind](trigger, f"trigger[{number}]")
    if "action" in given:
        _check_target(given["action"])
    return given


def _check_target(target: Any) -> None:
    if not isinstance(target, dict) or not target.get("type"):
        raise Refusal(400, "action: type: Required")
    scripts = target.get("script")
    if target["type"] == "script" and not (isinstance(scripts, list) and 1 <= len(scripts) <= MOST_SCRIPTS):
        raise Refusal(400, f"action: script: Expected array of 1 to {MOST_SCRIPTS}")


def _require(trigger: Record, where: str, *names: str) -> None:
    for name in names:
        if not trigger.get(name):
            raise Refusal(400, f"{where}: {name}: Required")  # "Required", C cli action-builders.ts


def _check_condition(trigger: Record, where: str) -> None:
    """Trigger Unlock is for a single device (D trigger-by-variable.md): `unlock` beside a tag is refused, and so is an
    empty value (C cli action-builders.ts, actions-export.ts)."""
    _require(trigger, where, "variable", "is")
    if trigger["is"] not in COMPARISONS:
        raise Refusal(400, f"{where}: is: Expected one of {' '.join(COMPARISONS)}")
    by_tag = "tag_key" in trigger or "tag_value" in trigger
    _require(trigger, where, *(("tag_key", "tag_value") if by_tag else ("device",)))
    if by_tag and "unlock" in trigger:
        raise Refusal(400, f"{where}: Unrecognized key(s) in object: 'unlock'")
    for name in ("value", "second_value"):
        if trigger.get(name) == "":
            raise Refusal(400, f"{where}: {name}: String must contain at least 1 character(s)")
    if trigger["is"] != "*":
        _require(trigger, where, "value", *(("second_value",) if trigger["is"] == "><" else ()))


def _check_interval(trigger: Record, where: str) -> None:
    _require(trigger, where, "interval")
    seconds = interval_of(trigger["interval"])
    if seconds is None or seconds < SHORTEST:
        raise Refusal(400, f"{where}: interval: Expected such as 1 minute, at least that")


def interval_of(text: Any) -> int | None:
    """Its seconds; None for what is no interval such as `15 minutes`, `1 hour`, `2 days`."""
    found = RELATIVE.fullmatch(str(text).strip().lower())
    return seconds_of(int(found[1]), found[2]) if found and found[2] in SECONDS else None


def _check_schedule(trigger: Record, where: str) -> None:
    _require(trigger, where, "cron", "timezone")
    try:
        next_of(trigger, 0.0)
    except (CronSimError, StopIteration) as error:
        raise Refusal(400, f"{where}: cron: Invalid cron expression") from error
    except (ValueError, OSError, KeyError) as error:
        raise Refusal(400, f"{where}: timezone: Invalid timezone") from error


def next_of(trigger: Record, after: float) -> float:
    """When a cron expression is next due, on its time zone's clock; seconds since the epoch."""
    begin = datetime.fromtimestamp(after, UTC).astimezone(ZoneInfo(str(trigger["timezone"])))
    return next(CronSim(str(trigger["cron"]), begin)).timestamp()


def _needs(*names: str) -> Callable[[Record, str], None]:
    return lambda trigger, where: _require(trigger, where, *names)


# By type (C whl Actions_Types, mcp create-action.ts); mqtt_topic needs its tag (C cli action-builders.ts).
TYPES: dict[str, Callable[[Record, str], None]] = {
    "condition": _check_condition,
    "resource": _needs("resource", "when", "tag_key", "tag_value"),
    "interval": _check_interval,
    "schedule": _check_schedule,
    "mqtt_topic": _needs("topic", "tag_key", "tag_value"),
    "usage_alert": _needs("service_or_resource", "condition", "condition_value"),
    "condition_geofence": _needs("variable", "is", "value"),
}
