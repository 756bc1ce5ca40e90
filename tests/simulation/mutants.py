"""Searches for the mutants of lib: after how many seeds the simulation finds each."""

import multiprocessing
import time
from collections.abc import Iterator
from dataclasses import dataclass

from tests.simulation.alarm_day import FROM
from tests.simulation.defects import MUTANTS, Mutant
from tests.simulation.mutation import GoneError
from tests.simulation.patches import preload
from tests.simulation.runner import Simulator, cores

FIRST_SEED = 500_000  # the table is the same each time


@dataclass(frozen=True, slots=True)
class Found:
    """`seeds` until it was found (0: not found), by which promise; `seed` is the one. `is_gone`: lib has changed."""

    name: str
    seeds: int = 0
    promise: str = ""
    seed: int = 0
    seconds: float = 0.0
    is_gone: bool = False


def show_table(most: int, only: str = "") -> int:
    """Print it as it comes; 1 where one was not found."""
    preload()
    chosen = [mutant for mutant in MUTANTS if only in mutant.name]
    print(f"{len(chosen)} mutants, at most {most} seeds each\n\n{'mutant':<36}{'seeds':>6}{'time':>7}  found by")
    missed = 0
    for found in _searched(chosen, most):
        missed += not found.seeds
        said = f"{found.promise} (seed {found.seed})" if found.seeds else "NOT FOUND"
        said = "its text does not stand in lib any more" if found.is_gone else said
        print(f"{found.name:<36}{found.seeds or '-':>6}{found.seconds:>6.0f}s  {said}", flush=True)
    print(f"\n{len(chosen) - missed} of {len(chosen)} found")
    return 1 if missed else 0


def _first(mutant: Mutant) -> int:
    return FIRST_SEED + (FROM if mutant.of_alarms else 0)


def _searched(chosen: list[Mutant], most: int) -> Iterator[Found]:
    """Each in a process of its own: lib is loaded once in a process. A seed that lib fails without the mutant proves
    nothing of it."""
    context = multiprocessing.get_context("fork")
    with context.Pool(cores(), maxtasksperchild=1) as pool:
        for mutant, found in zip(
            chosen, pool.imap(_search, [(each, 0, most) for each in chosen], chunksize=1), strict=True
        ):
            while found.seeds and not pool.apply(_is_kept_without, (found.seed,)):
                found = pool.apply(_search, ((mutant, found.seeds, most),))
            yield found


def _is_kept_without(seed: int) -> bool:
    return not next(Simulator().results([seed])).broken


def _search(given: tuple[Mutant, int, int]) -> Found:
    mutant, tried, most = given
    began = time.perf_counter()
    try:
        simulator = Simulator(mutant.mutations)
    except GoneError:
        return Found(mutant.name, is_gone=True)
    first = _first(mutant)
    for number, result in enumerate(simulator.results(range(first + tried, first + most)), tried + 1):
        if result.broken:
            seconds = time.perf_counter() - began
            return Found(mutant.name, number, result.broken[0].promise, result.seed, seconds)
        if number % 25 == 0:
            simulator.clear_up()
    return Found(mutant.name, seconds=time.perf_counter() - began)
