"""`python -m lib.tools.campaign`: what was sent, and taking it back.

`list` shows the campaigns in the journal, `show` what became of one, user by user. `recall` deletes its copies,
`correct` replaces their text, `close` disables their buttons and ends it. KEY is a campaign's key, or last. It needs
`account_token` (a profile token) from the environment or .env. The journal is that of `delivery_log_token`, or else of
the installed Analysis. It works against TagoIO and the sandbox (TAGOIO_API).
"""

import argparse
import sys
from functools import partial
from pathlib import Path

from lib.app.settings import use_region
from lib.base.errors import SetupError, TagoIOError
from lib.base.log import hide
from lib.base.text import one_line
from lib.campaign.state import CampaignState
from lib.message.alarm import LONGEST
from lib.tagoio.inbox import Inbox
from lib.tagoio.journal_device import JournalDevice
from lib.tagoio.transport import TagoIO
from lib.tools.campaign.installed import installed_token
from lib.tools.campaign.page import as_html
from lib.tools.campaign.reading import NoSuchCampaign, campaigns, find, iso, open_device, read_campaign, title_of
from lib.tools.campaign.shown import as_csv, as_json, as_list, as_table
from lib.tools.campaign.taking_back import take_back
from lib.tools.campaign.verbs import Verb, close, correct, recall
from lib.tools.install.__main__ import admin_link, given_variables
from lib.tools.terminal import complain, perform, typed

ROOT = Path(__file__).resolve().parents[3]


def main(arguments: list[str] | None = None) -> int:
    return perform(lambda: _main(arguments))


def _main(arguments: list[str] | None) -> int:
    options = _parser().parse_args(arguments)
    try:
        tago, journal = _connect()
        if options.verb in ("recall", "correct", "close"):
            state = _find(tago, journal, options.key)
            return take_back(tago, journal, state, _verb(options), ROOT, dry_run=options.dry_run, yes=options.yes)
        _write(_text(options, tago, journal), options.output)
    except (SetupError, TagoIOError) as error:
        complain(str(error))
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=typed("lib.tools.campaign"), description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.set_defaults(verb="list", output=None)
    verbs = parser.add_subparsers(dest="verb", metavar="VERB")
    shown = verbs.add_parser("list", help="the campaigns there are, the newest first")
    shown.add_argument("-o", "--output", type=Path, help="a file instead of standard output")
    shown = verbs.add_parser("show", help="what became of one, user by user")
    shown.add_argument("key", metavar="KEY", nargs="?", help="the campaign's key, or last; without one they are listed")
    form = shown.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="comma-separated values")
    form.add_argument("--json", action="store_true", help="one JSON object")
    form.add_argument("--html", action="store_true", help="one self-contained page with a plot")
    shown.add_argument("-o", "--output", type=Path, help="a file instead of standard output")
    for name, what in (
        ("recall", "delete every copy, and tell nobody more"),
        ("correct", "replace the text of every copy; its buttons stay"),
        ("close", "disable the buttons of every copy, and tell nobody more"),
    ):
        changing = verbs.add_parser(name, help=what)
        changing.add_argument("key", metavar="KEY", help="the campaign's key, or last")
        changing.add_argument("--dry-run", action="store_true", help="show what would be done, change nothing")
        changing.add_argument("--yes", action="store_true", help="do not ask")
    verbs.choices["correct"].add_argument("--message", required=True, help="the text, for everybody, as it stands")
    verbs.choices["correct"].add_argument("--title", default="", help="another title too")
    verbs.choices["close"].add_argument("--line", default="", help="a line under everybody's text; the time is added")
    return parser


def _verb(options: argparse.Namespace) -> Verb:
    if options.verb == "recall":
        return recall()
    if options.verb == "correct":
        if not options.message.strip():
            raise SetupError("--message is empty: TagoIO takes no notification without a text")
        return correct(options.title.strip(), options.message)
    line = " ".join(options.line.split())
    if len(line) > LONGEST:
        raise SetupError(f"--line has {len(line)} characters; at most {LONGEST} fit into the journal")
    return close(line)


def _text(options: argparse.Namespace, tago: TagoIO, journal: JournalDevice) -> str:
    if options.verb != "show" or not options.key:
        return as_list(campaigns(tago, journal))
    state = _find(tago, journal, options.key)
    lines = read_campaign(tago, state)
    if options.csv:
        return as_csv(lines)
    ended = f"{one_line(state.ending.why)}, {iso(state.ending.at)[:19]}" if state.ending else ""
    if options.json:
        return as_json(state.key, lines, ended)
    if options.html:
        return as_html(state.key, lines, title_of(Inbox(tago.run), state), ended)
    return as_table(state.key, lines, ended)


def _find(tago: TagoIO, journal: JournalDevice, key: str) -> CampaignState:
    """Raises SetupError, which lists the campaigns there are, for a key that the journal does not know."""
    try:
        return find(journal, key)
    except NoSuchCampaign as error:
        raise SetupError(f"{error}\n{as_list(campaigns(tago, journal))}") from error


def _write(text: str, output: Path | None) -> None:
    if output is None:
        print(text, flush=True)
        return
    try:
        output.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise SetupError(f"{output} cannot be written: {error.strerror}") from error


def _connect() -> tuple[TagoIO, JournalDevice]:
    given = given_variables()
    region, account_token = given.get("region", ""), given.get("account_token", "")
    if not account_token:
        raise SetupError("account_token is not set: put a profile token (p-…) into .env or the environment")
    hide(account_token)
    use_region(region)
    tago = TagoIO(account_token)
    token = given.get("delivery_log_token") or installed_token(tago, account_token, partial(admin_link, region))
    hide(token)
    return tago, open_device(tago, token)


if __name__ == "__main__":
    sys.exit(main())
