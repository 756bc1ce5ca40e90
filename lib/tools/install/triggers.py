"""How Actions start the Analysis: intervals, schedules and conditions, in TagoIO's wire form, checked as typed.

Each flag is an Action of its own: `--every`, `--cron`, `--when` and `--clear` live side by side.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cronsim import CronSim, CronSimError

from lib.base.errors import SetupError
from lib.message.placeholders import zone_of
from lib.tools.install.wanted import TAG

PART = "tagorun_notify_part"  # the key of the tag that says which of the Actions it is
TYPES = {"every": "interval", "cron": "schedule", "when": "condition", "clear": "condition"}
WHEN = re.compile(r"\s*(?P<variable>[\w.-]+)\s*(?P<is>><|<|>|=|!|\*)\s*(?P<value>.*?)\s*")
NUMBER = re.compile(r"-?\d+(\.\d+)?")


@dataclass(frozen=True)
class Trigger:
    """One Action: `part` is its flag, `trigger` what TagoIO has under that name. `when_unlocked`: it also runs when
    its unlock condition is met (D trigger-unlock.md; `trigger_when_unlock`, C sdk-js actions.types.ts)."""

    part: str
    trigger: list[dict[str, Any]]
    when_unlocked: bool = False

    @property
    def type(self) -> str:
        return TYPES[self.part]


def wanted_action(name: str, analysis_id: str, trigger: Trigger) -> dict[str, Any]:
    action = {
        "name": f"{name}: {trigger.part}",
        "active": True,
        "type": trigger.type,
        "trigger": trigger.trigger,
        "action": {"type": "script", "script": [analysis_id]},
        "tags": [TAG, {"key": PART, "value": trigger.part}],
    }
    return {**action, "trigger_when_unlock": True} if trigger.when_unlocked else action


def every(text: str) -> Trigger:
    """`15 minutes`; TagoIO's finest is one minute. Raises SetupError."""
    found = re.fullmatch(r"\s*(\d+)\s*(minute|hour|day|week|month)s?\s*", text)
    if not found or int(found[1]) < 1:
        raise SetupError(f'--every "{text}" is not an interval; use such as "15 minutes", "1 hour", "2 days"')
    plural = "s" if int(found[1]) > 1 else ""
    return Trigger("every", [{"interval": f"{found[1]} {found[2]}{plural}"}])


def at_cron(cron: str, timezone: str) -> Trigger:
    """Raises SetupError for what is no cron expression of five fields, or without a time zone."""
    if len(cron.split()) != 5:
        raise SetupError(
            f'--cron "{cron}" has {len(cron.split())} fields; it needs five: "0 8 * * 1-5" is 8:00, Mon to Fri'
        )
    try:
        next(CronSim(cron, datetime.now(UTC)))
    except (CronSimError, StopIteration) as error:
        raise SetupError(f'--cron "{cron}" is no cron expression, or never due; use such as "0 8 * * 1-5"') from error
    if zone_of(timezone) is None:
        raise SetupError(f"--cron needs --timezone, such as America/Sao_Paulo{f', not {timezone}' if timezone else ''}")
    return Trigger("cron", [{"cron": cron, "timezone": timezone}])


def when(
    conditions: Sequence[str], device: str, device_tag: str, *, clear: Sequence[str] = (), unlock: str = ""
) -> list[Trigger]:
    """`temperature > 35` of one device, or of all with a tag, and what ends that: TagoIO unlocks Actions of a single
    device only (D trigger-by-variable.md), so for a tag `clear` is an Action of its own. Raises SetupError."""
    whose = _whose(device, device_tag)
    begins = [_condition("--when", each) for each in conditions]
    ends = [_condition("--clear", each) for each in clear]
    if clear and unlock:
        raise SetupError("--unlock and --clear say the same to TagoIO; give --clear, which also runs the Analysis")
    if unlock and device_tag:
        raise SetupError(
            "--unlock works with --device only: TagoIO unlocks Actions of a single device (docs trigger-by-variable.md)"
        )
    for end in ends:
        _check_end(end, begins)
    triggers = [{**whose, **each} for each in begins]
    if device_tag:
        cleared = [Trigger("clear", [{**whose, **each} for each in ends])] if ends else []
        return [Trigger("when", triggers), *cleared]
    opens = ends or ([_condition("--unlock", unlock)] if unlock else [])
    return [Trigger("when", [*triggers, *({**whose, **each, "unlock": True} for each in opens)], bool(ends))]


