"""Are the tests able to fail? `python -m tests.mutation [MODULE…] [--list]` changes lib in one place at a time.

Of each module, or all in targets.py: the mutants, those that a test killed, and the survivors. A survivor that is named
in survivors.txt, with the reason why no test can or should kill it, counts as explained. It ends with 1 where less than
95 % of all are killed, or a survivor has no reason.
"""

import argparse
import sys
from collections import Counter
from pathlib import Path

from tests.mutation.targets import MODULES, files_for
from tests.mutation.trial import Result, results_of

SURVIVORS = Path(__file__).with_name("survivors.txt")
WANTED = 0.95


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="tests.mutation", description=__doc__)
    parser.add_argument(
        "modules", nargs="*", metavar="MODULE", help="such as lib.campaign.lease; all when none is named"
    )
    parser.add_argument("--list", action="store_true", help="show every mutant with what became of it")
    given = parser.parse_args(arguments)
    reasons = read_reasons(SURVIVORS.read_text())
    counts: Counter[str] = Counter()
    for module in given.modules or MODULES:
        found = judge(module, files_for(module), reasons, show_all=given.list)
        print(f"{module}: {summed(found)}", flush=True)
        counts += found
    print(f"All: {summed(counts)}")
    return 0 if not counts["unexplained"] and counts["killed"] >= WANTED * counts.total() else 1


def judge(module: str, files: tuple[str, ...], reasons: dict[str, str], *, show_all: bool = False) -> Counter[str]:
    """How many mutants were killed, and how many survive with a reason and without one."""
    counts: Counter[str] = Counter()
    for result in results_of(module, files):
        name = name_of(module, result)
        fate = "killed" if result.is_killed else "explained" if name in reasons else "unexplained"
        counts[fate] += 1
        if show_all or fate == "unexplained":
            print(f"{fate:11} {name}  (line {result.mutant.lines[0]}, {result.tests} tests)", flush=True)
    return counts


def summed(counts: Counter[str]) -> str:
    killed, total = counts["killed"], counts.total()
    share = f"{total} mutants, {killed} killed ({killed / max(total, 1):.1%})"
    return f"{share}, {counts['explained']} survivors explained, {counts['unexplained']} not"


def name_of(module: str, result: Result) -> str:
    return f"{module} {result.mutant.where or '-'}: {result.mutant.what}"


def read_reasons(text: str) -> dict[str, str]:
    """A line `module function: was => is | reason` for each survivor."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return {name.strip(): reason.strip() for name, _, reason in (line.rpartition(" | ") for line in lines)}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
