"""The form of an Analysis: what TagoIO takes and refuses of its variables, its runtime and its script.

The limits are documented; the words of the refusals, and their status, are not (U).
"""

import base64
import binascii
from typing import Any

from lib.tools.sandbox.refusal import Refusal

Record = dict[str, Any]

MAX_VARIABLES = 20  # D environment-variables.md
SCRIPT_BYTES = 5_000_000  # 5 MB, D parser-vs-analysis-comparison.md; how TagoIO counts is U
# C cli analysis-create.ts; luau-rt2026, C sdk-js
RUNTIMES = (
    "node", "python", "node-legacy", "python-legacy", "deno-rt2025", "node-rt2025", "python-rt2025", "luau-rt2026",
    "other",
)  # fmt: skip


def check_analysis(given: Record) -> None:
    """Of one that is created or edited. Raises Refusal."""
    listed = given.get("variables", [])
    if not isinstance(listed, list) or not all(isinstance(each, dict) and each.get("key") for each in listed):
        raise Refusal(400, "variables: Expected array of key and value")
    if not all(isinstance(each.get("value", ""), str) for each in listed):  # strings, C cli
        raise Refusal(400, "variables: value: Expected string")
    if len(listed) > MAX_VARIABLES:
        raise Refusal(400, f"variables: Array must contain at most {MAX_VARIABLES} element(s)")
    check_runtime(given, "runtime")


def check_runtime(given: Record, name: str) -> None:
    """Under the `name` that the route has for it. Raises Refusal."""
    if given.get(name) is not None and given[name] not in RUNTIMES:
        raise Refusal(400, f"{name}: Expected one of {', '.join(RUNTIMES)}")


def script_in(given: Record) -> bytes:
    """What an upload holds, which is base64. Raises Refusal."""
    try:
        script = base64.b64decode(str(given.get("file", "")), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refusal(400, "file: Invalid base64") from error
    if len(script) > SCRIPT_BYTES:
        raise Refusal(400, f"file: larger than {SCRIPT_BYTES // 10**6} MB")
    return script
