"""The policy for the Analysis' own token: exactly what a run does, under the names that this TagoIO has for it.

`GET /am/settings` names every resource and action by its label in the admin, and how it may be matched (C mcp
fixtures.ts, amSettings). One wrong name refuses the whole policy, so the names come from there, and the inferred ones
are the last resort.
"""

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from lib.tools.install.wanted import TAG

Record = dict[str, Any]
Rule = tuple[str, str, tuple[str, ...]]  # effect, action, resource

DEVICE_NAME = re.compile(r"\$DEVICE\.NAME\$", re.IGNORECASE)


@dataclass(frozen=True)
class Right:
    """What a run may do, by its labels (C: whl, "check policy **Run User** / **Access**"), and the inferred wire names.
    `without` says what a run lacks where TagoIO has no such right; "" where a run cannot do without."""

    resource: str
    action: str
    wire: tuple[str, str]
    without: str = ""

    def __str__(self) -> str:
        return f"{self.resource} / {self.action}"


ACCESS = Right("Run User", "Access", ("run_user", "access"))
CREATE = Right("Run User", "Create notification", ("run_user", "create_notification"))
LOOK = Right(
    "Run User", "Access notification", ("run_user", "access_notification"),
    "a lost answer stays unknown, for nobody may look whether the notification is there",
)  # fmt: skip
EDIT = Right(
    "Run User", "Edit notification", ("run_user", "edit_notification"), "the other copies stay open after a decision"
)
QUOTA = Right("Account", "Access profile", ("account", "access_profile"), "the push quota is not checked")
DEVICES = Right("Device", "Access", ("device", "access"), "a device is called by its id")
RUN_ITSELF = Right(
    "Analysis", "Run Analysis", ("analysis", "run_analysis"), "a run that ran out of time is not gone on with at once"
)
SECRETS = Right("Secrets", "Access", ("secrets", "access"), "secrets stand among the variables")


class Names:
    """The wire names of rights, from what `GET /am/settings` answered; None where it cannot be read."""

    def __init__(self, catalog: Any) -> None:
        self._found: dict[tuple[str, str], tuple[str, str, list[str]]] = {}
        if not isinstance(catalog, dict):
            return
        labels, grants = catalog.get("resources"), (catalog.get("settings") or {}).get("analysis")
        for resource, listed in (grants if isinstance(grants, dict) else {}).items():
            label = ((labels or {}).get(resource) or {}).get("label", resource)
            for each in listed if isinstance(listed, list) else ():
                key = (_plain(str(label)), _plain(str(each.get("label"))))
                self._found[key] = (resource, str(each.get("value")), each.get("match_by") or ["any"])

    @property
    def are_known(self) -> bool:
        return bool(self._found)

    def of(self, right: Right) -> tuple[str, str] | None:
        """Resource and action; None where this TagoIO has no such right."""
        if not self.are_known:
            return right.wire
        found = self._found.get((_plain(right.resource), _plain(right.action)))
        return found[:2] if found else None

    def by_tag(self, *rights: Right) -> bool:
        """Whether each of these can be limited to what bears a tag."""
        return all(self._is_matched_by("tag", right) for right in rights)

    def by_id(self, right: Right) -> bool:
        return self._is_matched_by("id", right)

    def _is_matched_by(self, form: str, right: Right) -> bool:
        found = self._found.get((_plain(right.resource), _plain(right.action)))
        return found is not None and form in found[2]


def _plain(label: str) -> str:
    """Labels differ in capitals, and in the plural, between the admin and the SDK."""
    return label.strip().lower().removesuffix("s")


@dataclass(frozen=True)
class Wish:
    """A right, and what it is limited to: the resource of this id, or those with one of these tags, or any."""

    right: Right
    tags: tuple[tuple[str, str], ...] = ()
    id: str = ""

    @property
    def limits(self) -> list[tuple[str, ...]]:
        if self.id:
            return [("id", self.id)]
        return [("tag.key", key, "tag.value", value) for key, value in self.tags] or [()]


