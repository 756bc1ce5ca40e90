"""The bundle: readable, deterministic, ruff-clean, and the same Analysis as the modules, run by uv as on TagoIO."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from lib.app.settings import VARIABLES
from lib.tools.bundle.layout import LARGEST, NOTHING_BELOW, bundle
from lib.tools.bundle.source import BundleError
from lib.tools.sandbox.server import Sandbox
from lib.tools.sandbox.store import Identity
from tests.conftest import MAINTENANCE, ROOT, names_told, run_python


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundle") / "notify.py"
    ran = run_python("-m", "lib.tools.bundle", "-o", path, cwd=ROOT)
    assert ran.code == 0, ran.err
    assert "KiB of 1024 KiB" in ran.out
    return path


def test_it_is_small_and_the_same_each_time(script: Path) -> None:
    assert script.stat().st_size < LARGEST
    assert script.read_text(encoding="utf-8") == bundle(ROOT).text


def test_it_reads_from_the_top(script: Path) -> None:
    text = script.read_text(encoding="utf-8")
    marks = ["# /// script", '"""Notify', "what you can use", "EDIT ME", "def compose", "def decide", NOTHING_BELOW]
    places = [text.index(mark) for mark in [*marks, "\nimport ", "\n# lib/base/errors.py", "- the entrypoint\n"]]
    assert places == sorted(places)
    assert "from lib" not in text
    assert "# docs rate-limits-hard-limits.md: the count starts anew at :00" in text
    assert text.rstrip().endswith("sys.exit(start(notify, Path(__file__).parent))")


def test_what_can_be_used_stands_above_compose_and_below_it_as_the_readme_s_tables_have_it(script: Path) -> None:
    text = script.read_text(encoding="utf-8")
    assert text.count("\n", 0, text.index("def compose")) < 50, "it begins within the first screen"
    above, shown = (
        " ".join(re.findall("^# +(.*)$", part, re.MULTILINE)) for part in (above_edit_me(text), below(text))
    )
    readme = (ROOT / "README.md").read_text(encoding="utf-8").split("\n## What you write\n")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in readme.splitlines() if line[:1] == "|"]
    assert len(rows) > 20
    for name, what, *_ in rows:
        if set(name) == {"-"}:
            continue
        plain = [re.sub(r"\[(.*?)\]\(.*?\)", r"\1", cell).replace("`", "") for cell in (name, what)]
        assert f"{plain[0]}:" in shown
        assert plain[0] in above
        assert what == "what it is" or what == "what it takes" or f"{plain[0]}: {plain[1]}" in shown
    assert "(default: False)" in shown
    assert 'or AllClear("temperature", "Back to normal") to end an alarm' in above


def test_below_it_stands_what_each_variable_does_as_the_readme_and_the_settings_have_them(script: Path) -> None:
    shown = " ".join(re.findall("^# +(.*)$", below(script.read_text(encoding="utf-8")), re.MULTILINE))
    readme = (ROOT / "README.md").read_text(encoding="utf-8").split("\n## Variables\n")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in readme.splitlines() if line[:3] == "| `"]
    assert {name.strip("`") for name, *_ in rows} == set(VARIABLES)
    for name, what, default in rows:
        plain = re.sub(r"\[(.*?)\]\(.*?\)", r"\1", what).replace("`", "")
        otherwise = f" (default: {default})".replace("`", "") if default else ""
        assert f"{name.strip('`')}: {plain}{otherwise}" in shown


def below(text: str) -> str:
    return text[text.index("what you can use, as README.md has it") : text.index(NOTHING_BELOW)]


def above_edit_me(text: str) -> str:
    return text[text.index("what you can use") : text.index("EDIT ME")]


def test_a_readme_that_has_lost_its_tables_is_an_error_and_none_is_no_reference(tmp_path: Path) -> None:
    root = project(tmp_path, {"p.a": "x_a = 1"})
    assert "what you can use" not in bundle(root).text
    (root / "README.md").write_text("# Mine\n\n## What you write\n\n## Rules\n\n| `a` | b |\n")
    with pytest.raises(BundleError, match=r"README\.md has no tables under '## What you write'"):
        bundle(root)
    usable = "## What you write\n\nSay it.\n\n| `a` | b |\n|---|---|\n| `c` | [d](e.md) |\n"
    (root / "README.md").write_text(usable)
    with pytest.raises(BundleError, match=r"README\.md has no tables under '## Variables'"):
        bundle(root)
    (root / "README.md").write_text(
        f"{usable}\n## Variables\n\n| `v` | it | does |\n|---|---|---|\n| `w` | x | `y` |\n"
    )
    above = above_edit_me(bundle(root).text)
    assert above.splitlines()[1:3] == ["# Say it.", "# a: c"]
    assert below(bundle(root).text).splitlines()[1:5] == ["# a:", "#   c: d", "# v:", "#   w: x (default: y)"]


