"""One long day: an audience that many runs are needed for, each of which hands on to the next.

`python -m tests.simulation.long [USERS]`: all users at `limit` a minute, with a time budget of a minute and a half, and
some runs killed, after which a schedule goes on. Says how many runs it took, and what the oracle has to say.
"""

import sys
from collections import Counter
from collections.abc import Iterator

from tests.simulation.day import Day
from tests.simulation.history import History, Ran
from tests.simulation.oracle import judge
from tests.simulation.patches import Loaded
from tests.simulation.request import Request
from tests.simulation.scenario import Person, Platform, Run, Scenario, Setup

EVERY = 600.0  # seconds between two runs of the schedule
RUNS = 15.0  # of which there are some so many


def scenario(users: int) -> Scenario:
    limit = max(users // int(RUNS), 1)
    minutes = users / limit
    killed = (Run(0.0, "action", 1), Run(EVERY, "schedule", killed_at=limit // 2), Run(EVERY * 1.5, "schedule"))
    later = tuple(Run(EVERY * place, "schedule") for place in range(2, int(minutes * 60 * 3 // EVERY) + 2))
    return Scenario(
        1, Platform(limit=limit, latency=0.1), Setup(time_budget=90.0, has_buttons=True),
        tuple(Person(old=1) for _ in range(users)), killed + later,
    )  # fmt: skip


def main(users: int) -> int:
    day = Day(scenario(users), Loaded())
    day.scheduler.most_turns *= users
    history = day.play()
    told = Counter(note.user for note in history.notes())
    chain = [ran for ran in history.ran if ran.run.kind == "successor"]
    telling = {request.process for request in _creates(history)}
    twice, chains = sum(number > 1 for number in told.values()), _at_once(chain)
    print(f"{users} users, {len(telling)} runs told somebody, {len(chain)} successors; {history.trouble_ended:.0f} s")
    print(f"lost {users - len(told)}, twice {twice}, chains at once {chains}")
    broken = judge(history)
    for violation in broken[:20]:
        print(violation)
    return 1 if broken or len(told) < users or twice or chains > 1 or len(telling) < 10 else 0


def _creates(history: History) -> Iterator[Request]:
    return (request for request in history.requests if request.route == "create")


def _at_once(chain: list[Ran]) -> int:
    """How many successors were under way at the same time, at most."""
    return max((sum(other.started <= ran.started < other.over for other in chain) for ran in chain), default=0)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000))
