"""One pooled HTTP client under the SDK's own modules; every error is translated once, here."""

import json
import os
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode
from urllib.request import getproxies, proxy_bypass

import certifi
import urllib3
from tagoio_sdk.common.tagoio_module import TagoIOModule
from tagoio_sdk.modules.Device.Device import Device
from tagoio_sdk.modules.Resources.Devices import Devices
from tagoio_sdk.modules.Resources.Profile import Profile
from tagoio_sdk.modules.Resources.Run import Run
from tagoio_sdk.regions import getConnectionURI
from urllib3.util.ssl_ import create_urllib3_context

from lib.base.errors import Doubtful, Refused, Rejected, SetupError, TagoIOError

CONNECTIONS = 40
CONNECT_TIMEOUT = 5.0  # seconds; the SDK's 60 would use up a serverless run
READ_TIMEOUT = 15.0
USER_AGENT = (
    f"tagorun-notify TagoIO-SDK|Python {'(Running at TagoIO)' if os.environ.get('T_ANALYSIS_CONTEXT') else ''}".strip()
)

WAIT_IN_TEXT = re.compile(r"Retry-After:\s*(\d+(?:\.\d+)?)", re.IGNORECASE)  # D rate-limits-hard-limits.md
PROCESSED_NOTHING = (
    urllib3.exceptions.NewConnectionError,  # refused, unreachable, unknown host
    urllib3.exceptions.ConnectTimeoutError,
    urllib3.exceptions.ProxyError,
)


class Client:
    """Calls to one TagoIO address over at most `connections` kept connections; safe to share between threads."""

    def __init__(
        self,
        api: str = "",
        *,
        connections: int = CONNECTIONS,
        connect: float = CONNECT_TIMEOUT,
        read: float = READ_TIMEOUT,
    ) -> None:
        self.api = (api or getConnectionURI(None)["api"]).rstrip("/")
        self.timeout = urllib3.Timeout(connect=connect, read=read)
        address = urllib3.util.parse_url(self.api)
        if address.scheme not in ("http", "https") or not address.host:
            raise SetupError(f'TAGOIO_API is "{self.api}", not a web address such as https://api.tago.io')
        self.base_path = address.path or ""
        self.pool = _manager(address.scheme, address.host, connections).connection_from_url(self.api)
        self.deadline = float("inf")  # seconds since the epoch; no request is waited for past it
        self._date = ""

    def request(self, method: str, path: str, *, token: str, params: Any = None, body: Any = None) -> Any:
        """TagoIO's `result` for one request. Raises Refused, Rejected or Doubtful."""
        url = self.base_path + path + (f"?{urlencode(params, doseq=True)}" if params else "")
        content = None if body is None else json.dumps(body, default=str).encode()
        headers = {"token": token, "content-type": "application/json", "user-agent": USER_AGENT}
        timeout = self.timeout.clone()
        if self.deadline < time.time() + READ_TIMEOUT:
            timeout = urllib3.Timeout(total=max(self.deadline - time.time(), 0.2))
        try:
            answer = self.pool.urlopen(
                method.upper(), url, content, headers, retries=False, redirect=False, timeout=timeout
            )
        except urllib3.exceptions.HTTPError as error:
            raise self._no_answer(error) from error
        self._date = answer.headers.get("date") or self._date
        return _result(answer.status, answer.headers, answer.data)

    def time_at_tagoio(self) -> datetime:
        """TagoIO's clock at its latest answer (to the second, rounded down), so that its times can be compared; our
        own clock, set back by what two clocks may differ, where no answer bore a date."""
        try:
            return parsedate_to_datetime(self._date)
        except ValueError:
            return datetime.now(UTC) - timedelta(minutes=1)

    def _no_answer(self, error: urllib3.exceptions.HTTPError) -> TagoIOError:
        """What an exception of urllib3 says about the request: was it surely not sent, or is there doubt?"""
        reason = re.sub(r"^.*?Connection\S*\([^)]*\):\s*", "", str(error)) or type(error).__name__
        if isinstance(error, PROCESSED_NOTHING) or "certificate verify failed" in reason.lower():
            return Refused(f"{self.api} cannot be reached: {reason}")
        if isinstance(error, urllib3.exceptions.TimeoutError):
            return Doubtful(f"no answer within {self.timeout.read_timeout:g} s", status=408)
        return Doubtful(f"connection broke: {reason}")


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
        return self.client.request(
            params["method"], params["path"], token=self.token, params=_wire_query(query), body=params.get("body")
        )