def test_no_search_for_garbage_slows_its_start_and_its_run_has_one(script: Path, tmp_path: Path) -> None:
    text = script.read_text(encoding="utf-8")
    assert text.index("\ngc.disable()") < text.index("\nimport ", text.index("\nimport gc\n") + 1)
    told = "    print('while it runs:', gc.isenabled(), gc.get_freeze_count() > 10_000)\n    return 0\n\n"
    at = text.index("    # What is configured, and why this run happened.")
    (tmp_path / "told.py").write_text(text[:at] + told + text[at:], encoding="utf-8")
    assert "while it runs: True True" in run_python(tmp_path / "told.py").out


def test_its_table_of_contents_names_the_line_of_each_part(script: Path) -> None:
    lines = script.read_text(encoding="utf-8").splitlines()
    contents = [re.fullmatch(r"# line +(\d+)  ([\w./ ]+?)(:.*)?", line) for line in lines]
    found = {match[2]: int(match[1]) for match in contents if match}
    assert {"imports", "lib/base/errors.py", "lib/app/plan.py", "the entrypoint"} <= set(found)
    assert lines[found.pop("imports") - 1].startswith("import ")
    assert lines[found.pop("the entrypoint") - 1].endswith("- the entrypoint")
    for path, number in found.items():
        assert lines[number] == f"# {path}"  # the line after the rule
    assert len(found) == sum(line.startswith("# lib/") for line in lines)


