"""Mutants on trial: pytest collects the tests of a module once, and each mutant meets, in a fork, those that come by.

A mutant inside a function takes effect as that function's code. Any other, and one that survives so, is loaded in place
of the module, and the tests are collected anew.
"""

import ast
import gc
import importlib
import os
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any

import pytest
from hypothesis import settings

from tests.mutation.fork import Tell, in_fork
from tests.mutation.operators import Mutant, mutants_of
from tests.simulation.mutation import ROOT, Mutating, Mutation

SLOW = 3.0  # seconds: a test that takes longer is left out
PATIENCE = 10.0  # times as long as the tests take by themselves, and at least so many seconds
OURS = ("lib", "tests", "analysis")
OPTIONS = (
    "-x",
    "-s",
    "--assert=plain",
    "-o",
    "addopts=",
    "-p",
    "no:cacheprovider",
    "-p",
    "no:xdist",
    "-p",
    "no:terminal",
)


class UnfitError(Exception):
    """The tests of a module fail without any mutant, or there are none."""


@dataclass(frozen=True, slots=True)
class Result:
    mutant: Mutant
    is_killed: bool
    tests: int  # that come by


def results_of(module: str, files: Sequence[str]) -> Iterator[Result]:
    """Of every mutant of a module, against the tests in these files."""
    mutants = list(mutants_of(source_of(module)))
    warm_up(files)
    seconds: dict[str, float] = {}
    results: list[Result] = []
    for told in in_fork(lambda tell: tell({"ended": run_pytest(files, Court(module, mutants, tell))}), None):
        if "problem" in told:
            raise UnfitError(f"{module}: {told['problem']}")
        if "seconds" in told:
            seconds = told["seconds"]
        elif "place" in told:
            results.append(Result(mutants[told["place"]], told["is_killed"], told["tests"]))
    if not seconds:
        raise UnfitError(f"{module}: pytest did not come to its tests")
    results += [Result(mutant, False, len(seconds)) for mutant in mutants if not mutant.is_in_function]
    for result in results:
        is_killed = result.is_killed
        if not is_killed:  # or a test met it while it was collected, which is over when its code is changed
            anew = partial(load_anew, module, result.mutant, files, seconds)
            is_killed = list(in_fork(anew, patience(seconds))) != [0]
        yield Result(result.mutant, is_killed, result.tests)


def warm_up(files: Sequence[str]) -> None:
    """Import what the tests import, so that it is there in every fork; but nothing of ours."""
    names = [file.removesuffix(".py").replace("/", ".") for file in files]
    for name in names:
        importlib.import_module(name)
    for name in list(sys.modules):
        if (name in names or name.split(".")[0] in OURS) and not is_kept(name):
            del sys.modules[name]


def is_kept(name: str) -> bool:
    return name in ("tests", "tests.simulation") or name.startswith(("tests.mutation", "tests.simulation.mutation"))


def source_of(module: str) -> str:
    return ROOT.joinpath(*module.split(".")).with_suffix(".py").read_text()


def run_pytest(files: Sequence[str], plugin: object) -> int:
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    return int(pytest.main([*OPTIONS, *(str(ROOT / file) for file in files)], plugins=[plugin]))


def load_anew(module: str, mutant: Mutant, files: Sequence[str], seconds: dict[str, float], tell: Tell) -> None:
    """Tells pytest's exit code where the module is loaded with the mutant in it."""
    sys.meta_path.insert(0, Mutating([Mutation(module, source_of(module), ast.unparse(mutant.make()))]))
    tell(run_pytest(files, Chosen(seconds)))


def patience(seconds: dict[str, float]) -> float:
    return max(PATIENCE, PATIENCE * sum(seconds.values()))


class Chosen:
    """Of the tests only these, the fastest first."""

    def __init__(self, seconds: dict[str, float]) -> None:
        self.seconds = seconds

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = sorted((each for each in items if each.nodeid in self.seconds), key=self._seconds)

    def _seconds(self, item: pytest.Item) -> float:
        return self.seconds[item.nodeid]

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        settings.register_profile("mutation", parent=settings.default, derandomize=True, database=None)
        settings.load_profile("mutation")


class Court(Chosen):
    """Takes the place of pytest's loop over the tests."""

    def __init__(self, module: str, mutants: Sequence[Mutant], tell: Tell) -> None:
        super().__init__({})
        self.module, self.mutants, self.tell = module, mutants, tell
        self.by_line: dict[int, set[str]] = defaultdict(set)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        pass

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        fault = self._learn(session.items)
        if fault or not self.seconds:
            self.tell({"problem": fault or "no test"})
            return True
        self.tell({"seconds": self.seconds})
        items = sorted((each for each in session.items if each.nodeid in self.seconds), key=self._seconds)
        for place, mutant in enumerate(self.mutants):
            if mutant.is_in_function:
                names: set[str] = set().union(*(self.by_line[line] for line in mutant.lines))
                chosen = [each for each in items if each.nodeid in names]
                is_killed = bool(chosen) and self._is_killed(session, mutant, chosen)
                self.tell({"place": place, "is_killed": is_killed, "tests": len(chosen)})
        return True

    def _is_killed(self, session: pytest.Session, mutant: Mutant, chosen: Sequence[pytest.Item]) -> bool:
        def work(tell: Tell) -> None:
            put_in(sys.modules[self.module], mutant.make())
            tell(run(session, chosen))

        expected = patience({each.nodeid: self.seconds[each.nodeid] for each in chosen})
        return list(in_fork(work, expected)) != [True]

    def _learn(self, items: Sequence[pytest.Item]) -> str:
        """How long each test takes, and by which lines of the module it comes. Returns what fails."""
        path = sys.modules[self.module].__file__

        def work(tell: Tell) -> None:
            for item in items:
                lines: set[int] = set()

                def follow(frame: FrameType, _event: str, _value: Any, lines: set[int] = lines) -> Any:
                    if frame.f_code.co_filename != path:
                        return None
                    lines.add(frame.f_lineno)
                    return follow

                sys.settrace(follow)
                threading.settrace(follow)
                start = time.perf_counter()
                is_good = run(item.session, [item])
                sys.settrace(None)
                tell([item.nodeid, is_good, time.perf_counter() - start, sorted(lines)])

        fault = ""
        for name, is_good, seconds, lines in in_fork(work, None):
            fault = fault or ("" if is_good else name)
            if seconds <= SLOW:
                self.seconds[name] = seconds
                for line in lines:
                    self.by_line[line].add(name)
        return fault


def run(session: pytest.Session, items: Sequence[pytest.Item]) -> bool:
    """Whether all of them pass; it ends with the first that does not."""
    for item in items:
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
        if session.testsfailed:
            return False
    return True


def put_in(module: ModuleType, tree: ast.Module) -> None:
    """Give each function that the module has made the code that it has in this tree."""
    path = str(module.__file__)
    codes = {(each.co_qualname, each.co_firstlineno): each for each in codes_in(compile(tree, path, "exec"))}
    for found in gc.get_objects():
        if isinstance(found, FunctionType) and found.__code__.co_filename == path:
            code = found.__code__
            new = codes.get((code.co_qualname, code.co_firstlineno))
            if new and code.co_freevars == new.co_freevars and code.co_name != "<lambda>":
                found.__code__ = new


def codes_in(code: CodeType) -> Iterator[CodeType]:
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield each
            yield from codes_in(each)