def wishes(
    names: Names,
    user_tags: Iterable[tuple[str, str]],
    *,
    with_quota: bool,
    with_device_names: bool,
    itself: str,
    secret_tag: tuple[str, str] | None,
) -> list[Wish]:
    """What the policy is to allow; `user_tags` limits it to these users where TagoIO can; `itself`
    is the Analysis' id where it may have to start itself once more."""
    of_users = (ACCESS, CREATE, LOOK, EDIT)
    tags = tuple(user_tags) if names.by_tag(*of_users) else ()
    wanted = [Wish(right, tags) for right in of_users]
    if with_quota:
        wanted.append(Wish(QUOTA))
    if with_device_names:
        wanted.append(Wish(DEVICES))
    if itself:
        wanted.append(Wish(RUN_ITSELF, id=itself if names.by_id(RUN_ITSELF) else ""))
    if secret_tag:
        wanted.append(Wish(SECRETS, (secret_tag,)))
    return [wish for wish in wanted if names.of(wish.right)]


def lacking(names: Names) -> list[Right]:
    """The rights that this TagoIO does not have by these labels, of those that every run wants."""
    return [right for right in (ACCESS, CREATE, LOOK, EDIT, QUOTA) if names.of(right) is None]


def permissions_of(names: Names, wanted: Iterable[Wish]) -> list[Record]:
    """In TagoIO's form: one for each resource, with all its actions."""
    actions: dict[tuple[str, ...], list[str]] = {}
    for wish in wanted:
        named = names.of(wish.right)
        if named is None:
            continue
        resource, action = named
        for limit in wish.limits:
            actions.setdefault((resource, *limit), []).append(action)
    return [{"effect": "allow", "action": found, "resource": list(resource)} for resource, found in actions.items()]


def policy_body(analysis_id: str, permissions: list[Record]) -> Record:
    targets = [["analysis", "id", analysis_id]]
    return {"name": "tagorun-notify", "active": True, "tags": [TAG], "targets": targets, "permissions": permissions}


def rules_of(permissions: Any) -> set[Rule]:
    """As TagoIO compares them: the order in which they come back is its own."""
    found = set()
    for each in permissions if isinstance(permissions, list) else ():
        resource = tuple(map(str, each.get("resource") or ()))
        found |= {(str(each.get("effect", "allow")), str(action), resource) for action in each.get("action") or ()}
    return found


def covers(there: set[Rule], rule: Rule) -> bool:
    """Whether what is there allows it already: by the same rule, or for all of that kind."""
    effect, action, resource = rule
    return rule in there or (effect, action, resource[:1]) in there


def shown_rule(rule: Rule) -> str:
    effect, action, resource = rule
    limit = " ".join(resource[1:])
    return f"{effect} {action} on {resource[0] if resource else '?'}{f' ({limit})' if limit else ''}"


def names_a_device(code: str, document: str) -> bool:
    """Whether a run asks TagoIO for a device's name: by the placeholder, or in `compose` by `trigger.device_name`.
    Comments do not count, and `compose` not where a document replaces it."""
    if document:
        return bool(DEVICE_NAME.search(document))
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Attribute) and node.attr == "device_name":
            return True
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and DEVICE_NAME.search(node.value):
            return True
    return False


def tags_of_users(variables: dict[str, str], code: str) -> list[tuple[str, str]]:
    """The tags that all who may be told bear; none where others may be told too, by `send_to` or an escalation."""
    escalates = any(isinstance(node, ast.keyword) and node.arg == "escalate" for node in ast.walk(ast.parse(code)))
    if variables.get("send_to", "tags").strip().lower() != "tags" or escalates:
        return []
    if '"escalate"' in variables.get("notification", ""):
        return []
    values = [value.strip() for value in variables.get("tag_value", "").split(",")]
    return [(variables["tag_key"], value) for value in values if value] if variables.get("tag_key") else []
