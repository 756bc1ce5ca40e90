"""`python -m lib.tools.bundle [-o FILE]`: analysis.py and what it needs of lib/ as one readable file for TagoIO.

The header and the docstring come first, then the part to edit, then the modules under banners, and the entrypoint last.
Comments are kept, nothing is encoded, and the same sources give the same file to the letter. What would mean another
thing in one file than in many is refused, with the names of what is in the way.
"""

import argparse
import ast
import builtins
import io
import re
import symtable
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LINE = 120
LARGEST = 1024 * 1024  # bytes; mcp's upload tool takes no more, TagoIO itself 5 MB
EDIT_ME = re.compile(r"^# -+ EDIT ME *$", re.MULTILINE)
ENTRYPOINT = re.compile(r"^# -+ the entrypoint *$", re.MULTILINE)
STORY = "analysis.py"


class BundleError(Exception):
    """The sources cannot be laid into one file; says which names or imports are in the way."""


@dataclass(frozen=True)
class Bundle:
    """The one file, and of it what the developer may have written: the part between its two marker lines."""

    text: str
    edit_me: str


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


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m lib.tools.bundle", description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=Path("notify.py"), help="the file to write (notify.py)")
    output: Path = parser.parse_args(arguments).output
    try:
        text = bundle(ROOT).text
        output.write_text(text, encoding="utf-8", newline="\n")
    except BundleError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except OSError as error:
        why = error.strerror if output.parent.is_dir() else f"there is no folder {output.parent}"
        sys.stderr.write(f"{output} cannot be written: {why}\n")
        return 1
    print(f"{output}: {len(text.encode()) / 1024:.0f} KiB of {LARGEST // 1024} KiB")
    return 0


def bundle(root: Path) -> Bundle:
    """The one file of the sources in `root`. Raises BundleError."""
    written = _text_of(root / STORY, STORY)
    story = _read(STORY, written)
    begin, end = (_line_of(marker, written) for marker in (EDIT_ME, ENTRYPOINT))
    if begin > end:
        raise BundleError(f"{STORY} has the line '# ---- the entrypoint' before the line '# ---- EDIT ME'")
    modules = _in_order(root, story)
    _check(story, "".join(story.lines[begin:end]), modules)
    head = written[: _end_of_docstring(written)].rstrip()
    constants = "".join(story.lines[:begin]).removeprefix(head).strip()
    parts = [
        f"{head}\n\n{_merged_imports({line for source in [*modules, story] for line in source.imports})}",
        *([f"{constants}\n"] if constants else []),
        "".join(story.lines[begin:end]).strip() + "\n",
        *(f"{_banner(module)}\n\n{module.code}" for module in modules),
        "".join(story.lines[end:]).strip() + "\n",
    ]
    text = parts[0] + "\n" + "\n\n".join(parts[1:])
    if len(text.encode()) > LARGEST:
        raise BundleError(f"the bundle has {len(text.encode())} bytes; {LARGEST} is the most that can be uploaded")
    return Bundle(text, "".join(_lines_of(written)[begin:end]))


def _text_of(file: Path, path: str) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BundleError(f"{path} cannot be read: {error}") from error


def _lines_of(text: str) -> list[str]:
    """As Python counts them: `splitlines` would part a line at every form feed too."""
    return io.StringIO(text).readlines()


def _line_of(marker: re.Pattern[str], written: str) -> int:
    """The number of the one line that a marker matches, from 0."""
    found = [written.count("\n", 0, match.start()) for match in marker.finditer(written)]
    if len(found) != 1:
        name = "EDIT ME" if marker is EDIT_ME else "the entrypoint"
        raise BundleError(f"{STORY} needs one line '# ---- {name}' and has {len(found)}")
    return found[0]