def test_ruff_finds_nothing_in_it(script: Path) -> None:
    command = [sys.executable, "-m", "ruff", "check", "--config", str(ROOT / "pyproject.toml"), str(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def what_pip_knows() -> dict[str, str]:
    """Where this machine's pip finds packages, in uv's words: uv does not read pip's configuration."""
    words = {
        "index-url": ("UV_DEFAULT_INDEX", " "),
        "extra-index-url": ("UV_INDEX", " "),
        "find-links": ("UV_FIND_LINKS", ","),
    }
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    found = dict(re.findall(r"^(?:global|install|:env:)\.([\w-]+)='(.*)'$", listed, re.MULTILINE))
    return {
        variable: between.join(found[name].replace("\\n", " ").split())
        for name, (variable, between) in words.items()
        if name in found
    }


def run_with_uv(sandbox: Sandbox, script: Path, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """As TagoIO does: an empty folder, and nothing but its variables."""
    (analysis,) = sandbox.store.analyses.values()
    given = {"tag_key": "group", "tag_value": "maintenance", **variables}
    kept = ("UV_", "PIP_", "SSL_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
    env = {
        **what_pip_knows(),
        **{name: value for name, value in os.environ.items() if name.upper().startswith(kept)},
        "UV_INDEX_STRATEGY": "unsafe-best-match",  # as pip does, where there are several
        "UV_SYSTEM_CERTS": "true",  # whom this machine trusts, uv trusts
        "UV_NATIVE_TLS": "true",  # the same, for an older uv
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/tmp"),  # noqa: S108  # uv's cache
        "T_ANALYSIS_CONTEXT": "tago-io",
        "T_ANALYSIS_TOKEN": sandbox.store.token_for(Identity("analysis", analysis["id"])),
        "T_ANALYSIS_ID": analysis["id"],
        "T_ANALYSIS_ENV": json.dumps([{"key": key, "value": value} for key, value in given.items()]),
        "T_ANALYSIS_DATA": "null",
        "TAGOIO_API": sandbox.api,
    }
    folder.mkdir(exist_ok=True)
    shutil.copy(script, folder / "analysis.py")
    command = [sys.executable, "-m", "uv", "run", "--script", "analysis.py"]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=300, check=False)
    if re.search(r"^(error:|  × |Failed to )", done.stderr, re.MULTILINE):  # uv's own words: nothing of ours has run
        pytest.fail(f"uv cannot have the dependencies on this machine:\n{done.stderr}")
    return done


def test_uv_runs_it_alone_with_the_same_outcomes_and_it_answers_a_press(
    peopled: Sandbox, script: Path, tmp_path: Path
) -> None:
    done = run_with_uv(peopled, script, tmp_path / "run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Notified 7 of 8 users" in done.stdout
    assert names_told(peopled) == MAINTENANCE
    note = next(iter(peopled.store.notifications.values()))
    ids = {"button_id": note["buttons"][0]["id"], "user_id": note["run_user"], "notification_id": note["id"]}
    pressed = run_with_uv(peopled, script, tmp_path / "press", **ids)
    assert pressed.returncode == 0, pressed.stdout + pressed.stderr
    assert "pressed acknowledge: it counts" in pressed.stdout
    assert not any(note["buttons_enabled"] for note in peopled.store.notifications.values())


EDIT_ME = "# ---- EDIT ME"
ENTRYPOINT = "# ---- the entrypoint"


def project(tmp_path: Path, modules: dict[str, str], edit_me: str = "def compose(): ...", top: str = "") -> Path:
    """Modules by their dotted name below lib, and an analysis.py that imports `x_<last part>` of each."""
    for name, code in modules.items():
        file = tmp_path / "lib" / f"{name.replace('.', '/')}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(code)
    imports = "".join(f"from lib.{name} import x_{name.split('.')[-1]}\n" for name in modules)
    parts = (
        '"""Doc."""',
        imports,
        top,
        EDIT_ME,
        edit_me,
        ENTRYPOINT,
        "if __name__ == '__main__':\n    print(compose())",
    )
    (tmp_path / "analysis.py").write_text("\n\n".join(parts) + "\n")
    return tmp_path


def printed_by(text: str, folder: Path) -> str:
    """What the one file prints, far from any lib/."""
    alone = folder / "alone"
    alone.mkdir()
    (alone / "notify.py").write_text(text)
    ran = run_python("notify.py", cwd=alone)
    assert ran.code == 0, ran.err
    return ran.out.strip()


@pytest.mark.parametrize(
    ("modules", "said"),
    [
        ({"p.a": "x_a = 1\nsame = 1", "q.b": "x_b = 1\nsame = 2"}, "same is defined in lib/p/a.py and in lib/q/b.py"),
        (
            {"p.a": "x_a = 1\ndef _row(): ...", "q.b": "x_b = 1\ndef _row(): ..."},
            "_row is defined in lib/p/a.py and in lib/q/b.py",
        ),
        ({"p.a": "x_a = 1\n_one, _two = 1, 2", "q.b": "x_b = 1\n_two = 3"}, "_two is defined in lib/p/a.py and in"),
        ({"p.a": "x_a = 1\nif x_a:\n    _y = 1", "q.b": "x_b = 1\nasync def _y(): ..."}, "_y is defined in lib/p/a.py"),
        (
            {"p.a": "x_a = 1\ndef open(): ..."},
            "open is defined in lib/p/a.py; the other modules would lose Python's own",
        ),
        ({"a": "from lib.q.b import x_b as y\nx_a = 1", "q.b": "x_b = 1"}, "lib/a.py, line 1: .* with an alias"),
        ({"p.a": "from lib.q.b import *\nx_a = 1", "q.b": "x_b = 1"}, "lib/p/a.py, line 1: an import with a star"),
        ({"p.a": "from os import *\nx_a = 1"}, "lib/p/a.py, line 1: an import with a star"),
        ({"p.a": "from .b import x_b\nx_a = 1", "p.b": "x_b = 1"}, "lib/p/a.py, line 1: a relative import"),
        ({"p.a": "from . import b\nx_a = 1", "p.b": "x_b = 1"}, "lib/p/a.py, line 1: a relative import"),
        ({"p.a": "import lib.p.b\nx_a = 1", "p.b": "x_b = 1"}, "lib/p/a.py, line 1: write 'from lib"),
        ({"p.a": "import lib.p.b as b\nx_a = 1", "p.b": "x_b = 1"}, "lib/p/a.py, line 1: write 'from lib"),
        ({"p.a": "from lib.p import b\nx_a = 1", "p.b": "x_b = 1"}, "lib/p.py cannot be read"),
        (
            {"p.a": "from lib.p.b import nope\nx_a = 1", "p.b": "x_b = 1"},
            "lib/p/a.py imports nope of lib/p/b.py, which",
        ),
        ({"p.a": "from __future__ import annotations\nx_a = 1"}, "lib/p/a.py, line 1: an import from __future__"),
        ({"p.a": "import time\nx_a = 1", "q.b": "from datetime import time\nx_b = 1"}, "time means two things"),
        ({"p.a": "import json\nx_a = 1", "q.b": "json = 1\nx_b = 1"}, "json is imported in lib/p/a.py and defined in"),
        (
            {"p.a": "from lib.q.b import x_b\nx_a = 1", "q.b": "from lib.p.a import x_a\nx_b = 1"},
            "in a circle: lib/p/a.py -> lib/q/b.py -> lib/p/a.py",
        ),
        ({"p.a": "compose = 1\nx_a = 1"}, "compose is defined in analysis.py and in lib/p/a.py"),
        ({"p.a": "from lib.p.b import x_b; x_a = 1", "p.b": "x_b = 1"}, "lib/p/a.py, line 1: a statement that has its"),
        ({"p.a": "x_a = (1\n"}, "lib/p/a.py, line 1: '\\(' was never closed"),
    ],
)
def test_what_cannot_be_laid_into_one_file_is_named(tmp_path: Path, modules: dict[str, str], said: str) -> None:
    with pytest.raises(BundleError, match=said):
        bundle(project(tmp_path, modules))


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("def x_a(x_b):\n    from lib.p.b import x_b\n", "lib/p/a.py, line 1: x_b is imported from lib and is another"),
        ("def x_a():\n    from lib.p.b import x_b\n    x_b = 2\n", "lib/p/a.py, line 3: x_b is imported from lib and"),
        ("class x_a:\n    from lib.p.b import x_b\n", "lib/p/a.py, line 2: an import from lib in the body of a class"),
        ("def x_a():\n    from ..p.b import x_b\n", "lib/p/a.py, line 2: a relative import"),
        ("def x_a():\n    import lib.p.b\n", "lib/p/a.py, line 2: write 'from lib"),
        ("def x_a(): from lib.p.b import x_b\n", "lib/p/a.py, line 1: a statement that has its line not to itself"),
    ],
)
def test_an_import_in_a_function_that_would_mean_another_thing_is_refused(tmp_path: Path, code: str, said: str) -> None:
    with pytest.raises(BundleError, match=said):
        bundle(project(tmp_path, {"p.a": code, "p.b": "x_b = 1"}))


def test_an_import_in_a_function_is_taken_out_and_its_module_put_in(tmp_path: Path) -> None:
    """Two modules that need each other; one that a function needs; a function that does nothing else; types."""
    modules = {
        "p.a": "from typing import TYPE_CHECKING\nfrom lib.p.b import x_b\n\nif TYPE_CHECKING:\n"
        "    from lib.p.b import B\n\n\ndef x_a(given: 'B | None' = None):\n    return 'a' + x_b(given)",
        "p.b": "class B: ...\n\n\ndef x_b(given=None):\n    if given:\n        from lib.p.a import x_a  # late\n"
        "        return x_a()\n    from lib.q.c import x_c\n    import json\n\n    return json.dumps(x_c)",
    }
    (tmp_path / "lib" / "q").mkdir(parents=True)
    (tmp_path / "lib" / "q" / "c.py").write_text("x_c = ['c']\n")
    edit_me = "def compose():\n    from lib.p.b import B\n\n    return x_a() + x_b(B())\n\n\ndef idle():\n"
    edit_me += "    from lib.p.b import B\n"
    text = bundle(project(tmp_path, modules, edit_me)).text
    assert "from lib" not in text
    assert text.index("# lib/p/b.py") < text.index("# lib/p/a.py")
    assert text.count("# lib/q/c.py") == 1
    assert printed_by(text, tmp_path) == 'a["c"]a["c"]'


def test_what_stands_above_the_part_to_edit_is_kept(tmp_path: Path) -> None:
    modules = {"p.a": "import os.path\nx_a = 1\nTEXT = '''1\n\n\n\n\n2'''", "p.b": "import os\nx_b = 1"}
    written = bundle(project(tmp_path, modules, "def compose():\n    return LIMIT", top="# why\nLIMIT = 3"))
    assert "\n\n# why\nLIMIT = 3\n\n\n# ---- EDIT ME\n" in written.text
    assert "'''1\n\n\n\n\n2'''" in written.text
    assert printed_by(written.text, tmp_path) == "3"


@pytest.mark.parametrize(
    "edit_me",
    ["LIMIT = x_a", "@x_a\ndef compose(): ...", "class Mine:\n    y = x_a", "Y = [x_a for _ in (1, 2)]"],
)
def test_the_part_to_edit_uses_modules_in_functions_only_for_it_stands_before_them(
    tmp_path: Path, edit_me: str
) -> None:
    with pytest.raises(BundleError, match=r"analysis\.py uses x_a under EDIT ME outside of a function"):
        bundle(project(tmp_path, {"p.a": "x_a = 1"}, edit_me))


def test_the_part_to_edit_is_handed_over_as_it_is_written(tmp_path: Path) -> None:
    edit_me = "def compose():\n    from lib.p.a import x_a  # $DEVICE.NAME$\n\n    return x_a"
    root = project(tmp_path, {"p.a": "x_a = '$DEVICE.NAME$ of lib'"}, edit_me)
    assert bundle(root).edit_me == f"{EDIT_ME}\n\n{edit_me}\n\n"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ((EDIT_ME, "# ---- change me"), "needs one line '# ---- EDIT ME' and has 0"),
        ((ENTRYPOINT, "# the entrypoint"), "needs one line '# ---- the entrypoint' and has 0"),
        ((ENTRYPOINT, f"{EDIT_ME}\n{ENTRYPOINT}"), "needs one line '# ---- EDIT ME' and has 2"),
        ((EDIT_ME, f"{ENTRYPOINT}\n{EDIT_ME}"), "needs one line '# ---- the entrypoint' and has 2"),
        (('"""Doc."""', f'"""Doc."""\n{ENTRYPOINT}'), "needs one line '# ---- the entrypoint' and has 2"),
        (("...", "(\n"), "analysis.py, line"),
    ],
)
def test_a_marker_line_that_is_missing_or_doubled_is_an_error(
    tmp_path: Path, change: tuple[str, str], said: str
) -> None:
    root = project(tmp_path, {"p.a": "x_a = 1"})
    story = (root / "analysis.py").read_text()
    (root / "analysis.py").write_text(story.replace(*change))
    with pytest.raises(BundleError, match=said):
        bundle(root)


