"""The record of an installation: tags of the Analysis that name, by id, all that was made with it.

A copy of the Analysis inherits its tags, but not its id; so the record names the Analysis itself too, and where that is
another, it is none.
"""

from typing import Any

from lib.base.errors import SetupError
from lib.tools.install.wanted import TAG

Record = dict[str, Any]
PREFIX = "tagorun_notify_"
SELF = "analysis"
SCRIPT = "bundle"  # a hash of the script that was uploaded last
LIVE = "live"  # yes, once it may send to real people
NO_IDS = (SELF, SCRIPT, LIVE)


def recorded(analysis: Record) -> dict[str, str]:
    """The record in an Analysis' tags; {} where it has none."""
    tags = analysis.get("tags") or ()
    return {
        str(tag["key"]).removeprefix(PREFIX): str(tag["value"])
        for tag in tags
        if str(tag.get("key", "")).startswith(PREFIX)
    }


def tags_with(analysis: Record, record: dict[str, str]) -> list[dict[str, str]]:
    """The tags of an Analysis, with this record; all others stay."""
    others = [tag for tag in analysis.get("tags") or () if not str(tag.get("key", "")).startswith(PREFIX)]
    return [*others, *({"key": f"{PREFIX}{part}", "value": value} for part, value in record.items())]


def is_copy(analysis: Record) -> bool:
    """Whether it inherited its record from another."""
    return recorded(analysis).get(SELF, str(analysis["id"])) != str(analysis["id"])


def the_installed(found: list[Record]) -> Record | None:
    """Of the Analyses that bear TAG, the one whose record is its own; or else the one without any, which a run that
    was cut off has left. Raises SetupError where that cannot be told."""
    candidates = [each for each in found if not is_copy(each)]
    recorded_ones = [each for each in candidates if SELF in recorded(each)]
    return the_only("Analysis", recorded_ones or candidates)


def the_only(kind: str, found: list[Record], title: str = "name") -> Record | None:
    if len(found) > 1:
        names = ", ".join(f"{each.get(title)} ({each['id']})" for each in found)
        raise SetupError(
            f"More than one {kind} bears the tag {TAG['key']} = {TAG['value']}: {names}; remove all but one, or the tag"
        )
    return found[0] if found else None
