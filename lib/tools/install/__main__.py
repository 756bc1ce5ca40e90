"""`python -m lib.tools.install`: the Analysis on TagoIO in one command, and away again with `--uninstall`.

Needs a profile token (p-…): account_token in .env or the environment, or it asks. The other variables of .env become
the Analysis' Environment Variables; the token stays at home, for the Analysis gets a policy for its own.
"""

import argparse
import getpass
import json
import os
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import requests
from tagoio_sdk.regions import getConnectionURI

from lib.app.settings import VARIABLES, read_env_file
from lib.base.errors import Refused, SetupError, TagoIOError
from lib.base.log import hide, redact
from lib.message.notification import ADMIN
from lib.tagoio.transport import Client
from lib.tools.bundle import BundleError, bundle
from lib.tools.install.installer import Installer
from lib.tools.install.wanted import Trigger, at_cron, every, when

ROOT = Path(__file__).resolve().parents[3]
FOLLOWED = 120.0  # seconds
QUIET = 3.0  # seconds without a line after the summary, after which a run has ended
ENDINGS = ("Notified ", "Nobody was notified", "Dry run", "Stopped by")


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        return _install(options)
    except (SetupError, TagoIOError, BundleError) as error:
        sys.stderr.write(redact(f"{_explained(error)}\nRun it again when that is mended: it goes on where it was.\n"))
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lib.tools.install", description=__doc__)
    add = parser.add_argument
    add("--name", default="Notify TagoRUN users", help="of the Analysis and the Action")
    add("--region", default="", help="us-e1, eu-w1, or the id of a TagoDeploy project (default: TAGOIO_API, or us-e1)")
    add("--journal", action="store_true", help="make a device for the journal and set its token")
    start = parser.add_mutually_exclusive_group()
    start.add_argument("--every", metavar="INTERVAL", help='an Action on an interval: "15 minutes"')
    start.add_argument("--cron", help='an Action on a schedule: "0 8 * * 1-5", with --timezone')
    start.add_argument("--when", metavar="CONDITION", help="an Action on data: 'temperature > 35'")
    add("--timezone", default="", help="for --cron, such as America/Sao_Paulo")
    add("--device", default="", metavar="ID", help="for --when: whose data")
    add("--device-tag", default="", metavar="KEY=VALUE", help="for --when: the data of all devices with a tag")
    add("--unlock", default="", metavar="CONDITION", help="for --when: what lets it fire again")
    add("--overwrite", action="store_true", help="replace variables that differ on TagoIO")
    add("--run", action="store_true", help="run it once and follow its console")
    add("--dry-run", action="store_true", help="show the plan, change nothing")
    add("--uninstall", action="store_true", help="remove what this command made, and nothing else")
    return parser


def _install(options: argparse.Namespace) -> int:
    variables = {
        **read_env_file(ROOT / ".env"),
        **{key: value for key, value in os.environ.items() if key.lower() in VARIABLES},
    }
    given = {key.lower(): value or "" for key, value in variables.items()}
    trigger = _trigger(options)
    token = given.get("account_token") or _asked_token()
    hide(token)
    hide(given.get("delivery_log_token", ""))
    if token[:2].lower() in ("a-", "u-", "n-", "at"):
        raise SetupError(
            "account_token is not a profile token (p-…): installing needs one, from My Account > Profile > Tokens"
        )
    region = _region(options.region)
    client = Client(region["api"])
    installer = Installer(client, token, _admin(options.region), _say, time.sleep, dry_run=options.dry_run)
    if options.uninstall:
        installer.uninstall()
        return 0
    script = bundle(ROOT)
    analysis_id = installer.install(
        options.name, script, given, trigger, journal=options.journal, overwrite=options.overwrite
    )
    if not installer.changes:
        _say("Nothing to change")
    if options.run and not options.dry_run:
        return _run(installer, analysis_id, region["sse"] or f"{region['api']}/events", token)
    return 0


