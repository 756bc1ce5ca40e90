"""Keeps what the sandbox knows in a file, so that the next start goes on from there (`--state`)."""

import asyncio
import fcntl
import json
import os
import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path
from typing import IO, Any

from lib.base.text import one_line
from lib.tools.sandbox.changes import Changes
from lib.tools.sandbox.shape import check_state
from lib.tools.sandbox.store import Event, Identity, Store

FORM = 3
KEPT = (
    "profile_id",
    "account_id",
    "run_url",
    "run_settings",
    "run_site",
    "phones",
    "users",
    "passwords",
    "notifications",
    "admin_notifications",
    "inboxes",
    "analyses",
    "actions",
    "policies",
    "kept_secrets",
    "devices",
    "data",
    "parameters",
    "limits",
    "used",
    "ahead",
    "own",
)
TOKEN = re.compile(r"[pau]-[0-9a-f]{34}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
PAUSE = 0.5  # seconds between writings


class StateError(Exception):
    """The file cannot be used; the text says why and what to do."""


def load(path: Path) -> Store | None:
    """The store in that file, None where there is no file yet. Of it comes what KEPT names, each field checked: no
    script, and no token. Those are in the file beside it, which only this sandbox has written. Raises StateError."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept.pop("form") != FORM:
            raise StateError(f"{path} was written by another version of the sandbox; remove it to begin anew")
        events = [Event(*each) for each in kept.pop("events")]
        if kept.keys() - set(KEPT):
            raise ValueError(f"it has {', '.join(sorted(kept.keys() - set(KEPT)))}")
        for name in ("inboxes", "data"):
            kept[name] = defaultdict(list, kept[name])
        store = Store(**kept, events=events)
        check_state(store)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        said = one_line(str(error))[:100]
        raise StateError(f"{path} is not a state of the sandbox ({said}); remove it, or name another file") from error
    for analysis in store.analyses.values():
        analysis.pop("token", None)
    _take_tokens(store, tokens_beside(path))
    return store


def tokens_beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.tokens")


def _take_tokens(store: Store, path: Path) -> None:
    """What has no place in this state any more, or is no token of ours, is left; without the file all are new."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        tokens = {str(token): Identity(str(kind), str(whose)) for token, (kind, whose) in kept["tokens"].items()}  # type: ignore[arg-type]  # checked below
        profile_token, of_analyses = str(kept["profile_token"]), dict(kept["analyses"])
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return
    known = {"analysis": store.analyses, "run_user": store.users, "device": store.devices}
    tokens = {token: whose for token, whose in tokens.items() if whose.id in known.get(whose.kind, ())}
    if TOKEN.fullmatch(profile_token):
        del store.tokens[store.profile_token]
        store.profile_token = profile_token
        tokens[profile_token] = Identity("profile", store.profile_id)
    store.tokens |= {token: whose for token, whose in tokens.items() if TOKEN.fullmatch(token)}
    for analysis_id, token in of_analyses.items():
        if analysis_id in store.analyses and store.tokens.get(token) == Identity("analysis", analysis_id):
            store.analyses[analysis_id]["token"] = token


def save(store: Store, path: Path) -> None:
    """Whole or not at all, readable by its owner only; the tokens apart. Raises StateError."""
    kept: dict[str, Any] = {name: getattr(store, name) for name in KEPT}
    kept["events"] = [astuple(event) for event in store.events]
    kept["analyses"] = {
        key: {name: value for name, value in each.items() if name != "token"} for key, each in store.analyses.items()
    }
    tokens = {
        "profile_token": store.profile_token,
        "tokens": {token: astuple(whose) for token, whose in store.tokens.items()},
        "analyses": {key: each["token"] for key, each in store.analyses.items() if each.get("token")},
    }
    try:
        _write(tokens_beside(path), tokens)
        _write(path, {"form": FORM, **kept})
    except OSError as error:
        raise StateError(f"{path} cannot be written: {error.strerror}") from error


def _write(path: Path, content: dict[str, Any]) -> None:
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(content, file)
    new.replace(path)


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
