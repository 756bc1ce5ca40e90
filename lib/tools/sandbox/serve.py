"""`--serve`: the sandbox stays up, with its page, for other clients too, until Ctrl+C."""

import argparse
import asyncio
import contextlib
import os
import re
import shlex
import signal
import sys
from pathlib import Path

from lib.base.text import one_line
from lib.tools.install.wanted import JOURNAL_STORAGE
from lib.tools.sandbox.page.desk import Desk
from lib.tools.sandbox.page.routes import add_page
from lib.tools.sandbox.seed import DEVELOPER, PASSWORD, TAG_KEY, TAG_VALUE, seed_analysis, seed_users
from lib.tools.sandbox.server import Sandbox
from lib.tools.sandbox.state import StateError, keep_saved, load, lock, save
from lib.tools.sandbox.store import Identity, Record, Store
from lib.tools.sandbox.tls import make_tls
from lib.tools.sandbox.trouble import Fault
from lib.tools.sandbox.unknowns import Facts

INSIDE, EXTERNAL = "Notify", "Notify (external)"
JOURNAL = "Notification journal"
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
ELSEWHERE = "(printed where the sandbox was started)"


async def serve(options: argparse.Namespace, script: Path, facts: Facts) -> int:
    """Until it is told to stop; the exit code."""
    with contextlib.ExitStack() as held:
        try:
            store = None
            if options.state:
                held.enter_context(lock(options.state))
                store = load(options.state)
            sandbox = Sandbox(store)
            if store is None:
                seed_users(sandbox.store)
            desk = set_up(sandbox, script, dict(options.set), with_policy=not options.no_policy)
            if options.state:
                save(sandbox.store, options.state)
        except StateError as error:
            print(error, file=sys.stderr)
            return 1
        sandbox.store.facts.update(facts)
        sandbox.trouble.latency = options.latency
        sandbox.trouble.faults = [Fault(kind) for kind in options.fault]
        desk.switches.set_plan(options.plan)
        return await _serve(desk, options.port, options.state, options.tls)


async def _serve(desk: Desk, port: int, state: Path | None, tls: Path | None) -> int:
    sandbox = desk.sandbox
    try:
        context, trusted = make_tls(tls) if tls else (None, {})
    except OSError as error:
        print(f"{tls} cannot be written: {error.strerror}", file=sys.stderr)
        return 1
    os.environ.update(trusted)  # the Analyses that the sandbox starts trust it too
    try:
        server = await sandbox.open(port, context, extend=lambda app: add_page(app, desk))
    except OSError as error:
        print(f"Port {port} cannot be had: {error.strerror}. Choose another --port", file=sys.stderr)
        return 1
    print(f"# The page: {desk.address}")
    if trusted:
        print(f"# To trust its certificate\n{_exports(trusted)}\n")
    for heading, text in clients(desk, with_tokens=True):
        print(f"# {heading}\n{text}\n")
    print("# Ctrl+C ends it.", flush=True)
    try:
        return await _until_stopped(desk, state)
    finally:
        await desk.end()
        await server.cleanup()


def set_up(sandbox: Sandbox, script: Path, variables: dict[str, str], *, with_policy: bool = True) -> Desk:
    """The page's desk, with the Analysis in `script` and an external one on it."""
    analyses = _analyses(sandbox.store, variables)
    if not with_policy:
        sandbox.store.policies.pop("seeded", None)
    sandbox.store.scripts[analyses[0]["id"]] = script
    sandbox.runner.watches_outcomes = True
    sandbox.runner.on_start = sandbox.trouble.begin_anew
    return Desk(sandbox, analyses, clients)


