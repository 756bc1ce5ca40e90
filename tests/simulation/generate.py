"""Draws a scenario from a seed, within the assumptions."""

from dataclasses import replace
from random import Random

from tests.simulation.alarm_day import FROM, alarm_day
from tests.simulation.assumptions import ROWS_LATE
from tests.simulation.scenario import MORNING, Person, Platform, Run, Scenario, Setup
from tests.simulation.trouble import draw_changes, draw_faults, draw_outages

BUDGETS = (0.0, 0.0, 0.0, 12.0, 20.0, 30.0, 60.0, 100.0)
AMPLE_BUDGETS = (0.0, 0.0, 60.0, 100.0)  # for a slow TagoIO: a run must have time for more than its look-ups


def generate(seed: int) -> Scenario:
    random = Random(f"day {seed}")
    platform = _platform(random)
    setup = _setup(random, platform)
    people = _people(random, setup)
    runs = _runs(random, setup, platform, len(people))
    events = [run.number for run in runs if run.kind == "action"]
    is_alone = setup.has_journal and len(set(events)) == len(events) == len(runs)
    scenario = Scenario(
        seed,
        platform,
        setup,
        people,
        runs if platform.limit == 1000 else _waiting_frozen(random, runs),
        faults=draw_faults(random, platform, setup),
        outages=draw_outages(random, is_alone=is_alone or not setup.has_journal),
        changes=draw_changes(random, len(people)),
        stretch=4.0 if platform.limit < 1000 else random.choice((1.0, 2.0, 4.0, 4.0, 4.0)),
        preempt=random.choice((0, 0, 3, 20)),
    )
    return alarm_day(seed, scenario, runs) if seed >= FROM else scenario


def _setup(random: Random, platform: Platform) -> Setup:
    has_journal = random.random() < 0.88
    has_buttons = random.random() < 0.8
    answers = "each" if has_buttons and random.random() < 0.1 else "first"
    fallback = random.choice(((), (), (), ("mail",), ("mail", "text")))
    escalates = has_journal and has_buttons and answers == "first" and random.random() < 0.15
    time_budget = random.choice(BUDGETS if platform.latency < 0.3 and platform.has_date else AMPLE_BUDGETS)
    return Setup(
        has_journal=has_journal,
        has_buttons=has_buttons,
        is_document=random.random() < 0.4,
        time_budget=time_budget,
        rate_limit=random.choice((0, 0, 0, 60) if time_budget else (0, 0, 0, 2, 60)),
        fallback=fallback,
        remind_after=random.choice((0.0, 90.0)) if fallback and has_journal else 0.0,
        escalate_after=random.choice((30.0, 120.0)) if escalates else 0.0,
        answers=answers,
        decide=random.choice(("line", "line", "line", "lines", "nothing", "raise", "slow")),
        send_to=random.choice(("tags", "tags", "tags", "all")),
    )


def _people(random: Random, setup: Setup) -> tuple[Person, ...]:
    number = random.choice((2, 2, 3, 3, 4, 4, 5, 6))
    is_busy = random.random() < 0.06  # inboxes so full that TagoIO may list only a part
    people = [
        Person(
            is_active=random.random() < 0.95,
            opt_out=random.choice(("off", "high")) if random.random() < 0.06 else "",
            has_email=random.random() < 0.85,
            old=random.choice((19, 20, 22)) if is_busy else random.choice((0, 1, 1, 2)),
        )
        for _ in range(number)
    ]
    if setup.escalate_after:
        people += [Person(group="boss") for _ in range(random.choice((1, 2)))]
    return tuple(people)


