"""Access Management: what a policy may say, and what it allows (C mcp services/access-management/AGENTS.md)."""

from collections.abc import Iterable
from typing import Any

from lib.tools.sandbox.refusal import Refusal

Record = dict[str, Any]

RESOURCES = {
    "device": "Device", "access_management": "Access Management", "file": "File", "account": "Account",
    "dashboard": "Dashboard", "run_user": "Run User", "entity": "Entity", "sql": "SQL Query",
    "action": "Action", "analysis": "Analysis", "connector": "Connector", "network": "Network",
    "dictionary": "Dictionary", "profile": "Profile", "secrets": "Secrets",
    "service_authorization": "Service Authorization", "service": "Services",
}  # fmt: skip
# The labels are those of the JavaScript SDK's docs and of mcp fixtures.ts (C). TagoIO has 21 resources and 37 actions
# (C cli access-policy-payload.ts), and not all of their wire names are known: C are those of device, access_management,
# file, dashboard, sql and account, and access and login_as_user; the rest is the label in snake case (I).
_MEMBERS = "Access, Create, Edit, Delete"
_GRANTS = {
    "analysis": {
        "device": f"{_MEMBERS}, Token access, Get data, Send data, Edit data, Delete data, Manage chunks, Export Data, "
        "Import Data",
        "access_management": _MEMBERS,
        "file": "Access, Upload, Edit, Delete",
        "dashboard": f"{_MEMBERS}, Duplicate, Related devices, Related analysis",
        "sql": "Access, Create, Execute",
        "account": "Access Account Information, Access profile, Access profile statistics",
        "run_user": f"{_MEMBERS}, Login as user, Access notification, Create notification, Edit notification, "
        "Delete notification",
        "action": _MEMBERS,
        "analysis": f"{_MEMBERS}, Run Analysis, Upload Analysis Script, Download Analysis Script",
        "connector": "Access",
        "network": "Access",
        "dictionary": _MEMBERS,
        "entity": _MEMBERS,
        "profile": "Access notification, Create notification, Edit notification, Delete notification, "
        "Access TagoRun settings, Edit TagoRun settings",
        "secrets": _MEMBERS,
        "service_authorization": _MEMBERS,
        "service": "Send notification, Send email, Send SMS, Publish MQTT, Upload attachment",  # D API v8.11.6
    },
    "run_user": {
        "dashboard": "Access, Arrangement",
        "device": "Access",
        "sql": "Access, Execute",
        "entity": "Access",
        "run_user": "Access",
    },
}  # fmt: skip
_ODD_VALUES = {"Access Account Information": "access"}  # C mcp fixtures.ts
_MATCH = ["id", "tag", "tag_match", "any"]


def settings() -> Record:
    """The result of `GET /am/settings` (C mcp fixtures.ts): what each kind of target can be granted, by label."""
    resources = {name: {"label": label} for name, label in RESOURCES.items()}
    return {
        "resources": resources,
        "settings": {
            kind: {
                resource: [_grant(kind, resource, label) for label in labels.split(", ")]
                for resource, labels in grants.items()
            }
            for kind, grants in _GRANTS.items()
        },
    }


def _grant(kind: str, resource: str, label: str) -> Record:
    value = _ODD_VALUES.get(label) or label.lower().replace(" ", "_")
    match_by = ["path", "any"] if resource == "file" else [each for each in _MATCH if (value, each) != ("create", "id")]
    whose = "analyses" if kind == "analysis" else "TagoRUN users"
    return {
        "label": label, "value": value, "match_by": match_by,
        "description": f"Allows {whose}: {RESOURCES[resource]} / {label}",
    }  # fmt: skip


ACTIONS = sorted(
    {grant["value"] for kind in settings()["settings"].values() for grants in kind.values() for grant in grants}
)


def check_policy(given: Record, *, is_new: bool) -> Record:
    """What is kept of it: TagoIO checks effects, actions, resources and targets against closed lists, and names what is
    valid. It does not check whether they fit each other, nor how long a tuple is, but keeps five of its parts.
    Raises Refusal."""
    for name in ("targets", "permissions"):
        if name not in given:
            if is_new:
                raise Refusal(400, "Required")
        elif not isinstance(given[name], list):
            raise Refusal(400, f"{name}: Expected array")
        elif not given[name]:
            raise Refusal(400, "Array must contain at least 1 element(s)")
    kept = dict(given)
    if "targets" in given:
        kept["targets"] = [_tuple(target, list(_GRANTS)) for target in given["targets"]]
    if "permissions" in given:
        kept["permissions"] = [_permission(each) for each in given["permissions"]]
    return kept


def _permission(given: Any) -> Record:
    if not isinstance(given, dict):
        raise Refusal(400, "permissions: Expected object")
    for name in ("effect", "action", "resource"):
        if name not in given:
            raise Refusal(400, f"{name}: Required")
    _check_enum(given["effect"], ["allow", "deny"])
    if not isinstance(given["action"], list):
        raise Refusal(400, "action: Expected array")
    for action in given["action"]:
        _check_enum(action, ACTIONS)
    return {**given, "resource": _tuple(given["resource"], list(RESOURCES))}


def _tuple(given: Any, kinds: list[str]) -> list[str]:
    if not isinstance(given, list) or not given:
        raise Refusal(400, "Expected array")
    _check_enum(given[0], kinds)
    return [str(part) for part in given[:5]]


def _check_enum(given: Any, valid: list[str]) -> None:
    """C cli access-policy-payload.ts: "Invalid enum value", with all that are valid."""
    if given not in valid:
        expected = " | ".join(f"'{each}'" for each in valid)
        raise Refusal(400, f"Invalid enum value. Expected {expected}, received '{given}'")


def effects(
    policies: Iterable[Record], kind: str, bearer: Record | None, action: str, resource: str, entity: Record | None
) -> list[str]:
    """Of all rules that speak of this action on `entity`, for the `bearer` of a token of that kind, deny last."""
    return sorted(
        rule["effect"]
        for policy in policies
        if policy.get("active", True) and any(_targets(target, kind, bearer) for target in policy["targets"])
        for rule in policy["permissions"]
        if action in rule["action"] and _covers(rule["resource"], resource, entity, bearer)
    )


def _targets(target: list[str], kind: str, bearer: Record | None) -> bool:
    if target[0] == kind and target[1:2] == ["tag_match"]:  # it need only carry the key
        return len(target) == 3 and target[2] in _tags(bearer)
    return _covers(target, kind, bearer, None)


def _covers(resource: list[str], kind: str, entity: Record | None, bearer: Record | None) -> bool:
    if resource[0] != kind:
        return False
    tags = _tags(entity)
    match resource[1:]:
        case []:
            return True
        case ["id", wanted]:
            return entity is not None and entity["id"] == wanted
        case ["tag.key", key, "tag.value", value]:
            return value in tags.get(key, ())
        case ["tag_match", key]:  # the same value as the bearer's
            return bool(tags.get(key, set()) & _tags(bearer).get(key, set()))
    return False


def _tags(entity: Record | None) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for tag in (entity or {}).get("tags") or []:
        found.setdefault(tag["key"], set()).add(tag["value"])
    return found
