"""What the page's forms do to the sandbox: run, press, variables, trouble. Bad input is one sentence."""

import asyncio
import math
import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from aiohttp.web import AppKey

from lib.base.duration import shown_duration
from lib.base.text import counted
from lib.tools.sandbox.page.days import Day, days_of
from lib.tools.sandbox.page.forms import BadInput, Form, number_of_text, text_of, typed_value
from lib.tools.sandbox.page.journal import Journal, journal_of
from lib.tools.sandbox.page.known import audience_of, known_of
from lib.tools.sandbox.page.names import name_of
from lib.tools.sandbox.page.plain import LOOPS, PlainDay, Weather
from lib.tools.sandbox.page.schedule import LONGEST, SHORTEST, Schedule
from lib.tools.sandbox.page.switches import Switches
from lib.tools.sandbox.page.variables import checked_variables, variables_of
from lib.tools.sandbox.page.witness import Witness
from lib.tools.sandbox.refusal import Refusal
from lib.tools.sandbox.run_routes import press_button
from lib.tools.sandbox.runner import Run
from lib.tools.sandbox.server import Sandbox
from lib.tools.sandbox.store import Record, new_id

Clients = list[tuple[str, str]]  # heading and text


class Desk:
    """The page's hands. `analyses` are the sandbox's own, which share variables; the page runs the first unless another
    is chosen. `key` opens the page: another at each start, and kept nowhere."""

    def __init__(self, sandbox: Sandbox, analyses: list[Record], clients: "Callable[[Desk], Clients]") -> None:
        self.sandbox = sandbox
        self.store = sandbox.store
        self.analyses = analyses
        self._clients = clients
        self.key = secrets.token_urlsafe(24)
        self.said = ""  # what was done last
        self.switches = Switches(sandbox)
        self.witness = Witness(self.store, sandbox.runner, sandbox.changes.tell)
        self.again: dict[int, int] = {}  # the runs to which the event of a run was handed once more, and that run
        self.weathers: dict[int, Weather] = {}  # by the run with which a day began
        self.weather_said: dict[int, str] = {}
        self.beside: dict[int, str] = {}  # the form with which a day began
        self.plain: dict[int, list[PlainDay]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        sandbox.trouble.on_seen = self.witness.saw
        sandbox.trouble.on_kill = self._hand_in_again
        self.schedule = Schedule(self._scheduled)
        self._on_schedule = str(analyses[0]["id"])
        self._actions = {kind: self._action(kind) for kind in ("condition", "interval")}

    @property
    def address(self) -> str:
        """Of the page, for whoever may open it."""
        return f"{self.sandbox.api}/?key={self.key}"

    @property
    def cookie(self) -> str:
        """Its name. A browser sends a cookie to every port of a host, so that of another sandbox has another name."""
        return f"sandbox_{urlsplit(self.sandbox.api).port}"

    def clients(self) -> Clients:
        """What to set for other clients."""
        return self._clients(self)

    def chosen(self, analysis_id: str) -> Record:
        """The Analysis of that id, else the first."""
        return self.store.analyses.get(analysis_id, self.analyses[0])

    def sharing(self, analysis: Record) -> list[Record]:
        """The Analyses that have the variables of this one."""
        own = {each["id"] for each in self.analyses}
        return self.analyses if analysis["id"] in own else [analysis]

    @property
    def variables(self) -> list[dict[str, str]]:
        """Of the first Analysis."""
        return variables_of(self.analyses[0])

    @property
    def clock(self) -> str:
        ahead = f", {shown_duration(self.store.ahead)} ahead" if self.store.ahead else ""
        return f"{datetime.fromtimestamp(self.store.clock()):%Y-%m-%d %H:%M}{ahead}"

    async def run(self, form: Form, chosen: str = "") -> str:
        """By hand, or with a `variable` as an Action on that data point would; the form's Analysis, else the one that
        is chosen."""
        analysis = self._analysis(form, chosen)
        newest = self._newest
        if form.get("how") != "action":
            await self._start(analysis, {}, None)
            self._note_form(form, newest)
            return f"Runs {analysis['name']} by hand"
        name = text_of(form, "variable").lower()  # as TagoIO stores it: D docs sending-data.md
        if not name:
            raise BadInput("A data point needs a variable, such as temperature")
        device = self._device(text_of(form, "device") or "Refrigerator 7")
        point = {"id": new_id(), "device": device["id"], "variable": name, "value": typed_value(text_of(form, "value"))}
        point |= {"unit": text_of(form, "unit"), "group": new_id(), "time": self.store.now()}
        extra = {"_action_id": self._actions["condition"], "_action_type": "condition", "_action_state": "unlocked"}
        try:
            self.store.add_data(device["id"], point)
        except Refusal as refusal:
            raise BadInput(refusal.message) from refusal
        await self._start(analysis, {**extra, "_device_id": device["id"]}, [point])
        self._note_form(form, newest)
        return f"{device['name']}: {name} {point['value']} {point['unit']}".strip()

    async def set_schedule(self, form: Form, chosen: str = "") -> str:
        """`seconds`, empty or 0 to end it; of the Analysis that is chosen."""
        text = text_of(form, "seconds")
        seconds = number_of_text(text or "0", "Seconds", 0, LONGEST)
        if form.get("stop") or not seconds:
            self.schedule.stop()
            return "The schedule is off"
        analysis = self.chosen(chosen)
        self._on_schedule = str(analysis["id"])
        self.schedule.set(max(math.ceil(seconds), SHORTEST))
        return f"Runs {analysis['name']} every {self.schedule.seconds} s"

    def stop(self, form: Form) -> str:
        """End a `run`, by its number."""
        if not self.sandbox.runner.end(text_of(form, "run")):
            raise BadInput("That run is not running any more")
        return f"Stopped run {text_of(form, 'run')}"

    async def press(self, form: Form) -> str:
        """As the `user`, the `button` of the notification `note`."""
        user, note, button_id = self._user(form), self._note(form), text_of(form, "button")
        labels = (button["label"] for button in note["buttons"] if str(button["id"]) == button_id)
        label, newest = next(labels, button_id), self._newest
        try:
            await press_button(self.sandbox.runner, user["id"], note["id"], button_id)
        except Refusal as refusal:
            raise BadInput(f"{label}: {refusal.message}") from refusal
        self.store.edit_notification(note, {"read": True})
        self._check_heard(newest)
        return f"{name_of(user)} pressed {label}"

    def read(self, form: Form) -> str:
        """The `user` opens the notification `note`."""
        user, note = self._user(form), self._note(form)
        self.store.edit_notification(note, {"read": True})
        return f"{name_of(user)} opened {note['title']}"

    def set_variables(self, names: list[str], values: list[str], form: Form) -> str:
        """Of the form's Analysis, and of those that share them; its `version` is of those that were to be changed."""
        analysis = self._analysis(form)
        taken = checked_variables(analysis, names, values, text_of(form, "version"))
        for each in self.sharing(analysis):
            each["variables"] = list(taken)
        return f"Saved {counted(len(taken), 'variable')}; the next run of {analysis['name']} has them"

    def move_clock(self, form: Form) -> str:
        """TagoIO's clock goes on by so many `minutes`."""
        minutes = number_of_text(text_of(form, "minutes"), "Minutes", 1, 10_080)
        self.store.ahead += minutes * 60
        return f"TagoIO's clock has moved on by {minutes:g} min"

    def days(self) -> list[Day]:
        return days_of(list(self.sandbox.runner.runs), self.again, self.witness.steps)

    def journal_of(self, day: Day) -> Journal:
        return journal_of(self.store, self.chosen(day.runs[0].analysis_id))

    def audience_of(self, day: Day) -> list[str]:
        """Whom it was to tell."""
        return audience_of(day, known_of(day, self.witness.steps, self.journal_of(day)))

    async def compare(self, form: Form) -> str:
        """Run the day that began with `run` once more, with plain loops."""
        day = next((day for day in self.days() if str(day.number) == text_of(form, "run")), None)
        if day is None:
            raise BadInput("That run is not here any more")
        users = [self.store.users[each] for each in self.audience_of(day) if each in self.store.users]
        if not users:
            raise BadInput("Nobody was to be told that day")
        if any(each.is_going for each in self.plain.get(day.number, [])):
            raise BadInput("The loops are still running")
        weather = self.weathers.get(day.number, Weather())
        loops = [PlainDay(tries, users, weather, day.runs[0].scope, self.sandbox.changes.tell) for tries in LOOPS]
        self.plain[day.number] = loops
        for each in loops:
            self._go(each.go())
        return f"The same day for {len(users)} fresh users, with a plain loop"

    async def start_over(self, form: Form) -> str:
        """As it was at the start, but for users, variables and trouble."""
        await self.end()
        self.store.clear()
        self.switches.refill()
        self.sandbox.runner.runs.clear()
        self.witness.steps.clear()
        self.again.clear()
        self.weathers.clear()
        self.beside.clear()
        self.plain.clear()
        self.sandbox.trouble.spare_all()
        return "Inboxes and journal are empty"

    async def end(self) -> None:
        """The schedule, the loops, the runs."""
        self.schedule.stop()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.sandbox.runner.stop()

    async def _start(self, analysis: Record, extra: dict[str, str], scope: Any) -> None:
        weather, runs = self.switches.weather, self.sandbox.runner.runs
        is_elsewhere = analysis["run_on"] == "external"
        self.sandbox.trouble.kill_next(None if is_elsewhere else weather.kill_after)
        try:
            await self.sandbox.runner.start(analysis, extra, scope)
        except Refusal as refusal:
            self.sandbox.trouble.kill_next(None)
            raise BadInput(f"{analysis['name']} does not run: {refusal.message}") from refusal
        says = self.switches.says
        if is_elsewhere and weather.kill_after is not None:
            says = f"{says.rstrip('.')}. It runs elsewhere, where nothing here can kill it"
        self.weathers[runs[-1].number], self.weather_said[runs[-1].number] = weather, says

    @property
    def _newest(self) -> Run | None:
        return self.sandbox.runner.runs[-1] if self.sandbox.runner.runs else None

    def _note_form(self, form: Form, before: Run | None) -> None:
        self.beside[self.sandbox.runner.runs[-1].number] = text_of(form, "beside")
        self._check_heard(before)

    def _check_heard(self, before: Run | None) -> None:
        """Raises BadInput where a run was begun since that went to an external Analysis for which nobody listens."""
        run = self._newest
        if run is not None and run is not before and not run.is_heard:
            name = self.store.analyses[run.analysis_id]["name"]
            raise BadInput(f"Nobody listens for {name}: start it, then do this again")

    def _hand_in_again(self, token: str) -> bool:
        """A run is killed, where it can be: the same event comes once more, when it is gone."""
        run = self.sandbox.runner.run_of(token)
        if run is None or not self.sandbox.runner.end_by_token(token):
            return False

        async def again() -> None:
            while not run.ended:
                await asyncio.sleep(0.05)
            self.sandbox.trouble.revive(token)
            analysis = self.store.analyses.get(run.analysis_id)
            if analysis is not None:
                newest = self._newest
                await self.sandbox.runner.start_from("The trouble", analysis, run.extra, run.scope)
                if self._newest is not None and self._newest is not newest:
                    self.again[self._newest.number] = run.number
                self.sandbox.changes.tell()

        self._go(again())
        return True

    def _go(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _scheduled(self) -> None:
        """Passed over while the run before still goes on: TagoIO would let them overlap."""
        runs = self.sandbox.runner.runs
        if any(not run.ended and run.extra.get("_action_id") == self._actions["interval"] for run in runs):
            return
        extra = {"_action_id": self._actions["interval"], "_action_type": "interval"}
        try:
            await self._start(self.chosen(self._on_schedule), extra, None)
        except BadInput as refused:
            self.said = str(refused)

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

    def _analysis(self, form: Form, chosen: str = "") -> Record:
        named = text_of(form, "analysis")
        if named and named not in self.store.analyses:
            raise BadInput("This Analysis is not here any more: load the page again")
        return self.chosen(named or chosen)

    def _user(self, form: Form) -> Record:
        user = self.store.users.get(text_of(form, "user"))
        if user is None:
            raise BadInput("There is no such user any more")
        if not user["active"]:
            raise BadInput(f"{name_of(user)} is inactive and cannot log in to TagoRUN")
        return user

    def _note(self, form: Form) -> Record:
        try:
            return self.store.notification(text_of(form, "note"), text_of(form, "user"))
        except Refusal as refusal:
            raise BadInput("This notification was removed meanwhile") from refusal


DESK = AppKey("desk", Desk)
