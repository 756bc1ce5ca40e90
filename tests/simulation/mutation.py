"""A defect that is put into lib while it is loaded: a piece of a module's text, and what stands there instead."""

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Mutation:
    module: str
    old: str
    new: str


class GoneError(Exception):
    """A mutation's text does not stand in lib (any more)."""


class Mutating:
    """Finds the modules of lib that are to be mutated, before Python finds them as they are."""

    def __init__(self, mutations: Sequence[Mutation]) -> None:
        self.mutations = mutations

    def find_spec(self, name: str, _path: Any = None, _target: Any = None) -> ModuleSpec | None:
        if not any(each.module == name for each in self.mutations):
            return None
        return importlib.util.spec_from_loader(name, self)  # type: ignore[arg-type]

    def create_module(self, _spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        path = ROOT.joinpath(*module.__name__.split(".")).with_suffix(".py")
        text = path.read_text()
        for each in self.mutations:
            if each.module == module.__name__:
                if each.old not in text:
                    raise GoneError(f"{each.module} has no {each.old!r}")
                text = text.replace(each.old, each.new)
        exec(compile(text, str(path), "exec"), module.__dict__)  # noqa: S102  # that is what a mutation is
