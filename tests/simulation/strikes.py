"""What hits a whole run at one of its requests: it is killed, or frozen for a while."""

from collections import Counter
from collections.abc import Callable

from tests.simulation.scenario import Run
from tests.simulation.scheduler import Process, Scheduler


class Strikes:
    """`killed` hears of each process that was killed."""

    def __init__(self, scheduler: Scheduler, killed: Callable[[Process], None]) -> None:
        self.scheduler = scheduler
        self.killed = killed
        self._runs: dict[Process, Run] = {}
        self._counts: Counter[Process] = Counter()

    def watch(self, process: Process, run: Run) -> None:
        self._runs[process] = run

    def count(self, process: Process) -> int:
        """The ordinal of the request that this process is about to make."""
        self._counts[process] += 1
        return self._counts[process]

    def strike(self, process: Process, number: int, phase: str) -> None:
        """`phase`: before the request is sent, when it is sent, or after its answer."""
        run = self._runs[process]
        if run.killed_at == number and run.killed == phase:
            process.is_dead = True
            self.killed(process)
            self.scheduler.hand_over()  # for ever
        if run.frozen_at == number and phase == "after":
            process.frozen_until = self.scheduler.now + run.frozen_for
            process.frozen_for = run.frozen_for
            self.scheduler.pause(0.0)
