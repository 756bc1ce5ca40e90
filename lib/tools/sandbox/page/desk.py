"""What the page's forms do to the sandbox: run, press, variables, trouble. Bad input is one sentence."""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from aiohttp.web import AppKey

from lib.tools.sandbox.page.schedule import LONGEST, SHORTEST, Schedule
from lib.tools.sandbox.run_routes import press_button
from lib.tools.sandbox.runner import Run
from lib.tools.sandbox.server import Sandbox
from lib.tools.sandbox.store import Record, Refusal, new_id
from lib.tools.sandbox.trouble import KINDS, PLANS, Fault

MAX_VARIABLES = 20  # D environment-variables.md
Form = Mapping[str, Any]


class BadInput(Exception):
    """A form that cannot be taken; the text says what to mend."""


class Desk:
    """The page's hands. `analyses` are those it can run, the first unless told otherwise; they share variables."""

    def __init__(self, sandbox: Sandbox, analyses: list[Record], clients: Callable[[], list[tuple[str, str]]]) -> None:
        self.sandbox = sandbox
        self.store = sandbox.store
        self.analyses = analyses
        self.clients = clients  # heading and text of what to set for other clients
        self.said = ""  # what was done last
        self.plan = next((name for name, limit in PLANS.items() if limit == sandbox.trouble.rate_limit), "other")
        self.schedule = Schedule(self._scheduled)
        self._on_schedule: Run | None = None
        self._actions = {kind: self._action(kind) for kind in ("condition", "interval")}

    @property
    def variables(self) -> list[dict[str, str]]:
        listed: list[dict[str, str]] = self.analyses[0]["variables"]
        return listed

    async def run(self, form: Form) -> str:
        """By hand, or with a `variable` as an Action on that data point would."""
        analysis = next((each for each in self.analyses if each["id"] == form.get("analysis")), self.analyses[0])
        if form.get("how") != "action":
            await self._start(analysis, {}, None)
            return "Runs by hand"
        name = _text(form, "variable")
        if not name:
            raise BadInput("A data point needs a variable, such as temperature")
        device = self._device(_text(form, "device") or "Refrigerator 7")
        point = {"id": new_id(), "device": device["id"], "variable": name, "value": _value(_text(form, "value"))}
        point |= {"unit": _text(form, "unit"), "group": new_id(), "time": self.store.now()}
        extra = {"_action_id": self._actions["condition"], "_action_type": "condition", "_action_state": "unlocked"}
        self.store.add_data(device["id"], point)
        await self._start(analysis, {**extra, "_device_id": device["id"]}, [point])
        return f"Runs as an Action on {name}"

    async def set_schedule(self, form: Form) -> str:
        """`seconds`, empty or 0 to end it."""
        text = _text(form, "seconds")
        seconds = _number(text or "0", "Seconds", 0, LONGEST)
        if form.get("stop") or not seconds:
            self.schedule.stop()
            return "The schedule is off"
        self.schedule.set(max(math.ceil(seconds), SHORTEST))
        return f"Runs every {self.schedule.seconds} s"

    async def press(self, user_id: str, notification_id: str, button_id: str) -> str:
        """As that user."""
        name = self._user(user_id)["name"]
        note = self._note(user_id, notification_id)
        label = next((button["label"] for button in note["buttons"] if button["id"] == button_id), button_id)
        try:
            await press_button(self.sandbox.runner, user_id, notification_id, button_id)
        except Refusal as refusal:
            raise BadInput(f"{label}: {refusal.message}") from refusal
        self.store.edit_notification(note, {"read": True})
        return f"{name} pressed {label}"

    def read(self, user_id: str, notification_id: str) -> str:
        """That user opens it."""
        note = self._note(user_id, notification_id)
        self.store.edit_notification(note, {"read": True})
        return f"{self._user(user_id)['name']} opened {note['title']}"

    def set_variables(self, names: list[str], values: list[str]) -> str:
        given = [(name.strip(), value.strip()) for name, value in zip(names, values, strict=False)]
        problems = list(_variable_problems(given))
        if problems:
            raise BadInput("; ".join(problems))
        kept = [{"key": name, "value": value} for name, value in given if name]
        for analysis in self.analyses:
            analysis["variables"] = kept
        return f"Saved {len(kept)} variables; the next run has them"

    def set_trouble(self, form: Form, kinds: list[str]) -> str:
        trouble = self.sandbox.trouble
        plan = _text(form, "plan")
        if plan == "other":
            limit: int | None = int(_number(_text(form, "limit") or "0", "Requests a minute", 1, 1_000_000))
        else:
            limit = PLANS.get(plan)
        latency = _number(_text(form, "latency") or "0", "Latency", 0, 60)
        share = _number(_text(form, "share") or "100", "Users hit", 0, 100)
        attempts = int(_number(_text(form, "attempts") or "1", "Requests hit", 1, 1000))
        processed = bool(form.get("processed"))
        self.plan = plan
        trouble.rate_limit, trouble.latency = limit, latency
        trouble.faults = [
            Fault(kind, processed=processed, share=share / 100, attempts=attempts, seed=place)
            for place, kind in enumerate(KINDS)
            if kind in kinds
        ]
        trouble.begin_anew()
        shown = ", ".join(fault.kind for fault in trouble.faults) or "no faults"
        return f"From now on: {f'{limit} a minute' if limit else 'no rate limit'}, {latency:g} s latency, {shown}"

    async def _start(self, analysis: Record, extra: dict[str, str], scope: Any) -> None:
        self.sandbox.trouble.begin_anew()
        await self.sandbox.runner.start(analysis, extra, scope)

    async def _scheduled(self) -> None:
        """Passed over while the run before still goes on: TagoIO would let them overlap."""
        runs = self.sandbox.runner.runs
        if any(not run.ended and run.extra.get("_action_id") == self._actions["interval"] for run in runs):
            return
        await self._start(self.analyses[0], {"_action_id": self._actions["interval"], "_action_type": "interval"}, None)

    def _action(self, kind: str) -> str:
        """The Action that the page's runs come from: the same after a restart."""
        name = f"The sandbox page ({kind})"
        found = next((action for action in self.store.actions.values() if action["name"] == name), None)
        if found is None:
            found = {
                "id": new_id(),
                "name": name,
                "type": kind,
                "active": True,
                "tags": [],
                "created_at": self.store.now(),
            }
            self.store.actions[found["id"]] = found
        return str(found["id"])

    def _device(self, name: str) -> Record:
        found = next((device for device in self.store.devices.values() if device["name"] == name), None)
        return found or self.store.add_device({"name": name})[0]

    def _user(self, user_id: str) -> Record:
        if user_id not in self.store.users:
            raise BadInput("There is no such user any more")
        return self.store.users[user_id]

    def _note(self, user_id: str, notification_id: str) -> Record:
        try:
            return self.store.notification(notification_id, user_id)
        except Refusal as refusal:
            raise BadInput("This notification was removed meanwhile") from refusal


DESK = AppKey("desk", Desk)


def _variable_problems(given: list[tuple[str, str]]) -> Iterator[str]:
    names = [name for name, _ in given if name]
    if len(names) > MAX_VARIABLES:
        yield f"{len(names)} variables; TagoIO takes {MAX_VARIABLES}"
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"{name} is there {names.count(name)} times"
    for value in (value for name, value in given if value and not name):
        yield f'the value "{value[:20]}" has no name'


def _text(form: Form, name: str) -> str:
    return str(form.get(name) or "").strip()


def _number(text: str, name: str, least: float, most: float) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not least <= number <= most:
        raise BadInput(f'{name}: "{text}" is not a number from {least:g} to {most:g}')
    return number


def _value(text: str) -> Any:
    """A number, true or false where it reads as one, text otherwise."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, int | float | bool) else text
