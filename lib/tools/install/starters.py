"""Whether anything starts the installed Analysis: its Actions as they stand on TagoIO, whatever the record says."""

from collections.abc import Iterator

from lib.tools.install.hand import Hand
from lib.tools.install.triggers import TYPES

TIMED = ("every", "cron")


def timed(hand: Hand) -> list[str]:
    """The parts of those that fire by the clock, and start the Analysis."""
    return [part for part in TIMED if part in hand.record and not what_is_wrong(hand, part)]


def idle(hand: Hand) -> Iterator[str]:
    """A line for each Action of the record that starts nothing."""
    for part in TYPES:
        if part in hand.record and (wrong := what_is_wrong(hand, part)):
            yield f"Action {part} {wrong}"


def what_is_wrong(hand: Hand, part: str) -> str:
    """Why an Action of the record starts nothing; "" where it does."""
    action = hand.platform.info(hand.platform.kinds["action"], hand.record[part])
    if action is None:
        return "was deleted on TagoIO"
    if not action.get("active", True):
        return "is switched off on TagoIO"
    if hand.analysis_id not in ((action.get("action") or {}).get("script") or ()):
        return "does not start this Analysis any more"
    return ""
