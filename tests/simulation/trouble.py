"""Draws the trouble of a day, within the assumptions: faults, outages, and what others do."""

from random import Random

from tests.simulation.assumptions import JOURNAL_AWAY, MOST_LATE
from tests.simulation.faults import CHANNEL_EFFECTS, DOUBTFUL, LATE, REFUSALS, REJECTIONS
from tests.simulation.scenario import MORNING, Change, Fault, Outage, Platform, Setup

HURT = (*DOUBTFUL, "slow", *REFUSALS)
ROUTE_WEIGHTS = {
    "create": 50, "inbox": 12, "write": 12, "rows": 8, "change": 6, "users": 4, "user": 4, "profile": 2, "settings": 1,
}  # fmt: skip


def draw_faults(random: Random, platform: Platform, setup: Setup) -> tuple[Fault, ...]:
    routes, weights = list(ROUTE_WEIGHTS), list(ROUTE_WEIGHTS.values())
    faults = {}
    for _ in range(random.choice((0, 1, 1, 2, 3, 5))):
        route = random.choices(routes, weights)[0]
        effect = random.choice(HURT)
        if route in ("create", "user", "change") and random.random() < 0.15:
            effect = random.choice(REJECTIONS)
        fault = Fault(route, random.randint(1, 12), effect, _seconds(random, effect, platform))
        faults[fault.route, fault.nth] = fault
    if setup.fallback:
        for nth in range(1, 4):
            effect = random.choice(("takes", *CHANNEL_EFFECTS))
            faults["channel", nth] = Fault("channel", nth, effect)
        if random.random() < 0.6:
            nth = random.randint(1, 4)
            faults["create", nth] = Fault("create", nth, random.choice(REJECTIONS))
    return tuple(faults.values())


def _seconds(random: Random, effect: str, platform: Platform) -> float:
    """What an effect needs; late and shown late together keep to the assumption."""
    most = MOST_LATE - 1.5 - platform.inbox_late
    if effect in LATE:
        return round(random.choice((random.uniform(0, 5), random.uniform(0, most))), 2)
    if effect in ("slow", "twice", "twice_502"):
        return round(random.choice((random.uniform(0, 4), random.uniform(0, most))), 2)
    return 0.0


def draw_outages(random: Random, *, is_alone: bool) -> tuple[Outage, ...]:
    """Of TagoIO, or of the journal alone; the journal's is long only where no two runs have one event."""
    outages = []
    if random.random() < 0.12:
        start = random.uniform(0, MORNING)
        effect = random.choice(("502_before", "503_before", "refused", "lost", "504_before", "500_after", "429"))
        outages.append(Outage(("create",), start, start + random.choice((3.0, 15.0, 50.0)), effect))
    if random.random() < 0.12:
        start = random.uniform(0, MORNING)
        effect = random.choice(("502_before", "lost", "refused", "429_hint", "500_after"))
        lasting = random.choice((60.0, JOURNAL_AWAY)) if is_alone else random.uniform(1, JOURNAL_AWAY)
        outages.append(Outage(("write", "rows"), start, start + lasting, effect))
    if is_alone and random.random() < 0.2:
        outages.append(Outage(("write",), random.uniform(0, MORNING), 2 * MORNING, "400"))  # the device is full
    if random.random() < 0.06:
        start = random.uniform(0, MORNING)
        outages.append(Outage(("inbox",), start, start + 30.0, random.choice(("502_before", "lost"))))
    return tuple(outages)


def draw_changes(random: Random, people: int) -> tuple[Change, ...]:
    changes = []
    for _ in range(random.choice((0, 0, 0, 1, 2))):
        what = random.choice(("delete", "deactivate", "rename", "join", "read", "read"))
        changes.append(Change(random.uniform(0, 2 * MORNING), what, random.randrange(people)))
    return tuple(changes)
