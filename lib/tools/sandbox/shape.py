"""The shape of what a state file holds, field by field: what the sandbox takes for granted of its own records."""

from collections.abc import Callable
from typing import Any

from lib.tools.sandbox.store import Record, Store

Check = Callable[[Any], bool]


def _is(*kinds: type) -> Check:
    return lambda value: isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool))


def _map(check: Check) -> Check:
    return lambda value: (
        isinstance(value, dict) and all(isinstance(key, str) for key in value) and all(map(check, value.values()))
    )


def _list(check: Check) -> Check:
    return lambda value: isinstance(value, list) and all(map(check, value))


def _record(**parts: Check) -> Check:
    return lambda value: isinstance(value, dict) and all(check(value.get(name)) for name, check in parts.items())


TEXT, NUMBER, YES_NO, RECORD = _is(str), _is(int, float), _is(bool), _is(dict)
BUTTON = _record(id=lambda given: given not in (None, ""), label=lambda given: given not in (None, ""))
NOTE = _record(id=TEXT, title=TEXT, message=TEXT, buttons=_list(BUTTON), created_at=TEXT)
SHAPES: dict[str, Check] = {
    "profile_id": TEXT,
    "account_id": TEXT,
    "run_url": TEXT,
    "run_settings": RECORD,
    "run_site": _map(RECORD),
    "phones": _map(TEXT),
    "users": _map(_record(id=TEXT, name=TEXT, email=TEXT, timezone=TEXT, active=YES_NO, tags=_list(RECORD))),
    "passwords": _map(TEXT),
    "notifications": _map(lambda given: NOTE(given) and TEXT(given.get("run_user"))),
    "admin_notifications": _list(RECORD),
    "inboxes": _map(_list(TEXT)),
    "analyses": _map(_record(id=TEXT)),
    "actions": _map(_record(id=TEXT)),
    "policies": _map(_record(id=TEXT)),
    "kept_secrets": _map(_record(id=TEXT)),
    "devices": _map(_record(id=TEXT)),
    "data": _map(_list(_record(id=TEXT, variable=TEXT))),
    "parameters": _map(_is(list)),
    "limits": _map(NUMBER),
    "used": _map(NUMBER),
    "ahead": NUMBER,
    "own": _map(TEXT),
}


def check_state(store: Store) -> None:
    """Raises ValueError that names the first field which is of another shape."""
    for name, is_sound in SHAPES.items():
        if not is_sound(getattr(store, name)):
            raise ValueError(f"{name} has another shape")
    for name in ("users", "notifications", "analyses", "actions", "devices"):
        records: dict[str, Record] = getattr(store, name)
        if any(key != each["id"] for key, each in records.items()):
            raise ValueError(f"{name} has an id that is another's")
    if not all(NUMBER(event.time) and TEXT(event.kind) and TEXT(event.user_id) for event in store.events):
        raise ValueError("events have another shape")
