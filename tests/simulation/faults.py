"""The matrix of what can happen to a request on its way, and which request of a day it happens to."""

from collections import Counter
from dataclasses import dataclass

from tests.simulation.scenario import Fault, Outage

HTML = b"<html><body>Bad Gateway</body></html>"


@dataclass(frozen=True, slots=True)
class Effect:
    """`carried`: yes, no, late (so many seconds after it was sent), or twice. `answer`: what the run sees: the true one
    ("ok"), none, a status, or how the connection breaks. With `is_slow` the answer takes the fault's seconds."""

    carried: str = "yes"
    answer: str | int = "ok"
    body: bytes = b""
    is_slow: bool = False


def _error(message: str) -> bytes:
    return b'{"status":false,"message":"%s"}' % message.encode()


FINE = Effect()
BROKEN = _error("Sorry, Internal Error")
EFFECTS = {
    "lost": Effect("no", "none"),
    "answer_lost": Effect("yes", "none"),
    "late": Effect("late", "none"),
    "slow": Effect("yes", "ok", is_slow=True),
    "refused": Effect("no", "refused"),
    "unreachable": Effect("no", "unreachable"),
    "reset_before": Effect("no", "reset"),
    "reset_after": Effect("yes", "reset"),
    "reset_late": Effect("late", "reset"),
    "closed": Effect("yes", "closed"),
    "cut": Effect("yes", "cut"),
    "empty": Effect("yes", 200, b""),
    "html": Effect("yes", 200, HTML),
    "status_false_before": Effect("no", 200, BROKEN),
    "status_false_after": Effect("yes", 200, BROKEN),
    "no_result": Effect("yes", 200, b'{"status":true}'),
    "no_id": Effect("yes", 200, b'{"status":true,"result":{}}'),
    "500_before": Effect("no", 500, BROKEN),
    "500_after": Effect("yes", 500, BROKEN),
    "502_before": Effect("no", 502, HTML),
    "502_after": Effect("yes", 502, HTML),
    "503_before": Effect("no", 503, b""),
    "503_after": Effect("yes", 503, b""),
    "504_before": Effect("no", 504, HTML),
    "504_late": Effect("late", 504, HTML),
    "408_late": Effect("late", 408, _error("Request Timeout")),
    "twice": Effect("twice", "ok"),
    "twice_502": Effect("twice", 502, HTML),
    "429": Effect("no", 429, _error("Too many requests")),
    "429_hint": Effect("no", 429, _error("Too many requests (Retry-After: 3)")),
    "400": Effect("no", 400, _error("Invalid body")),
    "403": Effect("no", 403, _error("Authorization Denied")),
    "422": Effect("no", 422, _error("Unprocessable")),
}
DOUBTFUL = tuple(
    name
    for name, effect in EFFECTS.items()
    if effect.answer not in ("ok", "refused", "unreachable", 429, 400, 403, 422)
)
REFUSALS = ("refused", "unreachable", "429", "429_hint")
REJECTIONS = ("400", "403", "422")
LATE = tuple(name for name, effect in EFFECTS.items() if effect.carried == "late")

# What another channel does with a message: whether it took it, whether it says so, and what Apprise then logs.
CHANNEL_EFFECTS = {
    "takes": (True, True, ""),
    "refuses": (False, False, "Failed to send: error=403."),
    "down": (False, False, "A Connection error occurred: [Errno 111] Connection refused"),
    "hangs": (True, False, "A Connection error occurred: Read timed out."),
    "hangs_for_nothing": (False, False, "A Connection error occurred: Read timed out."),
    "breaks": (True, False, "Failed to send: error=500."),
    "crashes": (True, None, ""),
}


class Faults:
    """Counts the requests of each route, and says what happens to the next one."""

    def __init__(self, faults: tuple[Fault, ...], outages: tuple[Outage, ...]) -> None:
        self._single = {(fault.route, fault.nth): fault for fault in faults}
        self._outages = outages
        self._counts: Counter[str] = Counter()
        self.is_quiet = False

    def next(self, route: str, now: float) -> tuple[str, float]:
        """The name of the effect ("" for none) and its seconds."""
        if self.is_quiet:
            return "", 0.0
        self._counts[route] += 1
        fault = self._single.get((route, self._counts[route]))
        if fault:
            return fault.effect, fault.seconds
        for outage in self._outages:
            if route in outage.routes and outage.start <= now < outage.end:
                return outage.effect, outage.seconds
        return "", 0.0
