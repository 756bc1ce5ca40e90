"""The imports of all modules as one block, in the order that ruff wants."""

import sys
from collections import defaultdict

LINE = 120


def name_and_meaning(line: str) -> tuple[str, str]:
    """The name that an import line binds, and what it then stands for: `import a.b` binds a."""
    name = line.split(" as ")[-1].split()[-1]
    is_dotted = line.startswith("import ") and " as " not in line
    return (name.split(".")[0], f"import {name.split('.')[0]}") if is_dotted else (name, line)


def merged_imports(lines: set[str]) -> str:
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