def test_marker_lines_in_the_wrong_order_are_an_error(tmp_path: Path) -> None:
    root = project(tmp_path, {"p.a": "x_a = 1"})
    story = (root / "analysis.py").read_text()
    swapped = story.replace(EDIT_ME, "#").replace(ENTRYPOINT, EDIT_ME).replace("#\n", f"{ENTRYPOINT}\n")
    (root / "analysis.py").write_text(swapped)
    with pytest.raises(BundleError, match="before the line '# ---- EDIT ME'"):
        bundle(root)


@pytest.mark.parametrize("code", ["LIMIT = time.time()", "LIMIT: re.Pattern = re.compile('x')", "LIMIT = Path.cwd()"])
def test_an_import_that_the_part_to_edit_needs_at_once_stands_above_it_and_no_other_does(
    tmp_path: Path, code: str
) -> None:
    modules = {"p.a": "import json\nx_a = json.dumps(1)"}
    top = "import re\nimport time\nfrom pathlib import Path"
    written = bundle(project(tmp_path, modules, f"{code}\n\n\ndef compose():\n    return x_a", top=top)).text
    above, below = written.split(NOTHING_BELOW)
    assert len(re.findall("^(?:import|from) ", above, re.MULTILINE)) == 1
    assert "import json" in below
    assert printed_by(written, tmp_path) == "1"


