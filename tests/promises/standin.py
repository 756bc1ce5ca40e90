"""A hostile stand-in of TagoIO: what an Analysis run needs of it, what was carried out, and every way to misbehave.

It shares nothing with lib.tools.sandbox and imports nothing of lib. `Standin.told` is the oracle: each notification
that was carried out, with its time. A rule is a function of a request that says how to misbehave; the first that says
anything counts.
"""

import contextlib
import json
import os
import signal
import socket
import struct
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from tests.processes import ROOT, Started
from tests.promises.clock import Later, is_virtual, monotonic, sleep, wall
from tests.promises.virtual import Answer, VirtualRun, VirtualWire

Json = dict[str, Any]
ANALYSIS = ROOT / "analysis.py"
ANALYSIS_ID = "5f2a8b3c9d1e4f0011223344"
ANALYSIS_TOKEN = "a-11111111-2222-3333-4444-555555555555"
DEVICE_ID = "60c1d2e3f4a5b60011aabbcc"
DEVICE_TOKEN = "d1e2v3i4-c5e6-7890-abcd-ef0123456789"
PROFILE_ID = "61aa00bb11cc22dd33ee44ff"


@dataclass
class Request:
    at: float  # monotonic()
    method: str
    path: str
    query: list[tuple[str, str]]
    body: Any
    token: str
    nth: int = 0  # of the creates for that user, from 1
    arrival: int = 0  # of all creates, from 1

    @property
    def is_create(self) -> bool:
        return self.method == "POST" and self.path.rstrip("/") == "/run/notification"

    @property
    def is_inbox(self) -> bool:
        return self.method == "GET" and self.path.startswith("/run/notification/")

    @property
    def is_change(self) -> bool:
        return self.method == "PUT" and self.path.startswith("/run/notification/")

    @property
    def is_journal(self) -> bool:
        return self.path == "/data"

    @property
    def user(self) -> str:
        if self.is_create:
            return str(self.body.get("run_user"))
        return self.path.rsplit("/", 1)[-1] if self.is_inbox else ""

    @property
    def rows(self) -> list[Json]:
        if not (self.is_journal and self.method == "POST"):
            return []
        return self.body if isinstance(self.body, list) else [self.body]

    def many(self, key: str) -> list[str]:
        """`key=a&key=b` and `key[0]=a&key[1]=b` alike."""
        return [value for name, value in self.query if name == key or name.startswith(key + "[")]

    def one(self, key: str, default: str = "") -> str:
        return next(iter(self.many(key)), default)


@dataclass
class Act:
    """What to do with a request: whether it is carried out, when, and what is answered."""

    answer: int | str = "ok"  # or a status, or reset, cut
    carry: bool = True
    after: float = 0  # carried out so many seconds after the answer
    wait: float = 0  # before the answer; it is carried out at once
    drip: float = 0  # seconds for each byte
    message: str = "Sorry, Internal Error"
    raw: bytes = b""  # this body, whatever was carried out


Rule = Callable[[Request], Act | None]


class RefusedError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


@dataclass
class Told:
    at: float  # monotonic()
    user: str
    note: Json


@dataclass
class Ran:
    code: int
    out: str
    err: str
    started: float
    ended: float

    @property
    def said(self) -> str:
        return self.out + "\n" + self.err

    @property
    def log(self) -> list[Json]:
        return [json.loads(line) for line in self.err.splitlines() if line.startswith("{")]


class Run:
    """A run of analysis.py: a process, or in virtual time what the simulation takes for one."""

    def __init__(self, env: dict[str, str], script: Path, wire: VirtualWire | None) -> None:
        self.started = monotonic()
        self.process = VirtualRun(env, script, wire) if wire else Started(script, env=env, cwd=ROOT)

    def kill(self) -> None:
        self.process.kill()

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    @property
    def is_over(self) -> bool:
        return self.process.poll() is not None

    def wait(self, seconds: float = 150) -> Ran:
        try:
            code = self.process.wait(seconds)
            return Ran(code, *self.process.text(), self.started, monotonic())
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the run did not end within {seconds} s:\n{self.process.text()}") from None
        finally:
            self.process.close()


