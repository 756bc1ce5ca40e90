"""The parts of a profile that an installation consists of, each by the SDK's module over the pool."""

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import requests
from tagoio_sdk.common.tagoio_module import TagoIOModule
from tagoio_sdk.modules.Device.Device import Device
from tagoio_sdk.modules.Resources.Access import Access
from tagoio_sdk.modules.Resources.Actions import Actions
from tagoio_sdk.modules.Resources.Analyses import Analyses
from tagoio_sdk.modules.Resources.Devices import Devices
from tagoio_sdk.modules.Resources.Run import Run
from tagoio_sdk.modules.Resources.Secrets import Secrets

from lib.base.errors import Rejected, TagoIOError
from lib.tagoio.audience import retrying
from lib.tagoio.contract import check_contract
from lib.tagoio.transport import Client, PooledDevice, PooledModule, TagoIO
from lib.tools.install.wanted import TAG

Record = dict[str, Any]
PAGE = 100
DOWNLOAD_TIME = 30  # seconds


class PooledAnalyses(PooledModule, Analyses):  # type: ignore[misc]
    """The SDK's `resources.analysis`, over the pool."""


class PooledAccess(PooledModule, Access):  # type: ignore[misc]
    """The SDK's `resources.access`, over the pool."""


class PooledActions(PooledModule, Actions):  # type: ignore[misc]
    """The SDK's `resources.actions`, over the pool."""


class PooledAllDevices(PooledModule, Devices):  # type: ignore[misc]
    """The SDK's `resources.devices`, over the pool."""


class PooledSecrets(PooledModule, Secrets):  # type: ignore[misc]
    """The SDK's `resources.secrets`, over the pool."""


USED_HERE = {
    Run: ("listUsers", "userCreate", "userDelete", "notificationDelete"),
    Analyses: ("list", "info", "create", "edit", "delete", "run", "uploadScript", "downloadScript", "tokenGenerate"),
    Access: ("list", "info", "create", "edit", "delete"),
    Actions: ("list", "info", "create", "edit", "delete"),
    Devices: ("listDevice", "info", "create", "edit", "delete", "tokenCreate", "tokenList"),
    Secrets: ("list", "info", "create", "edit", "delete"),
    Device: ("info", "getData", "sendData"),
}


@dataclass(frozen=True)
class Kind:
    """One kind of thing: what a person calls it, its page in the admin, how the SDK lists, reads, deletes it."""

    name: str
    page: str
    module: Any
    listing: Callable[[Record], Any]
    title: str = "name"  # the field that names one
    is_optional: bool = False  # a profile may have none of the kind, or no right to it


class Platform:
    """A question is asked again while TagoIO is busy; a change is not, for TagoIO cannot tell a repetition."""

    def __init__(self, client: Client, token: str, sleep: Callable[[float], None]) -> None:
        check_contract(TagoIOModule, USED_HERE)
        self.client = client
        self.token = token
        self.sleep = sleep
        self.tago = TagoIO(token, client)
        self.analyses = PooledAnalyses(client, token)
        self.access = PooledAccess(client, token)
        self.actions = PooledActions(client, token)
        self.devices = PooledAllDevices(client, token)
        self.secrets = PooledSecrets(client, token)
        self.kinds = {
            "analysis": Kind("Analysis", "analysis", self.analyses, self.analyses.list),
            "action": Kind("Action", "actions", self.actions, self.actions.list),
            "policy": Kind("Policy", "am", self.access, self.access.list),
            "journal": Kind("Journal device", "devices", self.devices, self.devices.listDevice),
            "secret": Kind("Secret", "secrets", self.secrets, self.secrets.list, "key", is_optional=True),
        }

    def ask(self, question: Callable[[], Any]) -> Any:
        return retrying(question, self.sleep)

    def bearing_tag(self, kind: Kind) -> list[Record]:
        """Those that bear TAG: asked for by it, and checked, since a filter may be ignored."""
        return [each for each in self.listed(kind.listing, TAG, [kind.title]) if TAG in (each.get("tags") or ())]

    def listed(self, listing: Callable[[Record], Any], tag: dict[str, str] | None, more: list[str]) -> list[Record]:
        """All pages, each record once. A page past the end may be an error (tagoio-platform.md, unknown)."""
        found: dict[str, Record] = {}
        for page in range(1, 1000):
            query: Record = {"page": page, "amount": PAGE, "fields": ["id", "tags", *more]}
            query["filter"] = {"tags": [tag]} if tag else {}
            try:
                listed = self.ask(lambda: listing(dict(query)))  # noqa: B023  # called at once
            except Rejected:
                if page == 1:
                    raise
                break
            fresh = [each for each in listed if each["id"] not in found]
            if not fresh:
                break
            found |= {each["id"]: each for each in fresh}
        return list(found.values())

    def info(self, kind: Kind, record_id: str) -> Record | None:
        """None where it is not there any more."""
        try:
            found: Record = self.ask(lambda: kind.module.info(record_id))
        except Rejected as error:
            if error.status == 404:
                return None
            raise
        return found

    def catalog(self) -> Any:
        """What `GET /am/settings` says (C mcp permission-catalog.ts: the one route that no SDK has); None where it
        cannot be read."""
        try:
            return self.ask(lambda: self.client.request("GET", "/am/settings", token=self.token))
        except TagoIOError:
            return None

    def script_of(self, analysis_id: str) -> str:
        """The script as it is on TagoIO: gzip, at an address that TagoIO gives for a while (C cli
        duplicate-analysis.ts). Raises TagoIOError, OSError, ValueError."""
        given = self.ask(lambda: self.analyses.downloadScript(analysis_id))
        answer = requests.get(str(given["url"]), timeout=DOWNLOAD_TIME)
        answer.raise_for_status()
        content = answer.content
        return (gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content).decode()

    def holder_of(self, token: str) -> Record | None:
        """The device that a token belongs to; None where TagoIO knows no such token."""
        if not token:
            return None
        try:
            device: Record = self.ask(PooledDevice(self.client, token).info)
        except Rejected as error:
            if error.status in (401, 403):
                return None
            raise
        return device
