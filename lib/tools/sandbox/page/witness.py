"""Keeps what happened to each user's notification, step by step, as the sandbox saw it."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from lib.campaign.key import marked_parts
from lib.tools.sandbox.app import BODY
from lib.tools.sandbox.runner import Run, Runner
from lib.tools.sandbox.store import Store
from lib.tools.sandbox.trouble import Seen

Kind = Literal["sent", "wait", "refused", "doubt", "found", "absent", "updated", "closed", "killed", "dropped"]
LOOKS = {"found", "absent"}  # in an inbox
TELLS = ("sent", "doubt", "wait")
INBOX = "/run/notification/"


@dataclass(frozen=True, slots=True)
class Step:
    """Of a run, by its number, about a user. `what` is the campaign's mark, or the text where there is none: two steps
    with the same tell the same. `note_id`: the notification, where TagoIO carried the request out."""

    run: int
    user_id: str
    kind: Kind
    at: float
    detail: str = ""
    what: tuple[str, str] = ("", "")
    note_id: str = ""

    @property
    def campaign(self) -> str:
        return self.what[0]


class Witness:
    """`steps` of the runs of a Runner, in the order in which they were answered."""

    def __init__(self, store: Store, runner: Runner, on_change: Callable[[], None] = lambda: None) -> None:
        self.store = store
        self.runner = runner
        self.steps: list[Step] = []
        self.on_change = on_change

    def saw(self, seen: Seen) -> None:
        request = seen.request
        if not request.path.startswith(INBOX[:-1]):
            return
        run = self.runner.run_of(request.headers.get("token", ""))
        if run is None:
            return
        subject = request.path.removeprefix(INBOX).strip("/")
        step = None
        if request.method == "POST":
            step = self._told(seen, run, request[BODY])
        elif request.method == "GET" and subject in self.store.users:
            step = self._asked(run, subject, seen)
        elif request.method == "PUT" and subject in self.store.notifications and seen.status == 200:
            user = str(self.store.notifications[subject]["run_user"])
            kind: Kind = "updated" if self.store.notifications[subject]["buttons_enabled"] else "closed"
            step = Step(run.number, user, kind, time.time(), note_id=subject)
        if step is not None:
            self.steps.append(step)
            self.on_change()

    def _told(self, seen: Seen, run: Run, given: Any) -> Step | None:
        if not isinstance(given, dict):
            return None
        buttons = given.get("buttons") if isinstance(given.get("buttons"), list) else []
        ids = [str(button.get("id")) for button in buttons or [] if isinstance(button, dict)]
        mark = next((found for each in ids if (found := marked_parts(each)[1])), "")
        note_id = _id_in(seen)
        is_dropped = bool(note_id) and note_id not in self.store.notifications
        note_id = "" if is_dropped else note_id
        kind: Kind = "dropped" if is_dropped else "sent"
        if seen.fault == "killed":
            kind = "killed"
        elif seen.status == 429:
            kind = "wait"
        elif seen.fault not in ("", "late") or seen.status >= 500:
            kind = "doubt"
        elif seen.status >= 400:
            kind = "refused"
        detail = seen.fault or ("" if kind == "sent" else str(seen.status))
        what = (mark, str(given.get("title")))
        return Step(run.number, str(given.get("run_user")), kind, time.time(), detail, what, note_id)

    def _asked(self, run: Run, user_id: str, seen: Seen) -> Step | None:
        """Only a question about somebody to whom the run has sent something of the same campaign already, or another
        run has, is of note."""
        tells = [step for step in self.steps if step.kind in ("doubt", "sent", "killed")]
        before = [step for step in tells if step.user_id == user_id]
        if not before or seen.status != 200:
            return None
        last = before[-1]
        own = {step.campaign for step in tells if step.run == run.number} or {tells[-1].campaign}
        if last.campaign not in own:
            return None  # it asks about another, of which nothing was sent to them
        if last.kind == "sent" and last.run == run.number:
            return None
        known = {step.note_id for step in before if step.what == last.what} - {""}
        kind: Kind = "found" if any(note in self.store.notifications for note in known) else "absent"
        return Step(run.number, user_id, kind, time.time(), what=last.what)


def _id_in(seen: Seen) -> str:
    """The notification that was made, whatever the client was told."""
    body = seen.carried_out.body if seen.carried_out is not None and seen.carried_out.status == 200 else None
    if not isinstance(body, bytes):
        return ""
    return str(json.loads(body).get("result", {}).get("id", ""))
