"""One pooled HTTP client under the SDK's own modules; every error is translated once, here."""

import os
import re
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import SplitResult, quote, urlencode, urlsplit

from tagoio_sdk.common.tagoio_module import TagoIOModule
from tagoio_sdk.modules.Device.Device import Device
from tagoio_sdk.modules.Resources.Analyses import Analyses
from tagoio_sdk.modules.Resources.Devices import Devices
from tagoio_sdk.modules.Resources.Profile import Profile
from tagoio_sdk.modules.Resources.Run import Run
from tagoio_sdk.regions import getConnectionURI

from lib.base.errors import Doubtful, OutOfTime, Refused, Rejected, SetupError, TagoIOError
from lib.base.log import HIDDEN
from lib.base.text import harmless
from lib.message.user import EMAIL
from lib.tagoio.connection import Connections, Unanswered
from lib.tagoio.contract import check_contract
from lib.tagoio.wire import read_answer, written

CONNECTIONS = 40
CONNECT_TIME = 5.0  # seconds; the SDK's 60 would use up a serverless run
NAME_TIME, NAME_PAUSE = 5.0, 0.5  # seconds for the name of a device, and between two tries
TOTAL_TIME = 15.0  # seconds for a whole request, connecting included
LEAST_TIME = 0.2  # seconds; with less left nothing is sent, for it would only leave doubt
STANDS_STILL = 5.0  # seconds: TagoIO's servers may differ by so much, and then its time waits; more is a clock set anew
UNKNOWN_CLOCKS = 60.0  # seconds that our clock and TagoIO's may differ where no answer has told
LONGEST_WAIT = 3600.0  # seconds; TagoIO's windows are a minute, so a longer wait is garbage
USER_AGENT = (
    f"tagorun-notify TagoIO-SDK|Python {'(Running at TagoIO)' if os.environ.get('T_ANALYSIS_CONTEXT') else ''}".strip()
)

THIS_MACHINE = re.compile(r"localhost|127(\.\d{1,3}){3}|::1")
DATED = ("/data", "/run/users")  # the SDK's methods of these parse dates: getData, listUsers, userInfo
LISTS = ("/data", "/run/users")
DATES = ("time", "created_at", "updated_at", "last_login", "expire_date")
WAIT_IN_TEXT = re.compile(r"Retry-After:\s*(\d+(?:\.\d+)?)", re.IGNORECASE)  # D rate-limits-hard-limits.md


