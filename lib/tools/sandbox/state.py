"""Keeps what the sandbox knows in a file, so that the next start goes on from there (`--state`)."""

import asyncio
import fcntl
import json
import os
from collections import defaultdict
from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path
from typing import IO, Any

from lib.tools.sandbox.changes import Changes
from lib.tools.sandbox.store import Event, Identity, Store

FORM = 2
KEPT = (
    "profile_id",
    "profile_token",
    "account_id",
    "run_url",
    "run_settings",
    "users",
    "passwords",
    "notifications",
    "admin_notifications",
    "inboxes",
    "analyses",
    "actions",
    "policies",
    "devices",
    "data",
    "parameters",
    "limits",
    "used",
    "ahead",
    "own",
)
PAUSE = 0.5  # seconds between writings


class StateError(Exception):
    """The file cannot be used; the text says why and what to do."""


def load(path: Path) -> Store | None:
    """The store in that file, None where there is no file yet. Raises StateError."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept.pop("form") != FORM:
            raise StateError(f"{path} was written by another version of the sandbox; remove it to begin anew")
        tokens = {token: Identity(*whose) for token, whose in kept.pop("tokens").items()}
        events = [Event(*each) for each in kept.pop("events")]
        for name in ("inboxes", "data"):
            kept[name] = defaultdict(list, kept[name])
        store = Store(**kept, tokens=tokens, events=events)
        fresh = Store()
        if any(not isinstance(getattr(store, name), type(getattr(fresh, name))) for name in KEPT if name != "ahead"):
            raise ValueError("another shape")
        return store
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise StateError(f"{path} is not a state of the sandbox; remove it, or name another file") from error


def save(store: Store, path: Path) -> None:
    """Whole or not at all, readable by its owner only: tokens are in it. Raises StateError."""
    kept: dict[str, Any] = {name: getattr(store, name) for name in KEPT}
    kept["tokens"] = {token: astuple(whose) for token, whose in store.tokens.items()}
    kept["events"] = [astuple(event) for event in store.events]
    new = path.with_name(f"{path.name}.new")
    try:
        new.unlink(missing_ok=True)
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            json.dump({"form": FORM, **kept}, file)
        new.replace(path)
    except OSError as error:
        raise StateError(f"{path} cannot be written: {error.strerror}") from error


def lock(path: Path) -> IO[bytes]:
    """Held until it is closed, so that no two sandboxes write one file. Raises StateError."""
    try:
        file = path.with_name(f"{path.name}.lock").open("wb")
    except OSError as error:
        raise StateError(f"{path} cannot be written: {error.strerror}") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise StateError(f"{path} is in use by another sandbox; stop that one, or name another file") from None
    return file


async def keep_saved(store: Store, path: Path, changes: Changes, warn: Callable[[str], None]) -> None:
    """After every change, soon; for ever. What cannot be written now is written later."""
    version = changes.version
    while True:
        version = await changes.after(version)
        await asyncio.sleep(PAUSE)
        try:
            save(store, path)
        except StateError as error:
            warn(str(error))
            await asyncio.sleep(PAUSE)
            version = -1
