"""Whether the sources mean the same in one file: each name one thing, and there when it is used."""

import builtins
import symtable
from collections.abc import Iterator

from lib.tools.bundle.imports import name_and_meaning
from lib.tools.bundle.source import STORY, BundleError, Source


def check(story: Source, above: str, modules: list[Source]) -> None:
    """Every name of the one file must stand for one thing, and be there when it is used; `above` is what stands before
    the modules. Raises BundleError."""
    sources = [story, *modules]
    owners = {name: source.path for source in reversed(sources) for name in source.names}
    problems = [*_defined_twice(sources, owners), *_imported_as_another(sources, owners), *_too_early(above, owners)]
    if problems:
        raise BundleError("\n".join(dict.fromkeys(problems)))


def _defined_twice(sources: list[Source], owners: dict[str, str]) -> Iterator[str]:
    for source in sources:
        for name in sorted(source.names):
            if owners[name] != source.path:
                yield f"{name} is defined in {owners[name]} and in {source.path}"
            elif hasattr(builtins, name):
                yield f"{name} is defined in {source.path}; the other modules would lose Python's own {name}"


def _imported_as_another(sources: list[Source], owners: dict[str, str]) -> Iterator[str]:
    meanings: dict[str, str] = {}
    for source in sources:
        for line in source.imports:
            name, meaning = name_and_meaning(line)
            if name in owners:
                yield f"{name} is imported in {source.path} and defined in {owners[name]}"
            if meanings.setdefault(name, meaning) != meaning:
                yield f"{name} means two things: '{meanings[name]}' and, in {source.path}, '{meaning}'"


def _too_early(above: str, owners: dict[str, str]) -> Iterator[str]:
    """The part to edit stands before the modules."""
    for name in sorted(set(used_at_once(symtable.symtable(above, "", "exec")))):
        if owners.get(name, STORY) != STORY:
            yield f"{STORY} uses {name} under EDIT ME outside of a function; in one file it is not there yet"


def used_at_once(table: symtable.SymbolTable) -> Iterator[str]:
    """What a part uses while it is read, not when one of its functions is called."""
    yield from (symbol.get_name() for symbol in table.get_symbols() if symbol.is_referenced() and symbol.is_global())
    for inner in table.get_children():
        if inner.get_type() == "class" or inner.get_name() in ("listcomp", "setcomp", "dictcomp", "genexpr"):
            yield from used_at_once(inner)
