"""`python -m lib.tools.bundle [-o FILE]`: analysis.py and all of lib/ as one readable Python file, as TagoIO takes it.

The header and the docstring come first, then the part to edit, then the modules under banners, and the entrypoint last.
Comments are kept, nothing is encoded, and the same sources give the same file to the letter.
"""

import argparse
import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LINE = 120
LARGEST = 1024 * 1024  # bytes; mcp's upload tool takes no more, TagoIO itself 5 MB
EDIT_ME = re.compile(r"^# -+ EDIT ME\n", re.MULTILINE)
ENTRYPOINT = re.compile(r"^# -+ the entrypoint\n", re.MULTILINE)


class BundleError(Exception):
    """The sources cannot be laid into one file; says which names or imports are in the way."""


@dataclass(frozen=True)
class Module:
    """A file of lib/ without its imports and its docstring."""

    name: str
    summary: str
    code: str
    imports: tuple[str, ...]
    needs: tuple[str, ...]
    names: tuple[str, ...]

    @property
    def path(self) -> str:
        return f"lib/{self.name.replace('.', '/')}.py"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m lib.tools.bundle", description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=Path("notify.py"), help="the file to write (notify.py)")
    options = parser.parse_args(arguments)
    try:
        text = bundle(ROOT)
    except BundleError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    options.output.write_text(text, encoding="utf-8")
    print(f"{options.output}: {len(text.encode()) / 1024:.0f} KiB of {LARGEST // 1024} KiB")
    return 0


def bundle(root: Path) -> str:
    """The text of the one file. Raises BundleError."""
    story = (root / "analysis.py").read_text(encoding="utf-8")
    edit_me, entrypoint = EDIT_ME.search(story), ENTRYPOINT.search(story)
    if not edit_me or not entrypoint:
        raise BundleError("analysis.py has no line '# ---- EDIT ME' or no line '# ---- the entrypoint'")
    top = _read_module("analysis", story[: edit_me.start()])
    modules = _in_order(root, top.needs)
    _check_names(story, modules)
    parts = [
        story[: _end_of_docstring(story)].rstrip()
        + "\n\n"
        + _merged_imports({line for module in [*modules, top] for line in module.imports})
        + "\n"
        + story[edit_me.start() : entrypoint.start()].strip()
        + "\n",
        *(f"{_banner(module)}\n\n{module.code}" for module in modules),
        story[entrypoint.start() :].strip() + "\n",
    ]
    text = "\n\n".join(parts)
    if len(text.encode()) > LARGEST:
        raise BundleError(f"the bundle has {len(text.encode())} bytes; {LARGEST} is the most that can be uploaded")
    return text


def _in_order(root: Path, needs: tuple[str, ...]) -> list[Module]:
    """The modules that are needed, each after all that it needs itself."""
    done: dict[str, Module] = {}

    def add(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            raise BundleError(f"imports go round in a circle: {' -> '.join([*path, name])}")
        if name in done:
            return
        module = _read_module(name, (root / "lib" / f"{name.replace('.', '/')}.py").read_text(encoding="utf-8"))
        for needed in module.needs:
            add(needed, (*path, name))
        done[name] = module

    for name in needs:
        add(name, ())
    return list(done.values())


def _read_module(name: str, text: str) -> Module:
    tree = ast.parse(text)
    lines = text.splitlines(keepends=True)
    imports: list[str] = []
    needs: list[str] = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("lib."):
            needs += _needs_of(name, node)
        elif node in tree.body:
            imports += _import_lines(node)
        else:
            continue  # an import inside a function stays there
        _blank(lines, node)
    docstring = ast.get_docstring(tree) or ""
    if docstring:
        _blank(lines, tree.body[0])
    code = re.sub(r"\n{4,}", "\n\n\n", "".join(lines)).strip() + "\n"
    names = tuple(found for node in tree.body for found in _defined(node))
    return Module(name, docstring.split("\n\n")[0], code, tuple(imports), tuple(dict.fromkeys(needs)), names)


def _needs_of(name: str, node: ast.ImportFrom) -> list[str]:
    if any(alias.asname or alias.name == "*" for alias in node.names):
        raise BundleError(f"{name}, line {node.lineno}: an import from lib with an alias or a star cannot be flattened")
    return [(node.module or "").removeprefix("lib.")]


def _import_lines(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    """A line for each name, so that the lines of all modules can be merged."""
    for alias in node.names:
        named = f"{alias.name} as {alias.asname}" if alias.asname else alias.name
        yield f"from {node.module} import {named}" if isinstance(node, ast.ImportFrom) else f"import {named}"


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
    return "\n\n".join(sections) + "\n"


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


def _blank(lines: list[str], node: ast.stmt) -> None:
    for number in range(node.lineno - 1, node.end_lineno or node.lineno):
        lines[number] = ""


def _defined(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        yield node.target.id
    elif isinstance(node, ast.Assign):
        yield from (name.id for target in node.targets for name in ast.walk(target) if isinstance(name, ast.Name))


def _check_names(story: str, modules: list[Module]) -> None:
    """Every name of the one file must stand for one thing."""
    owners: dict[str, str] = {name: "analysis.py" for node in ast.parse(story).body for name in _defined(node)}
    problems: list[str] = []
    for module in modules:
        for name in module.names:
            if name in owners:
                problems.append(f"{name} is defined in {owners[name]} and in {module.path}")
            owners[name] = f"{module.path}"
    imported: dict[str, str] = {}
    for module in modules:
        for line in module.imports:
            name = line.split(" as ")[-1].split()[-1].split(".")[0]
            if name in owners:
                problems.append(f"{name} is imported in {module.path} and defined in {owners[name]}")
            if imported.setdefault(name, line) != line and not line.startswith(f"import {name}."):
                problems.append(f"{name} means two things: '{imported[name]}' and, in {module.path}, '{line}'")
    if problems:
        raise BundleError("\n".join(dict.fromkeys(problems)))


def _end_of_docstring(story: str) -> int:
    node = ast.parse(story).body[0]
    return sum(len(line) for line in story.splitlines(keepends=True)[: node.end_lineno])


def _banner(module: Module) -> str:
    rule = "# " + "=" * 100
    summary = "\n".join(f"# {line}" for line in module.summary.splitlines())
    return f"{rule}\n# {module.path}\n{summary}\n{rule}"


if __name__ == "__main__":
    sys.exit(main())