async def _until_stopped(desk: Desk, state: Path | None) -> int:
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    if state is None:
        await stop.wait()
        return 0

    def warn(text: str) -> None:
        desk.said = text
        print(text, file=sys.stderr, flush=True)

    saving = asyncio.create_task(keep_saved(desk.store, state, desk.sandbox.changes, warn))
    await stop.wait()
    saving.cancel()
    try:
        save(desk.store, state)
    except StateError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _analyses(store: Store, given: dict[str, str]) -> list[Record]:
    """The one that runs here, and one that whoever has its token runs: as they were kept, or new, with a journal."""
    parts = ("inside", "external")
    if all(store.own.get(part) in store.analyses for part in parts):
        analyses = [store.analyses[store.own[part]] for part in parts]
        listed = analyses[0]["variables"] if isinstance(analyses[0]["variables"], list) else []
        variables = {str(each.get("key")): str(each.get("value", "")) for each in listed if isinstance(each, dict)}
        if variables.get("delivery_log_token") not in {"", None, *store.tokens}:  # the state came without its tokens
            variables["delivery_log_token"] = _journal_token(store)
        if analyses[1].get("token") not in store.tokens:
            analyses[1]["token"] = store.token_for(Identity("analysis", analyses[1]["id"]))
    else:
        variables = {"tag_key": TAG_KEY, "tag_value": TAG_VALUE}
        variables["delivery_log_token"] = _journal_token(store)
        inside = seed_analysis(store, {}, name=INSIDE)
        external = store.add_analysis({"name": EXTERNAL, "run_on": "external"})
        external["token"] = store.token_for(Identity("analysis", external["id"]))
        store.policies["seeded"]["targets"].append(["analysis", "id", external["id"]])
        analyses = [inside, external]
        store.own = {part: analysis["id"] for part, analysis in zip(parts, analyses, strict=True)}
    variables |= given
    for analysis in analyses:
        analysis["variables"] = [{"key": key, "value": value} for key, value in variables.items()]
    return analyses


def _journal_token(store: Store) -> str:
    """A new one, of the journal that is there, or of a new one."""
    found = next((device for device in store.devices.values() if device["name"] == JOURNAL), None)
    if found:
        return store.token_for(Identity("device", found["id"]))
    return store.add_device({"name": JOURNAL, **JOURNAL_STORAGE})[1]


def clients(desk: Desk, *, with_tokens: bool = False) -> list[tuple[str, str]]:
    """What to set in another shell, by heading. The page shows no token and no key: it may be shown to others, and
    whoever has the profile's token can upload what is then run here."""
    external, api = desk.analyses[1], desk.sandbox.api
    variables = {variable["key"]: variable["value"] for variable in desk.variables}
    address = {"TAGOIO_API": api, "TAGOIO_SSE": f"{api}/events"}
    if with_tokens:
        address["SANDBOX_KEY"] = desk.key  # for the links that the installer prints
    else:
        variables |= {name: ELSEWHERE for name in variables if name.lower().endswith("_token")}
    profile_token, own_token = desk.store.profile_token, str(external["token"])
    once = {**address, "account_token": profile_token if with_tokens else ELSEWHERE, **variables}
    listen = {**address, "T_ANALYSIS_TOKEN": own_token if with_tokens else ELSEWHERE, "T_ANALYSIS_ID": external["id"]}
    user = f"TagoRUN {desk.store.run_url}; users such as ana@example.com, password {PASSWORD}"
    return [
        ("Send once from another shell", f"{_exports(once)}\n.venv/bin/python analysis.py"),
        (
            "Listen as an external Analysis, this one or any in Python or JavaScript",
            f"{_exports(listen)}\n.venv/bin/python analysis.py",
        ),
        ("and run it from the page, where it stands under Analysis", desk.address if with_tokens else f"{api}/"),
        ("Log in as a user, with the JavaScript SDK's RunUser", user),
        (
            "Log in as the developer, with its Account",
            f"{DEVELOPER}, password {desk.store.account_password if with_tokens else ELSEWHERE}",
        ),
    ]


def _exports(variables: dict[str, str]) -> str:
    """Commands for a shell. What is no name of a variable there, or holds what a terminal obeys, is left out: it would
    do something else than be set."""
    return "\n".join(
        f"export {name}={shlex.quote(value)}"
        for name, value in variables.items()
        if NAME.fullmatch(name) and value == "\n".join(map(one_line, value.split("\n")))
    )
