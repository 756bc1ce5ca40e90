"""The name of a campaign: its key, and the mark by which its notifications and presses are known again."""

import base64
import hashlib
import re
import secrets

from lib.message.trigger import Trigger

KEY_LENGTH = 10  # 50 bits: short enough for a button's id, long enough that no two campaigns of a profile meet
MARKED = re.compile(r"(?P<id>.+)-(?P<answers>[ne])(?P<key>[a-z2-7]{10})", re.DOTALL)


def is_repeatable(trigger: Trigger) -> bool:
    """Whether the platform may hand in the same event once more: it has data by which it is known again."""
    return trigger.kind == "action" and bool(trigger.points)


def campaign_key(trigger: Trigger) -> str:
    """The same event of an Action, handed twice to one Analysis, gives the same key; every other run has its own."""
    if is_repeatable(trigger):
        event = [trigger.analysis_id, trigger.action_id]
        for point in trigger.points:
            event += [point.id or f"{point.device}|{point.variable}|{point.group}|{point.value}", point.time]
        digest = hashlib.sha256("\n".join(event).encode(errors="replace")).digest()
    else:
        digest = secrets.token_bytes(16)
    return base64.b32encode(digest).decode().lower()[:KEY_LENGTH]


def mark_of(key: str, answers: str = "first") -> str:
    """What is put behind every button's id: `-n` and the key, or `-e` where each answer counts."""
    return f"-{'e' if answers == 'each' else 'n'}{key}"


def marked_parts(button_id: str) -> tuple[str, str, bool]:
    """From an id as it comes back in a press: the id a developer gave the button, the campaign's key ("" for a button
    of nobody's campaign), and whether each answer counts."""
    found = MARKED.fullmatch(button_id)
    return (found["id"], found["key"], found["answers"] == "e") if found else (button_id, "", False)
