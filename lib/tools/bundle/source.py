"""Reads a file of the sources: its lines, what it imports of lib/ and of others, and what it defines."""

import ast
import io
import symtable
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

STORY = "analysis.py"


class BundleError(Exception):
    """The sources cannot be laid into one file; says which names or imports are in the way."""


@dataclass(frozen=True)
class Source:
    """A file, and its lines without docstring, without imports of other files, and without what is imported on top.

    `needs` are the modules that must stand before it, `later` those that it uses only once it runs (an import in a
    function); of both, the names that it takes from each.
    """

    path: str
    summary: str
    lines: list[str]
    imports: tuple[str, ...]
    needs: dict[str, set[str]]
    later: dict[str, set[str]]
    names: frozenset[str]

    @property
    def code(self) -> str:
        return "".join(self.lines).strip() + "\n"


def read(path: str, text: str) -> Source:
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise BundleError(f"{path}, line {error.lineno}: {error.msg}") from error
    lines = lines_of(text)
    needs: defaultdict[str, set[str]] = defaultdict(set)
    later: defaultdict[str, set[str]] = defaultdict(set)
    imports: list[str] = []
    for block in _blocks(tree):
        for node in block:
            if not isinstance(node, ast.Import | ast.ImportFrom):
                continue
            ours = _ours(path, node)
            if ours is None and block is not tree.body:
                continue  # a module of others', imported late, stays where it is
            if ours is None:
                imports += _import_lines(node)
            else:
                (later if _is_late(path, tree, ours) else needs)[str(ours.module)] |= _names_taken(ours)
            _take_out(path, lines, node, instead="pass" if block is not tree.body and len(block) == 1 else "")
    docstring = ast.get_docstring(tree) or ""
    if docstring and path != STORY:
        _take_out(path, lines, tree.body[0])
    names = frozenset(_names_of("".join(lines)))
    return Source(path, docstring.split("\n\n")[0], lines, tuple(imports), needs, later, names)


def lines_of(text: str) -> list[str]:
    """As Python counts them: `splitlines` would part a line at every form feed too."""
    return io.StringIO(text).readlines()


def _blocks(tree: ast.Module) -> Iterator[list[ast.stmt]]:
    """Every list of statements: of the file, of functions, of branches."""
    holders: list[ast.AST] = [tree]
    for holder in holders:  # it grows meanwhile
        for part in ("body", "orelse", "finalbody"):
            block = getattr(holder, part, None)
            if isinstance(block, list):
                yield block
                holders += block
        holders += [*getattr(holder, "handlers", ()), *getattr(holder, "cases", ())]


def _ours(path: str, node: ast.Import | ast.ImportFrom) -> ast.ImportFrom | None:
    """An import of lib/. Raises BundleError for one that cannot be laid into one file."""
    where = f"{path}, line {node.lineno}"
    if isinstance(node, ast.Import):
        if any(_is_of_lib(alias.name) for alias in node.names):
            raise BundleError(f"{where}: write 'from lib.… import name'; in one file there is no module to name")
        return None
    if node.level:
        raise BundleError(f"{where}: a relative import; write 'from lib.… import name'")
    if node.module == "__future__":
        raise BundleError(f"{where}: an import from __future__ would change all of the one file")
    if any(alias.name == "*" for alias in node.names):
        raise BundleError(f"{where}: an import with a star hides which names it brings")
    if not _is_of_lib(str(node.module)):
        return None
    if any(alias.asname for alias in node.names):
        raise BundleError(f"{where}: an import from lib with an alias; in one file there is only the name itself")
    return node


def _is_of_lib(module: str) -> bool:
    return module.split(".")[0] == "lib"


def _names_taken(node: ast.ImportFrom) -> set[str]:
    return {alias.name for alias in node.names}


def _is_late(path: str, tree: ast.Module, node: ast.ImportFrom) -> bool:
    """Whether an import is needed only when a function is called, or by who checks types. It is taken out, for its name
    is there already; so that name must not stand for another thing around it. Raises BundleError."""
    if node in tree.body:
        return False
    is_late = False
    for outer in ast.walk(tree):
        if isinstance(outer, ast.ClassDef) and node in outer.body:
            raise BundleError(f"{path}, line {node.lineno}: an import from lib in the body of a class")
        is_function = isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef)
        is_for_types = isinstance(outer, ast.If) and ast.unparse(outer.test).endswith("TYPE_CHECKING")
        if not (is_function or is_for_types) or not any(inner is node for inner in ast.walk(outer)):
            continue
        is_late = True
        for name, line in _bound_within(outer):
            if is_function and name in _names_taken(node):
                raise BundleError(f"{path}, line {line}: {name} is imported from lib and is another thing as well")
    return is_late


def _bound_within(function: ast.AST) -> Iterator[tuple[str, int]]:
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node is not function:
            yield node.name, node.lineno


def _take_out(path: str, lines: list[str], node: ast.stmt, instead: str = "") -> None:
    """Blank the lines of a statement; the number of lines stays, so that line numbers go on counting."""
    first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
    before = lines[first].encode()[: node.col_offset].decode()
    after = lines[last].encode()[node.end_col_offset :].decode().strip()
    if before.strip() or after.startswith(";"):
        raise BundleError(f"{path}, line {node.lineno}: a statement that has its line not to itself")
    lines[first : last + 1] = [f"{before}{instead}\n" if instead else "", *[""] * (last - first)]


def _names_of(code: str) -> Iterator[str]:
    """What a file defines at its top, in branches too."""
    for symbol in symtable.symtable(code, "", "exec").get_symbols():
        if symbol.is_assigned() or symbol.is_imported():
            yield symbol.get_name()


def _import_lines(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    """A line for each name, so that the lines of all modules can be merged."""
    for alias in node.names:
        named = f"{alias.name} as {alias.asname}" if alias.asname else alias.name
        yield f"from {node.module} import {named}" if isinstance(node, ast.ImportFrom) else f"import {named}"