def _in_order(root: Path, story: Source) -> list[Source]:
    """The modules that are needed, each after those that it must find there."""
    done: dict[str, Source] = {}
    waiting: list[tuple[Source, dict[str, set[str]]]] = [(story, {**story.needs, **story.later})]

    def add(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            circle = " -> ".join(map(_path_of, [*path[path.index(name) :], name]))
            raise BundleError(f"imports go round in a circle: {circle}")
        if name in done:
            return
        module = _read(_path_of(name), _text_of(root / _path_of(name), _path_of(name)))
        for needed in module.needs:
            add(needed, (*path, name))
        done[name] = module
        waiting.append((module, module.later))

    while waiting:
        for name in waiting.pop(0)[1]:
            add(name, ())
    for source in [story, *done.values()]:
        for name, taken in [*source.needs.items(), *source.later.items()]:
            for missing in sorted(taken - _bound_in(done[name])):
                raise BundleError(f"{source.path} imports {missing} of {_path_of(name)}, which has no such name")
    return list(done.values())


def _path_of(name: str) -> str:
    return f"{name.replace('.', '/')}.py"


def _bound_in(source: Source) -> set[str]:
    """All names that can be imported from a file, as it stands."""
    taken = {name for names in source.needs.values() for name in names}
    return {*source.names, *taken, *(_name_and_meaning(line)[0] for line in source.imports)}


def _read(path: str, text: str) -> Source:
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise BundleError(f"{path}, line {error.lineno}: {error.msg}") from error
    lines = _lines_of(text)
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


def _blocks(tree: ast.Module) -> Iterator[list[ast.stmt]]:
    """Every list of statements: of the file, of functions, of branches."""
    for node in ast.walk(tree):
        for part in ("body", "orelse", "finalbody"):
            block = getattr(node, part, None)
            if isinstance(block, list):
                yield block


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


def _name_and_meaning(line: str) -> tuple[str, str]:
    """The name that an import line binds, and what it then stands for: `import a.b` binds a."""
    name = line.split(" as ")[-1].split()[-1]
    is_dotted = line.startswith("import ") and " as " not in line
    return (name.split(".")[0], f"import {name.split('.')[0]}") if is_dotted else (name, line)


def _merged_imports(lines: set[str]) -> str:
    """The imports of all modules as one block, in the order that ruff wants."""
    plain = {line for line in lines if line.startswith("import ")}
    names: defaultdict[str, list[str]] = defaultdict(list)
    for line in lines - plain:
        _, module, _, name = line.split(" ", 3)
        names[module].append(name)
    sections = []
    for is_ours in (True, False):  # of the standard library, then the others
        here = sorted(line for line in plain if _is_standard(line.split()[1]) is is_ours)
        here += [_from_line(module, names[module]) for module in sorted(names) if _is_standard(module) is is_ours]
        sections.append("\n".join(here))
    return "\n\n".join(filter(None, sections)) + "\n"


def _is_standard(module: str) -> bool:
    return module.split(".")[0] in sys.stdlib_module_names


def _from_line(module: str, names: list[str]) -> str:
    """Constants, then classes, then the rest; one with an alias has a line of its own."""
    kinds = sorted((name for name in names if " as " not in name), key=lambda name: (_kind(name), name))
    aliased = [f"from {module} import {name}" for name in sorted(names) if " as " in name]
    line = f"from {module} import {', '.join(kinds)}"
    if len(line) > LINE:
        line = f"from {module} import (\n" + "".join(f"    {name},\n" for name in kinds) + ")"
    return "\n".join([*([line] if kinds else []), *aliased])


def _kind(name: str) -> int:
    return 0 if name.isupper() and len(name) > 1 else 1 if name[0].isupper() else 2


def _check(story: Source, edit_me: str, modules: list[Source]) -> None:
    """Every name of the one file must stand for one thing, and be there when it is used. Raises BundleError."""
    sources = [story, *modules]
    owners = {name: source.path for source in reversed(sources) for name in source.names}
    problems = [*_defined_twice(sources, owners), *_imported_as_another(sources, owners), *_too_early(edit_me, owners)]
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
            name, meaning = _name_and_meaning(line)
            if name in owners:
                yield f"{name} is imported in {source.path} and defined in {owners[name]}"
            if meanings.setdefault(name, meaning) != meaning:
                yield f"{name} means two things: '{meanings[name]}' and, in {source.path}, '{meaning}'"


def _too_early(edit_me: str, owners: dict[str, str]) -> Iterator[str]:
    """The part to edit stands before the modules."""
    for name in sorted(set(_used_at_once(symtable.symtable(edit_me, "", "exec")))):
        if owners.get(name, STORY) != STORY:
            yield f"{STORY} uses {name} under EDIT ME outside of a function; in one file it is not there yet"


def _used_at_once(table: symtable.SymbolTable) -> Iterator[str]:
    """What a part uses while it is read, not when one of its functions is called."""
    yield from (symbol.get_name() for symbol in table.get_symbols() if symbol.is_referenced() and symbol.is_global())
    for inner in table.get_children():
        if inner.get_type() == "class" or inner.get_name() in ("listcomp", "setcomp", "dictcomp", "genexpr"):
            yield from _used_at_once(inner)


def _end_of_docstring(story: str) -> int:
    node = ast.parse(story).body[0]
    return sum(len(line) for line in _lines_of(story)[: node.end_lineno])


def _banner(module: Source) -> str:
    rule = "# " + "=" * 100
    summary = "\n".join(f"# {line}" for line in module.summary.splitlines())
    return f"{rule}\n# {module.path}\n{summary}\n{rule}"


if __name__ == "__main__":
    sys.exit(main())
