"""What the developer of the simulated Analysis has set and written: variables, `compose`, `decide`; and who presses."""

import json
from typing import Any

from tests.simulation.history import Decided, History
from tests.simulation.scenario import Run, Setup, level_of, value_of
from tests.simulation.scheduler import EPOCH, Scheduler
from tests.simulation.server import DEVICE_TOKEN, Note, Server, stamp

CHANNELS = {
    "mail": "simmail://robot:s3cr3t-pass@relay.example?to={email}",
    "text": "simtext://ACc0ffee77:t0k3n-0f-text@15550100/{phone}",
}
BOSS_STEP = "boss"
THINKING = 3.0  # seconds that a slow `decide` takes


class Developer:
    def __init__(self, setup: Setup, history: History, scheduler: Scheduler, analysis: Any) -> None:
        self.setup = setup
        self.history = history
        self.scheduler = scheduler
        self.analysis = analysis
        self._variables = self._settings()

    # ---- variables

    def environment(self) -> dict[str, str]:
        return dict(self._variables)

    def _settings(self) -> dict[str, str]:
        setup, people = self.setup, self.history.scenario.people
        given = {
            "account_token": "",
            "tag_key": "group",
            "tag_value": "crew",
            "log_level": "debug",
            "send_to": setup.send_to,
            "delivery_log_token": DEVICE_TOKEN if setup.has_journal else "",
            "time_budget": f"{setup.time_budget:g}s" if setup.time_budget else "",
            "rate_limit": str(setup.rate_limit or ""),
            "fallback": " ".join(CHANNELS[name] for name in setup.fallback),
            "max_recipients": str(len(people)) if len(people) > 1000 else "",
            "remind_after": f"{setup.remind_after:g}s" if setup.remind_after else "",
            "notification": self._document() if setup.is_document else "",
        }
        return {name: value for name, value in given.items() if value}

    def _document(self) -> str:
        variants = []
        for place, level in enumerate(("low", "normal", "high"), 1):
            when = {"variable": "temperature", "is": "><", "value": 100 * place, "second_value": 100 * place + 99}
            variant: dict[str, Any] = {"when": when, "title": "Alarm", "message": "It is at $VALUE$", "priority": level}
            if self.setup.has_buttons:
                variant["buttons"] = [
                    {"id": "acknowledge", "label": "Acknowledge", "analysis": "this"},
                    {"id": "look", "label": "Look", "url": "https://example.com/look"},
                ]
                variant["answers"] = self.setup.answers
            if self.setup.is_alarm:
                variant |= {"alarm": "temperature", "all_clear": "Over at $VALUE$"}
                variant["all_clear_tell"] = self.setup.all_clear_tell
            if self.setup.escalate_after and level == "high":
                variant["escalate"] = [{"after": f"{self.setup.escalate_after:g}s", "to": BOSS_STEP}]
            variants.append(variant)
        return json.dumps(variants)

    def point(self, number: int) -> dict[str, Any]:
        """The data point of an event: the same for the same number."""
        return {
            "id": f"{number:024x}", "variable": "temperature", "value": value_of(number), "unit": "C",
            "device": "f" * 24, "time": stamp(EPOCH - 100 + number),
        }  # fmt: skip

    # ---- code

    def compose(self, trigger: Any, user: Any) -> Any:
        value = trigger.value("temperature")
        if trigger.kind == "schedule" or (trigger.kind == "action" and value is None):
            return None
        if self.setup.is_alarm and value is not None and value < 100:
            return self.analysis.AllClear("temperature", f"Over at {value}", tell=self.setup.all_clear_tell)
        level = "normal" if value is None else level_of(int(value) % 100)
        button = self.analysis.Button
        own = button("acknowledge", "Acknowledge", analysis=trigger.analysis_id)
        buttons = (own, button("look", "Look", link="https://example.com/look")) if self.setup.has_buttons else ()
        steps = (
            [(f"{self.setup.escalate_after:g}s", BOSS_STEP)] if self.setup.escalate_after and level == "high" else ()
        )
        return self.analysis.Notification(
            title="Alarm",
            message="By hand" if value is None else f"It is at {value}",
            buttons=buttons,
            priority=level,
            answers=self.setup.answers if buttons else "first",
            escalate=steps,
            alarm="temperature" if self.setup.is_alarm else "",
            subject="" if value is None else f"event {value}",
        )

    def decide(self, press: Any) -> Any:
        process = self.scheduler.current.process
        decided = Decided(self.scheduler.now, process.name, press.user.id, press.button, press.campaign)
        self.history.decided.append(decided)
        way = self.setup.decide
        if way == "slow":
            self.scheduler.pause(THINKING)
        if way == "raise":
            raise RuntimeError("the lamp does not answer")
        if way == "nothing":
            return None
        if way == "lines":
            return {"": f"Taken by {press.user.id[-2:]}", "pt": f"Feito por {press.user.id[-2:]}"}
        return f"Acknowledged by {press.user.id[-2:]}"

    # ---- presses

    def pressed(self, run: Run, server: Server) -> dict[str, str] | None:
        """The ids of a press as the platform hands them in; None where that user has nothing to press."""
        user = f"a{run.person:023x}"
        found = [note for note in server.notes if note.user == user and note.by and self._is_about(note, run.number)]
        if not found or user not in server.users:
            return None
        note = found[-1]
        if not note.is_enabled and not run.forged:
            return None
        ids = {"button_id": note.body["buttons"][0]["id"], "user_id": user, "notification_id": note.id}
        if run.forged == "stranger":
            ids["user_id"] = f"a{(run.person + 1) % len(server.users):023x}"
        elif run.forged == "button":
            ids["button_id"] = ids["button_id"].replace("acknowledge", "everything")
        elif run.forged == "notification":
            ids["notification_id"] = f"b{99_999:023x}"
        elif run.forged == "missing":
            del ids["user_id"]
        return ids

    def _is_about(self, note: Note, number: int) -> bool:
        return str(note.body["message"]).startswith(f"It is at {value_of(number)}") and bool(note.body.get("buttons"))
