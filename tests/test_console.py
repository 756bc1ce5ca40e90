"""The console shows any text on any stream, and whole runs do too."""

import io
import sys
from collections.abc import Callable

import pytest

from lib.app.console import Console
from lib.app.start import LaptopContext
from lib.tools.sandbox.server import Sandbox
from tests.conftest import BARE, names_told

ANY = "José 😀 \ud800"


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("utf-8", "José 😀 \\ud800"),
        ("latin-1", "José \\U0001f600 \\ud800"),
        ("ascii", "Jos\\xe9 \\U0001f600 \\ud800"),
    ],
)
@pytest.mark.parametrize(
    "say",
    [
        lambda: Console(print).say([ANY]),  # what context.log is inside TagoIO
        lambda: Console(LaptopContext().log).say([ANY]),
        lambda: LaptopContext().log(ANY),
        lambda: Console(print).hint(ANY),
    ],
    ids=["say", "say on a laptop", "laptop", "hint"],
)
def test_what_the_stream_has_no_letters_for_is_escaped(
    monkeypatch: pytest.MonkeyPatch, say: Callable[[], None], encoding: str, shown: str
) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict")
    monkeypatch.setattr(sys, "stdout", stream)
    say()
    stream.flush()
    assert stream.buffer.getvalue().decode(encoding) == f"{shown}\n"


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
@pytest.mark.parametrize("way", ["inside", "once"])
def test_a_run_with_names_of_any_letters_tells_everybody(
    peopled: Sandbox, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, way: str, encoding: str
) -> None:
    monkeypatch.setitem(BARE, "PYTHONIOENCODING", f"{encoding}:strict")
    for user in peopled.store.users.values():
        user["name"] += "\0 \ud83d 名"
    ran = request.getfixturevalue(f"run_{way}")(log_level="debug")
    assert ran.code == 0, ran.out + ran.err
    assert len(names_told(peopled)) == 7
    assert "Traceback" not in ran.err
    name = r"Grace Lim \ufffd \u540d" if encoding == "ascii" else "Grace Lim \ufffd 名"
    assert name in ran.out
