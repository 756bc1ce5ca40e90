"""Taking a campaign back: what is going to be done is shown and asked, then done, then told copy by copy."""

import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from tagoio_sdk.common.tagoio_module import TagoIOModule
from tagoio_sdk.modules.Resources.Run import Run

from lib.app.edits import said_of_edits
from lib.base.errors import SetupError
from lib.base.text import counted, one_line
from lib.campaign.fold import Ending
from lib.campaign.state import CampaignState
from lib.message.notification import PUSH_CHARACTERS
from lib.tagoio.audience import users_by_id
from lib.tagoio.contract import check_contract
from lib.tagoio.journal_device import JournalDevice
from lib.tagoio.transport import TagoIO
from lib.tools.campaign.copies import Copies, Fate
from lib.tools.campaign.reading import journal_read, title_of
from lib.tools.campaign.shown import drawn
from lib.tools.campaign.verbs import Verb
from lib.tools.install.probed import known_facts
from lib.tools.sandbox.unknowns import Facts
from lib.tools.terminal import ask, say, typed

USED_TO_TAKE_BACK = {Run: ("notificationDelete", "notificationEdit", "notificationList")}
LOOK_AGAIN = 3.0  # seconds; a run looks every five whether the campaign is over
PATIENCE = 30.0  # seconds in which copies are waited for that a run sends meanwhile


def take_back(
    tago: TagoIO, journal: JournalDevice, state: CampaignState, verb: Verb, root: Path, *, dry_run: bool, yes: bool
) -> int:
    """The exit code: 0 where everything was done. Raises SetupError, TagoIOError where nothing was."""
    check_contract(TagoIOModule, USED_TO_TAKE_BACK)
    copies = Copies(tago, journal, state.key)
    with journal_read():
        copies.read()
    names = _names(copies)
    facts, _ = known_facts(root, tago.client.api)
    for line in (*_plan(copies, verb), *_older(journal, copies.state, verb), *_unknowns(verb, facts)):
        say(line)
    if dry_run:
        print(_table([Fate(*copy, f"would be {verb.done}") for copy in copies.told(verb.counts).items()], names))
        say("Nothing was changed (--dry-run)")
        return 0
    if not yes and not ask(f"{verb.name.capitalize()} it?"):
        say("Nothing was changed (--yes does it without a question)")
        return 1
    with stoppable(copies):
        return _told(copies, verb, _performed(copies, verb), names)


def _names(copies: Copies) -> dict[str, str]:
    """By user; that they cannot be looked up keeps nothing from being taken back."""
    try:
        found = users_by_id(copies.tago.run, set(copies.state.outcomes))
    except SetupError as error:
        say(f"The users' names are not known: {error}")
        return {}
    return {user_id: user.name for user_id, user in found.items()}


def _plan(copies: Copies, verb: Verb) -> Iterator[str]:
    """How many copies of how many users, of what, begun when; and what cannot be done."""
    state, told = copies.state, copies.told(verb.counts)
    title = one_line(title_of(copies.inbox, state) or "a notification that TagoIO does not show any more")
    begun = f", begun {datetime.fromtimestamp(state.started_at, UTC):%Y-%m-%d %H:%M:%S} UTC" if state.started else ""
    number = f"{len(told)} {'copy' if len(told) == 1 else 'copies'} of {counted(len(told), 'user')}"
    keeps_line = bool(state.ending and verb.line and verb.line != state.ending.answer.line)
    does = verb.does.replace("the line is added", "get the line of its end") if keeps_line else verb.does
    yield f'{verb.name.capitalize()} campaign {state.key}, "{title}"{begun}: {number} {does}'
    before = len(dict(state.told_ids())) - len(told)
    if before:
        yield f"  {before} {'was' if before == 1 else 'were'} dealt with before"
    if state.ending:
        yield f"  The campaign is over: {one_line(state.ending.why)}"
        if keeps_line:
            yield f'  Its line stays the first one: "{one_line(state.ending.answer.line)}"'
    elif verb.ends:
        yield "  The campaign is over then: nobody more is told, no step of an escalation, no reminder"
    elif next(state.unsettled(), None) or state.steps:
        yield "  Whoever is told later gets the text of compose"
    otherwise = {user for user, each in state.tries.items() if each.result == "taken"}
    if otherwise:
        yield f"  {counted(len(otherwise), 'user')} had it by another channel; that cannot be taken back"
    if copies.is_being_told():
        yield "  A run is telling people at this moment, or was cut off a moment ago"


