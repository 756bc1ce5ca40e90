"""How the page names a user."""

from lib.tools.sandbox.store import Record, Store


def name_of(user: Record) -> str:
    """The id where there is no name that could be seen."""
    return str(user["name"] or "").strip() or str(user["id"])


def names_of(store: Store) -> dict[str, str]:
    return {user["id"]: name_of(user) for user in store.users.values()}
