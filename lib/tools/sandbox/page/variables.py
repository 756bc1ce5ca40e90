"""An Analysis' Environment Variables, as the page shows and changes them."""

import hashlib
import json
from collections.abc import Iterator, Sequence

from lib.tools.sandbox.analysis_form import MAX_VARIABLES
from lib.tools.sandbox.page.forms import BadInput, Outdated
from lib.tools.sandbox.store import Record

LONGEST = 20  # characters of a value in a sentence


def variables_of(analysis: Record) -> list[dict[str, str]]:
    """As text: an API client may have put anything there."""
    listed = analysis.get("variables")
    entries = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    return [{"key": str(each.get("key", "")), "value": str(each.get("value", ""))} for each in entries]


def version_of(analysis: Record) -> str:
    """Another one when somebody else has changed its variables."""
    return hashlib.sha256(json.dumps(variables_of(analysis)).encode()).hexdigest()[:12]


def checked_variables(
    analysis: Record, names: Sequence[str], values: Sequence[str], version: str
) -> list[dict[str, str]]:
    """What takes the place of those whose `version` is given. Raises BadInput, and Outdated where that is theirs no
    more."""
    values = [value.replace("\r\n", "\n") for value in values]
    given = [(name.strip(), value.strip()) for name, value in zip(names, values, strict=False)]
    problems = list(_problems(given))
    if problems:
        raise BadInput("; ".join(problems))
    if version != version_of(analysis):
        there = {each["key"]: each["value"] for each in variables_of(analysis)}
        differing = ", ".join(_differing({name: value for name, value in given if name}, there))
        raise Outdated(
            "The variables were changed elsewhere meanwhile; save once more to put yours in their place. "
            f"There {differing or 'stands the same'}",
            version_of(analysis),
        )
    return [{"key": name, "value": value} for name, value in given if name]


def _problems(given: list[tuple[str, str]]) -> Iterator[str]:
    names = [name for name, _ in given if name]
    if len(names) > MAX_VARIABLES:
        yield f"{len(names)} variables; TagoIO takes {MAX_VARIABLES}"
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"{name} is there {names.count(name)} times"
    for value in (value for name, value in given if value and not name):
        yield f'the value "{value[:LONGEST]}" has no name'


def _differing(given: dict[str, str], there: dict[str, str]) -> Iterator[str]:
    """What stands elsewhere, where it differs from what is given here."""
    for name, value in there.items():
        if given.get(name) != value:
            yield f"{name} is {value if len(value) <= LONGEST else f'{value[: LONGEST - 1]}…'}".strip()
    for name in given:
        if name not in there:
            yield f"is no {name}"
