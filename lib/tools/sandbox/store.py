"""What the sandbox remembers: users, notifications, Analyses, devices, policies and tokens, in TagoIO's wire form."""

import itertools
import math
import secrets
import time
import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from lib.tools.sandbox.access import effects
from lib.tools.sandbox.notification_form import checked
from lib.tools.sandbox.refusal import Refusal
from lib.tools.sandbox.storage import check_row, first_kept, kept_of, put_rows
from lib.tools.sandbox.unknowns import Facts, check_fact, default_facts

Record = dict[str, Any]

_process = secrets.token_hex(5)
_numbers = itertools.count(secrets.randbelow(0xFFFF))


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose token a request bears."""

    kind: Literal["profile", "analysis", "run_user", "device"]
    id: str


def new_id() -> str:
    """24 hex digits, the later the greater."""
    return f"{int(time.time()):08x}{_process}{next(_numbers) & 0xFFFFFF:06x}"


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to a user, and when (seconds since the epoch): `sent`, `read`, `pressed`, `gone`, or how a run
    ended for them, such as `held` or `failed`; `note_id` is the notification's."""

    time: float
    kind: str
    user_id: str
    note_id: str = ""


@dataclass
class Store:
    """One profile and all that is in it. `log` collects (method, path) of the requests, for tests."""

    profile_id: str = field(default_factory=new_id)
    profile_token: str = field(default_factory=lambda: f"p-{secrets.token_hex(17)}")
    account_id: str = field(default_factory=new_id)
    account_password: str = field(default_factory=lambda: secrets.token_hex(12))  # another at each start
    run_url: str = "sandbox.tago.run"
    run_settings: Record = field(default_factory=dict)
    run_site: Record = field(default_factory=dict)  # single sign-on, own domain
    phones: dict[str, str] = field(default_factory=dict)  # that get the owner's pushes: token -> platform
    users: dict[str, Record] = field(default_factory=dict)
    passwords: dict[str, str] = field(default_factory=dict)
    notifications: dict[str, Record] = field(default_factory=dict)
    admin_notifications: list[Record] = field(default_factory=list)
    pushes: list[str] = field(default_factory=list)  # a notification's id, each time it went to the user's phone
    inboxes: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    analyses: dict[str, Record] = field(default_factory=dict)
    scripts: dict[str, Path] = field(default_factory=dict)  # Analysis id -> the script on disk
    downloads: dict[str, Path] = field(default_factory=dict)  # the secret part of an address -> a script
    actions: dict[str, Record] = field(default_factory=dict)
    policies: dict[str, Record] = field(default_factory=dict)
    kept_secrets: dict[str, Record] = field(default_factory=dict)
    devices: dict[str, Record] = field(default_factory=dict)
    data: defaultdict[str, list[Record]] = field(default_factory=lambda: defaultdict(list))
    parameters: dict[str, list[Record]] = field(default_factory=dict)  # of devices, by their id
    tokens: dict[str, Identity] = field(default_factory=dict)
    limits: Record = field(default_factory=lambda: {"push_notification": 1000})
    used: Record = field(default_factory=lambda: {"push_notification": 0})
    page_cap: int = 10_000
    facts: Facts = field(default_factory=default_facts)  # what TagoIO's documents leave open, as it is here
    room: dict[str, int] = field(default_factory=dict)  # how many "Analysis", "Action", … the plan allows
    events: list[Event] = field(default_factory=list)
    own: dict[str, str] = field(default_factory=dict)  # the ids of the Analyses that --serve has made, by their part
    swept: dict[str, datetime] = field(default_factory=dict)  # device id -> where what it keeps began of late
    ahead: float = 0.0  # seconds by which TagoIO's clock is ahead of this machine's
    first_words: dict[str, str] = field(default_factory=dict)  # notification id -> message before it was closed
    log: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tokens[self.profile_token] = Identity("profile", self.profile_id)
        settings = {"active": True, "name": "Sandbox", "sub_title": "", "signup_method": "admin", "favicon": None}
        self.run_settings = {"profile": self.profile_id, "url": self.run_url, **settings, **self.run_settings}

    def set_fact(self, name: str, value: str) -> None:
        """Raises ValueError for what the table of unknowns does not have."""
        check_fact(name, value)
        self.facts[name] = value

    def clock(self) -> float:
        """TagoIO's time, in seconds since the epoch."""
        return time.time() + self.ahead

    def now(self, ahead: float = 0.0) -> str:
        """As TagoIO writes a moment; `ahead` seconds from now."""
        moment = datetime.fromtimestamp(self.clock() + ahead, UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    # ---- users

    def add_user(self, given: Record) -> Record:
        user = {
            "id": new_id(), "name": "", "email": "", "active": False, "timezone": "UTC", "company": "", "phone": "",
            "language": "en", "tags": [], "newsletter": False, "options": {}, "profile": self.profile_id,
            "last_login": None, "created_at": self.now(), "updated_at": self.now(), **given,
        }  # fmt: skip
        self.passwords[user["id"]] = str(user.pop("password", "") or secrets.token_hex(8))
        self.users[user["id"]] = user
        return user

    def edit_user(self, user: Record, changes: Record) -> None:
        for name, value in changes.items():
            if user.get(name) is not None and not isinstance(value, type(user[name])):
                raise Refusal(400, f"{name}: Expected {type(user[name]).__name__}")
        self.check_email(changes, user)
        changes = dict(changes)
        password = changes.pop("password", None)
        if password:
            self.passwords[user["id"]] = str(password)
        user.update({name: value for name, value in changes.items() if name != "id"}, updated_at=self.now())

    def check_email(self, given: Record, own: Record | None = None) -> None:
        """E-mails are unique within a profile (C cli run-user-create.ts). Raises Refusal."""
        email = str(given.get("email") or "").lower()
        if email and any(user["email"].lower() == email for user in self.users.values() if user is not own):
            raise Refusal(400, "This email is already in use")

    def remove_user(self, user_id: str) -> None:
        """With the tokens that they hold (C mcp delete-run-user.ts)."""
        del self.users[user_id]
        self.forget_tokens(user_id)
        self.note_event("gone", user_id)

    def log_in(self, email: str, password: str) -> str:
        for user in self.users.values():
            if user["email"].lower() == email.lower() and self.passwords[user["id"]] == password and user["active"]:
                user["last_login"] = self.now()
                return self.token_for(Identity("run_user", user["id"]))
        raise Refusal(401, "Invalid credentials")

    def token_for(self, who: Identity) -> str:
        """36 characters (C whl Common_Type.py); a device's is a UUID (C mcp fixtures.ts)."""
        prefix = {"profile": "p-", "analysis": "a-", "run_user": "u-", "device": ""}[who.kind]
        token = f"{prefix}{secrets.token_hex(17)}" if prefix else str(uuid.uuid4())
        self.tokens[token] = who
        return token

    def forget_tokens(self, bearer_id: str) -> None:
        for token in [token for token, whose in self.tokens.items() if whose.id == bearer_id]:
            del self.tokens[token]

    # ---- notifications

    def notify(self, given: Record) -> Record:
        user = self.users.get(str(given.get("run_user")))
        if user is None:
            raise Refusal(404, "User Not Found")
        kept = checked(given, self.facts, is_new=True)
        if self.used["push_notification"] >= self.limits.get("push_notification", math.inf):
            # What TagoIO answers then is unknown.
            if self.facts["quota_spent"] == "refused":
                raise Refusal(402, "You have exceeded the maximum limit of Push notifications")
            if self.facts["quota_spent"] == "dropped":
                return {"id": new_id()}
        note = {
            "id": new_id(), "run_user": user["id"], "read": False, "buttons": [], "buttons_enabled": True,
            "buttons_autodisable": False, **kept,
            "created_at": self.now(), "updated_at": self.now(),
        }  # fmt: skip
        self.notifications[note["id"]] = note
        self.inboxes[user["id"]].append(note["id"])
        self.used["push_notification"] += 1
        self.pushes.append(note["id"])
        self.note_event("sent", user["id"], note["id"])
        return note

    def edit_notification(self, note: Record, changes: Record) -> None:
        kept = checked(changes, self.facts, is_new=False)
        if changes.get("read") and not note["read"]:
            self.note_event("read", note["run_user"], note["id"])
        self.first_words.setdefault(note["id"], note["message"])
        is_more = str(kept.get("message", note["message"])).startswith(note["message"])
        note.update(kept, updated_at=self.now())
        if note["buttons_enabled"] or not is_more:  # written anew, or more of what is still to be answered
            self.first_words[note["id"]] = note["message"]

    def account_for_edit(self, note: Record) -> None:
        """Whether an edit by the API is pushed again, or costs, is unknown."""
        if self.facts["edit_pushes"] == "yes":
            self.pushes.append(note["id"])
        if self.facts["edit_costs"] == "yes":
            self.used["push_notification"] += 1

    def note_event(self, kind: str, user_id: str, note_id: str = "") -> None:
        self.events.append(Event(self.clock(), kind, user_id, note_id))

    def inbox(self, user_id: str) -> list[Record]:
        """Newest first."""
        return [self.notifications[note] for note in reversed(self.inboxes[user_id]) if note in self.notifications]

    def notification(self, notification_id: str, user_id: str = "") -> Record:
        note = self.notifications.get(notification_id)
        if note is None or (user_id and note["run_user"] != user_id):
            raise Refusal(404, "Notification Not Found")
        return note

    def remove_notification(self, notification_id: str) -> None:
        note = self.notification(notification_id)
        del self.notifications[notification_id]
        self.inboxes[note["run_user"]].remove(notification_id)

    def clear(self) -> None:
        """Nobody was ever told anything: no notifications, no data of devices, the clock right."""
        for kept in (self.notifications, self.inboxes, self.first_words, self.data, self.events, self.swept):
            kept.clear()
        self.used["push_notification"], self.ahead = 0, 0.0

    # ---- the rest

    def add_analysis(self, given: Record) -> Record:
        analysis = {
            "id": new_id(), "name": "Analysis", "active": True, "run_on": "tago", "runtime": "node-legacy", "tags": [],
            "variables": [], "profile": self.profile_id, "created_at": self.now(), "updated_at": self.now(), **given,
        }  # fmt: skip
        self.analyses[analysis["id"]] = analysis
        return analysis

    def add_device(self, given: Record) -> tuple[Record, str]:
        device = {
            "id": new_id(), "name": "Device", "type": "legacy", "tags": [], "profile": self.profile_id, "active": True,
            "visible": True, "last_input": None, "last_output": None, "created_at": self.now(),
            "updated_at": self.now(), **given,
        }  # fmt: skip
        self.devices[device["id"]] = device
        return device, self.token_for(Identity("device", device["id"]))

    def add_data(self, device_id: str, given: Any) -> list[Record]:
        """A row or a list of them, all or none; as they are stored. Raises Refusal."""
        taken = [check_row(each) for each in (given if isinstance(given, list) else [given])]
        fresh = [
            {"id": new_id(), **row, "device": device_id, "created_at": self.now()}
            | {"time": row.get("time") or self.now(), "group": row.get("group") or new_id()}
            for row in taken
        ]
        device = self.devices.get(device_id, {})
        put_rows(device, self.rows_of(device_id), fresh, self.clock(), self.facts["full_device"])
        device["last_input"] = self.now()
        return fresh

    def rows_of(self, device_id: str) -> list[Record]:
        """A device's rows, without those that TagoIO has removed by now."""
        device = self.devices.get(device_id, {})
        if device.get("type") == "immutable":
            first = first_kept(device, self.clock())
            if self.swept.get(device_id) != first:
                self.data[device_id] = kept_of(self.data[device_id], first)
                self.swept[device_id] = first
        return self.data[device_id]

    def remove_device(self, device_id: str) -> None:
        """With its data (D docs devices/index.md), and its tokens."""
        del self.devices[device_id]
        self.data.pop(device_id, None)
        self.parameters.pop(device_id, None)
        self.forget_tokens(device_id)

    def secrets_for(self, analysis_id: str) -> list[Record]:
        """The Secrets that a policy grants to an Analysis, as they stand in its environment (D secrets.md)."""
        who = Identity("analysis", analysis_id)
        granted = [each for each in self.kept_secrets.values() if self.may(who, "access", "secrets", each)]
        return [{"key": each["key"], "value": each["value"]} for each in granted]

    def check_room(self, kind: str, records: dict[str, Record]) -> None:
        """The plan's limit of a kind of resource (C cli)."""
        most = self.room.get(kind)
        if most is not None and len(records) >= most:
            text = (
                f"You have exceeded the maximum limit of {kind} ({most}). Please upgrade you plan or contact support."
            )
            raise Refusal(402, text)

    def may(
        self, who: Identity, action: str, resource: str, entity: Record | None = None, *, listing: bool = False
    ) -> bool:
        """A profile's token bypasses it; an Analysis holds no grants until a policy gives it some."""
        if who.kind == "profile":
            return True
        bearer = {"analysis": self.analyses, "run_user": self.users}.get(who.kind, {}).get(who.id)
        found = effects(self.policies.values(), who.kind, bearer, action, resource, entity)
        if listing:
            return "allow" in found and "deny" not in found
        return bool(found) and found[-1] == "allow"  # they are sorted: a deny counts
