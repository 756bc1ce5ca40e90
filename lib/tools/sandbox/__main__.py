"""`python -m lib.tools.sandbox`: a local TagoIO, the Analysis run on it, and what each user received."""

import argparse
import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lib.base.text import did_you_mean, one_line
from lib.tagoio.transport import Client, TagoIO
from lib.tools.campaign.reading import find, open_device, read_campaign
from lib.tools.campaign.shown import as_table, rule
from lib.tools.install.wanted import JOURNAL_STORAGE
from lib.tools.sandbox.flags import check_together, chosen_facts, make_parser
from lib.tools.sandbox.runner import Run
from lib.tools.sandbox.seed import PASSWORD, TAG_KEY, TAG_VALUE, seed_analysis, seed_users
from lib.tools.sandbox.serve import JOURNAL, serve
from lib.tools.sandbox.server import Sandbox
from lib.tools.sandbox.store import Record, new_id
from lib.tools.sandbox.strict_json import read_json
from lib.tools.sandbox.trouble import Fault
from lib.tools.terminal import perform, typed

ANALYSIS = Path(__file__).resolve().parents[3] / "analysis.py"


def main(arguments: list[str] | None = None) -> int:
    return perform(lambda: _main(arguments))


def _main(arguments: list[str] | None) -> int:
    parser = make_parser(__doc__)
    options = parser.parse_args(arguments)
    check_together(parser, options)
    if not ANALYSIS.is_file():
        sys.exit(f"{ANALYSIS.name} is not where the sandbox looks for it, at the top of the repository")
    return asyncio.run(_run(options))


async def _run(options: argparse.Namespace) -> int:
    facts = chosen_facts(options)
    if options.serve:
        return await serve(options, ANALYSIS, facts)
    sandbox = Sandbox(echo=lambda line: print(f"  {one_line(line)}", flush=True))
    sandbox.store.facts.update(facts)
    seed_users(sandbox.store)
    variables = {"tag_key": TAG_KEY, "tag_value": TAG_VALUE, **dict(options.set)}
    if options.journal or options.press or len(options.trigger) > 1:
        variables["delivery_log_token"] = sandbox.store.add_device({"name": JOURNAL, **JOURNAL_STORAGE})[1]
    analysis = seed_analysis(sandbox.store, variables, with_policy=not options.no_policy)
    sandbox.store.scripts[str(analysis["id"])] = ANALYSIS
    sandbox.trouble.set_plan(options.plan)
    sandbox.trouble.latency = options.latency
    sandbox.trouble.faults = [Fault(kind) for kind in options.fault]
    if options.fault:  # lists that have never shown anything prove nothing, see docs/delivery.md
        first = next(iter(sandbox.store.users))
        sandbox.store.notify({"run_user": first, "title": "Welcome", "message": "An older notification"})
    server = await sandbox.open()
    try:
        print(f"A TagoIO on this machine, {len(sandbox.store.users)} TagoRUN users. The Analysis runs; its console:\n")
        for number, (given, data) in enumerate(_events(sandbox, options.trigger)):
            if number:
                print(f"\nThen the device measures {data[0]['variable']} = {data[0]['value']}:\n")
            code = await sandbox.runner.run(analysis, Run(analysis["id"], given, data))
        if options.press:
            code = await _press(sandbox, options.press, variables["delivery_log_token"]) or code
        print()
        _show_inboxes(sandbox)
        print(f"\nThe Analysis ended with exit code {code}.")
        return code
    finally:
        await server.cleanup()


def _events(sandbox: Sandbox, points: list[tuple[str, str]]) -> Iterator[tuple[dict[str, str], Any]]:
    """One run each: what one device measures, or one by hand."""
    if not points:
        yield {}, None
        return
    device, _ = sandbox.store.add_device({"name": "Refrigerator 7"})
    action_id = new_id()
    for name, text in points:
        yield _action(sandbox, device, action_id, name, text)


