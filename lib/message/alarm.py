"""How a notification says that it is an alarm, and how `compose` says that an alarm is over."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lib.base.errors import one_error

REPEATS = ("update", "again")
REPEATED = "$NTH$ time since $SINCE$"
OWN_TO_READERS = re.compile(r"\$(?:USER\.[^$\n]+|TIME)\$", re.IGNORECASE)  # not the same for everybody
LONGEST = 250  # characters of a line that closes copies
COUNTS = ("NTH", "COUNT", "SINCE")
NAMED = re.compile(r"\$([A-Z][A-Z.]*)\$", re.IGNORECASE)
COUNTED = re.compile(rf"\$({'|'.join(COUNTS)})\$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class AllClear:
    """The alarm of that name is over: every copy gets the `message`, by language where `translations` has it. With
    `tell` those who had been told are also told that, in low priority. Raises SetupError."""

    alarm: str
    message: str
    tell: bool = False
    translations: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        one_error(f"AllClear: {problem}" for problem in self._problems())

    def _problems(self) -> Iterator[str]:
        for name in ("alarm", "message"):
            value = getattr(self, name)
            if not isinstance(value, str) or not value.strip():
                yield f'{name} is missing: AllClear("temperature", "Back to normal")'
        if not isinstance(self.tell, bool):
            yield "tell must be True or False"

    def in_language(self, language: str) -> str:
        """`pt-BR` falls back to `pt`, then to the message itself."""
        code = language.lower().replace("_", "-")
        return self.translations.get(code) or self.translations.get(code.split("-")[0]) or self.message


def alarm_problems(given: Any) -> Iterator[str]:
    """What is wrong with the fields of an alarm of a notification."""
    texts = {name: getattr(given, name) for name in ("alarm", "all_clear", "repeated")}
    yield from (f"{name} must be text" for name, value in texts.items() if not isinstance(value, str))
    if given.repeat not in REPEATS:
        yield f'repeat "{given.repeat}" is not one of {", ".join(REPEATS)}'
    if not isinstance(given.all_clear_tell, bool):
        yield "all_clear_tell must be true or false"
    if given.all_clear_tell and not given.all_clear:
        yield 'all_clear_tell needs all_clear, the text: "Back to normal: $VALUE$ $UNIT$"'
    if not given.alarm and (given.all_clear or given.repeat != REPEATS[0] or given.repeated != REPEATED):
        yield 'all_clear, repeat and repeated need alarm, its name: "alarm": "temperature"'
    if given.alarm and given.answers == "each":
        yield 'alarm needs answers "first": where each answer counts, nobody settles it'
    said = [given.all_clear, *(texts.get("all_clear") for texts in given.translations.values())]
    counted = [given.repeated, *(texts.get("repeated") for texts in given.translations.values())]
    yield from (f"repeated: {problem}" for text in counted if (problem := _too_long(text)))
    for name in (found for text in counted if isinstance(text, str) for found in NAMED.findall(text)):
        if name.upper() not in COUNTS:
            yield f"repeated: ${name}$ is not known; it takes {', '.join(f'${each}$' for each in COUNTS)}"
    if any(isinstance(text, str) and OWN_TO_READERS.search(text) for text in said):
        yield "all_clear is the same for everybody, and the time is put behind it: leave out $USER.…$ and $TIME$"


def _too_long(text: Any) -> str:
    is_long = isinstance(text, str) and len(text) > LONGEST
    return f"{len(text)} characters are too many for a line; {LONGEST} at most" if is_long else ""


def repeated_line(template: str, count: int, since: str) -> str:
    """`3rd time since 14:02`. The template has $NTH$ (English), $COUNT$ and $SINCE$."""
    values = {"NTH": ordinal(count), "COUNT": str(count), "SINCE": since}
    return COUNTED.sub(lambda found: values[found[1].upper()], template)


def ordinal(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
