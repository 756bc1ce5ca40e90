"""The simulation itself: days from seeds, those that once failed, and proof that it replays and that it finds."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FIRST, SEEDS = 6000, 500  # the same days each time, until ten thousand new ones in a row were clean
ALARMS = 250  # days of an alarm, new ones each time: the last 20,000 were clean
FOUND = (
    "doubtful",
    "outcomes not flushed",
    "key random",
    "newest press",
    "exit code",
    "addresses shown",
    "each event raises",
)


def simulate(*arguments: str, hash_seed: str = "") -> subprocess.CompletedProcess[str]:
    """In a process of its own: lib is loaded with another clock and other threads there."""
    environment = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
    if hash_seed:
        environment["PYTHONHASHSEED"] = hash_seed
    command = [sys.executable, "-m", "tests.simulation", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900, check=False)


def test_five_hundred_days_keep_every_promise() -> None:
    done = simulate("--from", str(FIRST), "--seeds", str(SEEDS))
    assert done.returncode == 0, done.stdout + done.stderr


def test_new_days_of_an_alarm_keep_every_promise() -> None:
    done = simulate("--alarms", "--seeds", str(ALARMS))  # what fails names its seed
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_kept_days_keep_every_promise() -> None:
    done = simulate("--kept")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_same_seed_gives_the_identical_day() -> None:
    for seed in ("7", "104", "1008"):
        once, again = simulate("--seed", seed, "--trace"), simulate("--seed", seed, "--trace", hash_seed="12345")
        assert once.stdout.count("\n") > 50, once.stderr
        assert again.stdout == once.stdout


def test_ten_runs_hand_an_audience_on_and_lose_nobody() -> None:
    command = [sys.executable, "-m", "tests.simulation.long", "300"]
    done = subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "lost 0, twice 0, chains at once 1" in done.stdout


@pytest.mark.parametrize("mutant", FOUND)
def test_a_defect_is_found(mutant: str) -> None:
    done = simulate("--mutants", "--seeds", "300", "--only", mutant)
    assert done.returncode == 0, done.stdout + done.stderr
