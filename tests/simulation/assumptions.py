"""What the simulated TagoIO does not do: what the documents make impossible, and what docs/ names as the risk that
remains. The generator keeps within it; each number stands here once."""

from dataclasses import dataclass

MOST_LATE = 30.0  # seconds
ROWS_LATE = 5.5
JOURNAL_AWAY = 12.0


@dataclass(frozen=True, slots=True)
class Assumption:
    """What is taken for granted, and where that is documented."""

    what: str
    where: str


ASSUMPTIONS = (
    Assumption(
        f"A request is carried out, and its notification shows in the inbox, at most {MOST_LATE:.0f} s "
        "after it was sent.",
        "docs/delivery.md (asked about for 32 seconds) and Two runs at once (what remains)",
    ),
    Assumption(
        f"A row shows at most {ROWS_LATE} s after TagoIO took it, and never before an older one; rows of one call are "
        "taken together or not at all.",
        "docs/journal.md, Two runs at once: rows that TagoIO shows more than 6 seconds late, or before older ones",
    ),
    Assumption(
        "The lists of notifications are filtered to nothing for all users or for none.",
        "docs/journal.md, Two runs at once: a policy that shows the lists of some users and not of others",
    ),
    Assumption(
        "A 429, and any other 4xx but 408, was not carried out; a connection that was never made carried nothing.",
        "docs/delivery.md: a definite rejection; docs rate-limits-hard-limits.md",
    ),
    Assumption(
        "A request that TagoIO itself carries out twice counts as one telling: nothing in the API prevents it.",
        "tagoio-platform.md, 5: no idempotency key",
    ),
    Assumption(
        f"While two runs may be at one event, the journal is away for at most {JOURNAL_AWAY:.0f} s.",
        "docs/journal.md, Two runs at once: a journal that fails for good while a second run has the same event",
    ),
    Assumption(
        "All clocks of TagoIO (Date, created_at, time of a row) are one, and no clock is set anew during a run.",
        "lib/tagoio/inbox.py, SKEW, and lib/tagoio/transport.py, STANDS_STILL, allow for a few seconds",
    ),
    Assumption(
        "Where no answer has a Date, our clock and TagoIO's differ by less than a minute.",
        "lib/tagoio/transport.py, UNKNOWN_CLOCKS; docs/journal.md, Two runs at once",
    ),
    Assumption(
        "A time budget leaves time for more than the look-ups, and for the wait for a run that died.",
        "docs/delivery.md: time_budget binds everything that a run waits for",
    ),
    Assumption(
        "A run is not frozen between its look at the lease and the sending that follows at once, nor between its look "
        "at a text and the writing of the line that goes under it.",
        "No client can prevent that where the server knows no fencing: design.md, First writer wins",
    ),
    Assumption(
        "Of two presses that overlap without a journal both may count; without one nobody comes after a run.",
        "docs/decisions.md: that needs the journal",
    ),
    Assumption(
        "A run that is frozen for 15 s or more is taken for dead, so its press may be answered once more.",
        "docs/journal.md, Two runs at once: a run without any row for 15 seconds",
    ),
    Assumption(
        "Of a run whose journal fails for good in mid-run no later one knows what it told or decided; it says so.",
        "docs/journal.md, Two runs at once; docs/decisions.md: called again where the journal refused the answer",
    ),
    Assumption(
        "`decide` ends before the time budget does; else no answer can be written, and it is called again.",
        "docs/decisions.md: called again where its run died, or ran out of time, before the answer was written",
    ),
    Assumption(
        "The push quota is never reached; no icon, device name, cooldown, quiet hours or dry run is asked for.",
        "Not simulated; tests/test_dispatch.py, tests/test_courtesy.py and tests/promises hold these",
    ),
)
