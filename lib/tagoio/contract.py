"""What we stand on of tagoio-sdk that it does not promise, looked at before the first call."""

from collections.abc import Iterable, Mapping
from typing import Any

from lib.base.errors import SetupError

PRIVATE = ("doRequest", "_converter_dict_param_filter")


def check_contract(base: type, used: Mapping[type, Iterable[str]]) -> None:
    """Whether every method in use ends in the `doRequest` of `base`, which the pool replaces: one that does not would
    by-pass the pool, its deadline and its errors. Names in compiled code are compared, so it takes microseconds.

    Raises SetupError.
    """
    changed = [name for name in PRIVATE if not callable(getattr(base, name, None))]
    for module, methods in used.items():
        changed += [f"{module.__name__}.{name}" for name in methods if not _asks_by(getattr(module, name, None))]
    if changed:
        raise SetupError(
            f"this tagoio-sdk works otherwise than the one this was made for ({', '.join(changed)}): install the "
            "version that requirements.txt names"
        )


def _asks_by(method: Any) -> bool:
    names = getattr(getattr(method, "__code__", None), "co_names", ())
    return "doRequest" in names and "apiRequest" not in names
