"""The questions, each a function that asks the platform and answers with facts of sandbox/unknowns.py.

A question that cannot be answered says why (Unclear), and its facts stay unknown: nothing is guessed.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from lib.base.errors import Rejected
from lib.message.icon import wire_icon
from lib.tagoio.profile import quota_left
from lib.tools.probe.lab import PATIENCE, Lab
from lib.tools.sandbox.unknowns import Facts, seconds_value

PUSH_LENGTH = 140  # characters, D notification-service.md
NEWEST = 20
SETTLED = 2.0  # seconds after which a count is believed to be up to date, where it moved within less before
PICTURE = "https://admin.tago.io/favicon.ico"


class Unclear(Exception):
    """The answer does not tell; says what was seen."""


@dataclass(frozen=True)
class Question:
    """`facts` are the names that it may answer; `units` of the push quota and `requests` are the most it takes."""

    what: str
    facts: tuple[str, ...]
    ask: Callable[[Lab], Facts]
    units: int = 0
    requests: int = 10
    cost: str = ""


def lists(lab: Lab) -> Facts:
    """The field `options`, a page after the last, and whether the SDK can read a user's dates."""
    query = {"page": 1, "amount": 20, "fields": ["id"], "filter": {}, "orderBy": ["created_at", "asc"]}
    dates = lab.platform.ask(lambda: lab.client.request("GET", f"/run/users/{lab.user_id}", token=lab.token))
    return {
        "user_options": "refused" if _is_refused(lab, {**query, "fields": ["id", "options"]}) else "listed",
        "page_past_end": "error" if _is_refused(lab, {**query, "page": 9000}) else "empty",
        "user_dates": "iso" if _is_date(dates.get("created_at")) else "odd",
    }


def _is_refused(lab: Lab, query: dict[str, object]) -> bool:
    try:
        lab.platform.ask(lambda: lab.tago.run.listUsers(query))
    except Rejected:
        return True
    return False


def _is_date(text: object) -> bool:
    """As the Python SDK reads it (C whl dateParser.py)."""
    from dateutil.parser import parse  # type: ignore[import-untyped]  # it comes with the SDK

    try:
        parse(str(text), ignoretz=True)
    except (ValueError, OverflowError):
        return False
    return True


def showing(lab: Lab) -> Facts:
    """How long until a notification is listed."""
    note_id, began = lab.notify(), time.monotonic()
    if lab.note(note_id) is None:
        raise Unclear(f"a notification was not listed within {PATIENCE:.0f} s")
    return {"notifications_show_after": seconds_value(time.monotonic() - began)}


def denial(lab: Lab) -> Facts:
    """What the Analysis' own token is answered, as long as no policy allows anything."""
    run, facts = lab.as_analysis().run, {}
    if not lab.wait(lab.listed):
        raise Unclear("the test user's notifications are not listed at all")
    try:
        if not lab.platform.ask(lambda: run.notificationList(lab.user_id)):
            facts["denied_list"] = "empty"
    except Rejected:
        facts["denied_list"] = "error"
    try:
        lab.platform.ask(lambda: run.notificationCreate(lab.user_id, {"title": "Probe", "message": "Not allowed"}))
    except Rejected as error:
        if error.status in (401, 403):
            facts["denied_create"] = str(error.status)
    return facts


def texts(lab: Lab) -> Facts:
    """More characters than a push has."""
    long = "x" * (PUSH_LENGTH + 20)
    try:
        note = lab.note(lab.notify(message=long))
    except Rejected:
        return {"long_message": "refused"}
    if note is None:
        raise Unclear("the notification was not listed")
    return {"long_message": "taken" if note.get("message") == long else "cut"}


def icons(lab: Lab) -> Facts:
    """A picture by its web address, and one of ours, which travels as a data address."""
    if not _is_taken(lab, icon={"image_url": PICTURE}):
        return {"icons": "none"}
    return {"icons": "any" if _is_taken(lab, icon=wire_icon("warning")) else "web_only"}


def forms(lab: Lab) -> Facts:
    """The documented form of buttons, and that of the SDK's types."""
    plain = {"id": "probe", "label": "Probe"}
    documented = _is_taken(lab, buttons=[{**plain, "analysis": lab.analysis_id}])
    typed = _is_taken(lab, buttons=[{**plain, "triggers": [{"analysis_id": lab.analysis_id}]}])
    if not (documented or typed):
        raise Unclear("neither form of buttons was taken")
    return {"button_form": "both" if documented and typed else "url" if documented else "triggers"}


