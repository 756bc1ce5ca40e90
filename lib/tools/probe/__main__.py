"""`python -m lib.tools.probe`: what TagoIO's documents leave open, found out on your own profile.

It makes one test user, an external Analysis, a policy and devices, asks its questions, removes all it made (also what
an earlier probe left that was cut off), and writes facts.json, which the sandbox starts with and the installer reads.
No user of yours is told anything. Needs a profile token (p-…): account_token in .env or the environment.
"""

import argparse
import functools
import signal
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from lib.base.errors import SetupError, TagoIOError
from lib.base.log import hide
from lib.tagoio.transport import Client
from lib.tools.install.__main__ import addresses, given_variables
from lib.tools.probe.costly import (
    FULL,
    MOST_SPENT,
    MOST_WRITES,
    edit_pushes,
    full_device,
    limit,
    press,
    quota_spent,
)
from lib.tools.probe.lab import TAG, Lab
from lib.tools.probe.questions import (
    NEWEST,
    Question,
    Unclear,
    denial,
    disabling,
    edit_cost,
    forms,
    icons,
    inbox,
    lists,
    quota,
    rows,
    showing,
    texts,
)
from lib.tools.sandbox.unknowns import FACTS_FILE, UNKNOWNS, Facts, check_fact, write_facts
from lib.tools.terminal import ask, complain, perform, say, typed

WAIT = 45  # requests that looking for something takes at most, see lab.POLL
MAKING = 40  # requests that make what is asked with, and remove it, what an earlier probe left apart


def main(arguments: list[str] | None = None) -> int:
    return perform(lambda: _main(arguments), again="Run it again: it removes what is left, and asks anew.")


def _main(arguments: list[str] | None) -> int:
    options = _parser().parse_args(arguments)
    try:
        return _probe(options)
    except (SetupError, TagoIOError) as error:
        complain(str(error))
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=typed("lib.tools.probe"), description=__doc__)
    add = parser.add_argument
    add("--dry-run", action="store_true", help="show the plan and its cost, and do nothing")
    add("--yes", action="store_true", help="do it without asking")
    add("--region", default="", help="us-e1, eu-w1, or the id of a TagoDeploy project (default: TAGOIO_API, or us-e1)")
    add("--phone", action="store_true", help="with you and a phone: whether an edit is pushed again")
    add("--fill-device", action="store_true", help=f"what a full device answers; it takes {FULL:,} data input units")
    add(
        "--spend-quota",
        action="store_true",
        help=f"what comes past the push quota, if {MOST_SPENT} or less are left",
    )
    add("-o", "--output", type=Path, default=Path(FACTS_FILE), help=f"the file to write ({FACTS_FILE})")
    return parser


def questions(options: argparse.Namespace) -> list[Question]:
    """In their order: what must be asked without a policy comes before the one that needs it."""
    person = ask if options.phone else None
    asked = [
        Question("lists of users", ("user_options", "page_past_end", "user_dates"), lists, 0, 5),
        Question("when a notification shows", ("notifications_show_after",), showing, 1, WAIT),
        Question("what is answered without a right", ("denied_list", "denied_create"), denial, 0, WAIT + 3),
        Question("a long message", ("long_message",), texts, 1, WAIT),
        Question("the form of buttons", ("button_form",), forms, 2, 2 * WAIT),
        Question("icons", ("icons",), icons, 2, 2 * WAIT),
        Question("a press", ("press_scope", "press_user_id"), functools.partial(press, person=person), 1, 4),
        Question("disabled buttons", ("disabled_buttons",), disabling, 1, 2 * WAIT + 1),
        Question("whether an edit costs a unit", ("edit_costs",), edit_cost, 1, 4 * WAIT),
        Question("how many notifications are listed", ("inbox_lists",), inbox, NEWEST + 1, WAIT + 1),
        Question("rows of a device", ("rows_show_after", "skip_counts"), rows, 0, WAIT + 3, cost="6 data input units"),
        Question("the quota, read by an Analysis", ("quota_readable",), quota, 0, WAIT + 2),
    ]
    if options.phone:
        push = functools.partial(edit_pushes, person=ask)
        asked.append(Question("whether an edit is pushed again", ("edit_pushes",), push, 1, 1))
    if options.fill_device:
        asked.append(Question("a full device", ("full_device",), full_device, 0, 12, cost=f"{FULL:,} data input units"))
    if options.spend_quota:
        asked.append(Question("past the push quota", ("quota_spent",), quota_spent, MOST_SPENT + 1, WAIT))
    asked.append(Question("the rate limit", ("limit_text", "limit_header"), limit, 0, MOST_WRITES))
    return asked


def _probe(options: argparse.Namespace) -> int:
    given = given_variables()
    api, sse = addresses(options.region or given.get("region", ""))
    asked = questions(options)
    for line in _plan(api, asked):
        say(line)
    if options.dry_run:
        return 0
    token = given.get("account_token", "")
    if not token:
        raise SetupError("account_token is not set: put a profile token (p-…) into .env or the environment")
    hide(token)
    if not options.yes and not ask("Do it?"):
        say("Nothing was done (--yes does it without a question)")
        return 1
    for cut_off in (signal.SIGTERM, signal.SIGHUP):  # Ctrl-C raises by itself
        signal.signal(cut_off, lambda *_: sys.exit(1))
    lab = Lab(Client(api), token, sse)
    lab.tidy()  # what a probe that was cut off has left
    facts: Facts = {}
    try:
        lab.make()
        for question in asked:
            facts |= _answers(lab, question)
    finally:
        left = _left(lab)
        say("All that was made is removed" if not left else f"NOT removed: {'; '.join(left)}; run it again")
    if not facts:
        return 1
    write_facts(options.output, facts, api, datetime.now(UTC))
    unknown = [name for name in UNKNOWNS if name not in facts]
    say(f"{options.output}: {len(facts)} facts. Not probed: {', '.join(unknown) or 'nothing'}")
    return 1 if left else 0


def _left(lab: Lab) -> list[str]:
    """What could not be removed."""
    try:
        return lab.tidy()
    except TagoIOError as error:
        return [f"all that bears the tag {TAG['value']} ({error})"]


def _plan(api: str, asked: list[Question]) -> Iterator[str]:
    """What is going to be made, asked, and what it costs at most."""
    yield f"At {api}: one test user (nobody else is told anything), an external Analysis, a policy, devices. Questions:"
    for question in asked:
        cost = f"; {question.cost}" if question.cost else ""
        yield f"  {question.what}: {question.units} push units, {question.requests} requests at most{cost}"
    units = sum(each.units for each in asked)
    requests = sum(each.requests for each in asked) + 2 * units + MAKING  # each unit is sent and removed
    yield f"At most {units} push units and {requests} requests; one is sent until TagoIO says 429, on PUT /am"
    unasked = [name for name in UNKNOWNS if not any(name in each.facts for each in asked)]
    if unasked:
        yield f"Not asked: {', '.join(unasked)} (--phone, --fill-device, --spend-quota)"


def _answers(lab: Lab, question: Question) -> Facts:
    try:
        facts = question.ask(lab)
    except (TagoIOError, Unclear, KeyError, TypeError, ValueError) as error:
        why = error.message if isinstance(error, TagoIOError) else str(error) or type(error).__name__
        say(f"  {question.what}: not found out ({why})")
        return {}
    for name, value in facts.items():
        check_fact(name, value)
        say(f"  {name} = {value}  ({UNKNOWNS[name].meaning})")
    return facts


if __name__ == "__main__":
    sys.exit(main())
