"""What TagoIO's documents leave open and the sandbox can play either way, as one table.

Each unknown is a switch: a flag of `python -m lib.tools.sandbox` (`--press-scope null`), an entry of the page's
Trouble, and a fact that `python -m lib.tools.probe` finds out on a real profile and writes to `facts.json`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

FACTS_FILE = "facts.json"  # in the current folder
Facts = dict[str, str]  # an unknown's name -> one of its values


@dataclass(frozen=True, slots=True)
class Unknown:
    """`values`: what TagoIO may do, each in one word; the first is what the sandbox does unless told otherwise."""

    name: str
    values: tuple[str, ...]
    meaning: str

    @property
    def flag(self) -> str:
        return f"--{self.name.replace('_', '-')}"


# The first value is the documented or likelier one, see the project's facts about TagoIO. `seconds` are rounded up.
SECONDS = ("0", "1", "3", "10")
_TABLE = [
    Unknown("denied_list", ("error", "empty"), "a user's notifications, listed without the right to: 401, or none"),
    Unknown("denied_create", ("401", "403"), "the status of what a policy does not allow"),
    Unknown("press_scope", ("list", "null"), "what a press hands the Analysis as its scope: an empty list, or null"),
    Unknown("press_user_id", ("absent", "set"), "whether a press hands over _user_id beside user_id"),
    Unknown("long_message", ("taken", "cut", "refused"), "a message of more than 140 characters"),
    Unknown("button_form", ("both", "url", "triggers"), "the form of buttons: url and analysis, or the SDK's triggers"),
    Unknown("icons", ("any", "web_only", "none"), "which icons are taken: of any address, of a web address, or none"),
    Unknown("limit_text", ("seconds", "bare"), "whether the text of a 429 says how many seconds to wait"),
    Unknown("limit_header", ("absent", "present"), "whether a 429 has the header Retry-After"),
    Unknown("edit_pushes", ("no", "yes"), "whether a notification that is edited is pushed again"),
    Unknown("edit_costs", ("no", "yes"), "whether an edit costs a unit of the push quota"),
    Unknown("rows_show_after", SECONDS, "seconds until a row that a device took is listed"),
    Unknown("notifications_show_after", SECONDS, "seconds until a notification that was taken is listed"),
    Unknown("full_device", ("refused", "oldest_dropped"), "more rows than a mutable device holds"),
    Unknown("quota_readable", ("yes", "no"), "whether an Analysis with the right to may read the push quota"),
    Unknown("quota_spent", ("taken", "dropped", "refused"), "past the push quota: taken, an id for nothing, refused"),
    Unknown("user_options", ("listed", "refused"), "the field `options` in a list of users"),
    Unknown("page_past_end", ("empty", "error"), "a page of a list after its last one"),
    Unknown("disabled_buttons", ("listed", "left_out"), "a notification's buttons in a list, once they are disabled"),
    Unknown("inbox_lists", ("all", "newest_20"), "how many of a user's notifications are listed"),
    Unknown("user_dates", ("iso", "odd"), "the dates of a user: ISO 8601, or what the Python SDK cannot parse"),
    Unknown("skip_counts", ("rows", "per_variable"), "what `skip` counts when a device's data is read"),
]
UNKNOWNS: Mapping[str, Unknown] = {unknown.name: unknown for unknown in _TABLE}


def default_facts() -> Facts:
    return {name: unknown.values[0] for name, unknown in UNKNOWNS.items()}


def check_fact(name: str, value: Any) -> None:
    """Raises ValueError for a name or a value that the table does not have."""
    if name not in UNKNOWNS:
        raise ValueError(f"{name} is none of {', '.join(UNKNOWNS)}")
    if value not in UNKNOWNS[name].values:
        raise ValueError(f"{name} is one of {', '.join(UNKNOWNS[name].values)}, not {value}")


def facts_in(path: Path) -> Facts:
    """What a probe wrote down: `{"probed_at": ISO time, "api": address, "facts": {name: value}}`.

    Raises OSError, and ValueError where the file is no such thing.
    """
    content = json.loads(path.read_text(encoding="utf-8"))
    facts = content.get("facts") if isinstance(content, dict) else None
    if not isinstance(facts, dict):
        raise ValueError('there are no "facts" in it')
    for name, value in facts.items():
        check_fact(name, value)
    return facts


def write_facts(path: Path, facts: Facts, api: str, probed_at: datetime) -> None:
    """Raises ValueError for a fact that the table does not have, OSError."""
    for name, value in facts.items():
        check_fact(name, value)
    content = {"probed_at": probed_at.isoformat(timespec="seconds"), "api": api, "facts": facts}
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def seconds_value(seconds: float) -> str:
    """The value for a measured time: the next greater of SECONDS, the greatest beyond it."""
    return next((value for value in SECONDS if seconds <= float(value) + 0.3), SECONDS[-1])
