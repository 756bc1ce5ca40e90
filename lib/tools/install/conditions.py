"""The conditions on which Actions start the Analysis, as they stand on TagoIO: whose data, and what meets them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lib.message.trigger import number_of
from lib.tools.install.hand import Hand
from lib.tools.install.platform import Platform

Record = dict[str, Any]
PARTS = ("when", "clear")
SOMETHING = 1  # where any value will do


@dataclass(frozen=True)
class Condition:
    """`wire` is TagoIO's form; `device` and `device_name` are of one whose data it is, "" where there is none."""

    wire: Record
    device: str = ""
    device_name: str = ""

    @property
    def text(self) -> str:
        """As a person writes it."""
        values = [str(self.wire[name]) for name in ("value", "second_value") if self.wire.get(name)]
        return f"{self.wire['variable']} {self.wire.get('is', '')} {','.join(values)}".strip()

    @property
    def whose(self) -> str:
        """The devices that it is about, in words."""
        if self.wire.get("device"):
            return f"device {self.wire['device']}"
        return f"device with the tag {self.wire.get('tag_key')} = {self.wire.get('tag_value')}"

    @property
    def point(self) -> Record:
        """A data point that meets it."""
        point = {"variable": str(self.wire["variable"]), "value": met_by(self.wire)}
        return {**point, "device": self.device} if self.device else point


def conditions(hand: Hand) -> Iterator[Condition]:
    """Those that begin something, then those that end it."""
    ending = []
    for part in PARTS:
        action_id = hand.record.get(part)
        action = hand.platform.info(hand.platform.kinds["action"], action_id) if action_id else None
        if not action or not action.get("active", True):
            continue
        for wire in action.get("trigger") or ():
            if wire.get("unlock") and not action.get("trigger_when_unlock"):
                continue  # it starts nothing
            condition = Condition(wire, *_device_of(hand.platform, wire))
            if part == "clear" or wire.get("unlock"):
                ending.append(condition)
            else:
                yield condition
    yield from ending


def met_by(wire: Record) -> int | float | str:
    """A value that meets a condition."""
    value, is_ = str(wire.get("value", "")), wire.get("is")
    if is_ == "*":
        return SOMETHING
    if wire.get("value_type") != "number":
        return value if is_ == "=" else f"not {value}"
    number, second = number_of(value), number_of(wire.get("second_value"))
    if number is None:
        return value
    if is_ == "><":
        number = (number + (number if second is None else second)) / 2
    elif is_ != "=":
        number += -1 if is_ == "<" else 1
    return number_of(round(number, 9)) or 0


def _device_of(platform: Platform, wire: Record) -> tuple[str, str]:
    """The id and the name of the first device whose data may meet it."""
    if wire.get("device"):
        found = platform.info(platform.kinds["journal"], str(wire["device"]))
    else:
        tag = {"key": str(wire.get("tag_key")), "value": str(wire.get("tag_value"))}
        listed = platform.listed(platform.devices.listDevice, tag, ["name"])
        found = next((each for each in listed if tag in (each.get("tags") or ())), None)
    return (str(found["id"]), str(found.get("name") or found["id"])) if found else ("", "")
