"""What the README and docs/ say of the tools is so."""

import re
import shlex

import pytest

from tests.conftest import ROOT, run_python

README = (ROOT / "README.md").read_text()
TRIED = [row for row in re.findall(r"^\| `(--[^`]+)` \|", README, re.MULTILINE) if row != "--serve"]


@pytest.mark.parametrize("flags", TRIED)
def test_the_flags_of_the_sandbox_that_the_readme_shows_are_one_command_each(flags: str) -> None:
    ran = run_python("-m", "lib.tools.sandbox", *shlex.split(flags), cwd=ROOT)
    assert ran.code == 0, ran.out + ran.err
    shows = {"--trigger": "Back to normal", "--press": "Acknowledged by"}
    assert shows[flags.split()[0]] in " ".join(ran.out.split())


def test_the_readme_shows_both() -> None:
    assert [flags.split()[0] for flags in TRIED] == ["--trigger", "--press"]
    assert "the alarm ends" in README


def test_the_file_that_requirements_txt_names_says_why_each_package_is_there() -> None:
    comment, *packages = (ROOT / "requirements.txt").read_text().splitlines()
    (named,) = re.findall(r"([\w/]+\.md)", comment)
    table = (ROOT / named).read_text()
    for package in packages:
        assert f"| {package.split('==')[0]} |" in table


def test_no_place_is_named_that_is_not_there() -> None:
    """Such as `README, The journal`, where the README has no part of that name."""
    headings = {path.name: re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE) for path in ROOT.glob("*.md")}
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        for name, part in re.findall(r"\((\w+), ([A-Z][\w ]+)\)", path.read_text()):
            assert part in headings.get(f"{name}.md", [part]), f"{path.name}: {name}, {part}"
