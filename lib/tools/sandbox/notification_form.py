"""The form of a notification: what TagoIO takes, refuses and keeps of one that is created or edited."""

from typing import Any

from lib.tools.sandbox.refusal import Refusal
from lib.tools.sandbox.unknowns import Facts

Record = dict[str, Any]

PUSH_LENGTH = 140  # characters, D notification-service.md
MOST_BUTTONS = 4  # D seed1
# C js notifications.types
KNOWN = ("title", "message", "buttons", "icon", "read", "buttons_enabled", "buttons_autodisable")


def checked(given: Record, facts: Facts, *, is_new: bool) -> Record:
    """What TagoIO keeps of it. Raises Refusal."""
    kept = {name: given[name] for name in KNOWN if given.get(name) is not None}
    for name in ("title", "message"):
        if is_new and not isinstance(given.get(name), str | None):
            raise Refusal(400, f"{name}: Expected string")
        if is_new and not given.get(name):
            raise Refusal(400, f"{name}: Required")
        if name in given and not isinstance(given[name], str):
            raise Refusal(400, f"{name}: Expected string")
    if len(kept.get("message", "")) > PUSH_LENGTH and facts["long_message"] != "taken":
        if facts["long_message"] == "refused":
            raise Refusal(400, f"message: String must contain at most {PUSH_LENGTH} character(s)")
        kept["message"] = kept["message"][:PUSH_LENGTH]
    _check_buttons(kept.get("buttons", []), facts["button_form"])
    _check_icon(kept.get("icon"), facts["icons"])
    return kept


def _check_buttons(buttons: Any, form: str) -> None:
    """The documented form has url or analysis, the SDK's has triggers."""
    if not isinstance(buttons, list):
        raise Refusal(400, "buttons: Expected array")
    if len(buttons) > MOST_BUTTONS:
        raise Refusal(400, f"buttons: Array must contain at most {MOST_BUTTONS} element(s)")
    for button in buttons:
        if not isinstance(button, dict) or not button.get("id") or not button.get("label"):
            raise Refusal(400, "buttons: id and label are Required")
        if " " in str(button["id"]):
            raise Refusal(400, "buttons: id must not contain spaces")
        if form == "triggers" and "triggers" not in button:
            raise Refusal(400, "buttons: triggers: Required")
        if form == "url" and "triggers" in button:
            raise Refusal(400, "buttons: Unrecognized key(s) in object: 'triggers'")


def _check_icon(icon: Any, taken: str) -> None:
    if not icon or taken == "any":
        return
    address = str(icon.get("image_url") or icon.get("svg_url") or "") if isinstance(icon, dict) else str(icon)
    if taken == "none" or not address.startswith(("http://", "https://")):
        raise Refusal(400, "icon: Invalid url")
