"""The command line: `python -m tests.simulation [--seeds N] [--from S] [--seed S] [--trace] [--mutants] [--kept]`."""

import argparse
import os
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent
KEPT = HERE / "kept_seeds.txt"
SHOWN = 3  # failing seeds that are shrunk and shown


def main() -> int:
    if os.environ.get("PYTHONHASHSEED") != "0":  # sets of texts have one order then, and a seed replays identically
        command = [sys.executable, "-m", "tests.simulation", *sys.argv[1:]]
        os.execve(sys.executable, command, {**os.environ, "PYTHONHASHSEED": "0"})  # noqa: S606
    given = _arguments()
    if given.mutants:
        from tests.simulation.mutants import show_table

        return show_table(given.seeds or 2000, given.only)
    if given.seed is not None:
        return _one(given.seed, is_whole=given.trace)
    if given.kept:
        return _many(kept_seeds())
    from tests.simulation.alarm_day import FROM

    first = given.start if given.start is not None else random.SystemRandom().randrange(10**9)
    first += FROM if given.alarms else 0
    return _many(range(first, first + (given.seeds or 1000)))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description="Simulates days from seeds.")
    parser.add_argument("--seeds", type=int, help="how many (1000; with --mutants 2000)")
    parser.add_argument("--from", type=int, dest="start", metavar="S", help="the first of them (else at random)")
    parser.add_argument("--alarms", action="store_true", help="days of one alarm")
    parser.add_argument("--seed", type=int, metavar="S", help="one seed: its day, shrunk if it fails")
    parser.add_argument("--trace", action="store_true", help="with --seed: the whole day, not shrunk")
    parser.add_argument("--kept", action="store_true", help="the seeds of kept_seeds.txt")
    parser.add_argument("--mutants", action="store_true", help="after how many seeds each mutant of lib is found")
    parser.add_argument("--only", default="", metavar="WORD", help="with --mutants: those whose name has this word")
    return parser.parse_args()


def kept_seeds() -> list[int]:
    """Each line has a seed and why it is kept."""
    lines = KEPT.read_text().splitlines()
    return [int(line.split()[0]) for line in lines if line.strip() and not line.startswith("#")]


def _many(seeds: Sequence[int]) -> int:
    from tests.simulation.runner import Result, cores, run_seeds

    began = time.perf_counter()
    failed: list[Result] = []
    print(f"{len(seeds)} seeds from {seeds[0]} on, {cores()} processes", flush=True)
    for result in run_seeds(seeds, cores()):
        if result.broken:
            failed.append(result)
            print(f"seed {result.seed}: {result.broken[0]}", flush=True)
    took = time.perf_counter() - began
    print(f"{len(failed)} of {len(seeds)} seeds failed, in {took:.0f} s, {len(seeds) / took:.0f} a second")
    _explain(failed)
    return 1 if failed else 0


def _explain(failed: "Sequence[object]") -> None:
    """A few of them, one for each promise, made small."""
    seen: set[str] = set()
    for result in failed:
        promise = result.broken[0].promise  # type: ignore[attr-defined]
        if promise not in seen and len(seen) < SHOWN:
            seen.add(promise)
            _one(result.seed, is_whole=False)  # type: ignore[attr-defined]


def _one(seed: int, *, is_whole: bool) -> int:
    from tests.simulation.generate import generate
    from tests.simulation.runner import Simulator
    from tests.simulation.trace import trace

    simulator, scenario = Simulator(), generate(seed)
    history, broken = simulator.played(scenario)
    if broken and not is_whole:
        scenario = simulator.smallest(scenario, broken[0].promise)
        history, broken = simulator.played(scenario)
    print("\n".join(trace(history)))
    for violation in broken:
        print(f"BROKEN {violation}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
