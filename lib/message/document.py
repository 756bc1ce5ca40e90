"""The `notification` variable: the JSON of the user's document, one notification or a list of variants."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, NamedTuple

from lib.base.errors import SetupError
from lib.base.text import MISLEADING, did_you_mean
from lib.message.address import is_path, is_web_address
from lib.message.notification import PLACEHOLDER, Button, Notification
from lib.message.trigger import Trigger, number_of

BUTTON_FIELDS = ("label", "id", "color", "url", "analysis")
NAMES_ELSEWHERE = {"page": "url", "link": "url", "href": "url", "body": "message", "text": "message"}
AROUND = 40  # characters of a line that are shown before a mistake in the JSON, and after
OPERATORS = ("<", ">", "=", "!", "><", "*")  # an Action's, C mcp create-action.ts


class Condition(NamedTuple):
    """An Action's condition: whether the newest value of a variable is less (`<`), more (`>`), equal (`=`), other
    (`!`), between (`><`, both ends included), or anything at all (`*`)."""

    variable: str
    operator: str
    value: Any = None
    second_value: Any = None

    def holds(self, trigger: Trigger) -> bool:
        """A variable that the trigger does not bring fulfils nothing."""
        point = trigger.point(self.variable)
        found = point.value if point else None
        if found is None:
            return False
        if self.operator == "*":
            return True
        if self.operator in ("=", "!"):
            return _same(found, self.value) == (self.operator == "=")
        number, low, high = number_of(found), number_of(self.value), number_of(self.second_value)
        if number is None or low is None:
            return False
        if self.operator == "><":
            return high is not None and min(low, high) <= number <= max(low, high)
        return number < low if self.operator == "<" else number > low

    def is_brought(self, trigger: Trigger) -> bool:
        """Whether the trigger brings what can be compared: a broken sensor, whose value is no number, says nothing."""
        point = trigger.point(self.variable)
        found = point.value if point else None
        return found is not None and (self.operator in ("=", "!", "*") or number_of(found) is not None)

    def explained(self, trigger: Trigger) -> str:
        """What it was compared with, for people."""
        point = trigger.point(self.variable)
        if point is None:
            return f"this run brought no {self.variable}"
        limits = "any value" if self.operator == "*" else f"{self.operator} {self.value}"
        limits += f" {self.second_value}" if self.operator == "><" else ""
        return f"{self.variable} is {trigger.text(self.variable)}, not {limits}"


class Variant(NamedTuple):
    """A notification and the condition under which it is sent; without one, always."""

    notification: Notification
    condition: Condition | None = None


def parse_document(text: str) -> tuple[Variant, ...]:
    """The variants, the first that holds is sent. // comments are allowed, as in the user's document.

    Raises SetupError with line and column where it is no JSON, and with every other problem at once.
    """
    try:
        given = json.loads(_without_comments(text), object_pairs_hook=_once_each)
    except json.JSONDecodeError as error:
        raise SetupError(_not_json(text, error)) from None
    listed = given if isinstance(given, list) else [given]
    if not listed or not all(isinstance(each, dict) for each in listed):
        raise SetupError('notification must be a JSON object, {"title": "…", "message": "…"}, or a list of such')
    variants: list[Variant] = []
    problems: list[str] = []
    for position, each in enumerate(listed, start=1):
        try:
            variants.append(_variant(each))
        except SetupError as error:
            where = f"variant {position}: " if len(listed) > 1 else ""
            problems += [f"notification: {where}{text.removeprefix('Notification: ')}" for text in error.problems]
    if problems:
        raise SetupError(*problems)
    return tuple(variants)


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for key, _ in pairs if [name for name, _ in pairs].count(key) > 1)
        raise SetupError(f'notification has "{twice}" twice in one object; keep one of them')
    return found


def _variant(given: dict[str, Any]) -> Variant:
    rest = dict(given)
    condition, buttons = rest.pop("when", None), rest.pop("buttons", None) or []
    problems = list(_condition_problems(condition))
    if not isinstance(buttons, list) or not all(isinstance(button, dict) for button in buttons):
        raise SetupError('buttons must be a list of objects: [{"label": "…", "id": "…", "url": "…"}]')
    known = [field.name for field in fields(Notification)]
    problems += [_unknown(key, [*known, "when"], "it") for key in rest if key not in known]
    for position, button in enumerate(buttons, start=1):
        problems += [f"Button {position}: {problem}" for problem in _button_problems(button)]
    if problems:
        raise SetupError(*problems)
    made = tuple(_button(button) for button in buttons)
    notification = Notification(**{"title": "", "message": "", **rest, "buttons": made})
    return Variant(notification, Condition(*_condition_parts(condition)) if condition else None)


def _button_problems(given: Mapping[str, Any]) -> Iterator[str]:
    """What is said in the words of the document, where the button's own names differ."""
    yield from (_unknown(key, BUTTON_FIELDS, "a button") for key in given if key not in BUTTON_FIELDS)
    url = given.get("url")
    if url and given.get("analysis"):
        yield "has both url and analysis; a button does exactly one thing: keep one of them"
    elif isinstance(url, str) and url and not is_path(url) and not is_web_address(PLACEHOLDER.sub("x", url)):
        yield f'url "{url}" is neither a page of TagoIO (/dashboards/info/…) nor a web address (https:// or http://)'