class PooledRun(PooledModule, Run):  # type: ignore[misc]
    """The SDK's `resources.run`, over the pool."""


class PooledDevice(PooledModule, Device):  # type: ignore[misc]
    """The SDK's `Device`, over the pool."""


class PooledProfile(PooledModule, Profile):  # type: ignore[misc]
    """The SDK's `resources.profile`, over the pool."""


class PooledDevices(PooledModule, Devices):  # type: ignore[misc]
    """The SDK's `resources.devices`, over the pool."""


class TagoIO:
    """The SDK's modules that a run needs, for one token, over one client."""

    def __init__(self, token: str, client: Client | None = None) -> None:
        self.client = client or Client()
        self.run = PooledRun(self.client, token)
        self.profile = PooledProfile(self.client, token)
        self.devices = PooledDevices(self.client, token)

    def name_of_device(self, device_id: str) -> str:
        return str(self.devices.info(device_id)["name"])

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


def _wire_query(query: Mapping[str, Any] | None) -> dict[str, Any]:
    """None is left out and booleans are written as JSON does, not as Python does (`True`)."""
    wire = {}
    for key, value in (query or {}).items():
        if value is not None:
            wire[key] = str(value).lower() if isinstance(value, bool) else value
    return wire


def _manager(scheme: str, host: str, connections: int) -> urllib3.PoolManager:
    """Honours the proxy and certificate variables that the SDK's `requests` honours."""
    bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or certifi.where()
    pool: dict[str, Any] = {"maxsize": connections, "block": True, "retries": False}
    if scheme == "https":  # one context for all connections: each would read the certificates anew
        pool["ssl_context"] = create_urllib3_context()
        pool["ssl_context"].load_verify_locations(bundle)
    # TagoIO speaks https; plain http is the sandbox, on this very machine.
    proxy = getproxies().get("https") if scheme == "https" and not proxy_bypass(host) else None
    return urllib3.ProxyManager(proxy, **pool) if proxy else urllib3.PoolManager(**pool)


def _result(status: int, headers: Mapping[str, str], content: bytes) -> Any:
    """The envelope `{"status": true, "result": …}` opened, or the error that the answer stands for.

    A 2xx that says `status: false`, or says nothing readable, contradicts itself: it leaves doubt. So does every 5xx:
    what stands in front of TagoIO may have given up on a request that TagoIO still carries out.
    """
    try:
        envelope = json.loads(content)
    except ValueError:
        envelope = None
    message = _message(envelope) or f"HTTP {status}"
    if status == 429 or (status < 300 and _says_false(envelope) and "too many requests" in message.lower()):
        raise Refused(message, status=429, retry_after=_seconds_to_wait(headers, message))
    if status >= 500 or status == 408:
        raise Doubtful(
            f"TagoIO answered {status}: {message}", status=status, retry_after=_seconds_to_wait(headers, message)
        )
    if status >= 400:
        raise Rejected(f"{status} {message}" if message != f"HTTP {status}" else message, status=status)
    if status >= 300:
        raise Rejected(f"{status} redirected to {headers.get('location', '?')}; is TAGOIO_API right?", status=status)
    if _says_false(envelope):
        raise Doubtful(f"TagoIO answered {status}, and yet: {message}", status=status)
    if not isinstance(envelope, dict) or "result" not in envelope:
        raise Doubtful(f"TagoIO answered {status} with nothing readable", status=status)
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
    if re.fullmatch(r"\d+(\.\d+)?", header):
        return float(header)
    found = WAIT_IN_TEXT.search(message)
    return float(found[1]) if found else None
