"""What the probe found out on this profile: facts.json, in the current folder or beside analysis.py."""

import json
from collections.abc import Iterator
from pathlib import Path

from lib.app.edits import said_of_edits
from lib.base.errors import SetupError
from lib.message.document import parse_document
from lib.message.notification import PUSH_CHARACTERS
from lib.tools.sandbox.unknowns import FACTS_FILE, Facts, facts_in
from lib.tools.terminal import typed


def known_facts(folder: Path, api: str) -> tuple[Facts, str]:
    """The facts of that TagoIO, and the day on which they were seen; nothing where it was not probed. Raises SetupError
    for a file that is no such thing."""
    for path in dict.fromkeys((Path(FACTS_FILE).resolve(), folder / FACTS_FILE)):
        if not path.is_file():
            continue
        try:
            facts = facts_in(path)
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            probe = typed("lib.tools.probe")
            raise SetupError(f"{path} cannot be used ({error}); remove it, or run {probe}") from error
        if str(content.get("api", "")).rstrip("/") == api.rstrip("/"):
            return facts, str(content.get("probed_at", ""))[:10]
    return {}, ""


def refusals(facts: Facts, document: str) -> Iterator[str]:
    """What this TagoIO will not take of the notification, as far as that can be seen in its JSON."""
    if not document:
        return
    try:
        notifications = [variant.notification for variant in parse_document(document)]
    except SetupError as error:
        yield f"the notification cannot be used: {error}"
        return
    for notification in notifications:
        if len(notification.message) > PUSH_CHARACTERS and facts.get("long_message", "taken") != "taken":
            does = "refuses" if facts["long_message"] == "refused" else "cuts"
            length = len(notification.message)
            yield f"the message has {length} characters; this TagoIO {does} more than {PUSH_CHARACTERS}"
        if notification.icon and facts.get("icons") == "none":
            yield "the notification has an icon; this TagoIO takes none, so it goes without"


def costs_of_alarms(facts: Facts, code: str, document: str) -> Iterator[str]:
    """What it costs here that a repeat brings the copies of an alarm up to date."""
    if '"alarm"' in document if document else "alarm=" in code:
        for line in said_of_edits(facts, only_costs=True):
            yield f"{line}: with a journal each repeat of an alarm changes every copy"