def _whose(device: str, device_tag: str) -> dict[str, str]:
    if bool(device) == bool(device_tag):
        raise SetupError("--when needs either --device ID or --device-tag KEY=VALUE")
    if device:
        return {"device": device}
    key, value = tag_of(device_tag)
    return {"tag_key": key, "tag_value": value}


def tag_of(text: str) -> tuple[str, str]:
    """Raises SetupError."""
    key, equals, value = text.partition("=")
    if not (key and equals and value):
        raise SetupError(f'--device-tag "{text}" is not KEY=VALUE')
    return key, value


def _condition(flag: str, text: str) -> dict[str, Any]:
    """What TagoIO gets of it: an empty value is refused (C cli action-builders.ts), so `*` has none."""
    found = WHEN.fullmatch(text)
    if not found or (found["is"] == "*") == bool(found["value"]):
        raise SetupError(
            f'{flag} "{text}" is not a condition; use such as "temperature > 35", "door = open", "level >< 2,8"'
        )
    value, _, second = found["value"].partition(",") if found["is"] == "><" else (found["value"], "", "")
    number = NUMBER.fullmatch(value.strip())
    compares = found["is"] in ("<", ">", "><")
    if value[:1] in "<>=!*" and found["is"] != "*":
        raise SetupError(f'{flag} "{text}": TagoIO has <, >, =, !, >< and *, and one of them a condition')
    if compares and not (number and (found["is"] != "><" or NUMBER.fullmatch(second.strip()))):
        raise SetupError(f'{flag} "{text}": {found["is"]} compares numbers, such as "temperature > 35", "level >< 2,8"')
    condition = {"variable": found["variable"].lower(), "is": found["is"]}
    if found["is"] == "*":
        return {**condition, "value_type": "*"}
    condition |= {"value": value.strip(), "value_type": "number" if number else "string"}
    return {**condition, "second_value": second.strip()} if found["is"] == "><" else condition


def _check_end(end: dict[str, Any], begins: list[dict[str, Any]]) -> None:
    """An alarm that ends where it begins would do both at each reading. Raises SetupError."""
    if end["is"] == "*":
        raise SetupError(f'--clear "{end["variable"]} *" would end the alarm at every reading; say at which values')
    for begin in begins:
        if begin["variable"] == end["variable"] and (both := _held_by_both(begin, end)):
            raise SetupError(
                f"--when and --clear both hold at {end['variable']} = {both}; leave a gap, such as "
                "--when 'temperature > 35' --clear 'temperature < 30'"
            )


def _held_by_both(one: dict[str, Any], other: dict[str, Any]) -> str:
    """A value at which both hold, or ""; tried at their own bounds and beside them."""
    values = [each[name] for each in (one, other) for name in ("value", "second_value") if each.get(name)]
    tried: list[str] = [*values]
    for text in values:
        if NUMBER.fullmatch(text):
            tried += [f"{float(text) + step:g}" for step in (-0.5, 0.5)]
    return next((value for value in tried if _holds(one, value) and _holds(other, value)), "")


def _holds(condition: dict[str, Any], value: str) -> bool:
    is_, wanted = str(condition["is"]), str(condition.get("value", ""))
    if is_ in ("=", "!"):
        return (value == wanted) == (is_ == "=")
    if is_ == "*":
        return True
    if not NUMBER.fullmatch(value):
        return False
    at, bound = float(value), float(wanted)
    if is_ == "><":
        return bound <= at <= float(str(condition["second_value"]))
    return at < bound if is_ == "<" else at > bound
