"""Reads what stands in the page's forms. Bad input is one sentence."""

import json
import math
from collections.abc import Mapping
from typing import Any

Form = Mapping[str, Any]


class BadInput(Exception):
    """A form that cannot be taken; the text says what to mend."""


def text_of(form: Form, name: str) -> str:
    return str(form.get(name) or "").strip()


def number_of_text(text: str, name: str, least: float, most: float) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not least <= number <= most:
        raise BadInput(f'{name}: "{text}" is not a number from {least:g} to {most:g}')
    return number


def typed_value(text: str) -> Any:
    """A number, true or false where it reads as one, text otherwise."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, int | float | bool) else text
