"""What the probe makes on a profile to ask its questions, and how all of it goes away again.

Everything bears TAG from its creation on, so that a probe that was cut off is tidied up by the next one.
"""

import secrets
import time
from collections.abc import Callable
from typing import Any

from lib.base.errors import Rejected
from lib.base.log import hide
from lib.tagoio.transport import Client, TagoIO
from lib.tools.install.platform import Platform
from lib.tools.install.rights import QUOTA, Names, Wish, permissions_of, policy_body
from lib.tools.install.wanted import CONNECTOR, NETWORK

Record = dict[str, Any]
TAG = {"key": "installed_by", "value": "tagorun-probe"}
NAME = "Probe (removed when it ends)"
PATIENCE = 15.0  # seconds that something may take to show
POLL = 0.1  # seconds; later looks come a tenth of the time apart that was waited, so 15 s take some 40 requests


class Lab:
    """One test user, one Analysis, and what a question needs beside; made when first asked for."""

    def __init__(self, client: Client, token: str, sse: str, sleep: Callable[[float], None] = time.sleep) -> None:
        self.client = client
        self.token = token
        self.sse = sse
        self.sleep = sleep
        self.patience = PATIENCE
        self.platform = Platform(client, token, sleep)
        self.tago = self.platform.tago
        self.notes: list[str] = []  # the ids of the test user's notifications, oldest first
        self.user_id = ""
        self.email = f"tagorun-probe-{secrets.token_hex(6)}@example.com"
        self.password = secrets.token_urlsafe(12)
        self.analysis_id = ""
        self.analysis_token = ""
        self.policy_id = ""
        hide(self.password)

    def make(self) -> None:
        """The test user and the external Analysis, without any policy."""
        user = {
            "name": NAME, "email": self.email, "password": self.password, "timezone": "UTC", "active": True,
            "tags": [TAG],
        }  # fmt: skip
        self.user_id = str(self.tago.run.userCreate(user)["user"])
        analysis = {"name": NAME, "run_on": "external", "active": True, "tags": [TAG]}
        made = self.platform.analyses.create(analysis)
        self.analysis_id, self.analysis_token = str(made["id"]), str(made.get("token") or "")
        if not self.analysis_token:
            found = self.platform.ask(lambda: self.platform.analyses.tokenGenerate(self.analysis_id))
            self.analysis_token = str(found["analysis_token"])
        hide(self.analysis_token)

    def as_analysis(self) -> TagoIO:
        """TagoIO with the Analysis' own token."""
        return TagoIO(self.analysis_token, self.client)

    def allow(self) -> None:
        """A policy that lets the Analysis read the push quota."""
        names = Names(self.platform.catalog())
        body = policy_body(self.analysis_id, permissions_of(names, [Wish(QUOTA)]))
        self.policy_id = str(self.platform.access.create({**body, "name": NAME, "tags": [TAG]})["am_id"])

    def device(self, kind: str) -> str:
        """A new device's token."""
        wish = {"name": NAME, "network": NETWORK, "connector": CONNECTOR, "type": kind, "tags": [TAG]}
        token = str(self.platform.devices.create(wish)["token"])
        hide(token)
        return token

    def notify(self, **changes: Any) -> str:
        """The id of a new notification to the test user; a rate limit is waited out. Raises TagoIOError."""
        body = {"title": "Probe", "message": "A test, nothing to do.", **changes}
        made = self.platform.ask(lambda: self.tago.run.notificationCreate(self.user_id, body))
        self.notes.append(str(made["id"]))
        return self.notes[-1]

    def listed(self) -> list[Record]:
        found: list[Record] = self.platform.ask(lambda: self.tago.run.notificationList(self.user_id))
        return found

    def note(self, note_id: str) -> Record | None:
        """As it is listed, once it is; None where it never shows."""
        found: Record | None = self.wait(lambda: next((e for e in self.listed() if e.get("id") == note_id), None))
        return found

    def wait(self, look: Callable[[], Any], within: float = 0.0) -> Any:
        """What `look` finds, asked again and again until it is something; None where it is not in time."""
        began = time.monotonic()
        while not (found := look()) and (waited := time.monotonic() - began) < (within or self.patience):
            self.sleep(max(POLL, waited / 10))
        return found or None

    def quota(self) -> tuple[int, int]:
        """Push units used and allowed. Raises TagoIOError, KeyError."""
        profile_id = self.platform.ask(lambda: self.tago.profile.info("current"))["info"]["id"]
        found = self.platform.ask(lambda: self.tago.profile.summary(profile_id))
        return int(found["limit_used"]["push_notification"]), int(found["limit"]["push_notification"])

    # ---- away again

    def tidy(self) -> list[str]:
        """Remove all that bears TAG, of this probe and of any before; the names of what could not be removed."""
        left: list[str] = []
        for name, listing, delete in self._kinds():
            for record in self._bearing(listing):
                if name == "user":
                    self._remove_notifications(record["id"])
                try:
                    self.platform.ask(lambda: delete(record["id"]))  # noqa: B023  # called at once
                except Rejected as error:
                    if error.status != 404:
                        left.append(f"{name} {record['id']}: {error.message}")
        return left

    def _kinds(self) -> list[tuple[str, Callable[[Record], Any], Callable[[str], Any]]]:
        kinds, run = self.platform.kinds, self.tago.run
        return [
            ("user", run.listUsers, run.userDelete),
            ("policy", kinds["policy"].listing, kinds["policy"].module.delete),
            ("Analysis", kinds["analysis"].listing, kinds["analysis"].module.delete),
            ("device", kinds["journal"].listing, kinds["journal"].module.delete),
        ]

    def _bearing(self, listing: Callable[[Record], Any]) -> list[Record]:
        return [each for each in self.platform.listed(listing, TAG, ["name"]) if TAG in (each.get("tags") or ())]

    def _remove_notifications(self, user_id: str) -> None:
        """Those that are known, and those that TagoIO lists, which may be some at a time."""
        known = list(self.notes) if user_id == self.user_id else []
        gone: set[str] = set()
        while True:
            listed = self.platform.ask(lambda: self.tago.run.notificationList(user_id))
            fresh = {*known, *(str(each["id"]) for each in listed)} - gone
            if not fresh:
                return
            for note_id in fresh:
                gone.add(note_id)
                try:
                    self.platform.ask(lambda: self.tago.run.notificationDelete(note_id))  # noqa: B023
                except Rejected as error:
                    if error.status != 404:
                        raise
            known = []
