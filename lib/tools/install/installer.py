"""Brings what TagoIO has to what is wanted, step by step, and takes it away again."""

import base64
import json
from collections.abc import Callable
from typing import Any

from tagoio_sdk.modules.Resources.Access import Access
from tagoio_sdk.modules.Resources.Actions import Actions
from tagoio_sdk.modules.Resources.Analyses import Analyses
from tagoio_sdk.modules.Resources.Devices import Devices

from lib.base.errors import Rejected, SetupError
from lib.tagoio.audience import retrying
from lib.tagoio.transport import Client, PooledDevice, PooledModule
from lib.tools.bundle import Bundle
from lib.tools.install.wanted import (
    BUNDLE_TAG,
    JOURNAL_DAYS,
    MUTABLE_ROWS,
    TAG,
    Trigger,
    fingerprint,
    names_a_device,
    wanted_action,
    wanted_analysis,
    wanted_device,
    wanted_policy,
    wanted_variables,
)

Record = dict[str, Any]
PAGE = 100


class PooledAnalyses(PooledModule, Analyses):  # type: ignore[misc]
    """The SDK's `resources.analysis`, over the pool."""


class PooledAccess(PooledModule, Access):  # type: ignore[misc]
    """The SDK's `resources.access`, over the pool."""


class PooledActions(PooledModule, Actions):  # type: ignore[misc]
    """The SDK's `resources.actions`, over the pool."""


class PooledAllDevices(PooledModule, Devices):  # type: ignore[misc]
    """The SDK's `resources.devices`, over the pool."""


