"""How the page names a user."""

import unicodedata

from lib.tools.sandbox.store import Record, Store


def name_of(user: Record) -> str:
    """The id where there is no name that could be seen."""
    return str(user["name"] or "").strip() or str(user["id"])


def direction_of(name: str) -> str:
    """Of its first letter: a select takes none from what is chosen in it."""
    kinds = map(unicodedata.bidirectional, name)
    return "rtl" if next((kind for kind in kinds if kind in ("L", "R", "AL")), "L") != "L" else "ltr"


def names_of(store: Store) -> dict[str, str]:
    return {user["id"]: name_of(user) for user in store.users.values()}
