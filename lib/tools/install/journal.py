"""The journal's device, and its token."""

from lib.tools.install.hand import Hand
from lib.tools.install.wanted import JOURNAL_DAYS, MUTABLE_ROWS, wanted_device

PART = "journal"
UNSEEN = "(its token)"  # in a dry run


def put_journal(hand: Hand, name: str, token: str, *, has_secret: bool, overwrite: bool) -> str:
    """The token to be set, or "" where what stands on TagoIO is right: `token` among the variables, or a Secret, which
    cannot be read. A new one where that is nobody's any more, or was never written down by a run that was cut off."""
    platform = hand.platform
    found = hand.find(platform.kinds["journal"], PART)
    holder = platform.holder_of(token)
    if found and ((holder and holder.get("id") == found["id"]) or (has_secret and not token)):
        _say_it_is_there(hand, found["id"])
        return ""
    if holder and not overwrite:
        hand.say(f"Journal device {holder.get('name')} is your own and stays (--overwrite sets another)")
        return ""
    if has_secret and not (found or token or overwrite or hand.record.get(PART)):
        hand.say("The Secret delivery_log_token is your own and stays (--overwrite sets another)")
        return ""
    if found:
        wish = {"name": "Journal", "permission": "full", "expire_time": "never"}
        made = hand.do("Journal device got a token", lambda: platform.devices.tokenCreate(found["id"], wish), "devices")
    else:
        made = hand.do(
            f"Journal device created: it keeps its rows for {JOURNAL_DAYS} days",
            lambda: platform.devices.create(wanted_device(name)),
            "devices",
        )
        if made:
            hand.remember(**{PART: str(made["device_id"])})
    return str(made["token"]) if made else UNSEEN


def _say_it_is_there(hand: Hand, device_id: str) -> None:
    if hand.platform.ask(lambda: hand.platform.devices.info(device_id)).get("type") != "mutable":
        hand.say("Journal device is there")
        return
    hand.say(
        f"Journal device is there and stays, but it is of type mutable: it takes {MUTABLE_ROWS:,} rows and then no "
        f"more. Remove it on TagoIO and run this again: a new one drops its rows after {JOURNAL_DAYS} days"
    )