def test_a_file_that_cannot_be_written_is_said_in_one_line(tmp_path: Path) -> None:
    missing = tmp_path / "none" / "notify.py"
    ran = run_python("-m", "lib.tools.bundle", "-o", missing, cwd=ROOT)
    assert (ran.code, ran.err) == (1, f"{missing} cannot be written: there is no folder {missing.parent}\n")
    ran = run_python("-m", "lib.tools.bundle", "-o", tmp_path, cwd=ROOT)
    assert (ran.code, ran.err) == (1, f"{tmp_path} cannot be written: Is a directory\n")


def test_what_is_no_bundle_is_never_overwritten(tmp_path: Path) -> None:
    for path in (ROOT / "analysis.py", ROOT / "lib" / "base" / "text.py", ROOT / "README.md"):
        before = path.read_bytes()
        ran = run_python("-m", "lib.tools.bundle", "-o", path, cwd=ROOT)
        assert (ran.code, ran.err) == (
            1,
            f"{path} is there and is no bundle, so it stays; name another file with -o\n",
        )
        assert path.read_bytes() == before
    link = tmp_path / "notify.py"
    link.symlink_to(ROOT / "analysis.py")
    assert run_python("-m", "lib.tools.bundle", "-o", link, cwd=ROOT).code == 1
    for _ in range(2):
        assert run_python("-m", "lib.tools.bundle", "-o", tmp_path / "older.py", cwd=ROOT).code == 0


