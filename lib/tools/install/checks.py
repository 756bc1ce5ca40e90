"""What is looked at before anybody can be told: sample texts, tags that nobody bears, and how many users there are."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from lib.base.errors import TagoIOError
from lib.tools.bundle.__main__ import ROOT
from lib.tools.bundle.layout import bundle
from lib.tools.install.platform import Platform, Record
from lib.tools.install.wanted import TAG

SAMPLE = Path(__file__).with_name("sample.txt")  # a hash of the texts of analysis.py as it came
MARKED = re.compile(r"example\.(com|org|net)|5b16b4c86ba351000105badc")
USERS_LOOKED_AT = 1000
TAGS_NAMED = 12


def texts_mark(edit_me: str) -> str:
    """Of the part to edit, without comments and white space."""
    code = re.sub(r"#.*", "", edit_me)
    return hashlib.sha256("".join(code.split()).encode()).hexdigest()


def warnings(
    platform: Platform, edit_me: str, variables: dict[str, str], device: str, device_tags: list[tuple[str, str]]
) -> Iterator[str]:
    """A line for each thing that the developer will hardly want."""
    document = variables.get("notification", "")
    if not document and texts_mark(edit_me) == SAMPLE.read_text().strip():
        yield "the texts in analysis.py (compose, under EDIT ME) are those it came with: are they yours?"
    elif MARKED.search(document or edit_me):
        yield "the notification still has an address of the sample (example.com or a dashboard that is not yours)"
    for key, value in device_tags:
        listed = platform.listed(platform.devices.listDevice, {"key": key, "value": value}, ["name"])
        if not any({"key": key, "value": value} in (each.get("tags") or ()) for each in listed):
            there = _shown_tags(platform.listed(platform.devices.listDevice, None, ["name"]))
            yield f"no device has the tag {key} = {value}, so nothing starts it; devices have {there}"
    if device and platform.info(platform.kinds["journal"], device) is None:
        yield f"there is no device {device}, so nothing starts it"


def audience(platform: Platform, variables: dict[str, str]) -> Iterator[str]:
    """How many users the variables choose; where it is none, the tags that there are."""
    send_to = variables.get("send_to", "tags").strip().lower()
    key, values = variables.get("tag_key", ""), [each.strip() for each in variables.get("tag_value", "").split(",")]
    if send_to not in ("tags", "all"):
        yield f"Users: those named in send_to ({len(send_to.split(','))})"
        return
    if send_to == "tags" and not (key and any(values)):
        yield f"WARNING: tag_key and tag_value are not set, so nobody is chosen; users have {_tags_of_users(platform)}"
        return
    tags = [{"key": key, "value": value} for value in values if value]
    tags = [{"key": key, "value": value} for value in values if value]
    try:
        users = _users(platform, tags if send_to == "tags" else [None])
    except TagoIOError as error:
        yield f"Users: cannot be looked up ({error.message})"
        return
    inactive = sum(not user.get("active", True) for user in users)
    whose = "all" if send_to == "all" else f"{key} = {' or '.join(values)}"
    if users:
        yield f"Users: {len(users)} with {whose}{f', {inactive} of them inactive' if inactive else ''}"
    else:
        yield f"WARNING: no user has {whose}; users have {_tags_of_users(platform)}"


def _users(platform: Platform, tags: Sequence[dict[str, str] | None]) -> list[Record]:
    found: dict[str, Record] = {}
    for tag in tags:
        listed = platform.listed(platform.tago.run.listUsers, tag, ["active"])
        found |= {each["id"]: each for each in listed if tag is None or tag in (each.get("tags") or ())}
    return list(found.values())


def _tags_of_users(platform: Platform) -> str:
    return _shown_tags(platform.listed(platform.tago.run.listUsers, None, ["active"])[:USERS_LOOKED_AT])


def _shown_tags(records: list[Record]) -> str:
    all_tags = (tag for each in records for tag in each.get("tags") or () if tag != TAG)
    tags = Counter(f"{tag.get('key')} = {tag.get('value')}" for tag in all_tags)
    named = [f"{tag} ({number})" for tag, number in tags.most_common(TAGS_NAMED)]
    return ", ".join(named) + (f" and {len(tags) - len(named)} more" if len(tags) > len(named) else "") or "no tags"


if __name__ == "__main__":  # after a change of the template
    SAMPLE.write_text(f"{texts_mark(bundle(ROOT).edit_me)}\n")
