"""The script on TagoIO: compared by its content, uploaded where nobody has edited it there."""

import base64
import difflib
from collections.abc import Iterator
from pathlib import Path

from lib.base.errors import SetupError, TagoIOError
from lib.tools.install.hand import Hand
from lib.tools.install.record import SCRIPT
from lib.tools.install.wanted import fingerprint

SHOWN = 60  # lines of a difference


def put_script(hand: Hand, script: str, folder: Path, *, overwrite: bool) -> None:
    """An edit made on TagoIO stays unless `overwrite`: it is shown, and a copy of it is kept in `folder`."""
    if hand.analysis_id and not _may_upload(hand, script, folder, overwrite=overwrite):
        return
    upload = {
        "name": "analysis.py",
        "content": base64.b64encode(script.encode()).decode(),
        "language": "python-rt2025",
    }
    hand.do(
        "Script uploaded",
        lambda: hand.platform.analyses.uploadScript(hand.analysis_id, upload),
        f"analysis/{hand.analysis_id}",
    )
    if hand.analysis_id:
        hand.remember(**{SCRIPT: fingerprint(script)})  # last: only what is there is marked


def _may_upload(hand: Hand, script: str, folder: Path, *, overwrite: bool) -> bool:
    last = hand.record.get(SCRIPT, "")
    there, why = _there(hand)
    if there == script or (there is None and last == fingerprint(script)):
        hand.say(f"Analysis {hand.analysis.get('name')} is there with this script")
        return False
    if not last and not there:
        return True  # nothing was ever uploaded
    if there is not None and last == fingerprint(there):
        return True
    if there is None:
        hand.say(f"The script on TagoIO cannot be read ({why}), so whether it was edited there is not known")
    else:
        _keep(hand, there, script, folder)
    if not overwrite:
        hand.say("The script on TagoIO stays as it is (--overwrite replaces it with analysis.py)")
    return overwrite


def _there(hand: Hand) -> tuple[str | None, str]:
    """The script as it is on TagoIO; None, and why, where it cannot be had."""
    try:
        return hand.platform.script_of(hand.analysis_id), ""
    except TagoIOError as error:
        return None, error.message
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:  # an answer of another form
        return None, type(error).__name__


def _keep(hand: Hand, there: str, script: str, folder: Path) -> None:
    """Show what was edited, and write it down beside analysis.py."""
    hand.say("The script was edited on TagoIO. Lines with - are there, those with + would come instead:")
    lines = list(_difference(there, script))
    for line in lines[:SHOWN]:
        hand.say(f"  {line}")
    if len(lines) > SHOWN:
        hand.say(f"  … and {len(lines) - SHOWN} lines more")
    copy = folder / f"analysis.tagoio-{fingerprint(there)[:8]}.py"
    if hand.dry_run:
        return
    try:
        copy.write_text(there, encoding="utf-8", newline="")
    except OSError as error:
        raise SetupError(f"What was edited on TagoIO cannot be kept in {copy}: {error.strerror}") from error
    hand.say(f"A copy of what is there was kept: {copy.name}")


def _difference(there: str, script: str) -> Iterator[str]:
    found = difflib.unified_diff(there.splitlines(), script.splitlines(), "on TagoIO", "analysis.py", lineterm="", n=1)
    yield from list(found)[2:]
