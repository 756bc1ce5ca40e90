"""What the page's forms do to the sandbox: run, press, variables, trouble. Bad input is one sentence."""

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from aiohttp.web import AppKey

from lib.base.duration import shown_duration
from lib.tools.sandbox.page.schedule import LONGEST, SHORTEST, Schedule
from lib.tools.sandbox.refusal import Refusal
from lib.tools.sandbox.run_routes import press_button
from lib.tools.sandbox.runner import Run
from lib.tools.sandbox.server import Sandbox
from lib.tools.sandbox.store import Record, new_id
from lib.tools.sandbox.trouble import KINDS, PLANS, Fault

MAX_VARIABLES = 20  # D environment-variables.md
Form = Mapping[str, Any]
Clients = list[tuple[str, str]]  # heading and text


class BadInput(Exception):
    """A form that cannot be taken; the text says what to mend."""


class Desk:
    """The page's hands. `analyses` are those it can run, the first unless told otherwise; they share variables."""

    def __init__(self, sandbox: Sandbox, analyses: list[Record], clients: "Callable[[Desk], Clients]") -> None:
        self.sandbox = sandbox
        self.store = sandbox.store
        self.analyses = analyses
        self._clients = clients
        self.said = ""  # what was done last
        self.plan = "none"
        self.schedule = Schedule(self._scheduled)
        self._on_schedule: Run | None = None
        self._actions = {kind: self._action(kind) for kind in ("condition", "interval")}

    def clients(self) -> Clients:
        """What to set for other clients."""
        return self._clients(self)

    def set_plan(self, plan: str, limit: int | None = None) -> None:
        """The rate limit of a plan; of none; or `limit` a minute."""
        self.plan = self.sandbox.trouble.plan = plan
        self.sandbox.trouble.rate_limit = PLANS.get(plan, limit)

    @property
    def variables(self) -> list[dict[str, str]]:
        """Of the first Analysis, as text: an API client may have put anything there."""
        listed = self.analyses[0].get("variables")
        entries = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
        return [{"key": str(each.get("key", "")), "value": str(each.get("value", ""))} for each in entries]

    @property
    def version(self) -> str:
        """Another one when somebody else has changed the variables."""
        return hashlib.sha256(json.dumps(self.variables).encode()).hexdigest()[:12]

    @property
    def quota_left(self) -> int:
        return max(int(self.store.limits["push_notification"]) - int(self.store.used["push_notification"]), 0)

    @property
    def clock(self) -> str:
        ahead = f", {shown_duration(self.store.ahead)} ahead" if self.store.ahead else ""
        return f"{datetime.fromtimestamp(self.store.clock()):%Y-%m-%d %H:%M}{ahead}"

    async def run(self, form: Form) -> str:
        """By hand, or with a `variable` as an Action on that data point would."""
        wanted = form.get("analysis") or self.analyses[0]["id"]
        analysis = next((each for each in self.analyses if each["id"] == wanted), None)
        if analysis is None or wanted not in self.store.analyses:
            raise BadInput("This Analysis is not here any more: load the page again")
        if form.get("how") != "action":
            await self._start(analysis, {}, None)
            return "Runs by hand"
        name = _text(form, "variable").lower()  # as TagoIO stores it: D docs sending-data.md
        if not name:
            raise BadInput("A data point needs a variable, such as temperature")
        device = self._device(_text(form, "device") or "Refrigerator 7")
        point = {"id": new_id(), "device": device["id"], "variable": name, "value": _value(_text(form, "value"))}
        point |= {"unit": _text(form, "unit"), "group": new_id(), "time": self.store.now()}
        extra = {"_action_id": self._actions["condition"], "_action_type": "condition", "_action_state": "unlocked"}
        try:
            self.store.add_data(device["id"], point)
        except Refusal as refusal:
            raise BadInput(refusal.message) from refusal
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

    def stop(self, form: Form) -> str:
        """End a `run`, by its number."""
        if not self.sandbox.runner.end(_text(form, "run")):
            raise BadInput("That run is not running any more")
        return f"Stopped run {_text(form, 'run')}"

    async def press(self, form: Form) -> str:
        """As the `user`, the `button` of the notification `note`."""
        user, note, button_id = self._user(form), self._note(form), _text(form, "button")
        labels = (button["label"] for button in note["buttons"] if str(button["id"]) == button_id)
        label = next(labels, button_id)
        try:
            await press_button(self.sandbox.runner, user["id"], note["id"], button_id)
        except Refusal as refusal:
            raise BadInput(f"{label}: {refusal.message}") from refusal
        self.store.edit_notification(note, {"read": True})
        return f"{user['name']} pressed {label}"

    def read(self, form: Form) -> str:
        """The `user` opens the notification `note`."""
        user, note = self._user(form), self._note(form)
        self.store.edit_notification(note, {"read": True})
        return f"{user['name']} opened {note['title']}"

    def set_variables(self, names: list[str], values: list[str], version: str) -> str:
        """For all of `analyses`; `version` is of those that were to be changed."""
        values = [value.replace("\r\n", "\n") for value in values]
        given = [(name.strip(), value.strip()) for name, value in zip(names, values, strict=False)]
        problems = list(_variable_problems(given))
        if version != self.version:
            problems.append("the variables were changed elsewhere meanwhile: load the page again")
        if problems:
            raise BadInput("; ".join(problems))
        for analysis in self.analyses:
            analysis["variables"] = [{"key": name, "value": value} for name, value in given if name]
        return f"Saved {len(self.variables)} variables; the next run has them"

    def move_clock(self, form: Form) -> str:
        """TagoIO's clock goes on by so many `minutes`."""
        minutes = _number(_text(form, "minutes"), "Minutes", 1, 10_080)
        self.store.ahead += minutes * 60
        return f"TagoIO's clock has moved on by {minutes:g} min"

    def set_trouble(self, form: Form, kinds: list[str]) -> str:
        trouble = self.sandbox.trouble
        plan = _text(form, "plan")
        given = (
            int(_number(_text(form, "limit") or "0", "Requests a minute", 1, 1_000_000)) if plan == "other" else None
        )
        latency = _number(_text(form, "latency") or "0", "Latency", 0, 60)
        share = _number(_text(form, "share") or "100", "Users hit", 0, 100)
        attempts = int(_number(_text(form, "attempts") or "1", "Requests hit", 1, 1000))
        quota = int(_number(_text(form, "quota") or str(self.quota_left), "Push notifications", 0, 10_000_000))
        processed = bool(form.get("processed"))
        if quota != self.quota_left:
            self.store.limits["push_notification"] = max(int(self.store.limits["push_notification"]), quota)
            self.store.used["push_notification"] = int(self.store.limits["push_notification"]) - quota
        self.set_plan(plan, given)
        trouble.latency = latency
        trouble.faults = [
            Fault(kind, processed=processed, share=share / 100, attempts=attempts) for kind in KINDS if kind in kinds
        ]
        trouble.begin_anew()
        shown = ", ".join(fault.kind for fault in trouble.faults) or "no faults"
        limit = f"{trouble.rate_limit} a minute" if trouble.rate_limit else "no rate limit"
        return f"From now on: {limit}, {latency:g} s latency, {shown}"

    async def _start(self, analysis: Record, extra: dict[str, str], scope: Any) -> None:
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

    def _user(self, form: Form) -> Record:
        user = self.store.users.get(_text(form, "user"))
        if user is None:
            raise BadInput("There is no such user any more")
        if not user["active"]:
            raise BadInput(f"{user['name']} is inactive and cannot log in to TagoRUN")
        return user

    def _note(self, form: Form) -> Record:
        try:
            return self.store.notification(_text(form, "note"), _text(form, "user"))
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
