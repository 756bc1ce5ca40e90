"""A TagoIO in memory: users, their notifications, the rate limit, the quota; it carries out one request at an instant.

It shares nothing with lib and nothing with the sandbox. What it was made to do is what the oracle believes.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

from tests.simulation.device import Device
from tests.simulation.request import Request
from tests.simulation.scenario import Person, Platform
from tests.simulation.scheduler import EPOCH

ACCOUNT_TOKEN = "p-5a1e77ed-0000-4000-8000-00000000c0de"
DEVICE_TOKEN = "d3c0ded0-1111-4111-8111-00000000beef"
MINUTE = 60.0


@dataclass(slots=True)
class User:
    id: str
    name: str
    person: Person
    email: str
    phone: str
    is_active: bool
    joined_at: float
    left_at: float = float("inf")
    inactive_from: float = float("inf")
    opted_in_at: float = 0.0

    def wire(self) -> dict[str, Any]:
        return {
            "id": self.id, "name": self.name, "email": self.email, "phone": self.phone, "active": self.is_active,
            "timezone": "UTC", "language": "en", "company": "Polar",
            "tags": [{"key": "group", "value": self.person.group}]
            + ([{"key": "notifications", "value": self.person.opt_out}] if self.person.opt_out else []),
        }  # fmt: skip


@dataclass(slots=True)
class Note:
    """A notification that TagoIO has; `by` is the request that made it, None for one from before."""

    id: str
    user: str
    at: float  # the world's time
    body: dict[str, Any]
    by: Request | None
    is_enabled: bool = True
    read_at: float = float("inf")


@dataclass(slots=True, eq=False)
class Server:
    """`now` is the world's time; TagoIO's own clock is `ahead` of it."""

    platform: Platform
    people: tuple[Person, ...]
    now: Callable[[], float]
    random: Random
    users: dict[str, User] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    is_quiet: bool = False
    counts: dict[int, int] = field(default_factory=dict)
    on_start: Callable[[Any], None] = lambda _scope: None  # an Analysis is run by the API, with that scope
    device: Device = field(init=False)

    def __post_init__(self) -> None:
        self.device = Device(self.platform, self.now, self.random)
        for number, person in enumerate(self.people):
            self.join(number, person)

    # ---- what others do

    def join(self, number: int, person: Person) -> None:
        id = f"a{number:023x}"
        email = f"person{number}@mail.example" if person.has_email else ""
        self.users[id] = User(
            id, f"Person {number}", person, email, f"+155501{number:05}", person.is_active, self.now()
        )
        for place in range(person.old):
            body = {"title": "From before", "message": f"Old news {place}", "buttons": []}
            self.notes.append(Note(self._id(), id, self.now() - 90_000 + place, body, None))

    def clock(self) -> float:
        return EPOCH + self.now() + self.platform.ahead

    def _id(self) -> str:
        return f"b{len(self.notes):023x}"

    # ---- requests

    def carry_out(self, request: Request) -> tuple[int, str]:
        """Status, and the JSON of the result (below 300) or the message."""
        wanted = DEVICE_TOKEN if request.route in ("write", "rows") else ACCOUNT_TOKEN
        if request.token != wanted:
            return 401, "Invalid token"
        status, answer = HANDLERS[request.route](self, request)
        if status < 300:
            request.carried_at.append(self.now())
        return status, answer

    def _create(self, request: Request) -> tuple[int, str]:
        window = int(self.clock() // MINUTE)
        if self.counts.get(window, 0) + self.platform.others_use >= self.platform.limit and not self.is_quiet:
            return 429, self.too_many()
        self.counts[window] = self.counts.get(window, 0) + 1
        if not self._is_there(request.user):
            return 404, "User Not Found"
        note = Note(self._id(), request.user, self.now(), dict(request.body), request)
        note.is_enabled = request.body.get("buttons_enabled") is not False
        self.notes.append(note)
        request.result = request.result or note.id
        return 200, json.dumps({"id": note.id})

    def too_many(self) -> str:
        hint = f" (Retry-After: {int(MINUTE - self.clock() % MINUTE) + 1})" if self.platform.has_hint else ""
        return f"Too many requests{hint}"

    def _inbox(self, request: Request) -> tuple[int, str]:
        if not self._is_there(request.target):
            return 404, "User Not Found"
        late = 0.0 if self.is_quiet else self.platform.inbox_late
        shown = [note for note in self.notes if note.user == request.target and note.at + late <= self.now()]
        return 200, json.dumps([self._shown(note) for note in _cut(shown, self.platform.inbox)])

    def _shown(self, note: Note) -> dict[str, Any]:
        return {
            "id": note.id, "title": note.body["title"], "message": note.body["message"],
            "read": note.read_at <= self.now(),
            "buttons": note.body.get("buttons", []), "buttons_enabled": note.is_enabled,
            "created_at": stamp(EPOCH + note.at + self.platform.ahead),
        }  # fmt: skip

    def _change(self, request: Request) -> tuple[int, str]:
        note = next((each for each in self.notes if each.id == request.target), None)
        if note is None or not self._is_there(note.user):
            return 404, "Notification Not Found"
        if request.body.get("buttons_enabled") is False:
            note.is_enabled = False
        if "message" in request.body:
            note.body["message"] = request.body["message"]
        return 200, '"TagoIO Notification User Successfully Updated"'

    def _list(self, request: Request) -> tuple[int, str]:
        wanted = request.query.get("filter[tags][0][key]"), request.query.get("filter[tags][0][value]")
        listed = [user for user in self.users.values() if self._is_there(user.id)]
        if wanted[0] and wanted[1]:
            listed = [user for user in listed if wanted[0][0] == "group" and user.person.group == wanted[1][0]]
        amount = min(int(request.query["amount"][0]), self.platform.users_page)
        start = (int(request.query["page"][0]) - 1) * amount
        return 200, json.dumps([user.wire() for user in listed[start : start + amount]])

    def _user(self, request: Request) -> tuple[int, str]:
        if not self._is_there(request.target):
            return 404, "User Not Found"
        return 200, json.dumps(self.users[request.target].wire())

    def _profile(self, request: Request) -> tuple[int, str]:
        if request.target == "current":
            return 200, '{"info": {"id": "c00000000000000000000001", "name": "Polar"}}'
        most = max(10_000, 2 * len(self.people))
        return 200, f'{{"limit": {{"push_notification": {most}}}, "limit_used": {{"push_notification": 12}}}}'

    def _settings(self, _request: Request) -> tuple[int, str]:
        return 200, '{"url": "polar.run.tago.io"}'

    def _write(self, request: Request) -> tuple[int, str]:
        return self.device.write(request)

    def _rows(self, request: Request) -> tuple[int, str]:
        return self.device.read(request, is_quiet=self.is_quiet)

    def _start(self, request: Request) -> tuple[int, str]:
        self.on_start(request.body["scope"])
        return 200, '{"analysis_token": "a-another"}'

    def _is_there(self, user: str) -> bool:
        return user in self.users and self.users[user].left_at > self.now()


HANDLERS: dict[str, Callable[[Server, Request], tuple[int, str]]] = {
    "create": Server._create,
    "inbox": Server._inbox,
    "change": Server._change,
    "users": Server._list,
    "user": Server._user,
    "write": Server._write,
    "rows": Server._rows,
    "profile": Server._profile,
    "settings": Server._settings,
    "start": Server._start,
}


def stamp(at: float) -> str:
    """As TagoIO writes a time."""
    return datetime.fromtimestamp(int(at * 1000) / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _cut(notes: list[Note], mode: str) -> list[Note]:
    """What an inbox shows of what is in it."""
    if mode == "hidden":
        return []
    if mode == "newest":
        return sorted(notes, key=lambda note: -note.at)[:20]
    if mode == "oldest":
        return sorted(notes, key=lambda note: note.at)[:20]
    if mode == "unordered":
        return sorted(notes, key=lambda note: int(note.id[1:], 16) * 7919 % 101)
    return sorted(notes, key=lambda note: -note.at)