def _platform(random: Random) -> Platform:
    is_scarce = random.random() < 0.12
    has_date = random.random() < 0.93
    latency = random.choice((0.02, 0.1, 0.1, 0.6))
    inbox = "hidden" if random.random() < 0.04 else random.choice(("whole", "whole", "newest", "oldest", "unordered"))
    random.random()  # so that the kept seeds have the days for which they are kept
    return Platform(
        ahead=random.choice((0.0, 0.0, 7.5, -41.0, 3600.0 if has_date else 20.0)),
        has_date=has_date,
        users_page=random.choice((1000, 1000, 2, 3)),
        inbox=inbox,
        inbox_late=random.choice((0.0, 0.0, 0.0, 1.0, 5.0, 20.0)),
        rows_late=random.choice((0.0, 0.0, 0.3, 2.0, ROWS_LATE)),
        rows_order=random.choice(("descending", "descending", "shuffled")),
        rows_page=random.choice((1000, 1000, 25, 100) if latency < 0.3 else (1000, 100)),
        limit=random.choice((3, 4, 6)) if is_scarce else 1000,
        others_use=random.choice((0, 1)) if is_scarce else 0,
        has_hint=random.random() < 0.6,
        latency=latency,
    )


# ---- the events of the day


def _runs(random: Random, setup: Setup, platform: Platform, people: int) -> tuple[Run, ...]:
    runs: list[Run] = []
    for number in range(1, random.choice((2, 2, 2, 3, 4) if platform.limit == 1000 else (2, 3))):
        event = random.choice((number, number + 3))
        at = random.uniform(0, MORNING)
        runs.append(_hit(random, Run(at, "action", event)))
        if random.random() < 0.4:  # handed in once more
            again = at + random.choice((0.0, random.uniform(0, 3), random.uniform(0, 60)))
            runs.append(_hit(random, Run(again, "action", event)))
        if setup.has_buttons:
            runs += _presses(random, at, event, people)
    for _ in range(random.choice((0, 0, 1, 2) if platform.limit == 1000 else (1, 2, 3))):
        runs.append(_hit(random, Run(random.uniform(0, MORNING + 40), "schedule")))
    if random.random() < 0.12 and setup.has_buttons and not setup.is_document:
        at = random.uniform(0, MORNING)
        runs.append(_hit(random, Run(at, "manual")))
        if random.random() < 0.5:
            runs.append(_hit(random, Run(at + random.uniform(0, 60), "manual")))
    return tuple(sorted(runs, key=lambda run: run.at))


def _presses(random: Random, at: float, event: int, people: int) -> list[Run]:
    runs: list[Run] = []
    for _ in range(random.choice((0, 0, 1, 1, 2, 3))):
        person, pressed = random.randrange(people), at + random.uniform(1, 70)
        forged = random.choice(("stranger", "button", "notification", "missing")) if random.random() < 0.12 else ""
        runs.append(_hit(random, Run(pressed, "press", event, person, forged)))
        if random.random() < 0.3:  # handed in twice, or another presses at that moment
            other = random.choice((person, random.randrange(people)))
            runs.append(_hit(random, Run(pressed + random.choice((0.0, 0.5, 10.0)), "press", event, other)))
    return runs


def _hit(random: Random, run: Run) -> Run:
    killed_at = frozen_at = 0
    if random.random() < 0.25:
        killed_at = random.randint(1, 25)
    elif random.random() < 0.15:
        frozen_at = random.randint(1, 25)
    return Run(
        run.at,
        run.kind,
        run.number,
        run.person,
        run.forged,
        skew=random.choice((0.0, 0.0, 0.0, 2.5, -20.0)),
        killed_at=killed_at,
        killed=random.choice(("before", "sent", "after")),
        frozen_at=frozen_at,
        frozen_for=random.choice((5.0, 12.0, 20.0, 40.0)) if frozen_at else 0.0,
    )


def _waiting_frozen(random: Random, runs: tuple[Run, ...]) -> tuple[Run, ...]:
    """Where the limit makes runs wait, one of them is often frozen while it waits, and another takes over."""
    if random.random() < 0.5:
        return runs
    first, at, long = next(run for run in runs if run.kind == "action"), random.randint(14, 24), 45.0
    return tuple(replace(run, killed_at=0, frozen_at=at, frozen_for=long) if run is first else run for run in runs)
