"""The flags of `python -m lib.tools.sandbox`; one for each unknown among them."""

import argparse
from pathlib import Path

from lib.tools.sandbox.limits import PLANS
from lib.tools.sandbox.trouble import KINDS
from lib.tools.sandbox.unknowns import FACTS_FILE, UNKNOWNS, Facts, facts_in
from lib.tools.terminal import typed


def make_parser(about: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=typed("lib.tools.sandbox"), description=about)
    add = parser.add_argument
    add(
        "--set",
        action="append",
        default=[],
        type=_pair,
        metavar="NAME=VALUE",
        help="a variable of the Analysis (repeatable)",
    )
    add("--no-policy", action="store_true", help="leave the Analysis without an Access Management policy")
    add("--plan", choices=PLANS, default="starter", help="whose rate limits apply (default: starter)")
    add("--latency", type=float, default=0, metavar="SECONDS", help="how long every answer takes")
    trouble = f"trouble on each user's first request: {', '.join(KINDS)}"
    add("--fault", action="append", default=[], metavar="KIND", choices=KINDS, help=trouble)
    by_action = "run it as an Action on that data point would (repeatable: one event after the other, with a journal)"
    add("--trigger", type=_pair, action="append", default=[], metavar="VARIABLE=VALUE", help=by_action)
    add(
        "--press",
        metavar="BUTTON",
        help="when all that is done, press this button as the first user who has it, with a journal",
    )
    add("--journal", action="store_true", help="keep a journal on a device")
    add("--serve", action="store_true", help="keep the sandbox running, with a page to see and press it all")
    add("--port", type=int, default=0, help="for --serve; any free one by default")
    add("--state", type=Path, metavar="FILE", help="for --serve: keep users and notifications in this file")
    add("--tls", type=Path, metavar="FOLDER", help="for --serve: https, with a certificate that is put there")
    open_questions = parser.add_argument_group(
        "what TagoIO's documents leave open", f"A probe's {FACTS_FILE} answers it, where it is in the current folder."
    )
    open_questions.add_argument("--facts", type=_facts, metavar="FILE", help=f"another file than {FACTS_FILE}")
    for unknown in UNKNOWNS.values():
        about = f"{unknown.meaning} (default: {unknown.values[0]})"
        open_questions.add_argument(unknown.flag, choices=unknown.values, dest=f"fact_{unknown.name}", help=about)
    return parser


def check_together(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """No flag is ignored in silence. Raises SystemExit."""
    for name in ("port", "state", "tls"):
        if getattr(options, name) and not options.serve:
            parser.error(f"--{name} belongs to --serve, which is not given")
    for name in ("trigger", "press"):
        if getattr(options, name) and options.serve:
            parser.error(f"--{name} does not go with --serve: the page has it")


def chosen_facts(options: argparse.Namespace) -> Facts:
    """Flags before the file that a probe wrote. Raises SystemExit for a file that cannot be used."""
    facts: Facts = {}
    if options.facts is not None:
        facts |= options.facts
    elif Path(FACTS_FILE).is_file():
        try:
            facts |= facts_in(Path(FACTS_FILE))
        except (OSError, ValueError) as error:
            raise SystemExit(f"{FACTS_FILE} cannot be used: {error}") from error
    given = {name: getattr(options, f"fact_{name}") for name in UNKNOWNS}
    return facts | {name: value for name, value in given.items() if value}


def _facts(path: str) -> Facts:
    try:
        return facts_in(Path(path))
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"{path} cannot be used: {error}") from error


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f'"{text}" is not NAME=VALUE')
    return name, value