def test_with_a_wheel_of_lib_analysis_py_alone_is_run_by_uv(peopled: Sandbox, tmp_path: Path) -> None:
    script = tmp_path / "notify.py"
    for _ in range(2):
        ran = run_python("-m", "lib.tools.bundle", "--wheel", "-o", script, cwd=ROOT)
        assert ran.code == 0, ran.err
    (wheel,) = tmp_path.glob("*.whl")
    assert f"{wheel.as_uri()}#sha256=" in script.read_text()
    text = script.read_text()
    assert "from lib.app.plan import Plan" in text
    version = ran.out.splitlines()[0]
    assert re.fullmatch(r"tagorun-notify \d+\.\d+\.\d+ [0-9a-f]{8}", version)
    places = [text.index(mark) for mark in ["what you can use; below", "EDIT ME", "def compose", "def decide"]]
    places += [text.index(mark) for mark in ["#   tag_key: The key of a tag", f"\n# {version}\n", "- the entrypoint\n"]]
    assert places == sorted(places)
    assert max(map(len, text.splitlines()[13:])) <= 120, "no text stands on one line"
    with zipfile.ZipFile(wheel) as archive:
        assert archive.testzip() is None
        assert not [name for name in archive.namelist() if "tools" in name]
    done = run_with_uv(peopled, script, tmp_path / "run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert names_told(peopled) == MAINTENANCE


def test_the_address_of_the_wheel_is_the_one_that_is_given(tmp_path: Path) -> None:
    script = tmp_path / "notify.py"
    command = ["-m", "lib.tools.bundle", "--wheel", "--at", "https://files.example.com/notify/", "-o", script]
    assert run_python(*command, cwd=ROOT).code == 0
    (wheel,) = tmp_path.glob("*.whl")
    assert f'"tagorun-notify @ https://files.example.com/notify/{wheel.name}#sha256=' in script.read_text()
    assert run_python("-m", "lib.tools.bundle", "--at", "https://x", "-o", script, cwd=ROOT).code == 1


@pytest.mark.parametrize(
    ("at", "said"),
    [
        ("files", '--at "files" is not the address of a folder'),
        ("/srv/files", "is not the address of a folder"),
        ("ftp://files.example.com", "is not the address of a folder"),
        ("https://", "is not the address of a folder"),
        ("file://host/srv", "is not the address of a folder"),
        ("https://files.example.com/a?b=c", "is not the address of a folder"),
        ('https://files.example.com/"', "is not the address of a folder"),
        ("http://files.example.com/notify", "--at is plain http to files.example.com"),
        ("https://me:hunter22@files.example.com", "--at holds a user or a password"),
        ("file:///srv/files", ""),
        ("http://127.0.0.1:8000", ""),
        ("http://localhost:8000/x", ""),
    ],
)
def test_a_place_from_which_a_wheel_cannot_or_should_not_come_is_refused(tmp_path: Path, at: str, said: str) -> None:
    ran = run_python("-m", "lib.tools.bundle", "--wheel", "--at", at, "-o", tmp_path / "notify.py", cwd=ROOT)
    assert ran.code == (1 if said else 0), ran.err
    assert said in ran.err
    assert "hunter22" not in ran.out + ran.err
    assert bool(list(tmp_path.iterdir())) is not bool(said)
