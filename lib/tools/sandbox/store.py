"""What the sandbox remembers: users, notifications, Analyses, devices, policies and tokens, in TagoIO's wire form."""

import fnmatch
import itertools
import secrets
import time
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from lib.tools.sandbox.refusal import Refusal
from lib.tools.sandbox.storage import check_room, check_row, first_kept, kept_of

Record = dict[str, Any]

_numbers = itertools.count(secrets.randbelow(0xFFFF))


DENIED = Refusal(401, "Authorization Denied")  # C mcp handlers.ts; the status on /run/notification is unknown


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose token a request bears."""

    kind: Literal["profile", "analysis", "run_user", "device"]
    id: str


def new_id() -> str:
    """24 hex digits, the later the greater."""
    return f"{int(time.time()):08x}{secrets.token_hex(5)}{next(_numbers) & 0xFFFFFF:06x}"


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
    profile_token: str = field(default_factory=lambda: f"p-{secrets.token_hex(16)}")
    run_url: str = "sandbox.tago.run"
    users: dict[str, Record] = field(default_factory=dict)
    passwords: dict[str, str] = field(default_factory=dict)
    notifications: dict[str, Record] = field(default_factory=dict)
    admin_notifications: list[Record] = field(default_factory=list)
    inboxes: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    analyses: dict[str, Record] = field(default_factory=dict)
    scripts: dict[str, Any] = field(default_factory=dict)  # Analysis id -> path of the script on disk
    actions: dict[str, Record] = field(default_factory=dict)
    policies: dict[str, Record] = field(default_factory=dict)
    kept_secrets: dict[str, Record] = field(default_factory=dict)
    devices: dict[str, Record] = field(default_factory=dict)
    data: defaultdict[str, list[Record]] = field(default_factory=lambda: defaultdict(list))
    tokens: dict[str, Identity] = field(default_factory=dict)
    limits: Record = field(default_factory=lambda: {"push_notification": 1000})
    used: Record = field(default_factory=lambda: {"push_notification": 0})
    page_cap: int = 10_000
    takes_icons: bool = True
    room: dict[str, int] = field(default_factory=dict)  # how many "Analysis", "Action", … the plan allows
    events: list[Event] = field(default_factory=list)
    own: dict[str, str] = field(default_factory=dict)  # the ids of the Analyses that --serve has made, by their part
    swept: dict[str, datetime] = field(default_factory=dict)  # device id -> where what it keeps began of late
    ahead: float = 0.0  # seconds by which TagoIO's clock is ahead of this machine's
    log: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tokens[self.profile_token] = Identity("profile", self.profile_id)

    def clock(self) -> float:
        """TagoIO's time, in seconds since the epoch."""
        return time.time() + self.ahead

    def now(self) -> str:
        return datetime.fromtimestamp(self.clock(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

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
        user.update({name: value for name, value in changes.items() if name != "id"}, updated_at=self.now())

    def remove_user(self, user_id: str) -> None:
        del self.users[user_id]
        self.note_event("gone", user_id)

    def log_in(self, email: str, password: str) -> str:
        for user in self.users.values():
            if user["email"].lower() == email.lower() and self.passwords[user["id"]] == password and user["active"]:
                user["last_login"] = self.now()
                return self.token_for(Identity("run_user", user["id"]))
        raise Refusal(401, "Invalid credentials")

    def token_for(self, who: Identity) -> str:
        prefix = {"profile": "p-", "analysis": "a-", "run_user": "u-", "device": ""}[who.kind]
        token = f"{prefix}{secrets.token_hex(16)}"
        self.tokens[token] = who
        return token

    # ---- notifications

    def notify(self, given: Record) -> Record:
        user = self.users.get(str(given.get("run_user")))
        if user is None:
            raise Refusal(404, "User Not Found")
        for name in ("title", "message"):
            if not isinstance(given.get(name), str) or not given[name]:
                raise Refusal(400, f"{name}: Required")
        _check_buttons(given.get("buttons") or [])
        if given.get("icon") and not self.takes_icons:
            raise Refusal(400, "icon: Invalid url")
        note = {
            "id": new_id(), "run_user": user["id"], "read": False, "buttons": [], "buttons_enabled": True,
            "buttons_autodisable": False, **_known(given),
            "created_at": self.now(), "updated_at": self.now(),
        }  # fmt: skip
        self.notifications[note["id"]] = note
        self.inboxes[user["id"]].append(note["id"])
        self.used["push_notification"] += 1
        self.note_event("sent", user["id"], note["id"])
        return note

    def edit_notification(self, note: Record, changes: Record) -> None:
        for name in ("title", "message"):
            if name in changes and not isinstance(changes[name], str):
                raise Refusal(400, f"{name}: Expected string")
        _check_buttons(changes.get("buttons") or [])
        if changes.get("read") and not note["read"]:
            self.note_event("read", note["run_user"], note["id"])
        note.update(_known(changes), updated_at=self.now())

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

    # ---- the rest

    def add_analysis(self, given: Record) -> Record:
        analysis = {
            "id": new_id(), "name": "Analysis", "active": True, "run_on": "tago", "runtime": "node-legacy", "tags": [],
            "variables": [], "profile": self.profile_id, "created_at": self.now(), "updated_at": self.now(), **given,
        }  # fmt: skip
        self.analyses[analysis["id"]] = analysis
        return analysis

    def add_device(self, given: Record) -> tuple[Record, str]:
        named = {"id": new_id(), "name": "Device", "type": "legacy", "tags": [], "profile": self.profile_id}
        device = {**named, **given}
        self.devices[device["id"]] = device
        return device, self.token_for(Identity("device", device["id"]))

    def add_data(self, device_id: str, given: Any) -> int:
        """A row or a list of them, all or none; how many. Raises Refusal."""
        taken = [check_row(each) for each in (given if isinstance(given, list) else [given])]
        fresh = [
            {"id": new_id(), **row, "device": device_id}
            | {"time": row.get("time") or self.now(), "group": row.get("group") or new_id()}
            for row in taken
        ]
        check_room(self.devices.get(device_id, {}), self.rows_of(device_id), fresh, self.clock())
        self.data[device_id] += fresh
        return len(fresh)

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
        self.tokens = {token: whose for token, whose in self.tokens.items() if whose.id != device_id}

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

    # ---- Access Management (mcp services/access-management/AGENTS.md)

    def may(
        self, who: Identity, action: str, resource: str, entity: Record | None = None, *, listing: bool = False
    ) -> bool:
        """A profile's token bypasses it; an Analysis holds no grants until a policy gives it some."""
        if who.kind == "profile":
            return True
        effects = [
            permission["effect"]
            for policy in self.policies.values()
            if policy.get("active", True) and any(self._is_target(target, who) for target in policy["targets"])
            for permission in policy["permissions"]
            if action in permission["action"] and _covers(permission["resource"], resource, entity)
        ]
        if listing:
            return "allow" in effects and "deny" not in effects
        return bool(effects) and sorted(effects)[-1] == "allow"  # allow sorts before deny: the last one counts

    def _is_target(self, target: list[str], who: Identity) -> bool:
        entity = self.analyses.get(who.id) if who.kind == "analysis" else self.users.get(who.id)
        return _covers(target, who.kind, entity)


def _covers(resource: list[str], kind: str, entity: Record | None) -> bool:
    if not resource or resource[0] != kind:
        return False
    if len(resource) == 1:
        return True
    tags = [(tag["key"], tag["value"]) for tag in (entity or {}).get("tags", [])]
    if len(resource) == 3 and resource[1] == "id":
        return bool(entity) and entity["id"] == resource[2]  # type: ignore[index]
    if len(resource) == 5 and resource[1] == "tag.key":
        return (resource[2], resource[4]) in tags
    return False


def _known(given: Record) -> Record:
    """The fields of a notification that TagoIO takes (C js notifications.types)."""
    names = ("title", "message", "buttons", "icon", "read", "buttons_enabled", "buttons_autodisable")
    return {name: given[name] for name in names if given.get(name) is not None}


def _check_buttons(buttons: Any) -> None:
    """Both the documented form (url, analysis) and the SDK's (triggers) are taken."""
    if not isinstance(buttons, list):
        raise Refusal(400, "buttons: Expected array")
    if len(buttons) > 4:
        raise Refusal(400, "buttons: Array must contain at most 4 element(s)")
    for button in buttons:
        if not isinstance(button, dict) or not button.get("id") or not button.get("label"):
            raise Refusal(400, "buttons: id and label are Required")
        if " " in str(button["id"]):
            raise Refusal(400, "buttons: id must not contain spaces")


SORTABLE = ("name", "active", "last_login", "created_at", "updated_at")


def select(
    records: list[Record], filters: Record, order: str, page: int, amount: int, fields: list[str]
) -> list[Record]:
    """TagoIO's list: filtered, ordered, one page, only the fields asked for."""
    key, _, direction = order.partition(",")
    if key not in SORTABLE:
        raise Refusal(400, "Invalid orderBy parameter")
    found = [record for record in records if all(_holds(record, name, wanted) for name, wanted in filters.items())]
    found.sort(key=lambda record: str(record.get(key) or "").lower(), reverse=direction == "desc")
    start = (page - 1) * amount
    return [{name: record.get(name) for name in fields if name in record} for record in found[start : start + amount]]


def _holds(record: Record, name: str, wanted: Any) -> bool:
    if name == "tags":
        return all(
            any(all(tag.get(part) == text for part, text in tag_wanted.items()) for tag in record.get("tags", []))
            for tag_wanted in wanted
        )
    value = record.get(name)
    if isinstance(value, bool):
        return str(value).lower() == str(wanted).lower()
    if name in ("name", "email"):
        pattern = str(wanted).replace("[", "[[]").replace("?", "[?]")
        return fnmatch.fnmatchcase(str(value).lower(), pattern.lower())
    return str(value) == str(wanted)
