"""A simulated day as plain data: all that is drawn from a seed, so that it can be printed, shrunk and played again."""

from dataclasses import dataclass, field

MORNING = 60.0  # seconds in which the events of a day come
LEVELS = ("low", "normal", "high")
CLEAR = 50  # events of a number from here on clear an alarm


@dataclass(frozen=True, slots=True)
class Person:
    """A TagoRUN user. `old` is how many notifications they have from before, `opt_out` the value of that tag."""

    group: str = "crew"
    is_active: bool = True
    opt_out: str = ""
    has_email: bool = True
    old: int = 1


@dataclass(frozen=True, slots=True)
class Run:
    """A run that the platform starts. Of an `action`, `number` is the event; of a `press`, the event whose notification
    `person` presses. It is killed, or frozen, at its request of that ordinal (0: never)."""

    at: float
    kind: str  # action, schedule, manual, press, or successor, which a run has started
    number: int = 0
    person: int = 0
    forged: str = ""  # a press that is not honest: stranger, button, notification, missing
    skew: float = 0.0
    killed_at: int = 0
    killed: str = "before"  # before it is sent, when it is sent, or after its answer
    frozen_at: int = 0
    frozen_for: float = 0.0


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to the nth request of a route, counted over the day; `seconds` is what the effect needs."""

    route: str
    nth: int
    effect: str
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Outage:
    """The same to every request of these routes for a time."""

    routes: tuple[str, ...]
    start: float
    end: float
    effect: str
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Change:
    """Somebody else changes a user: delete, deactivate, rename, join, opt_in, or the user reads what they
    have."""

    at: float
    what: str
    person: int


@dataclass(frozen=True, slots=True)
class Platform:
    """What TagoIO is like on that day, within what its documents leave open."""

    ahead: float = 0.0  # its clock against the world's
    has_date: bool = True
    users_page: int = 1000
    inbox: str = "whole"  # or newest, oldest, unordered, hidden
    inbox_late: float = 0.0
    rows_late: float = 0.0
    rows_order: str = "descending"  # or shuffled
    rows_page: int = 1000
    limit: int = 1000  # creates a minute
    others_use: int = 0  # of these, by somebody else
    has_hint: bool = True  # a 429 says how long to wait
    latency: float = 0.1


@dataclass(frozen=True, slots=True)
class Setup:
    """How the Analysis is configured, and what the developer wrote."""

    has_journal: bool = True
    has_buttons: bool = True
    is_document: bool = False
    time_budget: float = 0.0
    rate_limit: int = 0
    fallback: tuple[str, ...] = ()
    remind_after: float = 0.0
    escalate_after: float = 0.0
    answers: str = "first"
    decide: str = "line"  # or lines, nothing, raise, slow
    send_to: str = "tags"
    is_alarm: bool = False
    all_clear_tell: bool = False


@dataclass(frozen=True, slots=True)
class Scenario:
    """`stretch` and `preempt` are of the machine, see the scheduler."""

    seed: int
    platform: Platform = field(default_factory=Platform)
    setup: Setup = field(default_factory=Setup)
    people: tuple[Person, ...] = ()
    runs: tuple[Run, ...] = ()
    faults: tuple[Fault, ...] = ()
    outages: tuple[Outage, ...] = ()
    changes: tuple[Change, ...] = ()
    stretch: float = 1.0
    preempt: int = 0


def level_of(number: int) -> str:
    """The priority of an event's notification."""
    return LEVELS[number % 3]


def value_of(number: int) -> int:
    """The value of an event's data point, which stands in every text about it; that of one which clears is small."""
    if number >= CLEAR:
        return number - CLEAR
    return 100 * (number % 3 + 1) + number