def _is_taken(lab: Lab, **changes: object) -> bool:
    """Whether it is neither refused nor left out."""
    (name,) = changes
    try:
        note = lab.note(lab.notify(**changes))
    except Rejected:
        return False
    if note is None:
        raise Unclear(f"a notification with {name} was taken, but not listed within {PATIENCE:.0f} s")
    return bool(note.get(name))


def with_button(lab: Lab) -> str:
    """The id of a notification whose button runs the Analysis, in whichever form is taken. Raises TagoIOError."""
    plain = {"id": "probe", "label": "Probe"}
    try:
        return lab.notify(buttons=[{**plain, "analysis": lab.analysis_id}])
    except Rejected:
        return lab.notify(buttons=[{**plain, "triggers": [{"analysis_id": lab.analysis_id}]}])


def disabling(lab: Lab) -> Facts:
    """Whether buttons are still listed once they are disabled."""
    note_id = with_button(lab)
    if not (lab.note(note_id) or {}).get("buttons"):
        raise Unclear("the buttons were not listed before either")
    lab.platform.ask(lambda: lab.tago.run.notificationEdit(note_id, {"buttons_enabled": False}))

    def disabled() -> dict[str, object] | None:
        note = next((each for each in lab.listed() if each.get("id") == note_id), None)
        return note if note and (note.get("buttons_enabled") is False or not note.get("buttons")) else None

    note = lab.wait(disabled)
    if note is None:
        raise Unclear("the edit did not show")
    return {"disabled_buttons": "listed" if note.get("buttons") else "left_out"}


def edit_cost(lab: Lab) -> Facts:
    """Whether an edit costs a unit; only where a new notification is seen to cost one."""
    before = lab.quota()[0]
    note_id, began = lab.notify(), time.monotonic()
    if not lab.wait(lambda: lab.quota()[0] > before, within=5.0):
        raise Unclear("the count of used units did not move after a new notification")
    moved, now = time.monotonic() - began, lab.quota()[0]
    lab.platform.ask(lambda: lab.tago.run.notificationEdit(note_id, {"message": "Edited, nothing to do."}))
    costs = lab.wait(lambda: lab.quota()[0] > now, within=max(SETTLED, 2 * moved))
    return {"edit_costs": "yes" if costs else "no"}


def quota(lab: Lab) -> Facts:
    """Whether an Analysis that may is told the push quota."""
    lab.allow()
    readable = lab.wait(lambda: isinstance(quota_left(lab.as_analysis().profile), tuple), within=5.0)
    return {"quota_readable": "yes" if readable else "no"}


def inbox(lab: Lab) -> Facts:
    """How many of a user's notifications are listed."""
    last = lab.notify()
    while len(lab.notes) <= NEWEST:
        last = lab.notify()
    if lab.note(last) is None:
        raise Unclear("the newest notification was not listed")
    listed, made = len(lab.listed()), len(lab.notes)
    if listed not in (made, NEWEST):
        raise Unclear(f"{listed} of {made} notifications are listed")
    return {"inbox_lists": "all" if listed == made else "newest_20"}


def rows(lab: Lab) -> Facts:
    """When rows are listed, and what `skip` counts: three rows each of two variables, one skipped."""
    device = lab.tago.device(lab.device("mutable"))
    sent = [{"variable": variable, "value": number} for number in range(3) for variable in ("probe_a", "probe_b")]
    lab.platform.ask(lambda: device.sendData(sent))
    began = time.monotonic()
    query = {"variables": ["probe_a", "probe_b"], "qty": 10}
    if not lab.wait(lambda: len(lab.platform.ask(lambda: device.getData(dict(query)))) >= len(sent)):
        raise Unclear(f"the rows were not listed within {PATIENCE:.0f} s")
    facts = {"rows_show_after": seconds_value(time.monotonic() - began)}
    skipped = len(sent) - len(lab.platform.ask(lambda: device.getData({**query, "skip": 1})))
    if skipped in (1, 2):
        facts["skip_counts"] = "rows" if skipped == 1 else "per_variable"
    return facts
