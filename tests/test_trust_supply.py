"""What is imported is declared, what is declared is locked, and what the tools write is kept out of git."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from lib.tools.bundle.layout import NOTHING_BELOW, bundle
from tests.conftest import ROOT, run_python

LOCK = ROOT / "tests" / "requirements.lock"
SETS = {
    "analysis": ("requirements.txt",),
    "tools": ("requirements.txt", "lib/tools/requirements.txt"),
    "tests": ("requirements.txt", "lib/tools/requirements.txt", "tests/requirements.txt"),
}


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(files: tuple[str, ...]) -> dict[str, str]:
    """The requirement by the name of each package."""
    found: dict[str, str] = {}
    for file in files:
        for line in (ROOT / file).read_text().splitlines():
            name = re.match(r"[A-Za-z0-9_.-]+", line)
            if name and not line.startswith("-"):
                found[plain(name[0])] = line
    return found


def imported(paths: Iterator[Path]) -> set[str]:
    found = set()
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            names += [each.name for each in node.names] if isinstance(node, ast.Import) else []
            found |= {name.split(".")[0] for name in names}
    return found - set(sys.stdlib_module_names) - {"lib", "tests", "analysis"}


def sources(where: str) -> Iterator[Path]:
    for path in [ROOT / "analysis.py", *(ROOT / "lib").rglob("*.py"), *(ROOT / "tests").rglob("*.py")]:
        parts = path.relative_to(ROOT).parts
        kind = "tests" if parts[0] == "tests" else "tools" if parts[:2] == ("lib", "tools") else "analysis"
        if kind == where and "node_modules" not in parts:
            yield path


@pytest.mark.parametrize("where", SETS)
def test_every_import_is_declared(where: str) -> None:
    of = {module: {plain(name) for name in names} for module, names in packages_distributions().items()}
    known = set(declared(SETS[where]))
    undeclared = {module for module in imported(sources(where)) if not of.get(module, set()) & known}
    assert undeclared == set()


def locked() -> dict[str, str]:
    return {plain(name): version for name, version in re.findall(r"(?m)^([\w.-]+)==(\S+)", LOCK.read_text())}


def test_everything_declared_is_locked_in_a_version_that_fits() -> None:
    pinned = locked()
    for name, line in declared(SETS["tests"]).items():
        wanted = re.search(r"(==|>=)\s*([\w.]+)", line)
        assert wanted, line
        assert name in pinned, f"{name} is not locked: tests/requirements.txt says how the lock is made"
        numbers = [[int(part) for part in re.findall(r"\d+", text)] for text in (pinned[name], wanted[2])]
        assert numbers[0] == numbers[1] if wanted[1] == "==" else numbers[0] >= numbers[1], line


def test_every_locked_package_has_hashes_and_no_address_is_in_it() -> None:
    text = LOCK.read_text()
    assert not re.search(r"://|--(extra-)?index-url|--find-links|--trusted-host", text)
    parts = re.split(r"(?m)^(?=[\w.-]+==)", text)[1:]
    assert len(parts) == len(locked()) > 50
    assert all("--hash=sha256:" in part for part in parts)


@pytest.mark.parametrize(
    "name",
    ["facts.json", "notify.py", "analysis.tagoio-0a1b2c3d.py", "x-0.1.0-py3-none-any.whl", ".env", "state.json.tokens",
     "state.json.lock", "state.json.new", ".venv/x", "tests/javascript/node_modules/x"],
)  # fmt: skip
def test_what_tools_write_stays_out_of_git(name: str) -> None:
    done = subprocess.run(["git", "check-ignore", "-q", "--no-index", name], cwd=ROOT, check=False)
    assert done.returncode == 0


@pytest.mark.parametrize("name", ["tests/requirements.lock", "env.example", "analysis.py"])
def test_what_belongs_there_does_not(name: str) -> None:
    assert subprocess.run(["git", "check-ignore", "-q", "--no-index", name], cwd=ROOT, check=False).returncode == 1


# ---- the bundle


def test_the_bundle_says_its_version_in_the_file_and_where_it_is_made(tmp_path: Path) -> None:
    ran = run_python("-m", "lib.tools.bundle", "-o", tmp_path / "notify.py", cwd=ROOT)
    assert ran.code == 0, ran.err
    version = ran.out.splitlines()[0]
    assert re.fullmatch(r"tagorun-notify \d+\.\d+\.\d+ [0-9a-f]{8}", version)
    assert f"{NOTHING_BELOW}\n# {version}\n" in (tmp_path / "notify.py").read_text()
    assert bundle(ROOT).version == version, "the same sources, the same version"


@pytest.mark.parametrize("source", ["analysis.py", "lib/app/settings.py", "lib/tools/bundle/layout.py", "README.md"])
@pytest.mark.parametrize("way", ["straight", "by a link", "by a way round"])
def test_the_bundle_never_overwrites_a_source(tmp_path: Path, source: str, way: str) -> None:
    before = (ROOT / source).read_bytes()
    given = {
        "straight": ROOT / source,
        "by a link": tmp_path / "link.py",
        "by a way round": ROOT / "lib" / ".." / source,
    }[way]
    if way == "by a link":
        given.symlink_to(ROOT / source)
    for more in ([], ["--wheel"]):
        ran = run_python("-m", "lib.tools.bundle", "-o", given, *more, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)})
        assert ran.code == 1
        assert "stays; name another file" in ran.err
        assert (ROOT / source).read_bytes() == before
