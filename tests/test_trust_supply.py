"""What is imported is declared, what is declared is locked, and what the tools write is kept out of git."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from lib.tools.bundle.layout import NOTHING_BELOW, bundle
from tests.conftest import ROOT, run_python

INPUTS = {"tools": "lib/tools/requirements.in", "tests": "tests/requirements.in"}
SETS = {
    "analysis": ("requirements.txt",),
    "tools": ("requirements.txt", INPUTS["tools"]),
    "tests": ("requirements.txt", *INPUTS.values()),
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


# ---- the locks


def lock_of(where: str) -> str:
    return (ROOT / INPUTS[where]).with_suffix(".txt").read_text()


def locked(where: str) -> dict[str, tuple[Requirement, set[str]]]:
    """What a lock holds by the name of each package: its requirement, with == and a marker, and its hashes."""
    text = re.sub(r"(?m)^ *#.*\n", "", lock_of(where)).replace("\\\n", "")
    found = {}
    for line in text.splitlines():
        requirement, *hashes = re.split(r" +--hash=", line.strip())
        found[plain(Requirement(requirement).name)] = Requirement(requirement), set(hashes)
    assert len(found) == len(text.splitlines())
    return found


@pytest.mark.parametrize("where", INPUTS)
def test_a_lock_is_complete_and_each_package_of_it_has_one_version_and_hashes(where: str) -> None:
    for requirement, hashes in locked(where).values():
        assert re.fullmatch(r"==[\w.]+", str(requirement.specifier)), requirement
        assert requirement.url is None
        assert hashes, requirement
        assert all(re.fullmatch("sha256:[0-9a-f]{64}", each) for each in hashes)


@pytest.mark.parametrize("where", INPUTS)
def test_everything_declared_is_locked_in_a_version_that_fits(where: str) -> None:
    for name, line in declared(SETS[where]).items():
        assert name in locked(where), f"{name} is not locked: CONTRIBUTING.md says how the lock is made"
        assert locked(where)[name][0].marker is None, f"{name} is locked for some machines only"
        (pin,) = locked(where)[name][0].specifier
        assert Requirement(line).specifier, line
        assert Requirement(line).specifier.contains(pin.version), f"{line}, but {pin} is locked"


@pytest.mark.parametrize("where", INPUTS)
def test_what_a_locked_package_needs_is_locked_too(where: str) -> None:
    """As it is installed here: pip refuses whatever has no hash."""
    pins = locked(where)
    for name, (requirement, _) in pins.items():
        if requirement.marker is None or requirement.marker.evaluate():
            for needed in map(Requirement, requires(name) or []):
                if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                    assert plain(needed.name) in pins, f"{name} needs {needed}"


def test_the_lock_of_the_tests_holds_that_of_the_tools() -> None:
    """So that both commands of the README fill one .venv."""
    ours = locked("tests")
    for name, (requirement, hashes) in locked("tools").items():
        assert ours[name][0].specifier == requirement.specifier
        assert ours[name][1] == hashes, name


@pytest.mark.parametrize("where", INPUTS)
def test_a_lock_is_made_as_contributing_says_and_holds_no_address(where: str) -> None:
    given, text = INPUTS[where], lock_of(where)
    assert not re.search(r"://|file:|--(extra-|default-)?index|--find-links|--trusted-host|(?m:^-)", text)
    python = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"].removeprefix(">=")
    command = f"uv pip compile --universal --python-version {python} --generate-hashes {given} -o {given[:-3]}.txt"
    assert text.splitlines()[1].strip("# ") == command
    assert command in (ROOT / "CONTRIBUTING.md").read_text()


@pytest.mark.parametrize(
    "name",
    ["facts.json", "notify.py", "analysis.tagoio-0a1b2c3d.py", "x-0.1.0-py3-none-any.whl", ".env", "state.json.tokens",
     "state.json.lock", "state.json.new", ".venv/x", "tests/javascript/node_modules/x"],
)  # fmt: skip
def test_what_tools_write_stays_out_of_git(name: str) -> None:
    done = subprocess.run(["git", "check-ignore", "-q", "--no-index", name], cwd=ROOT, check=False)
    assert done.returncode == 0


@pytest.mark.parametrize("name", ["tests/requirements.txt", "env.example", "analysis.py"])
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
