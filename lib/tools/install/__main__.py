"""`python -m lib.tools.install`: the Analysis on TagoIO in one command, and away again with `--uninstall`.

Needs a profile token (p-…): account_token in .env or the environment, or it asks. The other variables of .env become
the Analysis' Environment Variables or Secrets; the token stays at home, for the Analysis gets a policy for its own.
Nobody is told before you say so: it ends with a dry run on TagoIO, and asks.
"""

import argparse
import os
import re
import sys
import time
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from lib.app.env_file import read_env_file
from lib.app.settings import VARIABLES, region_addresses
from lib.base.errors import Refused, SetupError, TagoIOError
from lib.base.log import hide
from lib.message.address import ADMIN
from lib.tagoio.transport import Client, web_address
from lib.tools.bundle.layout import bundle
from lib.tools.bundle.source import BundleError
from lib.tools.install.checks import audience, warnings
from lib.tools.install.conditions import conditions
from lib.tools.install.ending import last_lines
from lib.tools.install.hand import Hand
from lib.tools.install.installer import Installer, Wanted
from lib.tools.install.platform import Platform
from lib.tools.install.probed import costs_of_alarms, known_facts, refusals
from lib.tools.install.trial import Trial, is_dry
from lib.tools.install.triggers import Trigger, at_cron, every, tag_of, when
from lib.tools.install.values import Values
from lib.tools.install.wanted import NAME
from lib.tools.terminal import ask, ask_secret, complain, perform, say, typed

ROOT = Path(__file__).resolve().parents[3]
COMMAND = "lib.tools.install"
AGAIN = "it goes on where it was."
REGION = re.compile(r"[A-Za-z0-9-]+")  # it becomes part of a host's name
BELONGS = (("timezone", "cron"), ("device", "when"), ("device_tag", "when"), ("unlock", "when"), ("clear", "when"))


def main(arguments: list[str] | None = None) -> int:
    return perform(lambda: _main(arguments), again=f"Run it again: {AGAIN}")


def _main(arguments: list[str] | None) -> int:
    options = _parser().parse_args(arguments)
    try:
        return _install(options)
    except (SetupError, TagoIOError, BundleError) as error:
        complain(f"{_explained(error)}\nRun it again when that is mended: {AGAIN}")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=typed(COMMAND), description=__doc__)
    add = parser.add_argument
    add("--name", help=f"of the Analysis and the Actions, as they are made (default: {NAME})")
    add("--region", default="", help="us-e1, eu-w1, or the id of a TagoDeploy project (default: TAGOIO_API, or us-e1)")
    add("--journal", action="store_true", help="make a device for the journal and set its token")
    add("--every", metavar="INTERVAL", help='an Action on an interval: "15 minutes"')
    add("--cron", help='an Action on a schedule: "0 8 * * 1-5", with --timezone')
    add("--timezone", default="", help="for --cron, such as America/Sao_Paulo")
    add("--when", action="append", default=[], metavar="CONDITION", help="an Action on data: 'temperature > 35'")
    add(
        "--clear", action="append", default=[], metavar="CONDITION", help="for --when: what ends it, 'temperature < 30'"
    )
    add("--device", default="", metavar="ID", help="for --when: whose data")
    add("--device-tag", default="", metavar="KEY=VALUE", help="for --when: the data of all devices with a tag")
    add("--unlock", default="", metavar="CONDITION", help="for --when and --device: what lets it fire again")
    add("--live", action="store_true", help="send for real from now on, after the dry runs")
    add("--run", action="store_true", help="run it once more at the end, for real if it is live")
    add("--untried", action="store_true", help="leave out the dry runs on TagoIO")
    add("--overwrite", action="store_true", help="replace what differs on TagoIO: script, variables, Secrets, rights")
    add("--dry-run", action="store_true", help="show the plan, change nothing")
    add("--uninstall", action="store_true", help="list what this command made, and remove it after a question")
    add("--yes", action="store_true", help="for --uninstall: do not ask")
    return parser


