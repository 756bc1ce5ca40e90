"""JSON as it is defined: Python also reads the constants NaN and Infinity, and 1e999 as the latter."""

import json
import math
from typing import Any


def read_json(text: str | bytes) -> Any:
    """Raises ValueError for what is none, RecursionError for what is too deep."""
    return json.loads(text, parse_constant=_refuse, parse_float=_finite)


def _refuse(text: str) -> float:
    raise ValueError(f"{text} is no number of JSON's")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse(text)
