"""The lease: how long a heartbeat gives a run its campaign, and which of several runs holds it."""

from collections.abc import Iterable

# Seconds, in the one order in which they keep two runs apart; tests/test_lease.py holds it.
FLUSH = 1.0  # outcomes wait no longer to be written
HEARTBEAT = 3.5  # a run that tells people writes a row at least so often
MARGIN = 8.0  # nobody is told on a heartbeat older than this: the run reads again first
FRESH = 12.0  # a living run has a row that is younger
GIVEN_UP = 15.0  # a run without any row for so long is taken for dead, and its campaign may be resumed

LATE = 32.0  # after a doubtful answer: TagoIO may carry the request out, or show the notification, so much later
DAY = 86_400.0  # a campaign older than this is let be


class Sign:
    """A row by which a run shows that it is at a campaign, or (`is_end`) that it is not any more."""

    __slots__ = ("at", "id", "is_end", "run")

    def __init__(self, run: str, at: float, row_id: str = "", *, is_end: bool = False) -> None:
        self.run, self.at, self.id, self.is_end = run, at, row_id, is_end


def holder(signs: Iterable[Sign], now: float) -> str:
    """The run that has been at it for longest without a gap, "" where none is alive.

    TagoIO has no conditional write. But rows get their time from TagoIO, and each run reads until it sees its own, so
    all come to the same answer; and a run that was away begins anew when it is back.
    """
    listed = sorted(signs, key=lambda sign: (sign.at, sign.id))
    ended = {sign.run: sign.at for sign in listed if sign.is_end}
    since: dict[str, Sign] = {}
    last: dict[str, float] = {}
    for sign in listed:
        if sign.is_end or sign.at <= ended.get(sign.run, 0.0):
            continue
        if sign.at - last.get(sign.run, float("-inf")) > FRESH:
            since[sign.run] = sign
        last[sign.run] = sign.at
    fresh = [sign for run, sign in since.items() if now - last[run] <= FRESH]
    first = min(fresh, key=lambda sign: (sign.at, sign.id), default=None)
    return first.run if first else ""