def _older(journal: JournalDevice, state: CampaignState, verb: Verb) -> Iterator[str]:
    """Of the same alarm, the campaigns of which users keep a copy, as they were not told anew."""
    with journal_read():
        older = journal.states(list(state.replaces)) if verb.ends and state.replaces else {}
    for each in older.values():
        kept = len(each.told) if not each.ending else 0
        if kept:
            copies = counted(kept, "copy", "copies")
            yield f"  Of the same alarm, {copies} of campaign {each.key} {'stay' if kept > 1 else 'stays'}: do that too"


def _unknowns(verb: Verb, facts: Facts) -> Iterator[str]:
    """What TagoIO's documents leave open of an edit, and what the probe found."""
    if verb.name == "recall":
        return
    yield from (f"  {line[0].upper()}{line[1:]}" for line in said_of_edits(facts))
    if len(verb.text) > PUSH_CHARACTERS:
        does = {"taken": "takes", "cut": "cuts", "refused": "refuses"}.get(facts.get("long_message", ""))
        long = f"a text of more than {PUSH_CHARACTERS} characters (here {len(verb.text)})"
        unknown = f"What TagoIO does with {long} is not known ({typed('lib.tools.probe')})"
        yield f"  TagoIO {does} {long}" if does else f"  {unknown}"


@contextmanager
def stoppable(copies: Copies) -> Iterator[None]:
    """Ctrl-C, or the end of the terminal's session, lets what is under way end; the second one ends at once."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def stop(*_: object) -> None:
        restore()
        copies.stop()

    for number in numbers:
        signal.signal(number, stop)
    try:
        yield
    finally:
        restore()


def _performed(copies: Copies, verb: Verb) -> list[Fate]:
    """What became of each copy, of those too that a run has sent meanwhile. Raises TagoIOError before anything was
    changed."""
    ended = copies.end(verb.ends, verb.line) if verb.ends else None
    fates: list[Fate] = []
    until = time.monotonic() + PATIENCE
    with _progress(verb.name.capitalize()) as grow:
        copies.advance = partial(grow, 0, 1)
        while copies.can_read():  # anew: a person may have taken their time to answer
            waiting = copies.told(verb.counts)
            seen = {fate.notification_id for fate in fates}
            _do({user: each for user, each in waiting.items() if each not in seen}, copies, verb, ended, grow, fates)
            if copies.is_stopped or not copies.is_being_told() or time.monotonic() > until:
                break
            copies.sleep(LOOK_AGAIN)
        if not (copies.is_stopped or copies.is_being_told() or copies.trouble):
            found, doubts = copies.found(copies.doubted())
            _do(found, copies, verb, ended, grow, fates)
            fates += doubts
    return fates


def _do(
    wanted: dict[str, str], copies: Copies, verb: Verb, ended: Ending | None, grow: Callable[[int, int], None],
    fates: list[Fate],
) -> None:  # fmt: skip
    grow(len(wanted), 0)
    for batch in verb.change(copies, wanted, ended):
        fates += batch


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error, which grows by so many copies and advances by so many."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=0)

        def grow(more: int, done: int) -> None:
            progress.update(task, total=(progress.tasks[0].total or 0) + more, advance=done)

        yield grow


def _told(copies: Copies, verb: Verb, fates: list[Fate], names: dict[str, str]) -> int:
    """A line for each copy, the counts, and what is to do now."""
    if fates:
        print(_table(fates, names))
    done = Counter(fate.done for fate in fates if fate.is_whole)
    undone = sum(not fate.is_whole for fate in fates)
    counts = [f"{count} {word}" for word, count in done.items()] + [f"{undone} NOT {verb.done}"] * bool(undone)
    say(f"{', '.join(counts) or 'There was nothing to do'}")
    remarks = []
    if copies.is_stopped:
        remarks.append("Stopped by hand")
    elif copies.is_being_told():
        remarks.append(f"After {PATIENCE:.0f} s a run is still telling people: more copies may have come")
    if copies.trouble:
        remarks.append(f"The journal fails: {copies.trouble}")
    for remark in remarks:
        say(remark)
    if undone or remarks:
        say("The same command does the rest")
    return 1 if undone or remarks else 0


def _table(fates: list[Fate], names: dict[str, str]) -> str:
    rows = (
        (names.get(fate.user_id, "") or fate.user_id or "a second copy, of which no row tells", fate.notification_id,
         (fate.done if fate.is_whole else fate.done.upper() or "NOT DONE"), one_line(fate.why))
        for fate in sorted(fates, key=lambda fate: names.get(fate.user_id, "").lower())
    )  # fmt: skip
    return drawn(("User", "Copy", "What became of it", "Why"), rows)
