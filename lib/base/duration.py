"""Lengths of time as a developer writes them, such as 90s or 15m."""

import re

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def read_duration(text: str) -> float:
    """Seconds of a duration such as 90s, 15m, 2h or 1d; ValueError for anything else."""
    found = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]+)?) ?([smhd])", text.strip().lower())
    if not found:
        raise ValueError(f'is "{text}"; use a number with s, m, h or d, such as 100s or 15m')
    return float(found[1]) * UNITS[found[2]]


def shown_duration(seconds: float) -> str:
    """`15 min`, `2 h`, `90 s`: for people, in the largest unit that leaves no fraction."""
    for size, name in ((3600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {name}"
    return f"{seconds:g} s"
