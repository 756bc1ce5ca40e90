"""`--serve`: the sandbox stays up, with its page, for other clients too, until Ctrl+C."""

import argparse
import asyncio
import contextlib
import shlex
import signal
import sys
from pathlib import Path

from lib.tools.sandbox.page.desk import Desk
from lib.tools.sandbox.page.routes import add_page
from lib.tools.sandbox.seed import PASSWORD, TAG_KEY, TAG_VALUE, seed_analysis, seed_users
from lib.tools.sandbox.server import Sandbox
from lib.tools.sandbox.state import StateError, keep_saved, load, save
from lib.tools.sandbox.store import Identity, Record, Store
from lib.tools.sandbox.trouble import PLANS, Fault

INSIDE, EXTERNAL = "Notify", "Notify (external)"
JOURNAL = "Notification journal"


async def serve(options: argparse.Namespace, script: Path) -> int:
    """Until it is told to stop; the exit code."""
    try:
        store = load(options.state) if options.state else None
    except StateError as error:
        print(error, file=sys.stderr)
        return 1
    sandbox = Sandbox(store)
    if store is None:
        seed_users(sandbox.store)
    sandbox.trouble.rate_limit = PLANS[options.plan]
    sandbox.trouble.latency = options.latency
    sandbox.trouble.faults = [Fault(kind) for kind in options.fault]
    desk = set_up(sandbox, script, dict(options.set), with_policy=not options.no_policy)
    try:
        server = await sandbox.open(options.port, extend=lambda app: add_page(app, desk))
    except OSError as error:
        print(f"Port {options.port} cannot be had: {error.strerror}. Choose another --port", file=sys.stderr)
        return 1
    print(f"# The page: {sandbox.api}/")
    for heading, text in desk.clients():
        print(f"# {heading}\n{text}\n")
    print("# Ctrl+C ends it.", flush=True)
    try:
        return await _until_stopped(sandbox, options.state)
    finally:
        desk.schedule.stop()
        await sandbox.runner.stop()
        await server.cleanup()


def set_up(sandbox: Sandbox, script: Path, variables: dict[str, str], *, with_policy: bool = True) -> Desk:
    """The page's desk, with the Analysis in `script` and an external one on it."""
    analyses = _analyses(sandbox.store, variables, with_policy=with_policy)
    sandbox.store.scripts[analyses[0]["id"]] = script
    sandbox.runner.watches_outcomes = True
    return Desk(sandbox, analyses, lambda: _clients(sandbox, analyses))


async def _until_stopped(sandbox: Sandbox, state: Path | None) -> int:
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    if state is None:
        await stop.wait()
        return 0
    saving = asyncio.create_task(keep_saved(sandbox.store, state, sandbox.changes))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({saving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    for task in (saving, stopping):
        task.cancel()
    try:
        with contextlib.suppress(asyncio.CancelledError):
            await saving
        save(sandbox.store, state)
    except StateError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _analyses(store: Store, given: dict[str, str], *, with_policy: bool) -> list[Record]:
    """The one that runs here, and one that whoever has its token runs: as they were kept, or new, with a journal."""
    kept = {analysis["name"]: analysis for analysis in store.analyses.values()}
    if INSIDE in kept and EXTERNAL in kept:
        analyses = [kept[INSIDE], kept[EXTERNAL]]
        old = {variable["key"]: variable["value"] for variable in kept[INSIDE]["variables"]}
        variables = {**old, **given}
    else:
        variables = {"tag_key": TAG_KEY, "tag_value": TAG_VALUE}
        variables |= {"delivery_log_token": store.add_device({"name": JOURNAL})[1], **given}
        inside = seed_analysis(store, {}, with_policy=with_policy, name=INSIDE)
        external = store.add_analysis({"name": EXTERNAL, "run_on": "external"})
        external["token"] = store.token_for(Identity("analysis", external["id"]))
        for policy in store.policies.values():
            policy["targets"].append(["analysis", "id", external["id"]])
        analyses = [inside, external]
    for analysis in analyses:
        analysis["variables"] = [{"key": key, "value": value} for key, value in variables.items()]
    return analyses


def _clients(sandbox: Sandbox, analyses: list[Record]) -> list[tuple[str, str]]:
    """What to set in another shell, by heading."""
    inside, external = analyses
    variables = {variable["key"]: variable["value"] for variable in inside["variables"]}
    address = {"TAGOIO_API": sandbox.api, "TAGOIO_SSE": f"{sandbox.api}/events"}
    token = sandbox.store.profile_token
    once = {**address, "account_token": token, **variables}
    listen = {**address, "T_ANALYSIS_TOKEN": external["token"], "T_ANALYSIS_ID": external["id"]}
    trigger = f"curl -X POST -H 'token: {token}' {sandbox.api}/analysis/{external['id']}/run"
    user = f"TagoRUN {sandbox.store.run_url}; users such as ana@example.com, password {PASSWORD}"
    return [
        ("Send once from another shell: python analysis.py, or python -m lib.tools.report", _exports(once)),
        ("Listen as an external Analysis, in Python or JavaScript: python analysis.py", _exports(listen)),
        ("and trigger it, or choose it on the page", trigger),
        ("Log in as a user, with the JavaScript SDK's RunUser", user),
    ]


def _exports(variables: dict[str, str]) -> str:
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items())
