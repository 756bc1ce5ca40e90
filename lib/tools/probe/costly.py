"""The questions that need a person, many requests, or a unit of something: asked last, or only by a flag."""

from collections.abc import Callable

import requests

from lib.base.errors import Rejected
from lib.tools.probe.lab import PATIENCE, Lab
from lib.tools.probe.questions import Unclear, with_button
from lib.tools.sandbox.unknowns import Facts
from lib.tools.stream import Stream

MOST_WRITES = 410  # PUT /am takes at most 200 a minute (D rate-limits-hard-limits.md); two minutes may be touched
FULL = 50_000  # rows that a mutable device holds (D docs devices/index.md)
ROWS_A_POST = 5_000  # some 150 kB; TagoIO takes 200 (D sending-data.md)
MOST_SPENT = 50  # push units
A_TAP = 180.0  # seconds that a person has
Person = Callable[[str], bool]  # asked something; yes or no


def press(lab: Lab, person: Person | None = None) -> Facts:
    """What a press hands the Analysis. The test user is logged in and presses by themselves, as TagoRUN's page does (C
    js RunUser); where that is not let, a person is asked for one tap."""
    events: list[dict[str, object]] = []
    channel = "analysis_trigger"
    stream = Stream(lab.sse, channel, lab.analysis_token, lambda event: _take(event, events))
    if not stream.opened.wait(PATIENCE):
        raise Unclear("the stream of the Analysis' triggers cannot be opened")
    note_id = with_button(lab)
    within = PATIENCE
    try:
        _press(lab, note_id)
    except (Rejected, KeyError, TypeError) as error:
        if person is None or not person(_login(lab, "open TagoRUN, log in, and tap [Probe]")):
            raise Unclear("the test user cannot log in by the API; --phone asks you for a tap") from error
        within = A_TAP
    if not lab.wait(lambda: events, within=within):
        raise Unclear(f"the press did not arrive within {within:.0f} s")
    payload = events[0]
    environment = payload.get("environment")
    keys = {str(each.get("key")) for each in environment} if isinstance(environment, list) else set()
    scope = payload.get("data")
    return {
        "press_scope": "null" if scope is None else "list",
        "press_user_id": "set" if "_user_id" in keys else "absent",
    }


def _take(event: object, events: list[dict[str, object]]) -> None:
    payload = event.get("payload") if isinstance(event, dict) else None
    if isinstance(payload, dict):
        events.append(payload)


def _press(lab: Lab, note_id: str) -> None:
    url = lab.platform.ask(lab.tago.run.info)["url"]
    given = {"email": lab.email, "password": lab.password}
    token = lab.client.request("POST", f"/run/{url}/login", token="", body=given)["token"]
    lab.client.request("PUT", f"/run/{url}/notification/{note_id}/probe", token=token, body={})


def _login(lab: Lab, what: str) -> str:
    """The password is shown to the person at this terminal only; the user is removed when the probe ends."""
    return f"On your phone {what}.\n  e-mail {lab.email}\n  password {lab.password}\nDone?"


def edit_pushes(lab: Lab, person: Person) -> Facts:
    """Only a phone can tell."""
    person(_login(lab, "open TagoRUN, log in as the test user, and allow notifications"))
    note_id = lab.notify(message="The first: you should have seen this on your phone.")
    if not person("Did a notification show on the phone?"):
        raise Unclear("no notification showed on the phone at all")
    lab.platform.ask(lambda: lab.tago.run.notificationEdit(note_id, {"message": "The second: edited."}))
    lab.sleep(1.0)
    return {"edit_pushes": "yes" if person("Within a minute: did the phone show it once more?") else "no"}


def limit(lab: Lab) -> Facts:
    """The text and the header of a 429, got by writing the probe's own policy over and over."""
    if not lab.policy_id:
        lab.allow()
    address, headers = f"{lab.client.api}/am/{lab.policy_id}", {"token": lab.token}
    with requests.Session() as session:
        for _ in range(MOST_WRITES):
            answer = session.put(address, json={"active": True}, headers=headers, timeout=PATIENCE)
            if answer.status_code == 429:
                return {
                    "limit_text": "seconds" if "retry-after" in answer.text.lower() else "bare",
                    "limit_header": "present" if "retry-after" in answer.headers else "absent",
                }
    raise Unclear(f"no 429 within {MOST_WRITES} requests")


def full_device(lab: Lab) -> Facts:
    """One row more than a mutable device holds."""
    device = lab.tago.device(lab.device("mutable"))
    rows = [{"variable": "probe", "value": 1}] * ROWS_A_POST
    try:
        for _ in range(FULL // ROWS_A_POST):
            lab.platform.ask(lambda: device.sendData(rows))
    except Rejected as error:
        raise Unclear(f"refused before it was full: {error.message}") from error
    try:
        lab.platform.ask(lambda: device.sendData({"variable": "probe", "value": 2}))
    except Rejected:
        return {"full_device": "refused"}
    return {"full_device": "oldest_dropped"}


def quota_spent(lab: Lab) -> Facts:
    """What a notification past the push quota is answered; only where little of it is left."""
    used, most = lab.quota()
    if most - used > MOST_SPENT:
        raise Unclear(f"{most - used} units are left; at most {MOST_SPENT} are spent for it")
    for _ in range(max(most - used, 0)):
        lab.notify()
    try:
        note_id = lab.notify()
    except Rejected:
        return {"quota_spent": "refused"}
    return {"quota_spent": "taken" if lab.note(note_id) else "dropped"}
