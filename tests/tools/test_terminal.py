"""How every tool ends: by Ctrl-C, by Ctrl-D, and where nobody reads what it says any more."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lib.tools.sandbox.server import Sandbox
from lib.tools.terminal import complain, typed
from tests.conftest import BARE, ROOT, run_python
from tests.tools.installing import only, variables
from tests.tools.terminals import CTRL_C, CTRL_D, at_terminal


def environment(sandbox: Sandbox, **more: str) -> dict[str, str]:
    env = {"TAGOIO_API": sandbox.api, "TAGOIO_SSE": f"{sandbox.api}/events", "tag_key": "group"}
    return {**BARE, **env, "account_token": sandbox.store.profile_token, "tag_value": "maintenance", **more}


def unread(*arguments: str, env: dict[str, str], both: bool = False) -> tuple[int, str]:
    """Its exit code and standard error, where the reader of its output is gone before it says anything; `both`: that of
    standard error too."""
    command = [sys.executable, "-m", *arguments]
    with subprocess.Popen(
        command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True,
        stderr=subprocess.STDOUT if both else subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        process.stdout.close()
        said = process.stderr.read() if process.stderr else ""
        return process.wait(120), said.strip()


@pytest.mark.parametrize(
    "arguments",
    [
        ["lib.tools.sandbox"],
        ["lib.tools.sandbox", "--press", "acknowledge"],
        ["lib.tools.sandbox", "--help"],
        ["lib.tools.bundle"],
        ["lib.tools.bundle", "--wheel"],
        ["lib.tools.probe", "--dry-run"],
        ["lib.tools.install", "--dry-run"],
        ["lib.tools.install", "--help"],
    ],
)
def test_a_reader_that_has_read_enough_is_no_error_of_any_tool(
    bare: Sandbox, tmp_path: Path, arguments: list[str]
) -> None:
    more = ["-o", str(tmp_path / "notify.py")] if "lib.tools.bundle" in arguments else []
    assert unread(*arguments, *more, env=environment(bare)) == (0, "")


@pytest.mark.parametrize("both", [False, True])
def test_an_installation_that_nobody_reads_is_completed(bare: Sandbox, both: bool) -> None:
    flags = ("--live", "--run", "--journal", "--every", "15 minutes")
    assert unread("lib.tools.install", *flags, env=environment(bare), both=both) == (0, "")
    assert "dry_run" not in variables(bare)
    assert only(bare.store.actions)["type"] == "interval"
    assert len(bare.store.notifications) == 7


@pytest.mark.parametrize("tool", ["lib.tools.install --live --every '1 hour'", "lib.tools.sandbox"])
def test_a_tool_without_input_and_output_does_its_work(bare: Sandbox, tool: str) -> None:
    command = f"exec '{sys.executable}' -m {tool} <&- >&- 2>&-"
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, env=environment(bare), timeout=120, check=False)
    assert done.returncode == 0
    assert len(bare.store.actions) == ("install" in tool)


def test_a_probe_that_nobody_reads_is_completed(bare: Sandbox, tmp_path: Path) -> None:
    output = tmp_path / "facts.json"
    assert unread("lib.tools.probe", "--yes", "-o", str(output), env=environment(bare)) == (0, "")
    assert output.is_file()
    assert not bare.store.analyses


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        (CTRL_C, 130, "Stopped by hand. Run it again: it goes on where it was."),
        (CTRL_D, 1, "account_token is not set: put a profile token (p-…) into .env or the environment"),
        ("", 1, "account_token is not set"),
    ],
)
def test_nobody_has_to_type_the_token(bare: Sandbox, answer: str, code: int, said: str) -> None:
    asked = {"Profile token (p-…), from My Account > Profile > Tokens: ": answer}
    ran = at_terminal("lib.tools.install", answers=asked, **environment(bare, account_token=""))
    assert ran.code == code, ran.out
    assert said in ran.out
    assert "Traceback" not in ran.out


@pytest.mark.parametrize(("answer", "code"), [(CTRL_C, 130), (CTRL_D, 1)])
def test_a_question_that_is_not_answered_is_a_no(bare: Sandbox, answer: str, code: int) -> None:
    ran = at_terminal("lib.tools.probe", answers={"Do it? [y/N] ": answer}, **environment(bare))
    assert ran.code == code, ran.out
    assert "Traceback" not in ran.out
    assert ("Nothing was done" in ran.out) is (answer == CTRL_D)
    assert not bare.store.analyses


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["lib.tools.install", "--untried"], "Stopped by hand. Run it again: it goes on where it was.\n"),
        (["lib.tools.probe", "--yes"], "Stopped by hand. Run it again: it removes what is left, and asks anew.\n"),
        (["lib.tools.campaign", "list"], "Stopped by hand.\n"),
    ],
)
def test_ctrl_c_is_one_line_and_says_what_running_it_again_does(
    bare: Sandbox, tmp_path: Path, arguments: list[str], said: str
) -> None:
    _, token = bare.store.add_device({"name": "Journal"})
    bare.trouble.latency = 0.5
    command = [sys.executable, "-m", *arguments]
    env = environment(bare, delivery_log_token=token)
    if "lib.tools.probe" in arguments:
        command += ["-o", str(tmp_path / "facts.json")]
    with subprocess.Popen(
        command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        until = time.monotonic() + 30
        while not bare.store.log and time.monotonic() < until:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        assert (process.wait(60), process.stderr.read()) == (130, said)


def test_a_command_is_named_as_the_person_has_to_type_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "prefix", "/usr")
    assert typed("lib.tools.install") == "python -m lib.tools.install"
    monkeypatch.setattr(sys, "prefix", str(ROOT / ".venv"))
    monkeypatch.setattr(sys, "executable", str(ROOT / ".venv" / "bin" / "python"))
    assert typed("lib.tools.install") == ".venv/bin/python -m lib.tools.install"
    monkeypatch.chdir(ROOT / "docs")
    assert typed("lib.tools.install") == "../.venv/bin/python -m lib.tools.install"


def test_the_commands_that_a_tool_names_are_those_to_be_typed() -> None:
    """Each by `typed`, so none lacks the interpreter."""
    for path in (ROOT / "lib" / "tools").rglob("*.py"):
        for line in path.read_text().splitlines():
            is_said = '"' in line and '"""' not in line and "page" not in path.parts
            assert not (is_said and "python -m lib" in line), f"{path.name}: {line.strip()}"
    assert f"usage: {typed('lib.tools.probe')}" in run_python("-m", "lib.tools.probe", "--help", cwd=ROOT).out


def test_a_question_shows_no_secret_and_nothing_that_steers_the_terminal(bare: Sandbox) -> None:
    env = {**environment(bare), "TZ": "UTC"}
    flags = ("lib.tools.install", "--untried", "--live")
    token = "a-0123456789abcdef0123456789abcdef0123"
    assert run_python("-m", *flags, cwd=ROOT, env=env).code == 0
    hostile = f"{'x' * 50}https://ana:s3cr3t@h \x1b[2J\x07\u202e {token}"
    for each in only(bare.store.analyses)["variables"]:
        if each["key"] == "tag_value":
            each["value"] = hostile
    ran = at_terminal(*flags, answers={"Replace it there? [y/N]": "n"}, **env)
    assert "Replace it there? [y/N]" in ran.out
    for hidden in ("s3cr3t", token[2:], "\x1b[2J", "\x07", "\u202e"):
        assert hidden not in ran.out, ran.out
    assert variables(bare)["tag_value"] == hostile


def test_a_refusal_shows_nothing_that_steers_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    complain("More than one: \x1b[2Jx (https://ana:s3cr3t@h)\nRun it again")
    assert capsys.readouterr().err == "More than one: \\x1b[2Jx (https://***@h)\nRun it again\n"
