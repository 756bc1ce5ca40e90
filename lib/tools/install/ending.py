"""The last lines of an installation: what it has come to, and what is next."""

from collections.abc import Iterator, Sequence

from lib.tools.install.conditions import Condition
from lib.tools.install.hand import Hand
from lib.tools.install.starters import idle, timed
from lib.tools.install.values import Values


def last_lines(
    hand: Hand, values: Values, command: str, started_by: Sequence[Condition], *, live: bool | None
) -> Iterator[str]:
    """`live`: whether it tells real people from now on; None where the dry run did not end well. `started_by` are the
    conditions of its Actions."""
    page = hand.link(f"analysis/{hand.analysis_id}")
    if values.kept:
        which = ", ".join(values.kept)
        yield (
            f"Next, if .env is right about {which}: {command} --overwrite puts the values of .env there, and replaces "
            "what else differs on TagoIO (script, Secrets, rights)"
        )
    if hand.obstacles:
        why = "; ".join(hand.obstacles)
        yield f"As it stands on TagoIO it tells nobody: {why}. Next: mend that at {page}, then run this again"
    elif live is None:
        yield f"Next: mend what the console says, then run this again. The Analysis: {page}"
    elif not live:
        yield f"Nobody can be told yet: dry_run = true is set. Next, when the dry run is right: {command} --live"
    else:
        yield _who_starts_it(hand, command, page, started_by)


def _who_starts_it(hand: Hand, command: str, page: str, started_by: Sequence[Condition]) -> str:
    off = list(idle(hand))
    if timed(hand) or any(each.device for each in started_by):
        others = f", but {' and '.join(off)}" if off else ""
        return f"It is live, and its Actions start it{others}. Next: watch its console at {page}"
    nobody = [f"there is no {each.whose}" for each in started_by]
    if why := " and ".join(dict.fromkeys([*nobody, *off])):
        return f"It is live, but nothing starts it: {why}. Next: mend that, or press Run at {page}"
    return f"It is live. Next: press Run at {page}, or let an Action start it: {command} --help"
