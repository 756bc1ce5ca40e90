"""The layout: imports point one way, and lib/ can be laid into one file."""

import ast
from collections import Counter
from pathlib import Path

LIB = Path(__file__).parent.parent / "lib"
MODULES = sorted(path for path in LIB.rglob("*.py") if path.name != "__init__.py" and "tools" not in path.parts)

# Lowest first: a package imports only from itself and from those before it.
PACKAGES = ["base", "message", "campaign", "tagoio", "delivery", "fallback", "presses", "app"]


def package_of(path: Path) -> str:
    return path.relative_to(LIB).parts[0]


def lib_imports(path: Path) -> list[str]:
    nodes = ast.walk(ast.parse(path.read_text()))
    found = [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
    return [module.removeprefix("lib.") for module in found if module.startswith("lib.")]


def test_every_module_is_in_a_package_of_the_layout() -> None:
    assert {package_of(path) for path in MODULES} == set(PACKAGES)


def test_nothing_in_lib_imports_the_tools() -> None:
    for path in MODULES:
        assert not [name for name in lib_imports(path) if name.startswith("tools")]


def test_delivery_knows_no_tagoio() -> None:
    for name in ("delivery/delivery", "delivery/window"):
        assert not {"tagoio.transport", "app.settings"} & set(lib_imports(LIB / f"{name}.py"))
        assert "tagoio_sdk" not in (LIB / f"{name}.py").read_text()


def test_top_level_names_are_unique_so_that_the_modules_fit_one_file() -> None:
    names: Counter[str] = Counter()
    for path in MODULES:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                names[node.name] += 1
            elif isinstance(node, ast.Assign):
                names.update(target.id for target in node.targets if isinstance(target, ast.Name))
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                names[node.target.id] += 1
    assert not [name for name, times in names.items() if times > 1]


def test_imports_are_of_the_kind_that_can_be_laid_into_one_file() -> None:
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0
                assert all(alias.name != "*" for alias in node.names)
                if (node.module or "").startswith("lib"):
                    assert all(alias.asname is None for alias in node.names)
            elif isinstance(node, ast.Import):
                assert not [alias.name for alias in node.names if alias.name.startswith("lib")]