@dataclass
class Standin:
    rules: list[Rule] = field(default_factory=list)
    users: dict[str, Json] = field(default_factory=dict)
    notes: dict[str, Json] = field(default_factory=dict)
    told: list[Told] = field(default_factory=list)
    rows: list[Json] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    hooked: list[Json] = field(default_factory=list)  # what the other channel was handed

    ahead: float = 0  # TagoIO's clock against this machine's
    date: str = "right"  # or none
    inbox: Callable[[str, list[Json]], list[Json]] = lambda _user, notes: notes
    rows_show_after: float = 0
    ignores_skip: bool = False
    garbage: list[str] = field(default_factory=list)  # JSON text of rows, with VARIABLE and GROUP to be filled in
    rate_limit: int = 0
    push_limit: int = 10**6
    other_routes: Callable[[Request], Any] | None = None  # what answers any other route

    def __post_init__(self) -> None:
        self.lock = threading.RLock()
        self.counts: Counter[str] = Counter()
        self.window: Counter[int] = Counter()
        self.number = 0
        self.runs: list[Run] = []
        self.timers: list[Later] = []
        self.closing = threading.Event()
        self.wire = VirtualWire(self.serve) if is_virtual() else None
        self.server = None if self.wire else _server(self)
        self.port = self.server.server_address[1] if self.server else 80
        self.api = f"http://127.0.0.1:{self.port}"

    # ---- start, stop

    def __enter__(self) -> Self:
        if self.server:
            threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        for run in self.runs:
            run.process.close()
        for timer in self.timers:
            timer.cancel()
        if self.server:
            self.server.shutdown()
            self.server.server_close()

    # ---- people

    def add_users(self, number: int, group: str = "crew", name: str = "User", **more: Any) -> list[str]:
        return [self.add_user(f"{name} {place:03}", group, **more) for place in range(number)]

    def add_user(self, name: str, group: str = "crew", **more: Any) -> str:
        identity = self.identity("a")
        self.users[identity] = {
            "id": identity,
            "name": name,
            "email": f"u{len(self.users)}@example.com",
            "active": True,
            "timezone": "UTC",
            "language": "en",
            "company": "Polar",
            "phone": "+15550100123",
            "tags": [{"key": "group", "value": group}],
            "created_at": "2026-01-01T00:00:00.000Z",
            **more,
        }
        return identity

    def add_old_notes(self, user: str, number: int) -> None:
        for place in range(number):
            at = self.now() - 86400 * 3 + place
            self._keep({"run_user": user, "title": f"Old {place}", "message": "from before"}, at)

    # ---- runs

    def env(self, data: Any = None, *, journal: bool = True, **variables: str) -> dict[str, str]:
        given = {"tag_key": "group", "tag_value": "crew", "log_level": "debug", **variables}
        if journal:
            given.setdefault("delivery_log_token", DEVICE_TOKEN)
        return {
            "PATH": os.environ["PATH"],
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": str(ROOT),
            "T_ANALYSIS_CONTEXT": "tago-io",
            "T_ANALYSIS_TOKEN": ANALYSIS_TOKEN,
            "T_ANALYSIS_ID": ANALYSIS_ID,
            "T_ANALYSIS_ENV": json.dumps([{"key": key, "value": value} for key, value in given.items()]),
            "T_ANALYSIS_DATA": json.dumps(data),
            "TAGOIO_API": self.api,
        }

    def start(self, data: Any = None, *, script: Any = ANALYSIS, journal: Any = True, **variables: str) -> Run:
        """`script` is a Path, `journal` a bool; as Any, for variables come as dicts of texts."""
        run = Run(self.env(data, journal=journal, **variables), script, self.wire)
        self.runs.append(run)
        return run

    def run(self, data: Any = None, *, seconds: Any = 150, **more: Any) -> Ran:
        return self.start(data, **more).wait(seconds)

    def event(self, number: int = 1, **point: Any) -> list[Json]:
        """The data of an Action; the same number is the same event."""
        item = {
            "id": f"{number:024x}",
            "variable": "temperature",
            "value": 40 + number,
            "unit": "C",
            "device": "d" * 24,
            "time": "2026-11-01T10:00:00.000Z",
            **point,
        }
        return [item]

    def press(self, user: str, button: Any = 0, **more: Any) -> Run:
        """As TagoIO hands a press in: the newest notification of that user."""
        note = self.notes_of(user)[-1]
        return self.press_note(note, button, **more)

    def press_note(self, note: Json, button: Any = 0, **more: Any) -> Run:
        ids = {
            "button_id": note["buttons"][button]["id"],
            "user_id": note["run_user"],
            "notification_id": note["id"],
        }
        return self.start(None, **{**ids, **more})

    # ---- what was carried out

    def notes_of(self, user: str) -> list[Json]:
        with self.lock:
            return [told.note for told in self.told if told.user == user]

    def counted(self, has: str = "") -> Counter[str]:
        """How often each user was told (a text that has this), by id."""
        with self.lock:
            kept = [told for told in self.told if has in told.note["title"] + " " + told.note["message"]]
        return Counter(told.user for told in kept)

    def names(self, users: Iterable[str]) -> list[str]:
        return sorted(self.users[user]["name"] for user in users)

    def sent_requests(self, is_one: Callable[[Request], bool]) -> list[Request]:
        with self.lock:
            return [request for request in self.requests if is_one(request)]

    def until(self, holds: Callable[[], bool], seconds: float = 60) -> None:
        deadline = monotonic() + seconds
        while not holds():
            assert monotonic() < deadline, "what the scenario waits for did not happen"
            sleep(0.02)

    def settle(self, seconds: float = 30) -> None:
        """Until all that is to be carried out late was."""
        deadline = monotonic() + seconds
        while any(timer.is_alive() for timer in list(self.timers)) and monotonic() < deadline:
            sleep(0.05)

    # ---- the inside

    def now(self) -> float:
        return wall() + self.ahead

    def stamp(self, at: float | None = None) -> str:
        moment = datetime.fromtimestamp(self.now() if at is None else at, UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def identity(self, kind: str) -> str:
        with self.lock:
            self.number += 1
            return f"6{kind}{int(self.now()):08x}{self.number:014x}"

    def _keep(self, body: Json, at: float | None = None) -> Json:
        identity = self.identity("b")
        note = {
            "buttons": [],
            "buttons_enabled": True,
            "buttons_autodisable": False,
            "read": False,
            **body,
            "id": identity,
            "created_at": self.stamp(at),
            "_shown": monotonic(),
        }
        self.notes[identity] = note
        return note

    def receive(self, request: Request) -> Act:
        with self.lock:
            self.requests.append(request)
            if request.is_create:
                self.counts[request.user] += 1
                self.counts[""] += 1
                request.nth, request.arrival = self.counts[request.user], self.counts[""]
                if self.rate_limit:
                    minute = int(self.now() // 60)
                    if self.window[minute] >= self.rate_limit:
                        left = 60 - int(self.now() % 60)
                        return Act(429, carry=False, message=f"Too many requests (Retry-After: {left})")
                    self.window[minute] += 1
        for rule in list(self.rules):
            act = rule(request)
            if act:
                return act
        return Act()

    def serve(self, method: str, target: str, headers: Any, text: bytes) -> Answer:
        """Returns when it is to be answered."""
        parts = urlsplit(target)
        try:
            body = json.loads(text) if text else None
        except ValueError:
            body = text.decode(errors="replace")
        token = headers.get("token") or headers.get("Device-Token") or ""
        query = parse_qsl(parts.query, keep_blank_values=True)
        request = Request(monotonic(), method, parts.path, query, body, token)
        act = self.receive(request)
        status, content = self.carried_out(request, act)
        if act.wait:
            sleep(act.wait, self.closing)
        if act.carry and act.after:
            self.timers.append(Later(act.after, lambda: self.late(request)))
        about = {"Content-Length": str(len(content))}
        about["Content-Type"] = "text/html" if content.startswith(b"<") else "application/json"
        if self.date != "none":
            about["Date"] = formatdate(self.now(), usegmt=True)
        return Answer(status, about, content, act.answer if isinstance(act.answer, str) else "", act.drip)

    def late(self, request: Request) -> None:
        with contextlib.suppress(RefusedError):
            self.perform(request)

    def carried_out(self, request: Request, act: Act) -> tuple[int, bytes]:
        status, result = 200, None
        if act.carry and not act.after:
            try:
                result = self.perform(request)
            except RefusedError as error:
                return error.status, _json({"status": False, "message": error.message})
            except Exception as error:
                return 400, _json({"status": False, "message": f"stand-in: {error!r}"})
        if act.raw:
            return status, act.raw
        if isinstance(act.answer, int):
            status = act.answer
            if status in (502, 504):
                return status, b"<html><body>Bad Gateway</body></html>"
            return status, _json({"status": False, "message": act.message})
        return status, b'{"status":true,"result":' + _json(result) + b"}"

    def perform(self, request: Request) -> Any:
        with self.lock:
            return self._route(request)

    def _route(self, request: Request) -> Any:
        method, path = request.method, request.path.rstrip("/")
        parts = path.strip("/").split("/")
        if path == "/hook":
            self.hooked.append(request.body)
            return "taken"
        if path == "/data":
            return self._data(request)
        if path == "/info":
            if request.token == DEVICE_TOKEN:
                return self._device()
            return {"id": ANALYSIS_ID, "name": "Notify", "active": True, "run_on": "tago", "profile": PROFILE_ID}
        if parts[0] == "device" and len(parts) == 2:
            return self._device() if parts[1] == DEVICE_ID else {"id": parts[1], "name": "Fridge 7", "tags": []}
        if parts[0] == "profile":
            return self._profile(parts)
        if path == "/run":
            return {"name": "Polar", "url": "polar.tago.run", "active": True, "anonymous_token": "x"}
        if parts[:2] == ["run", "users"]:
            return self._list_users(request) if len(parts) == 2 else self._user(parts[2])
        if parts[:2] == ["run", "notification"]:
            return self._notification(request, method, parts)
        return self._other(request)

    def _other(self, request: Request) -> Any:
        if not self.other_routes:
            raise RefusedError(404, "Route Not Found")
        return self.other_routes(request)

    def _device(self) -> Json:
        return {"id": DEVICE_ID, "name": "Journal", "type": "mutable", "tags": [], "active": True}

    def _profile(self, parts: list[str]) -> Json:
        if parts[-1] == "summary":
            used = {"push_notification": 0}
            return {"limit": {"push_notification": self.push_limit}, "limit_used": used, "amount": {}, "addons": {}}
        return {"info": {"id": PROFILE_ID, "name": "Polar"}, "allocation": [], "addons": {}, "account_plan": "scale"}

    def _user(self, identity: str) -> Json:
        if identity not in self.users:
            raise RefusedError(404, "User Not Found")
        return self.users[identity]

    def _list_users(self, request: Request) -> list[Json]:
        query = dict(request.query)
        wanted = []
        place = 0
        while f"filter[tags][{place}][key]" in query:
            wanted.append({part: query[f"filter[tags][{place}][{part}]"] for part in ("key", "value")})
            place += 1
        found = [user for user in self.users.values() if all(tag in user["tags"] for tag in wanted)]
        for key in ("name", "email"):
            text = query.get(f"filter[{key}]")
            if text:
                found = [user for user in found if text.strip("*").lower() in user[key].lower()]
        if "filter[active]" in query:
            is_active = query["filter[active]"].lower() == "true"
            found = [user for user in found if user["active"] is is_active]
        if "filter[id]" in query:
            found = [user for user in found if user["id"] == query["filter[id]"]]
        by, _, direction = query.get("orderBy", "name,asc").partition(",")
        if by not in ("name", "active", "last_login", "created_at", "updated_at"):
            raise RefusedError(400, "Invalid orderBy parameter")
        found.sort(key=lambda user: (str(user.get(by)), user["id"]), reverse=direction == "desc")
        amount, page = int(query.get("amount", 20)), int(query.get("page", 1))
        fields = set(request.many("fields") or ["name"]) | {"id"}
        shown = found[(page - 1) * amount : page * amount]
        return [{key: value for key, value in user.items() if key in fields} for user in shown]

    def _notification(self, request: Request, method: str, parts: list[str]) -> Any:
        if method == "POST":
            body = request.body
            if body.get("run_user") not in self.users:
                raise RefusedError(404, "User Not Found")
            note = self._keep(body)
            self.told.append(Told(monotonic(), body["run_user"], note))
            return {"id": note["id"]}
        if method == "GET":
            mine = [note for note in self.notes.values() if note["run_user"] == parts[2]][::-1]
            keys = ("id", "title", "message", "read", "buttons", "buttons_enabled", "buttons_autodisable", "created_at")
            return [{key: note[key] for key in keys} for note in self.inbox(parts[2], mine)]
        if parts[2] not in self.notes:
            raise RefusedError(404, "Notification Not Found")
        if method == "PUT":
            allowed = ("title", "message", "read", "buttons_enabled")
            change = {key: value for key, value in request.body.items() if key in allowed}
            self.notes[parts[2]].update(change)
            return "TagoIO Notification User Successfully Updated"
        raise RefusedError(404, "Route Not Found")

    def _data(self, request: Request) -> Any:
        if request.token != DEVICE_TOKEN:
            raise RefusedError(401, "Invalid token")
        if request.method == "POST":
            for row in request.rows:
                kept = {**row, "id": self.identity("d"), "device": DEVICE_ID, "_shown": monotonic()}
                kept["_at"] = _epoch(kept["time"]) if kept.get("time") else self.now()
                kept["time"] = self.stamp(kept["_at"])
                self.rows.append(kept)
            return f"{len(request.rows)} Data Added"
        if request.method == "GET":
            return self._shown_rows(request)
        raise RefusedError(404, "Route Not Found")

    def _shown_rows(self, request: Request) -> list[Any]:
        variables, groups = request.many("variables"), request.many("groups")
        since, until = request.one("start_date"), request.one("end_date")
        seen_at = monotonic() - self.rows_show_after
        found = [
            row
            for row in self.rows
            if row["_shown"] <= seen_at
            and (not variables or row["variable"] in variables)
            and (not groups or row.get("group") in groups)
            and (not since or row["_at"] >= _epoch(since))
            and (not until or row["_at"] <= _epoch(until))
        ]
        is_ascending = request.one("ordination", "descending").startswith("asc")
        found.sort(key=lambda row: (row["_at"], row["id"]), reverse=not is_ascending)
        quantity, skip = int(request.one("qty", "15")), 0 if self.ignores_skip else int(request.one("skip", "0"))
        kept: list[Any] = []
        each_alone: list[list[str] | None] = [[name] for name in variables] or [None]
        for some in each_alone:  # qty counts for each variable
            mine = [row for row in found if some is None or row["variable"] in some]
            kept += mine[skip : skip + quantity]
        kept.sort(key=lambda row: (row["_at"], row["id"]), reverse=not is_ascending)
        plain = [{key: value for key, value in row.items() if not key.startswith("_")} for row in kept]
        group = groups[0] if groups else "nkgarbage22"
        extra = [
            Raw(text.replace("VARIABLE", name).replace("GROUP", group))
            for text in (self.garbage if not skip else [])
            for name in variables or ["notify_outcome"]
        ]
        return extra + plain


class Raw(str):
    """JSON text that goes out as it is."""

    __slots__ = ()


def _epoch(text: Any) -> float:
    if isinstance(text, int | float):
        return text / 1000
    moment = datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


class _Server(ThreadingHTTPServer):
    request_queue_size = 512
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


class _Handler(BaseHTTPRequestHandler):
    standin: Standin
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        text = self.rfile.read(length) if length else b""
        with contextlib.suppress(OSError):
            self.reply(self.standin.serve(self.command, self.path, self.headers, text))

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = answer  # noqa: N815

    def reply(self, answer: Answer) -> None:
        if answer.broken == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.wfile = _Nowhere()  # type: ignore[assignment]
            self.connection.close()
            return
        lines = [f"HTTP/1.1 {answer.status} Status", *(f"{name}: {value}" for name, value in answer.headers.items())]
        whole = ("\r\n".join(lines) + "\r\n\r\n").encode() + answer.content
        if answer.broken == "cut":
            self.wfile.write(whole[: -max(1, len(answer.content) // 2)])
            self.close_connection = True
            return
        if not answer.drip:
            self.wfile.write(whole)
            return
        for place in range(len(whole)):
            if self.standin.closing.wait(answer.drip):
                break
            self.wfile.write(whole[place : place + 1])


def _server(standin: Standin) -> _Server:
    return _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"standin": standin}))


class _Nowhere:
    closed = True

    def write(self, _data: bytes) -> int:
        return 0

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass


def _json(value: Any) -> bytes:
    if isinstance(value, list):
        return b"[" + b",".join(_json(item) for item in value) + b"]"
    if isinstance(value, Raw):
        return value.encode()
    return json.dumps(value).encode()


# ---- rules


def first_create(act: Act, of: Callable[[str], bool] = lambda _user: True) -> Rule:
    """On the first create for each of those users."""
    return lambda request: act if request.is_create and request.nth == 1 and of(request.user) else None


def creates(act: Act, of: Callable[[str], bool] = lambda _user: True) -> Rule:
    return lambda request: act if request.is_create and of(request.user) else None


def journal(act: Act, method: str = "") -> Rule:
    return lambda request: act if request.is_journal and request.method in (method or request.method,) else None


def for_seconds(rule: Rule, seconds: float) -> Rule:
    """From the first request on that it is about."""
    since: list[float] = []

    def limited(request: Request) -> Act | None:
        act = rule(request)
        if act is None:
            return None
        since.append(monotonic())
        return act if monotonic() - since[0] < seconds else None

    return limited


def shown_after(standin: Standin, seconds: float) -> Callable[[str, list[Json]], list[Json]]:
    """An inbox that shows a new notification only so long after it was made."""
    return lambda _user, notes: [note for note in notes if monotonic() - note["_shown"] >= seconds]


def oldest_20(_user: str, notes: list[Json]) -> list[Json]:
    return sorted(notes, key=lambda note: note["created_at"])[:20]


def nothing(_user: str, _notes: list[Json]) -> list[Json]:
    return []


@contextlib.contextmanager
def rule_of(standin: Standin, rule: Rule) -> Iterator[None]:
    standin.rules.insert(0, rule)
    try:
        yield
    finally:
        standin.rules.remove(rule)
