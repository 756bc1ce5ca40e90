"""Reads what stands in the page's forms. Bad input is one sentence."""

import math
from collections.abc import Mapping
from typing import Any

from lib.tools.sandbox.strict_json import read_json

Form = Mapping[str, Any]
WHOLE = 2**53  # below it JSON's numbers are exact, and 1e9 is the same as 1000000000


class BadInput(Exception):
    """A form that cannot be taken; the text says what to mend."""


class Outdated(BadInput):
    """What it changes was changed elsewhere meanwhile; with `version`, that of now, the same form can be sent again."""

    def __init__(self, text: str, version: str) -> None:
        super().__init__(text)
        self.version = version


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
        value = read_json(text)
    except ValueError:
        return text
    if isinstance(value, float) and value.is_integer() and abs(value) < WHOLE:
        return int(value)
    return value if isinstance(value, int | float | bool) else text