def _install(options: argparse.Namespace) -> int:
    given = given_variables()
    triggers = _triggers(options)
    if options.name is not None and not options.name.strip():
        raise SetupError("--name is empty; leave it out, or give one")
    name = (options.name or "").strip()
    token = given.get("account_token") or _asked_token()
    hide(token)
    hide(given.get("delivery_log_token", ""))
    if token[:2].lower() in ("a-", "u-", "n-", "at"):
        raise SetupError(
            "account_token is not a profile token (p-…): installing needs one, from My Account > Profile > Tokens"
        )
    region = options.region or given.get("region", "")
    api, sse = addresses(region)
    hand = Hand(Platform(Client(api), token, time.sleep), partial(admin_link, region), say, dry_run=options.dry_run)
    installer = Installer(hand, ask)
    if options.uninstall:
        return 0 if installer.uninstall(name, unasked=options.yes) else 1
    given.pop("region", "")
    facts, probed = known_facts(ROOT, api)
    wanted = Wanted(
        name, bundle(ROOT), ROOT, given, triggers, region=region, journal=options.journal,
        overwrite=options.overwrite, facts=facts, probed=probed,
    )  # fmt: skip
    values = installer.install(wanted)
    if not hand.changes:
        say("Nothing to change")
    for line in audience(hand.platform, values.variables):
        say(line)
    tags = [tag_of(options.device_tag)] if options.device_tag else []
    for line in warnings(hand.platform, wanted.script.edit_me, values.variables, options.device, tags):
        say(f"WARNING: {line}")
    document = values.variables.get("notification", "")
    for line in (*refusals(facts, document), *costs_of_alarms(facts, wanted.script.edit_me, document)):
        say(f"WARNING: {line}")
    return 0 if options.dry_run else _end(options, Trial(hand, sse), values)


def _end(options: argparse.Namespace, trial: Trial, values: Values) -> int:
    """The dry run, the question, the run; the last lines are the next step."""
    live: bool | None = not is_dry(values)
    started_by = list(conditions(trial.hand))
    is_stopped = bool(trial.hand.obstacles)
    if not live and not is_stopped:
        live = trial.go_live(
            values, lambda question: options.live or ask(question), started_by, with_trial=not options.untried
        )
    is_well = live is not None and not is_stopped
    if options.run and is_well:
        is_well = trial.run("Running" if live else "Running, with dry_run = true")
    say("")
    for line in last_lines(trial.hand, values, typed(COMMAND), started_by, live=live):
        say(line)
    return 0 if is_well else 1


def given_variables() -> dict[str, str]:
    variables = {
        **read_env_file(ROOT / ".env"),
        **{key: value for key, value in os.environ.items() if key.lower() in VARIABLES},
    }
    return {key.lower(): (value or "").strip() for key, value in variables.items()}


def _asked_token() -> str:
    token = ask_secret("Profile token (p-…), from My Account > Profile > Tokens")
    if not token:
        raise SetupError("account_token is not set: put a profile token (p-…) into .env or the environment")
    return token


def _triggers(options: argparse.Namespace) -> list[Trigger]:
    for name, needs in BELONGS:
        if getattr(options, name) and not getattr(options, needs):
            raise SetupError(f"--{name.replace('_', '-')} belongs to --{needs}, which is not given")
    found = [every(options.every)] if options.every else []
    found += [at_cron(options.cron, options.timezone)] if options.cron else []
    if options.when:
        found += when(options.when, options.device, options.device_tag, clear=options.clear, unlock=options.unlock)
    return found


def addresses(region: str) -> tuple[str, str]:
    """Of the API and of the event stream; without a region those of TAGOIO_API and TAGOIO_SSE, or of us-e1. Raises
    SetupError, so that no address is used or shown before it was looked at."""
    if region:
        if not REGION.fullmatch(region):
            raise SetupError("a region has letters, digits and hyphens only: us-e1, eu-w1, a TagoDeploy project's id")
        return region_addresses(region)
    api = os.environ.get("TAGOIO_API", "").rstrip("/")
    sse = os.environ.get("TAGOIO_SSE") or f"{api}/events"
    if not api:
        return region_addresses("us-e1")
    web_address(api)
    web_address(sse, "TAGOIO_SSE")
    return api, sse


def admin_link(region: str, page: str) -> str:
    """Where a person sees what was made; for the sandbox that is its own page, with the key that opens it."""
    api = os.environ.get("TAGOIO_API", "").rstrip("/")
    if not region and urlsplit(api).hostname in ("127.0.0.1", "localhost", "::1"):
        key = os.environ.get("SANDBOX_KEY", "")
        return f"{api}/page/admin/{page}{f'?key={key}' if key else ''}"
    if region in ("", "us-e1", "usa-1"):
        return f"{ADMIN}/{page}"
    admin = "https://admin.eu-w1.tago.io" if region == "eu-w1" else f"https://admin.{region}.tagoio.net"
    return f"{admin}/{page}"


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


if __name__ == "__main__":
    sys.exit(main())
