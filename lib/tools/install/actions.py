"""The Actions that start the Analysis: one for each flag, side by side."""

from typing import Any

from lib.tools.install.hand import Hand
from lib.tools.install.starters import what_is_wrong
from lib.tools.install.triggers import PART, TYPES, Trigger, wanted_action

Record = dict[str, Any]
COMPARED = ("type", "trigger", "trigger_when_unlock")


def put_action(hand: Hand, name: str, trigger: Trigger, *, overwrite: bool) -> None:
    """One that was switched off on TagoIO stays so unless `overwrite`."""
    wanted = wanted_action(name, hand.analysis_id, trigger)
    what = f"Action {trigger.part} ({trigger.type})"
    found = hand.find(hand.platform.kinds["action"], trigger.part, lambda each: part_of(each) == trigger.part)
    if not found:
        made = hand.do(f"{what} created", lambda: hand.platform.actions.create(wanted), "actions")
        if made:
            hand.remember(**{trigger.part: str(made["action"])})
        return
    scripts = (found.get("action") or {}).get("script") or []
    is_on = found.get("active", True)
    if not (is_on or overwrite):
        hand.say(f"{what} is switched off on TagoIO and stays so (--overwrite switches it on)")
        wanted["active"] = False
    is_ours = hand.analysis_id in scripts and bool(is_on) == wanted["active"]
    if is_ours and all(alike(found.get(each), wanted.get(each)) for each in COMPARED):
        hand.say(f"{what} is there")
        return
    others = [each for each in scripts if each != hand.analysis_id]  # added by hand
    wanted["action"]["script"] += others
    wanted["trigger_when_unlock"] = trigger.when_unlocked
    del wanted["name"], wanted["tags"]
    hand.do(f"{what} changed", lambda: hand.platform.actions.edit(found["id"], wanted), "actions")


def part_of(action: Record) -> str:
    return next((str(tag["value"]) for tag in action.get("tags") or () if tag.get("key") == PART), "")


def others_stay(hand: Hand, triggers: list[Trigger]) -> None:
    """Those of an earlier run of this command are named, as they go on firing."""
    parts = {trigger.part for trigger in triggers}
    staying = [part for part in TYPES if part in hand.record and part not in parts and not what_is_wrong(hand, part)]
    if triggers and staying:
        hand.say(f"Actions of earlier runs stay beside: {', '.join(staying)}  {hand.link('actions')}")


def alike(found: Any, wanted: Any) -> bool:
    """Whether TagoIO has what is wanted. It may add fields, keep none that says False, and order a list anew."""
    if isinstance(wanted, dict):
        names = {*wanted, "unlock"}  # a condition that unlocks is another one
        return isinstance(found, dict) and all(alike(found.get(name), wanted.get(name)) for name in names)
    if isinstance(wanted, list):
        if not isinstance(found, list) or len(found) != len(wanted):
            return False
        left = list(found)
        for each in wanted:
            match = next((other for other in left if alike(other, each)), None)
            if match is None:
                return False
            left.remove(match)
        return True
    return (found or None) == (wanted or None)
