"""The mutants that are made, and that one is killed by a test that can fail and survives where none can."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutation.__main__ import read_reasons
from tests.mutation.operators import mutants_of
from tests.simulation.mutation import ROOT


@pytest.mark.parametrize(
    ("source", "mutants"),
    [
        ("a < b", ["a <= b", "a >= b"]),
        ("a and b", ["a or b"]),
        ("not a", ["a"]),
        ("a + 2", ["a - 2", "3"]),
        ("x = True", ["False"]),
        ("min(a)", ["pass", "max(a)"]),
        ("a.b = c", ["pass"]),
        ("[a for a in b if c]", ["(_ for a in b)"]),
        ("def f():\n 'About.'\n return a or b", ["return None", "return not (a or b)", "a and b"]),
        ("if a: b", ["if True", "if False"]),
        ("def f(a: 'int' = 1): ...", ["2"]),
    ],
)
def test_each_place_is_changed_as_a_mistake_would_change_it(source: str, mutants: list[str]) -> None:
    found = [mutant.what.partition(" => ")[2] for mutant in mutants_of(source)]
    assert sorted(found) == sorted(mutants)


def test_a_mutant_differs_from_the_source_and_is_python() -> None:
    source = (ROOT / "lib" / "campaign" / "lease.py").read_text()
    for mutant in mutants_of(source):
        assert ast.unparse(mutant.make()) != ast.unparse(ast.parse(source)), mutant.what
        compile(mutant.make(), "lease.py", "exec")


def test_a_mutant_is_killed_by_a_test_that_can_fail_and_survives_where_none_can(tmp_path: Path) -> None:
    """In a project of its own, with a rule of two sides and a test of one of them."""
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "rule.py").write_text("MOST = 5\n\n\ndef is_many(number):\n    return number > MOST\n")
    (tmp_path / "check.py").write_text("from lib.rule import is_many\n\n\ndef test_it():\n    assert is_many(7)\n")
    run = (
        "from pathlib import Path; from tests.mutation import trial; from tests.simulation import mutation\n"
        "trial.ROOT = mutation.ROOT = Path.cwd()\n"
        "for each in trial.results_of('lib.rule', ['check.py']): print(each.is_killed, each.mutant.what)\n"
    )
    done = subprocess.run([sys.executable, "-c", run], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert sorted(done.stdout.splitlines()) == [
        "False 5 => 6",
        "False number > MOST => number >= MOST",
        "True number > MOST => number <= MOST",
        "True return number > MOST => return None",
        "True return number > MOST => return not number > MOST",
    ], done.stderr


def test_a_survivor_has_a_name_and_a_reason() -> None:
    reasons = read_reasons((ROOT / "tests" / "mutation" / "survivors.txt").read_text())
    assert all(name.startswith("lib.") and " => " in name and len(reason) > 10 for name, reason in reasons.items())