def _asked_token() -> str:
    if not sys.stdin.isatty():
        raise SetupError("account_token is not set: put a profile token (p-…) into .env or the environment")
    return getpass.getpass("Profile token (p-…), from My Account > Profile > Tokens: ").strip()


def _trigger(options: argparse.Namespace) -> Trigger | None:
    for name, needs in (("timezone", "cron"), ("device", "when"), ("device_tag", "when"), ("unlock", "when")):
        if getattr(options, name) and not getattr(options, needs):
            raise SetupError(f"--{name.replace('_', '-')} belongs to --{needs}, which is not given")
    if options.every:
        return every(options.every)
    if options.cron:
        return at_cron(options.cron, options.timezone)
    if options.when:
        return when(options.when, options.device, options.device_tag, options.unlock)
    return None


def _region(name: str) -> dict[str, str]:
    known = ("us-e1", "eu-w1", "usa-1")
    region: dict[str, str] = getConnectionURI((name if name in known else {"tdeploy": name}) if name else None)
    return region


def _admin(region: str) -> str:
    return f"https://admin.{region}.tagoio.net" if region and region not in ("us-e1", "eu-w1", "usa-1") else ADMIN


def _run(installer: Installer, analysis_id: str, sse: str, token: str) -> int:
    """Run it and show its console until its summary has come: 0 when it has."""
    lines: list[str] = []
    ready = threading.Event()
    listener = threading.Thread(target=_follow, args=(analysis_id, sse, token, lines, ready), daemon=True)
    listener.start()
    ready.wait(10)
    installer.analyses.run(analysis_id)
    _say("Running; its console:")
    began, shown, last = time.monotonic(), 0, time.monotonic()
    while time.monotonic() - began < FOLLOWED:
        for line in lines[shown:]:
            _say(f"  {line}")
            shown, last = shown + 1, time.monotonic()
        ended = any(line.lstrip().startswith(ENDINGS) for line in lines)
        if ended and time.monotonic() - last > QUIET:
            return 0 if any(line.lstrip().startswith(("Notified ", "Dry run")) for line in lines) else 1
        time.sleep(0.2)
    _say(f"No end seen within {FOLLOWED:.0f} s; see its console: {installer.admin}/analysis/{analysis_id}")
    return 1


def _follow(analysis_id: str, sse: str, token: str, lines: list[str], ready: threading.Event) -> None:
    """The console's stream (C cli analysis-console.ts)."""
    query = {"channel": f"analysis_console.{analysis_id}", "token": token}
    with suppress(requests.RequestException), requests.get(sse, params=query, stream=True, timeout=(10, 60)) as stream:
        ready.set()
        for raw in stream.iter_lines(chunk_size=1):
            if raw.startswith(b"data:"):
                with suppress(ValueError):
                    lines.extend(_message(json.loads(raw[5:])).splitlines())


def _message(event: object) -> str:
    """The text of a console event, wherever in it that stands."""
    if isinstance(event, dict):
        found = event.get("message")
        return found if isinstance(found, str) else "".join(_message(value) for value in event.values())
    return "".join(map(_message, event)) if isinstance(event, list) else ""


def _explained(error: SetupError | TagoIOError | BundleError) -> str:
    if isinstance(error, SetupError | BundleError):
        return str(error)
    if "limit" in error.message.lower() or error.status == 402:
        return f"TagoIO refused: {error.message}\nThe plan has no room for it: remove one you do not need, or upgrade."
    if error.status in (401, 403):
        return f"TagoIO refused: {error.message}\nIs account_token a profile token (p-…) of this profile, not expired?"
    if isinstance(error, Refused) and not error.status:
        return f"{error.message}\nCheck the network, --region, and TAGOIO_API if you set it."
    return f"TagoIO refused: {error.message}"


def _say(text: str) -> None:
    print(redact(text), flush=True)


if __name__ == "__main__":
    sys.exit(main())
