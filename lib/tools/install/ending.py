"""The last lines of an installation: what it has come to, and what is next."""

from collections.abc import Iterator, Sequence

from lib.tools.install.conditions import Condition
from lib.tools.install.hand import Hand
from lib.tools.install.values import Values

TIMED = ("every", "cron")


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
    if live is None:
        yield f"Next: mend what the console says, then run this again. The Analysis: {page}"
    elif not live:
        yield f"Nobody can be told yet: dry_run = true is set. Next, when the dry run is right: {command} --live"
    elif any(part in hand.record for part in TIMED) or any(each.device for each in started_by):
        yield f"It is live, and its Actions start it. Next: watch its console at {page}"
    elif started_by:
        nobody = " and no ".join(dict.fromkeys(each.whose for each in started_by))
        yield f"It is live, but nothing starts it: there is no {nobody}. Next: mend that, or press Run at {page}"
    else:
        yield f"It is live. Next: press Run at {page}, or let an Action start it: {command} --help"
