"""Draws a day of one alarm: events that raise, repeat, worsen and clear it, runs killed, frozen and side by side."""

from dataclasses import replace
from random import Random

from tests.simulation.scenario import CLEAR, MORNING, Change, Run, Scenario

FROM = 10_000_000_000  # seeds from here on are such days
AMPLE = (0.0, 0.0, 60.0, 100.0)


def alarm_day(seed: int, scenario: Scenario, runs: tuple[Run, ...]) -> Scenario:
    """The day of that seed, with the events of one alarm in place of its own; `runs` lends the ways in which a run
    is hit."""
    random = Random(f"alarm {seed}")
    setup = replace(
        scenario.setup, is_alarm=True, has_journal=True, has_buttons=True, answers="first", fallback=(),
        remind_after=0.0, escalate_after=0.0, time_budget=random.choice(AMPLE), decide="line",
    )  # fmt: skip
    numbers = random.sample(range(1, 10), random.choice((2, 3, 4, 5)))
    events = [number + (CLEAR if random.random() < 0.3 else 0) for number in numbers]
    drawn = [Run(random.uniform(0, MORNING), "action", event) for event in events]
    drawn += [replace(run, at=run.at + random.choice((0.0, 1.0, 30.0))) for run in drawn if random.random() < 0.2]
    for run in drawn[:2]:
        if random.random() < 0.4 and run.number < CLEAR:
            person = random.randrange(len(scenario.people))
            drawn.append(Run(run.at + random.uniform(2, 50), "press", run.number, person))
    if random.random() < 0.5:
        drawn.append(Run(random.uniform(0, MORNING + 40), "schedule"))
    hits = [random.choice(runs) for _ in drawn]
    struck = (
        replace(
            run,
            skew=hit.skew,
            killed_at=hit.killed_at,
            killed=hit.killed,
            frozen_at=hit.frozen_at,
            frozen_for=hit.frozen_for,
        )
        for run, hit in zip(drawn, hits, strict=True)
    )
    people = tuple(replace(person, group="crew") for person in scenario.people)
    at = tuple(sorted(struck, key=lambda run: run.at))
    day = replace(scenario, seed=seed, setup=setup, people=people, runs=at, changes=())
    return _with_later_features(random, day)


def _with_later_features(random: Random, day: Scenario) -> Scenario:
    """Drawn last, so that most kept seeds have the days for which they are kept."""
    if random.random() < 0.2:
        budget = 0.0 if day.setup.rate_limit == 2 else day.setup.time_budget  # two messages to each take minutes
        day = replace(day, setup=replace(day.setup, all_clear_tell=True, time_budget=budget))
    if random.random() < 0.15:
        person = random.randrange(len(day.people))
        wayward = (replace(each, opt_out="off") if n == person else each for n, each in enumerate(day.people))
        change = Change(random.uniform(0, MORNING), "opt_in", person)
        day = replace(day, people=tuple(wayward), changes=(change,))
    return day
