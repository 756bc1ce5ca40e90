"""JSON to TagoIO and from it, which no text, number or depth can break."""

import json
import math
from collections.abc import Mapping
from typing import Any

from lib.base.text import plain

WHOLE_DIGITS = 300  # a longer integer is no float; Python refuses one of 4,300 digits at all


def written(body: Any) -> bytes:
    """A request's body. NUL and lone surrogates go (see `plain`), and what is no number in JSON becomes text."""
    try:
        text = json.dumps(body, default=str, ensure_ascii=False, allow_nan=False)
        if "\\u0000" not in text:
            return text.encode()
    except ValueError:  # nan or inf, an integer too long to be written, a lone surrogate (UnicodeEncodeError)
        pass
    return json.dumps(_sound(body), ensure_ascii=False, allow_nan=False).encode()


def _sound(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) < 10**WHOLE_DIGITS else str(math.copysign(math.inf, value > 0 or -1))
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {_sound(key): _sound(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_sound(part) for part in value]
    return plain(str(value))


def read_answer(content: bytes) -> tuple[Any, str]:
    """What an answer says, and, where it is no JSON, what ails it (None then). Long integers become floats."""
    try:
        return READER.decode(content.decode(json.detect_encoding(content), "surrogatepass")), ""
    except RecursionError:
        return None, "something too deeply nested to be read"
    except ValueError:
        return None, "nothing readable"


def _integer(digits: str) -> float:
    return int(digits) if len(digits) <= WHOLE_DIGITS else float(digits)


READER = json.JSONDecoder(parse_int=_integer)
