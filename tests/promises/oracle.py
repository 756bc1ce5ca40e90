"""What a run said, held against what was carried out."""

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tests.promises.standin import Ran, Standin

WORDS = ("sent", "skipped", "held", "failed", "fallback", "unknown", "pending")
EVENT = {"_action_id": "f" * 24, "_action_type": "condition"}
SCHEDULE = {"_action_id": "e" * 24, "_action_type": "schedule"}
PLAIN = '{"title": "Maintenance", "message": "The system is back"}'
RIGHT = r"(?i)access notification"


def gated(**more: Any) -> str:
    """A notification of Actions only: a run on a schedule or by hand starts no round of its own."""
    return json.dumps(
        {
            "when": {"variable": "temperature", "is": ">", "value": 0},
            "title": "Alarm",
            "message": "It is at $VALUE$",
            "buttons": [{"id": "acknowledge", "label": "Acknowledge", "analysis": "this"}],
            **more,
        }
    )


@dataclass
class Summary:
    sent: int
    of: int
    figures: Counter[str]


def summary_of(ran: Ran) -> Summary:
    """Of all campaigns of the run together."""
    heads = re.findall(r"Notified (\d+) of (\d+) users?", ran.out)
    assert heads, f"no summary:\n{ran.said}"
    figures: Counter[str] = Counter()
    for word, number in re.findall(rf"^\s+({'|'.join(WORDS)})\s+(\d+)\b", ran.out, re.MULTILINE):
        figures[word] += int(number)
    return Summary(sum(int(sent) for sent, _ in heads), sum(int(of) for _, of in heads), figures)


def outcomes_of(ran: Ran, standin: Standin) -> dict[str, str]:
    """The newest outcome of each user, from the lines that log_level debug gives."""
    return {
        line["user"]: line["status"]
        for line in ran.log
        if line.get("status") in WORDS and line.get("user") in standin.users
    }


def assert_nobody_twice(standin: Standin, has: str = "", runs: Iterable[Ran] = ()) -> None:
    standin.settle()
    twice = {user: number for user, number in standin.counted(has).items() if number > 1}
    said = "\n".join(ran.out for ran in runs)
    assert not twice, f"{len(twice)} users told twice, such as {standin.names(twice)[:5]}\n{said}"


def assert_all_told(standin: Standin, users: Iterable[str], has: str = "", runs: Iterable[Ran] = ()) -> None:
    lost = set(users) - set(standin.counted(has))
    said = "\n".join(ran.out for ran in runs)
    assert not lost, f"{len(lost)} users never told, such as {standin.names(lost)[:5]}\n{said}"


def assert_told_once(standin: Standin, users: Iterable[str], has: str = "", runs: Iterable[Ran] = ()) -> None:
    assert_nobody_twice(standin, has, runs)
    assert_all_told(standin, users, has, runs)


def assert_truthful(standin: Standin, ran: Ran, size: int | None = None, has: str = "") -> None:
    """No traceback, nobody unmentioned, nobody `sent` who was not, and the exit code that goes with it."""
    assert "Traceback" not in ran.said, ran.said
    summary = summary_of(ran)
    figures = summary.figures
    assert sum(figures.values()) == summary.of, f"somebody is not mentioned:\n{ran.out}"
    assert figures["sent"] + figures["fallback"] == summary.sent, ran.out
    told = standin.counted(has)
    assert figures["sent"] <= sum(told.values()), f"said sent, and was not:\n{ran.out}"
    said_sent = {user for user, status in outcomes_of(ran, standin).items() if status == "sent"}
    assert said_sent <= set(told), f"said sent, and were not: {standin.names(said_sent - set(told))}"
    if size is not None:
        assert summary.of == size, ran.out
    is_fine = not any(figures[word] for word in ("failed", "unknown", "pending"))
    assert ran.code == 0 or not is_fine or "note" in ran.out, f"exit code {ran.code}:\n{ran.out}"
    assert ran.code != 0 or is_fine, f"exit code {ran.code}:\n{ran.out}"
