"""What an installation consists of, in TagoIO's wire form: the Analysis, its variables, the journal's device."""

import hashlib
from typing import Any

from lib.app.settings import VARIABLES
from lib.base.log import redact

TAG = {"key": "installed_by", "value": "tagorun-notify"}
NAME = "Notify TagoRUN users"
RUNTIME = "python-rt2025"

# D api/create-new-device: the network and the connector of its examples (TagoIO's Custom HTTPS).
NETWORK, CONNECTOR = "5bbd0d144051a50034cd19fb", "5f5a8f3351d4db99c40dece5"

# A journal only ever gets more rows. A device of type mutable takes 50,000 and no more (D docs devices/index.md); an
# immutable one takes a million a period, and TagoIO removes the periods that are older than the retention: 0 to
# 31 where the period is a day (D docs data-retention-feature.md; C cli device-create.ts). Days leave the most room; a
# campaign matters for one of them, and the report reads those of a month.
JOURNAL_DAYS = 31
JOURNAL_STORAGE = {"type": "immutable", "chunk_period": "day", "chunk_retention": JOURNAL_DAYS}
MUTABLE_ROWS = 50_000

SECRET_NAMES = ("delivery_log_token", "fallback")  # kept among TagoIO's Secrets where that is possible
AT_HOME = ("account_token", "dry_run", "probed")  # a token of its own; --live and facts.json decide
LONGEST_SHOWN = 60  # characters of a value


def wanted_analysis(name: str, tags: list[dict[str, str]]) -> dict[str, Any]:
    return {"name": name, "runtime": RUNTIME, "run_on": "tago", "active": True, "tags": tags}


def wanted_device(name: str) -> dict[str, Any]:
    named = {"name": f"{name} journal", "network": NETWORK, "connector": CONNECTOR, "tags": [TAG]}
    return {**named, **JOURNAL_STORAGE}


def wanted_variables(given: dict[str, str], region: str) -> dict[str, str]:
    """The Analysis' environment variables; of another region than TagoIO's first, its name too."""
    found = {name: given[name] for name in VARIABLES if given.get(name) and name not in AT_HOME}
    return {**found, "region": region} if region and region not in ("us-e1", "usa-1") else found


def shown(name: str, value: str) -> str:
    """A variable as a person may see it."""
    if name in SECRET_NAMES or name == "account_token":
        return f"{name} = (hidden)"
    return f"{name} = {_excerpt(_flat(value), 0)}"


def difference(name: str, there: str, wanted: str) -> str:
    """How a variable on TagoIO differs from what is wanted, as a person may see it."""
    if name in SECRET_NAMES or name == "account_token":
        return f"{name} is another on TagoIO than in .env (both hidden)"
    there, wanted = _flat(there), _flat(wanted)
    if there == wanted:
        return f"{name} is another on TagoIO than in .env (what differs is hidden)"
    alike = next((at for at, pair in enumerate(zip(there, wanted, strict=False)) if len(set(pair)) > 1), len(there))
    begin = max(0, alike - LONGEST_SHOWN // 2) if max(len(there), len(wanted)) > LONGEST_SHOWN else 0
    there, wanted = (_excerpt(value, begin) for value in (there, wanted))
    return f"{name} is {there} on TagoIO and {wanted} in .env"


def _flat(value: str) -> str:
    """Without secrets before it is cut: half of one is not known for one."""
    return redact(" ".join(value.split()))


def _excerpt(value: str, begin: int) -> str:
    end = begin + LONGEST_SHOWN
    return f"{'…' if begin else ''}{value[begin:end]}{'…' if len(value) > end else ''}"


def fingerprint(script: str) -> str:
    return hashlib.sha256(script.encode()).hexdigest()[:16]