def _unknown(key: str, known: Sequence[str], what: str) -> str:
    meant = NAMES_ELSEWHERE.get(key)
    near = f'; did you mean "{meant}"?' if meant in known else did_you_mean(key, known)
    return f'"{key}" is not known; {what} takes {", ".join(known)}{near}'


def _not_json(text: str, error: json.JSONDecodeError) -> str:
    """What is wrong, and under it the part of the line with a mark under the place."""
    line = MISLEADING.sub(" ", text.split("\n")[error.lineno - 1])
    begin = max(error.colno - 1 - AROUND, 0)
    mark = " " * (error.colno - 1 - begin) + "^"
    where = f"line {error.lineno}, column {error.colno}"
    said = error.msg.removesuffix(" at")
    if said.startswith("Unterminated") or error.pos >= len(text.rstrip()):
        where += "; it ends too soon: in .env a text with a # goes into single quotes, '{…}'"
    return f"notification is not valid JSON: {said} at {where}\n{line[begin : begin + 2 * AROUND]}\n{mark}"


def _button(given: Mapping[str, Any]) -> Button:
    url = given.get("url") or ""
    leads = {"page": url} if isinstance(url, str) and is_path(url) else {"link": url}
    rest = {key: given[key] or "" for key in ("color", "analysis") if key in given}
    return Button(given.get("id") or "", given.get("label") or "", **leads, **rest)


def _condition_parts(given: Mapping[str, Any]) -> tuple[str, str, Any, Any]:
    return given["variable"], given.get("is", "*"), given.get("value"), given.get("second_value")


def _condition_problems(given: Any) -> Iterator[str]:
    if given is None:
        return
    example = '{"variable": "temperature", "is": ">", "value": 8}'
    if not isinstance(given, dict):
        yield f"when must be an object such as {example}"
        return
    known = ("variable", "is", "value", "second_value")
    yield from (f"when: {_unknown(key, known, 'it')}" for key in given if key not in known)
    if not isinstance(given.get("variable"), str):
        yield f"when: variable is missing: {example}"
        return
    operator = given.get("is", "*")
    if operator not in OPERATORS:
        yield f'when: is "{operator}" is not one of {" ".join(OPERATORS)}'
    elif operator != "*" and given.get("value") is None:
        yield f'when: value is missing; is "{operator}" compares with it'
    elif operator in ("<", ">", "><") and number_of(given["value"]) is None:
        yield f'when: value "{given["value"]}" is not a number; is "{operator}" compares numbers'
    elif operator == "><" and number_of(given.get("second_value")) is None:
        yield 'when: is "><" needs a number as second_value too'


def _same(found: Any, wanted: Any) -> bool:
    """TagoIO hands values over as they were sent; a condition's may be text all the same."""
    numbers = number_of(found), number_of(wanted)
    if None not in numbers:
        return numbers[0] == numbers[1]
    if isinstance(found, bool) or isinstance(wanted, bool):
        return str(found).lower() == str(wanted).lower()
    return str(found) == str(wanted)


def _without_comments(text: str) -> str:
    """Blank out // comments outside strings, keeping every character's line and column."""
    return re.sub(
        r'("(?:\\.|[^"\\\n])*")|//[^\n]*',
        lambda found: found[1] if found[1] is not None else " " * len(found[0]),
        text,
    )
