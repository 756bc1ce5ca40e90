"""What an installation consists of, in TagoIO's wire form: Analysis, policy, journal device, Action."""

import hashlib
import re
from dataclasses import dataclass
from typing import Any

from lib.app.settings import VARIABLES
from lib.base.errors import SetupError
from lib.message.placeholders import zone_of

TAG = {"key": "installed_by", "value": "tagorun-notify"}
BUNDLE_TAG = "tagorun_notify_bundle"  # a hash of the script that was uploaded last
RUNTIME = "python-rt2025"

# D api/create-new-device: the network and the connector of its examples (TagoIO's Custom HTTPS).
NETWORK, CONNECTOR = "5bbd0d144051a50034cd19fb", "5f5a8f3351d4db99c40dece5"

# A journal only ever gets more rows. A device of type mutable takes 50,000 and no more (D docs devices/index.md); an
# immutable one takes a million a period, and TagoIO removes the periods that are older than the retention: 0 to
# 31 where the period is a day (D docs data-retention-feature.md; C cli device-create.ts). Days leave the most room; a
# campaign matters for one of them, and the report reads those of a month.
JOURNAL_DAYS = 31
JOURNAL_STORAGE = {"type": "immutable", "chunk_period": "day", "chunk_retention": JOURNAL_DAYS}
MUTABLE_ROWS = 50_000

DEVICE_NAME = re.compile(r"\$DEVICE\.NAME\$", re.IGNORECASE)

# What the Analysis' own token needs. The names of the last three on run_user are inferred from the SDK's labels.
RUN_USER_RIGHTS = ["access", "create_notification", "access_notification", "edit_notification"]

WHEN = re.compile(r"\s*(?P<variable>[\w.-]+)\s*(?P<is>><|<|>|=|!|\*)\s*(?P<value>.*?)\s*")
NUMBER = re.compile(r"-?\d+(\.\d+)?")


@dataclass(frozen=True)
class Trigger:
    """How an Action starts the Analysis: `type` and `trigger` as TagoIO has them."""

    type: str
    trigger: list[dict[str, Any]]


def wanted_analysis(name: str) -> dict[str, Any]:
    return {"name": name, "runtime": RUNTIME, "run_on": "tago", "active": True, "tags": [TAG]}


def wanted_policy(analysis_id: str, *, with_device_names: bool) -> dict[str, Any]:
    """Lets the Analysis' own token do exactly what a run does, and no more."""
    permissions = [
        {"effect": "allow", "action": RUN_USER_RIGHTS, "resource": ["run_user"]},
        {"effect": "allow", "action": ["access_profile"], "resource": ["account"]},  # to read the push quota
    ]
    if with_device_names:
        permissions.append({"effect": "allow", "action": ["access"], "resource": ["device"]})
    targets = [["analysis", "id", analysis_id]]
    return {"name": "tagorun-notify", "active": True, "tags": [TAG], "targets": targets, "permissions": permissions}


def names_a_device(*texts: str) -> bool:
    """Whether a text has the placeholder for which a run asks TagoIO for a device's name."""
    return any(DEVICE_NAME.search(text) for text in texts)


def wanted_device(name: str) -> dict[str, Any]:
    named = {"name": f"{name} journal", "network": NETWORK, "connector": CONNECTOR, "tags": [TAG]}
    return {**named, **JOURNAL_STORAGE}


def wanted_action(name: str, analysis_id: str, trigger: Trigger) -> dict[str, Any]:
    return {
        "name": name,
        "active": True,
        "type": trigger.type,
        "trigger": trigger.trigger,
        "action": {"type": "script", "script": [analysis_id]},
        "tags": [TAG],
    }


def wanted_variables(given: dict[str, str], journal_token: str) -> dict[str, str]:
    """The Analysis' environment variables. `account_token` stays at home: the Analysis uses its own."""
    found = {name: given[name] for name in VARIABLES if given.get(name) and name != "account_token"}
    return {**found, "delivery_log_token": journal_token} if journal_token else found


def every(text: str) -> Trigger:
    """`15 minutes`; TagoIO's finest is one minute. Raises SetupError."""
    found = re.fullmatch(r"\s*(\d+)\s*(minute|hour|day|week|month)s?\s*", text)
    if not found or int(found[1]) < 1:
        raise SetupError(f'--every "{text}" is not an interval; use such as "15 minutes", "1 hour", "2 days"')
    plural = "s" if int(found[1]) > 1 else ""
    return Trigger("interval", [{"interval": f"{found[1]} {found[2]}{plural}"}])


def at_cron(cron: str, timezone: str) -> Trigger:
    """Raises SetupError for what is no cron expression of five fields, or without a time zone."""
    if len(cron.split()) != 5:
        raise SetupError(
            f'--cron "{cron}" has {len(cron.split())} fields; it needs five: "0 8 * * 1-5" is 8:00, Mon to Fri'
        )
    if zone_of(timezone) is None:
        raise SetupError(f"--cron needs --timezone, such as America/Sao_Paulo{f', not {timezone}' if timezone else ''}")
    return Trigger("schedule", [{"cron": cron, "timezone": timezone}])


def when(condition: str, device: str, device_tag: str, unlock: str) -> Trigger:
    """`temperature > 35` of one device, or of all with a tag. Raises SetupError."""
    if bool(device) == bool(device_tag):
        raise SetupError("--when needs either --device ID or --device-tag KEY=VALUE")
    key, equals, value = device_tag.partition("=")
    if device_tag and not (key and equals and value):
        raise SetupError(f'--device-tag "{device_tag}" is not KEY=VALUE')
    if unlock and device_tag:
        raise SetupError(
            "--unlock works with --device only: TagoIO unlocks Actions of a single device (docs trigger-by-variable.md)"
        )
    whose = {"device": device} if device else {"tag_key": key, "tag_value": value}
    # TagoIO refuses `unlock` beside a tag (D docs trigger-by-variable.md; C cli action-builders.ts).
    fires = {"unlock": False} if device else {}
    triggers = [{**whose, **_condition("--when", condition), **fires}]
    if unlock:
        triggers.append({**whose, **_condition("--unlock", unlock), "unlock": True})
    return Trigger("condition", triggers)


def _condition(flag: str, text: str) -> dict[str, Any]:
    found = WHEN.fullmatch(text)
    if not found or (found["is"] == "*") == bool(found["value"]):
        raise SetupError(
            f'{flag} "{text}" is not a condition; use such as "temperature > 35", "door = open", "level >< 2,8"'
        )
    value, _, second = found["value"].partition(",") if found["is"] == "><" else (found["value"], "", "")
    number = NUMBER.fullmatch(value.strip())
    compares = found["is"] in ("<", ">", "><")
    if value[:1] in "<>=!*" and found["is"] != "*":
        raise SetupError(f'{flag} "{text}": TagoIO has <, >, =, !, >< and *, and one of them a condition')
    if compares and not (number and (found["is"] != "><" or NUMBER.fullmatch(second.strip()))):
        raise SetupError(f'{flag} "{text}": {found["is"]} compares numbers, such as "temperature > 35", "level >< 2,8"')
    condition = {"variable": found["variable"], "is": found["is"], "value": value.strip()}
    condition["value_type"] = "*" if found["is"] == "*" else "number" if number else "string"
    if found["is"] == "><":
        condition["second_value"] = second.strip()
    return condition


def fingerprint(script: str) -> str:
    return hashlib.sha256(script.encode()).hexdigest()[:16]