class Installer:
    """Every step looks first, changes what differs, and says what it did; so a run that was cut off is completed by the
    next one. With `dry_run` it only says. All that it makes bears TAG, and it touches nothing else."""

    def __init__(
        self,
        client: Client,
        token: str,
        admin: str,
        say: Callable[[str], None],
        sleep: Callable[[float], None],
        *,
        dry_run: bool,
    ) -> None:
        self.client = client
        self.analyses = PooledAnalyses(client, token)
        self.access = PooledAccess(client, token)
        self.actions = PooledActions(client, token)
        self.devices = PooledAllDevices(client, token)
        self.admin = admin
        self.say = say
        self.sleep = sleep
        self.dry_run = dry_run
        self.changes = 0

    def install(
        self,
        name: str,
        script: Bundle,
        given: dict[str, str],
        trigger: Trigger | None,
        *,
        journal: bool,
        overwrite: bool,
    ) -> str:
        """The Analysis' id ("" in a dry run of a first installation)."""
        analysis = self._analysis(name, script.text)
        analysis_id = str(analysis.get("id", ""))
        own = {str(each.get("key")): str(each.get("value") or "") for each in analysis.get("variables") or ()}
        token = self._journal(name, own.get("delivery_log_token", ""), overwrite=overwrite) if journal else ""
        if token and token != own.get("delivery_log_token"):
            own["delivery_log_token"] = ""  # what stands there belongs to no journal any more
        variables = self._variables(analysis_id, own, wanted_variables(given, token), overwrite=overwrite)
        named = names_a_device(script.edit_me, variables.get("notification", ""))
        self._policy(analysis_id, with_device_names=named)
        if trigger:
            self._action(name, analysis_id, trigger)
        return analysis_id

    def uninstall(self) -> None:
        """Remove what bears TAG, the Action first: nothing is left that starts what is gone."""
        kinds: list[tuple[str, Callable[[], list[Record]], Callable[[str], Any]]] = [
            ("Action", lambda: self._mine(self.actions.list), self.actions.delete),
            ("Analysis", lambda: self._mine(self.analyses.list), self.analyses.delete),
            ("Policy", lambda: self._mine(self.access.list), self.access.delete),
            ("Journal device", lambda: self._mine(self.devices.listDevice), self.devices.delete),
        ]
        for kind, find, delete in kinds:
            for record in find():
                self._do(f"{kind} {record['name']} removed", lambda: delete(record["id"]))  # noqa: B023  # called at once
        if not self.changes:
            self.say("Nothing to remove: nothing here was installed by this command")

    def _analysis(self, name: str, script: str) -> Record:
        found = self._only("Analysis", self._mine(self.analyses.list))
        if found is None:
            created: list[Record] = []
            self._do(
                f"Analysis {name} created",
                lambda: created.append(self.analyses.create(wanted_analysis(name))),
                "analysis",
            )
            if not created:
                self._do("Script uploaded", lambda: None)
                return {}
            found = {"id": created[0]["id"]}
        info: Record = self._ask(lambda: self.analyses.info(found["id"]))
        tags = [tag for tag in info.get("tags") or () if tag.get("key") != BUNDLE_TAG]
        current = next((tag["value"] for tag in info.get("tags") or () if tag.get("key") == BUNDLE_TAG), "")
        if current != fingerprint(script):
            upload = {
                "name": "analysis.py",
                "content": base64.b64encode(script.encode()).decode(),
                "language": "python-rt2025",
            }
            self._do(
                "Script uploaded", lambda: self.analyses.uploadScript(info["id"], upload), f"analysis/{info['id']}"
            )
            mark = {"key": BUNDLE_TAG, "value": fingerprint(script)}  # last: only what is there is marked
            self._quietly(lambda: self.analyses.edit(info["id"], {"tags": [*tags, mark]}))
        else:
            self.say(f"Analysis {info.get('name')} is there with this script")
        return info

    def _journal(self, name: str, token: str, *, overwrite: bool) -> str:
        """The device's token; a new one where the one that stands on TagoIO is nobody's any more, or was never written
        down by a run that was cut off."""
        found = self._only("journal device", self._mine(self.devices.listDevice))
        holder = self._holder_of(token)
        if found and holder and holder.get("id") == found["id"]:
            self._say_journal(found["id"])
            return token
        if holder and not overwrite:
            self.say(f"Journal device {holder.get('name')} is your own and stays (--overwrite sets another)")
            return token
        tokens: list[str] = []
        if found:
            wish = {"name": "Journal", "permission": "full", "expire_time": "never"}
            create = lambda: tokens.append(self.devices.tokenCreate(found["id"], wish)["token"])  # noqa: E731
            self._do("Journal device got a token", create, "devices")
        else:
            create = lambda: tokens.append(self.devices.create(wanted_device(name))["token"])  # noqa: E731
            self._do(f"Journal device created: it keeps its rows for {JOURNAL_DAYS} days", create, "devices")
        return tokens[0] if tokens else "(its token)"

    def _holder_of(self, token: str) -> Record | None:
        """The device that a token belongs to; None where TagoIO knows no such token."""
        if not token:
            return None
        try:
            device: Record = self._ask(PooledDevice(self.client, token).info)
        except Rejected as error:
            if error.status in (401, 403):
                return None
            raise
        return device

    def _say_journal(self, device_id: str) -> None:
        if self._ask(lambda: self.devices.info(device_id)).get("type") != "mutable":
            self.say("Journal device is there")
            return
        self.say(
            f"Journal device is there and stays, but it is of type mutable: it takes {MUTABLE_ROWS:,} rows and then no "
            f"more. Remove it on TagoIO and run this again: a new one drops its rows after {JOURNAL_DAYS} days"
        )

    def _variables(
        self, analysis_id: str, own: dict[str, str], wanted: dict[str, str], *, overwrite: bool
    ) -> dict[str, str]:
        """What was changed on TagoIO stays, unless told. Returns what then stands there."""
        new = {name: value for name, value in wanted.items() if not own.get(name)}
        other = {name: value for name, value in wanted.items() if own.get(name) and own[name] != value}
        if overwrite:
            new |= other
        elif other:
            self.say(f"Variables kept as they are on TagoIO: {', '.join(other)} (--overwrite replaces them)")
        if not new:
            self.say("Variables are set")
            return own
        merged = [{"key": key, "value": value} for key, value in {**own, **new}.items()]
        edit = lambda: self.analyses.edit(analysis_id, {"variables": merged})  # noqa: E731
        self._do(f"Variables set: {', '.join(new)}", edit, f"analysis/{analysis_id}")
        return {**own, **new}

    def _policy(self, analysis_id: str, *, with_device_names: bool) -> None:
        wanted = wanted_policy(analysis_id, with_device_names=with_device_names)
        found = self._only("policy", self._mine(self.access.list))
        self._make_or_mend(
            "Policy for the Analysis' own token", found, wanted, self.access, ("targets", "permissions"), "am"
        )

    def _action(self, name: str, analysis_id: str, trigger: Trigger) -> None:
        wanted = wanted_action(name, analysis_id, trigger)
        found = self._only("Action", self._mine(self.actions.list))
        self._make_or_mend(
            f"Action ({trigger.type})", found, wanted, self.actions, ("type", "trigger", "action"), "actions"
        )

    def _make_or_mend(
        self, what: str, found: Record | None, wanted: Record, module: Any, parts: tuple[str, ...], page: str
    ) -> None:
        if found is None:
            self._do(f"{what} created", lambda: module.create(wanted), page)
            return
        info = self._ask(lambda: module.info(found["id"]))
        if all(_alike(info.get(part), wanted[part]) for part in parts):
            self.say(f"{what} is there")
        else:
            self._do(f"{what} changed", lambda: module.edit(found["id"], wanted), page)

    def _mine(self, listing: Callable[[Record], Any]) -> list[Record]:
        """Those that bear TAG: asked for by it, and checked, since a filter may be ignored."""
        found: dict[str, Record] = {}
        for page in range(1, 1000):
            query = {"page": page, "amount": PAGE, "fields": ["id", "name", "tags"], "filter": {"tags": [TAG]}}
            fresh = [each for each in self._ask(lambda: listing(dict(query))) if each["id"] not in found]  # noqa: B023
            if not fresh:
                break
            found |= {each["id"]: each for each in fresh}
        return [each for each in found.values() if TAG in (each.get("tags") or ())]

    def _only(self, kind: str, found: list[Record]) -> Record | None:
        if len(found) > 1:
            names = ", ".join(f"{each['name']} ({each['id']})" for each in found)
            raise SetupError(
                f"More than one {kind} bears the tag {TAG['key']} = {TAG['value']}: {names}; remove all but one"
            )
        return found[0] if found else None

    def _do(self, what: str, change: Callable[[], Any], page: str = "") -> None:
        """A change: never repeated by itself, since TagoIO cannot tell a repetition; the next run looks again."""
        self.changes += 1
        link = f"  {self.admin}/{page}" if page else ""
        if self.dry_run:
            self.say(f"would be: {what}")
            return
        change()
        self.say(f"{what}{link}")

    def _quietly(self, change: Callable[[], Any]) -> None:
        if not self.dry_run:
            change()

    def _ask(self, question: Callable[[], Any]) -> Any:
        return retrying(question, self.sleep)


def _alike(found: Any, wanted: Any) -> bool:
    """Whether TagoIO has what is wanted; it may have added fields of its own."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(_alike(found.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(found, list) and len(found) == len(wanted) and all(map(_alike, found, wanted))
    return json.dumps(found) == json.dumps(wanted)
