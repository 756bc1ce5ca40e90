"""Runs many seeds, one process per core, and says which of them failed."""

import gc
import multiprocessing
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from tests.simulation.day import play
from tests.simulation.generate import generate
from tests.simulation.history import History
from tests.simulation.mutation import Mutation
from tests.simulation.oracle import judge
from tests.simulation.patches import Loaded, preload
from tests.simulation.scenario import Scenario
from tests.simulation.shrink import shrunk
from tests.simulation.violation import Violation

CHUNK = 25  # seeds that a process takes at once; then it clears up
DEPTH = 20_000  # a greenlet counts its calls on from the depth of the one that switches to it first


@dataclass(frozen=True, slots=True)
class Result:
    """Of one seed: what was broken."""

    seed: int
    broken: tuple[Violation, ...]


class Simulator:
    """lib, loaded once in this process, with these defects; it plays one scenario after another."""

    def __init__(self, mutations: Sequence[Mutation] = ()) -> None:
        self.lib = Loaded(mutations)
        sys.setrecursionlimit(DEPTH)
        gc.collect()
        gc.freeze()
        gc.disable()

    def played(self, scenario: Scenario) -> tuple[History, list[Violation]]:
        history = play(scenario, self.lib)
        return history, judge(history)

    def results(self, seeds: Iterable[int]) -> Iterator[Result]:
        for seed in seeds:
            yield Result(seed, tuple(self.played(generate(seed))[1]))

    def clear_up(self) -> None:
        gc.collect()

    def smallest(self, scenario: Scenario, promise: str) -> Scenario:
        """The smallest scenario that breaks the same promise."""

        def fails(candidate: Scenario) -> bool:
            return any(violation.promise == promise for violation in self.played(candidate)[1])

        return shrunk(scenario, fails)


def run_seeds(seeds: Sequence[int], processes: int) -> Iterator[Result]:
    """In no particular order."""
    preload()
    chunks = _chunks(seeds)
    if processes <= 1:
        for chunk in chunks:
            yield from _results(chunk)
        return
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        for results in pool.imap_unordered(_results, chunks):
            yield from results


def cores() -> int:
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


_simulator: list[Simulator] = []  # of this process


def _results(seeds: Sequence[int]) -> list[Result]:
    if not _simulator:
        _simulator.append(Simulator())
    results = list(_simulator[0].results(seeds))
    _simulator[0].clear_up()
    return results


def _chunks(seeds: Sequence[int]) -> list[list[int]]:
    remaining = iter(seeds)
    return list(iter(lambda: list(islice(remaining, CHUNK)), []))
