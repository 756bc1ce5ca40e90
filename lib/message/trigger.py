"""Why this run happened, read from what TagoIO hands the Analysis: its environment and its scope."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from lib.base.text import plain

HAND_ON = "notify_hand_on"  # the variable by which a run that ran out of time tells its successor what it is for


@dataclass(frozen=True, slots=True)
class DataPoint:
    """One value that set off an Action (`time` is TagoIO's ISO text; `device` the device's id)."""

    variable: str = ""
    value: Any = None
    unit: str = ""
    time: str = ""
    device: str = ""
    group: str = ""
    id: str = ""
    location: Any = None


@dataclass(frozen=True, slots=True)
class PressIds:
    """A button somebody pressed, as TagoIO reports it: not yet verified, and any id may be missing."""

    button_id: str
    user_id: str
    notification_id: str


@dataclass(frozen=True, slots=True)
class Trigger:
    """`kind` says why; `points` are the data of an Action; `analysis_id` is this very Analysis, empty on a laptop.
    A `successor` was started by a run that ran out of time, and begins nothing of its own."""

    kind: Literal["manual", "schedule", "action", "press", "successor"] = "manual"
    points: tuple[DataPoint, ...] = ()
    action_id: str = ""
    action_state: str = ""
    device_id: str = ""
    analysis_id: str = ""
    press: PressIds | None = None

    @property
    def fruitless(self) -> int:
        """Of a successor: how many runs before it, in a row, have settled nobody."""
        count = self.value(HAND_ON)
        return count if self.kind == "successor" and isinstance(count, int) else 0

    def value(self, variable: str, default: Any = None) -> Any:
        """The value of the newest data point of that variable, or `default`."""
        return next((point.value for point in reversed(self.points) if point.variable == variable), default)


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
            value=plain(point["value"]) if isinstance(point.get("value"), str) else point.get("value"),
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
    return plain(str(given or ""))
