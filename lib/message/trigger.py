"""Why this run happened, read from what TagoIO hands the Analysis: its environment and its scope."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Any, Literal, NamedTuple

from lib.base.text import harmless

HAND_ON = "notify_hand_on"  # the variable by which a run that ran out of time tells its successor what it is for

SHOWN = 3  # variables that are named to a person


class DataPoint(NamedTuple):
    """One value that set off an Action (`time` is TagoIO's ISO text; `device` the device's id)."""

    variable: str = ""
    value: Any = None
    unit: str = ""
    time: str = ""
    device: str = ""
    group: str = ""
    id: str = ""
    location: Any = None


class PressIds(NamedTuple):
    """A button somebody pressed, as TagoIO reports it: not yet verified, and any id may be missing."""

    button_id: str
    user_id: str
    notification_id: str


class Trigger(NamedTuple):
    """`kind` says why; `points` are the data of an Action; `analysis_id` is this very Analysis, empty on a laptop.
    A `successor` was started by a run that ran out of time, and begins nothing of its own.

    `name_of` gives a device's name by its id.
    """

    kind: Literal["manual", "schedule", "action", "press", "successor"] = "manual"
    points: tuple[DataPoint, ...] = ()
    action_id: str = ""
    action_state: str = ""
    device_id: str = ""
    analysis_id: str = ""
    press: PressIds | None = None
    name_of: Callable[[str], str] = field(default=str, compare=False, repr=False)

    @property
    def fruitless(self) -> int:
        """Of a successor: how many runs before it, in a row, have settled nobody."""
        return max(int(self.value(HAND_ON) or 0), 0) if self.kind == "successor" else 0

    def value(self, variable: str) -> int | float | None:
        """The newest value of that variable as a number; None where the trigger brings none, or what is no number."""
        point = self.point(variable)
        return number_of(point.value) if point else None

    def text(self, variable: str) -> str:
        """The newest value of that variable as text, such as `open`; "" where the trigger brings none."""
        point = self.point(variable)
        if point is None or point.value is None:
            return ""
        return str(point.value).lower() if isinstance(point.value, bool) else harmless(str(point.value))

    def unit(self, variable: str) -> str:
        """The unit of the newest value of that variable, or ""."""
        point = self.point(variable)
        return point.unit if point else ""

    def point(self, variable: str) -> DataPoint | None:
        """The newest data point of that variable."""
        return next((point for point in reversed(self.points) if point.variable == variable), None)

    @property
    def brought(self) -> str:
        """What it brought, for people: the newest value of each variable."""
        newest = {point.variable: point for point in self.points}
        shown = [f"{name} = {_named(self.text(name), point)}" for name, point in newest.items()]
        more = f" and {len(shown) - SHOWN} more" if len(shown) > SHOWN else ""
        return f"this run brought {', '.join(shown[:SHOWN])}{more}" if shown else "this run brought no data"

    @property
    def device(self) -> str:
        """The id of the device whose data it is, or ""."""
        return self.device_id or next((point.device for point in reversed(self.points) if point.device), "")

    @property
    def device_name(self) -> str:
        """The name of that device; its id where TagoIO does not give the name; "" without a device."""
        return self.name_of(self.device) if self.device else ""


def number_of(value: Any) -> int | float | None:
    """A value as a number, a text such as "9.5" too, a whole one without a fraction; None for all else, true as well:
    only numbers compare as one expects."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    if not math.isfinite(number):
        return None
    return int(number) if number.is_integer() else number


def _named(text: str, point: DataPoint) -> str:
    """The value with its unit, and that it is no number where it looks like one."""
    is_odd = text[:1].isdigit() and number_of(point.value) is None
    return f"{text} {point.unit}".strip() + (" (which is no number)" if is_odd else "")


def read_trigger(environment: Sequence[Mapping[str, Any]] | None, scope: Any, analysis_id: str = "") -> Trigger:
    """Tell the trigger from TagoIO's variables (docs running-analysis-via-action.md; the press ones from
    analysis-kickstarter-rtls). `scope` may be None, a list, or an object, whatever the trigger."""
    env = {_text(entry.get("key")): _text(entry.get("value")) for entry in environment or ()}
    points = _points(scope)
    if env.get("button_id") or env.get("notification_id"):
        user_id = env.get("user_id") or env.get("_user_id", "")
        press = PressIds(env.get("button_id", ""), user_id, env.get("notification_id", ""))
        return Trigger("press", points, analysis_id=analysis_id, press=press)
    if env.get("_action_id"):
        timed = env.get("_action_type") in ("schedule", "interval")
        device = env.get("_device_id") or next((point.device for point in points), "")
        state = env.get("_action_state", "")
        kind: Literal["schedule", "action"] = "schedule" if timed else "action"
        return Trigger(kind, points, env["_action_id"], state, device, analysis_id)
    is_successor = any(point.variable == HAND_ON for point in points)
    return Trigger("successor" if is_successor else "manual", points, analysis_id=analysis_id)


def _points(scope: Any) -> tuple[DataPoint, ...]:
    listed = scope if isinstance(scope, list) else [scope]
    return tuple(
        DataPoint(
            variable=_text(point["variable"]),
            value=harmless(point["value"]) if isinstance(point.get("value"), str) else point.get("value"),
            unit=_text(point.get("unit")),
            time=_text(point.get("time")),
            device=_text(point.get("device")),
            group=_text(point.get("group")),
            id=_text(point.get("id")),
            location=point.get("location"),
        )
        for point in listed
        if isinstance(point, dict) and point.get("variable")
    )


def _text(given: Any) -> str:
    return harmless(str(given or ""))
