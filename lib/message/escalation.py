"""The steps of an escalation: after how long without a decision who is told next."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from lib.base.duration import read_duration, shown_duration

LATEST = 20 * 3600.0  # seconds: a campaign older than a day is let be (lib/tagoio/journal.py)
EXAMPLE = '[{"after": "15m", "to": "supervisors"}]'


class Step(NamedTuple):
    """`after` counts in seconds from the first sending; `to` is a value of `tag_key`, or `key=value` of another tag."""

    after: float
    to: str

    @property
    def line(self) -> str:
        """What is put under the message of who is told by this step."""
        return f"No answer for {shown_duration(self.after)}"

    def tag(self, tag_key: str) -> tuple[str, str]:
        """Key and value of the tag that the users of this step carry."""
        key, equals, value = self.to.partition("=")
        return (key.strip(), value.strip()) if equals else (tag_key, self.to)


def escalation_problems(given: Any) -> Iterator[str]:
    """Sentences on what is wrong with a list of steps; nothing where it is sound or empty."""
    if not isinstance(given, Sequence) or isinstance(given, str):
        yield f"escalate must be a list of steps: {EXAMPLE}"
        return
    last = 0.0
    for position, each in enumerate(given, start=1):
        try:
            step = _step(each)
        except ValueError as error:
            yield f"escalate, step {position}: {error}"
            continue
        if not 0 < step.after <= LATEST:
            yield f"escalate, step {position}: after must be longer than nothing and at most {shown_duration(LATEST)}"
        elif step.after <= last:
            yield f"escalate, step {position}: after must be longer than the step before; both count from the start"
        last = max(last, step.after)


def read_steps(given: Any) -> tuple[Step, ...]:
    """The steps of a list that has no problems: objects with `after` and `to`, or pairs."""
    return tuple(_step(each) for each in given)


def steps_text(steps: Sequence[Step]) -> str:
    """For the journal; `steps_from` reads it again."""
    return json.dumps([[step.after, step.to] for step in steps]) if steps else ""


def steps_from(text: str) -> tuple[Step, ...]:
    """The steps in a row of the journal; none where it cannot be read."""
    try:
        return tuple(Step(float(after), str(to)) for after, to in json.loads(text or "[]"))
    except (ValueError, TypeError):
        return ()


def _step(given: Any) -> Step:
    if isinstance(given, Step):
        return given
    if isinstance(given, Mapping):
        unknown = [str(key) for key in given if key not in ("after", "to")]
        if unknown:
            raise ValueError(f'"{unknown[0]}" is not known; a step takes after and to')
        given = (given.get("after"), given.get("to"))
    if not isinstance(given, Sequence) or isinstance(given, str) or len(given) != 2:
        raise ValueError(f"it takes after and to: {EXAMPLE}")
    after, to = given
    if not isinstance(to, str) or not to.strip():
        raise ValueError('to is missing; it is the tag value of who is told next, such as "supervisors"')
    if "=" in to and not all(part.strip() for part in to.split("=", 1)):
        raise ValueError(f'to is "{to}"; use a tag value, or key=value')
    if not isinstance(after, str):
        raise ValueError('after is missing; it is text such as "15m"')
    try:
        return Step(read_duration(after), to.strip())
    except ValueError as error:
        raise ValueError(f"after {error}") from None