class Client:
    """Calls to one TagoIO address over at most `connections` kept connections; safe to share between threads.

    A request takes at most `total` seconds, `connect` of them for connecting, whatever the server does. `clock` gives
    seconds since the epoch. A client shares no connection with another: what must not wait for others has its own.
    """

    def __init__(
        self,
        api: str = "",
        *,
        connections: int = CONNECTIONS,
        connect: float = CONNECT_TIME,
        total: float = TOTAL_TIME,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.api = (api or getConnectionURI(None)["api"]).rstrip("/")
        self.connect = connect
        self.total = total
        self.clock = clock
        address = web_address(self.api)
        self.base_path = address.path
        self.connections = Connections(address, connections, connect)
        self.deadline = float("inf")  # seconds since the epoch; no request is waited for past it
        self._tago_clock = _TagoClock()

    def beside(self, *, connections: int, total: float) -> "Client":
        """Another client to the same address, whose waits do not depend on this one's; both tell TagoIO's time."""
        other = Client(self.api, connections=connections, connect=self.connect, total=total, clock=self.clock)
        other._tago_clock = self._tago_clock
        return other

    def request(
        self, method: str, path: str, *, token: str, params: Any = None, body: Any = None, timeout: float | None = None
    ) -> Any:
        """TagoIO's `result` for one request. Raises Refused, Rejected or Doubtful, SetupError for what is no token.

        `timeout` lowers the seconds that it may take; with hardly any left until the deadline it is not sent.
        """
        target = quote(self.base_path + path, safe="/%:@!$&'()*+,;=~")
        target += f"?{urlencode(params, doseq=True, errors='replace')}" if params else ""
        content = b"" if body is None else written(body)
        if token and not is_token(token):
            raise SetupError("a token holds a character that no token has; copy it again")
        headers = {"token": token, "content-type": "application/json", "user-agent": USER_AGENT}
        began = self.clock()
        limit = min(self.total, self.total if timeout is None else timeout, self.deadline - began)
        if limit <= 0 or self.deadline - began < LEAST_TIME:
            raise OutOfTime("not sent: the time for it is over")
        try:
            answer = self.connections.exchange(method.upper(), target, headers, content, limit)
        except Unanswered as error:
            raise self._no_answer(error, min(limit, self.clock() - began)) from error
        self._tago_clock.hear(answer.headers.get("date", ""), began, self.clock())
        return _result(answer.status, answer.headers, answer.content)

    def learn_time(self, at: float, began: float, ended: float) -> None:
        """From what TagoIO wrote at its time `at` between these times of ours, where its answers have no Date."""
        if not self.knows_time:
            self._tago_clock.learn(at, began, ended)

    @property
    def knows_time(self) -> bool:
        """Whether an answer has told TagoIO's time."""
        return self._tago_clock.ahead is not None

    def time_at_tagoio(self) -> datetime:
        """TagoIO's clock now, rounded down, so that its times can be compared: at most a second and an answer's time
        behind, and running backwards only where a clock was set. Where no answer has told it, our own clock, set back
        by what two clocks may differ."""
        return datetime.fromtimestamp(self._tago_clock.now(self.clock()), UTC)

    def _no_answer(self, error: Unanswered, waited: float) -> TagoIOError:
        """What became of a request that brought no answer: was it surely not sent, or is there doubt?"""
        if not error.was_sent:
            return Refused(f"{self.api} cannot be reached: {error.reason}")
        if error.timed_out:
            return Doubtful(f"no answer within {round(waited, 1):g} s", status=408)
        return Doubtful(f"connection broke: {error.reason}")


class _TagoClock:
    """How far TagoIO's clock is ahead of ours (seconds; None: not known), from the Date of its answers.

    A Date is rounded down to the second and was written between the request and its answer, so each gives a range.
    The latest of their lower ends is the best; it is left only for an answer whose whole range lies below it: then
    one of the two clocks was set.
    """

    def __init__(self) -> None:
        self.ahead: float | None = None
        self._date = ""
        self._told = 0.0
        self._lock = threading.Lock()

    def hear(self, date: str, began: float, ended: float) -> None:
        """`began` and `ended` are our times of the request and its answer."""
        if date == self._date:
            return  # of one second the first answer says most
        self._date = date
        try:
            at = parsedate_to_datetime(date).replace(tzinfo=UTC).timestamp()  # HTTP dates are GMT
        except ValueError:
            return
        self.learn(at, began, ended)

    def learn(self, at: float, began: float, ended: float) -> None:
        """TagoIO's time, to the second, at some moment between these times of ours."""
        with self._lock:
            lowest, highest = at - ended, at + 1 - began
            if self.ahead is None or not lowest <= self.ahead <= highest:
                self.ahead = lowest

    def now(self, ours: float) -> float:
        """TagoIO's time at a time of ours, to the millisecond, as TagoIO's own are."""
        with self._lock:
            at = ours + (-UNKNOWN_CLOCKS if self.ahead is None else self.ahead)
            if not 0 < self._told - at < STANDS_STILL:
                self._told = at
            return int(self._told * 1000) / 1000


class PooledModule(TagoIOModule):  # type: ignore[misc]  # the SDK carries no types
    """The SDK's choke point, replaced: every method of an SDK module ends in `doRequest`.

    tests/test_transport.py holds the contract with tagoio-sdk and fails when the SDK changes there.
    """

    def __init__(self, client: Client, token: str) -> None:
        super().__init__({"token": token})
        self.client = client

    def doRequest(self, params: dict[str, Any]) -> Any:  # noqa: N802  # the SDK's name
        query = params.get("params")
        if query:
            self._converter_dict_param_filter(params=query)
        result = self.client.request(
            params["method"], params["path"], token=self.token, params=_wire_query(query), body=params.get("body")
        )
        if params["path"] in LISTS and params["method"].upper() == "GET" and not isinstance(result, list):
            raise Doubtful("a list was expected")  # the SDK would make an empty one of it
        return _with_dates(result) if params["path"].startswith(DATED) else result


class PooledRun(PooledModule, Run):  # type: ignore[misc]
    """The SDK's `resources.run`, over the pool."""


class PooledDevice(PooledModule, Device):  # type: ignore[misc]
    """The SDK's `Device`, over the pool."""


class PooledProfile(PooledModule, Profile):  # type: ignore[misc]
    """The SDK's `resources.profile`, over the pool."""


class PooledDevices(PooledModule, Devices):  # type: ignore[misc]
    """The SDK's `resources.devices`, over the pool."""


class PooledAnalyses(PooledModule, Analyses):  # type: ignore[misc]
    """The SDK's `resources.analyses`, over the pool."""


USED = {
    Run: ("listUsers", "userInfo", "notificationCreate", "notificationList", "notificationEdit", "info"),
    Profile: ("info", "summary"),
    Devices: ("info",),
    Device: ("getData", "sendData"),
    Analyses: ("run",),
}


class TagoIO:
    """The SDK's modules that a run needs, for one token, over one client."""

    def __init__(self, token: str, client: Client | None = None) -> None:
        check_contract(TagoIOModule, USED)
        self.client = client or Client()
        self.token = token
        self.run = PooledRun(self.client, token)
        self.profile = PooledProfile(self.client, token)
        self.devices = PooledDevices(self.client, token)
        self.analyses = PooledAnalyses(self.client, token)

    def name_of_device(self, device_id: str) -> str:
        """It is asked for again, but nobody waits long for a name. Raises TagoIOError."""
        quick = self.client.beside(connections=1, total=NAME_TIME)
        quick.deadline = self.client.deadline
        until = time.monotonic() + NAME_TIME
        while True:
            try:
                return harmless(str(PooledDevices(quick, self.token).info(device_id)["name"]))
            except (Refused, Doubtful) as error:
                if isinstance(error, OutOfTime) or time.monotonic() + NAME_PAUSE > until:
                    raise
                time.sleep(NAME_PAUSE)

    def address_of_run(self) -> str:
        """Where users open this profile's TagoRUN, "" where TagoIO does not say (Access TagoRUN settings)."""
        try:
            address = str(self.run.info()["url"])
        except (TagoIOError, KeyError, TypeError):
            return ""
        if "." not in address:
            return ""
        return address if address.startswith("http") else f"https://{address}"

    def device(self, token: str) -> PooledDevice:
        """The device that a token belongs to."""
        return PooledDevice(self.client, token)


def _with_dates(result: Any) -> Any:
    """With naive datetimes where the SDK would make them: its own parser falls over a date that is none, and over an
    entry of a list that is no object."""
    for entry in result if isinstance(result, list) else [result]:
        for name in DATES if isinstance(entry, dict) else ():
            if isinstance(entry.get(name), str) and entry[name] != "never":
                entry[name] = _naive(entry[name])
    return [entry if isinstance(entry, dict) else {} for entry in result] if isinstance(result, list) else result


def _naive(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        return None


def _wire_query(query: Mapping[str, Any] | None) -> dict[str, Any]:
    """None is left out and booleans are written as JSON does, not as Python does (`True`)."""
    wire = {}
    for key, value in (query or {}).items():
        if value is not None:
            wire[key] = str(value).lower() if isinstance(value, bool) else value
    return wire


def web_address(given: str, name: str = "TAGOIO_API") -> SplitResult:
    """An address of TagoIO's, as the variable `name` has it. Raises SetupError where it is none, or where tokens would
    travel unencrypted to another machine: plain http is for the sandbox, which is on this one."""
    if "@" in given:
        raise SetupError(f"{name} holds a user or a password; TagoIO's address has none")
    address = urlsplit(given)
    try:
        is_usable = address.scheme in ("http", "https") and bool(address.hostname) and (address.port or 80) > 0
    except ValueError:
        is_usable = False
    if not is_usable:
        raise SetupError(f'{name} is "{given}", not a web address such as https://api.tago.io')
    if address.scheme == "http" and not THIS_MACHINE.fullmatch(address.hostname or ""):
        raise SetupError(f"{name} is plain http to {address.hostname}: whoever is between reads the token; use https")
    return address


def is_token(text: str) -> bool:
    """Whether it can be one at all: what ends a line would become a header of its own."""
    return bool(re.fullmatch(r"[!-~]+", text))


def _result(status: int, headers: Mapping[str, str], content: bytes) -> Any:
    """The envelope `{"status": true, "result": …}` opened, or the error that the answer stands for.

    A 2xx that says `status: false`, or says nothing readable, contradicts itself: it leaves doubt. So does every 5xx:
    what stands in front of TagoIO may have given up on a request that TagoIO still carries out.
    """
    envelope, unreadable = read_answer(content)
    message = EMAIL.sub(HIDDEN, _message(envelope)) or f"HTTP {status}"
    if status == 429 or (status < 300 and _says_false(envelope) and "too many requests" in message.lower()):
        raise Refused(message, status=429, retry_after=_seconds_to_wait(headers, message))
    if status >= 500 or status == 408:
        raise Doubtful(
            f"TagoIO answered {status}: {message}", status=status, retry_after=_seconds_to_wait(headers, message)
        )
    if status >= 400:
        raise Rejected(f"{status} {message}" if message != f"HTTP {status}" else message, status=status)
    if status >= 300:
        raise Doubtful(f"{status} redirected to {headers.get('location', '?')}; is TAGOIO_API right?", status=status)
    if _says_false(envelope):
        raise Doubtful(f"TagoIO answered {status}, and yet: {message}", status=status)
    if not isinstance(envelope, dict) or "result" not in envelope:
        raise Doubtful(f"TagoIO answered {status} with {unreadable or 'nothing readable'}", status=status)
    return envelope["result"]


def _says_false(envelope: Any) -> bool:
    return isinstance(envelope, dict) and envelope.get("status") is False


def _message(envelope: Any) -> str:
    """TagoIO's error text: at `message`, a list at times, or nested in `result` (docs api_overview.md)."""
    if not isinstance(envelope, dict):
        return ""
    found = envelope.get("message")
    if found is None and isinstance(envelope.get("result"), dict):
        found = envelope["result"].get("message")
    if isinstance(found, list):
        return "; ".join(str(part) for part in found)
    return str(found or "")


def _seconds_to_wait(headers: Mapping[str, str], message: str) -> float | None:
    """TagoIO documents the seconds in the text; a header is possible too (tagoio-platform.md, section 6)."""
    header = headers.get("retry-after", "")
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*", header) or WAIT_IN_TEXT.search(message)
    return min(float(found[1]), LONGEST_WAIT) if found else None
