"""Trouble to switch on with one press: what it is called, what it does, and to whom."""

from dataclasses import dataclass

from lib.tools.sandbox.store import Store
from lib.tools.sandbox.trouble import Fault

LIMIT = 4  # notifications a minute
KILLED_AFTER = 3  # notifications


@dataclass(frozen=True, slots=True)
class Preset:
    label: str
    says: str


PRESETS = {
    "well": Preset("All is well", "TagoIO answers every request, as its documents say"),
    "502": Preset("502", "TagoIO answers some with 502, carried out or not"),
    "limit": Preset("Rate limit", f"TagoIO takes {LIMIT} notifications a minute"),
    "kill": Preset("Killed", f"Killed after {KILLED_AFTER} notifications; the same event comes again"),
}


def faults_of(preset: str, store: Store) -> list[Fault]:
    """Of three active users the first gets it and reads 502, the second does not get it, the third is spared."""
    if preset != "502":
        return []
    active = [user["id"] for user in store.users.values() if user["active"]]
    return [
        Fault("502", processed=True, only=frozenset(active[0::3])),
        Fault("502", processed=False, only=frozenset(active[1::3])),
    ]