def _action(sandbox: Sandbox, device: Record, action_id: str, name: str, text: str) -> tuple[dict[str, str], Any]:
    """What TagoIO hands in when an Action runs the Analysis: its variables, and the data (D, C kick)."""
    try:
        value: Any = read_json(text)
    except ValueError:
        value = text
    data = {
        "id": new_id(),
        "device": device["id"],
        "variable": name,
        "value": value,
        "unit": "°C",
        "time": sandbox.store.now(),
    }
    given = {
        "_action_id": action_id,
        "_action_type": "condition",
        "_action_state": "unlocked",
        "_device_id": device["id"],
    }
    return given, [data]


async def _press(sandbox: Sandbox, wanted: str, journal_token: str) -> int:
    """As that user's browser would: log in, then press."""
    is_closed = False
    for note in list(sandbox.store.notifications.values()):
        button = next((button for button in note["buttons"] if _is_meant(button, wanted)), None)
        if button is None:
            continue
        if button.get("url"):
            print(
                f"\n[{button['label']}] opens {button['url']}; only a button that runs an Analysis can be pressed here."
            )
            return 1
        if not note["buttons_enabled"]:
            is_closed = True
            continue
        user = sandbox.store.users[note["run_user"]]
        print(f"\n{user['name']} presses [{button['label']}]; the Analysis runs again:\n")
        base = f"{sandbox.api}/run/{sandbox.store.run_url}"
        async with aiohttp.ClientSession() as browser:
            async with browser.post(f"{base}/login", json={"email": user["email"], "password": PASSWORD}) as answer:
                token = (await answer.json())["result"]["token"]
            path = f"{base}/notification/{note['id']}/{button['id']}"
            async with browser.put(path, headers={"token": token}) as answer:
                answer.raise_for_status()
        await sandbox.runner.settled()
        print(f"\nThe campaign, as {typed('lib.tools.campaign')} show last has it:\n")
        print(await asyncio.to_thread(_report, sandbox, journal_token))
        return 0
    if is_closed:
        print(f"\nEvery copy with a button {wanted} is closed: nobody can press it any more.")
        return 1
    ids = {
        button["id"].rsplit("-", 1)[0] for note in sandbox.store.notifications.values() for button in note["buttons"]
    }
    labels = {button["label"] for note in sandbox.store.notifications.values() for button in note["buttons"]}
    near = did_you_mean(wanted, [*sorted(ids), *sorted(labels)])  # a set has another order each time
    print(f"\nNobody has a button {wanted}; there are: {', '.join(sorted(ids)) or 'none'}{near}")
    return 1


def _is_meant(button: Record, wanted: str) -> bool:
    """By the beginning of its id, or by its label."""
    return str(button["id"]).startswith(wanted) or str(button["label"]).lower() == wanted.lower()


def _report(sandbox: Sandbox, journal_token: str) -> str:
    tago = TagoIO(sandbox.store.profile_token, Client(sandbox.api))
    state = find(open_device(tago, journal_token), "last")
    return as_table(state.key, read_campaign(tago, state))


def _show_inboxes(sandbox: Sandbox) -> None:
    """A row for each notification, then where the buttons lead."""
    if not sandbox.store.notifications:
        print("Nobody has received anything.")
        return
    table = Table(title="What the users have received", title_justify="left", box=rule())
    for heading in ("User", "Tags", "Notification", "Buttons"):
        table.add_column(heading, overflow="fold")
    leads: dict[str, str] = {}
    for user in sandbox.store.users.values():
        tags = " ".join(f"{tag['key']}={tag['value']}" for tag in user["tags"])
        name = user["name"] + ("" if user["active"] else " (inactive)")
        notes = sandbox.store.inbox(user["id"])
        if not notes:
            table.add_row(Text(name), Text(tags), "-", "")
        for note in notes:
            leads |= {button["label"]: _leads_to(button) for button in note["buttons"]}
            buttons = " ".join(f"[{button['label']}]" for button in note["buttons"])
            buttons += "" if note["buttons_enabled"] else " (closed)"
            table.add_row(Text(name), Text(tags), Text(f"{note['title']}: {note['message']}"), Text(buttons))
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(table)
    for label, leads_to in leads.items():
        console.print(Text(f"  [{label}] {leads_to}"), soft_wrap=True)


def _leads_to(button: Record) -> str:
    return f"opens {button['url']}" if button.get("url") else f"runs the Analysis {button.get('analysis')}"


if __name__ == "__main__":
    sys.exit(main())
