"""The console shows any text on any stream, and whole runs do too."""

import io
import sys
from collections.abc import Callable

import pytest

from lib.app.console import Console
from lib.app.start import LaptopContext
from lib.tools.sandbox.server import Sandbox
from tests.conftest import BARE, names_told
from tests.fakes import FakeClock

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


class Screen(io.StringIO):
    """A terminal that remembers all that was written."""

    is_terminal = True

    def isatty(self) -> bool:
        return self.is_terminal

    def lines(self) -> list[str]:
        """Each state of the bar is one."""
        return self.getvalue().replace("\r\033[K", "\n").replace("\n\n", "\n").strip().splitlines()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    made = FakeClock()
    monkeypatch.setattr("lib.app.console.time.monotonic", made)
    return made


def test_the_bar_of_a_terminal_says_the_pace_the_time_left_and_what_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, clock: FakeClock
) -> None:
    monkeypatch.setattr(sys, "stdout", screen := Screen())
    monkeypatch.setenv("COLUMNS", "82")
    console = Console(print)
    console.progress(0, 1000, 0)
    clock.sleep(4)
    console.progress(100, 1000, 0, limit=100, wait=56.0, why="wait")
    console.waits("Rate limit reached; going on in 56 s")  # the bar says so
    clock.sleep(60)
    console.progress(200, 1000, 1)
    console.say(["Notified"])
    assert screen.lines() == [
        "[....................] 0 of 1000 users",
        "[##..................] 100 of 1000 users, 100 a minute, about 9 min left; wait, g",
        "[####................] 200 of 1000 users, 1 not told, 188 a minute, about 4 min l",
        "Notified",
    ]


def test_without_a_terminal_there_is_one_line_at_most_every_ten_seconds(
    monkeypatch: pytest.MonkeyPatch, clock: FakeClock
) -> None:
    monkeypatch.setattr(sys, "stdout", screen := Screen())
    screen.is_terminal = False
    console = Console(print)
    for second in range(60):
        wait = 60.0 - second if second >= 35 else 0.0
        if second == 35:
            console.waits("Rate limit reached; going on in 25 s")
        console.progress(min(second * 10, 350), 1000, 0, limit=350, wait=wait, why="rate limit reached")
        clock.sleep(1)
    assert screen.lines() == [
        "100 of 1000 users, 350 a minute, about 2 min left",
        "200 of 1000 users, 350 a minute, about 2 min left",
        "300 of 1000 users, 350 a minute, about 60 s left",
        "Rate limit reached; going on in 25 s",
        "350 of 1000 users, 350 a minute, about 75 s left; rate limit reached, going on in 15 s",
        "350 of 1000 users, 350 a minute, about 65 s left; rate limit reached, going on in 5 s",
    ]
