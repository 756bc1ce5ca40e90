"""Taking back what was sent, as a command against the sandbox: recall, correct, close."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import requests

from lib.tools.campaign.__main__ import _connect as connect
from lib.tools.sandbox.store import Identity, Record
from lib.tools.sandbox.trouble import Fault, Seen
from tests.conftest import BARE, MAINTENANCE, ROOT, Ran, run_python
from tests.processes import Started
from tests.test_alarm_run import reads
from tests.test_decision import are_open, messages, note_of, press
from tests.test_dispatch import EVENT, POINT, Journaled, journaled  # noqa: F401  # a fixture
from tests.test_escalation import MINUTE, Escalating, escalating  # noqa: F401  # a fixture

PUT, DELETE = ("PUT", "/run/notification/"), ("DELETE", "/run/notification/")
VERBS = {"recall": [], "correct": ["--message", "Ignore this"], "close": ["--line", "A false alarm"]}


@pytest.fixture
def sent(journaled: Journaled) -> Journaled:  # noqa: F811
    """Seven were told, one was skipped."""
    assert journaled.run(POINT, **EVENT).code == 0
    journaled.sandbox.store.log.clear()
    return journaled


def env_of(campaign: Journaled, **more: str) -> dict[str, str]:
    given = {"TAGOIO_API": campaign.sandbox.api, "account_token": campaign.sandbox.store.profile_token}
    return {**BARE, **given, "delivery_log_token": campaign.token, **more}


def take_back(campaign: Journaled, verb: str, *more: str, key: str = "last", **env: str) -> Ran:
    arguments = ("-m", "lib.tools.campaign", verb, key, *VERBS[verb], *more)
    ran = run_python(*arguments, cwd=ROOT, env=env_of(campaign, **env))
    assert "Traceback" not in ran.err
    return ran


def notes(campaign: Journaled) -> list[Record]:
    return list(campaign.sandbox.store.notifications.values())


def changes(campaign: Journaled) -> list[tuple[str, str]]:
    """The requests that changed notifications."""
    return [
        each for each in campaign.sandbox.store.log if each[0] != "GET" and each[1].startswith("/run/notification/")
    ]


def ended(campaign: Journaled) -> list[dict[str, Any]]:
    return [row["metadata"] for row in campaign.rows("notify_change") if row["value"] == "ended"]


def closed(campaign: Journaled) -> list[str]:
    rows = campaign.rows("notify_closed")
    return sorted(each for row in rows for each in row["metadata"]["notifications"].split())


def test_recall_deletes_every_copy_and_ends_the_campaign_first(sent: Journaled) -> None:
    ids = sorted(note["id"] for note in notes(sent))
    ran = take_back(sent, "recall", "--yes")
    assert ran.code == 0, ran.out + ran.err
    assert notes(sent) == []
    assert "7 copies of 7 users are deleted" in ran.out
    assert '"d is warm", begun 2' in ran.out
    assert "7 recalled" in ran.out
    assert ran.err == ""
    assert all(name in ran.out for name in MAINTENANCE)
    assert [(each["why"], each["line"]) for each in ended(sent)] == [("recalled", "")]
    assert closed(sent) == ids
    writes = [each for each in sent.sandbox.store.log if each[0] != "GET"]
    assert [method for method, _ in writes] == ["POST", *["DELETE"] * 7, "POST"], "the end comes first"


def test_correct_replaces_title_and_text_once_and_leaves_buttons_and_lines(sent: Journaled) -> None:
    press(sent, "Ana Souza")
    ran = take_back(sent, "correct", "--title", "Corrected", "--yes")
    assert ran.code == 0, ran.out + ran.err
    assert {note["title"] for note in notes(sent)} == {"Corrected"}
    assert all(message.startswith("Ignore this\nAcknowledged by Ana Souza, ") for message in messages(sent))
    assert all(note["buttons"] for note in notes(sent))
    assert not any(are_open(sent))
    assert "7 corrected" in ran.out
    assert ended(sent) == []
    sent.sandbox.store.log.clear()
    again = take_back(sent, "correct", "--title", "Corrected", "--yes")
    assert again.code == 0
    assert "7 corrected before" in again.out
    assert changes(sent) == []


def test_correct_leaves_what_is_open_open(sent: Journaled) -> None:
    before = [note["buttons"] for note in notes(sent)]
    assert take_back(sent, "correct", "--yes").code == 0
    assert all(are_open(sent))
    assert [note["buttons"] for note in notes(sent)] == before
    assert set(messages(sent)) == {"Ignore this"}


def test_close_disables_the_buttons_then_adds_the_line_in_the_readers_time(sent: Journaled) -> None:
    ran = take_back(sent, "close", "--yes")
    assert ran.code == 0, ran.out + ran.err
    assert "7 closed" in ran.out
    assert not any(are_open(sent))
    assert all("\nA false alarm, " in message for message in messages(sent))
    hours = [int(note_of(sent, name)["message"].rsplit(", ", 1)[1][:2]) for name in ("Ana Souza", "Emi Tanaka")]
    assert (hours[1] - hours[0]) % 24 == 12
    assert [(each["why"], each["line"]) for each in ended(sent)] == [("closed by hand", "A false alarm")]
    assert closed(sent) == sorted(note["id"] for note in notes(sent))
    again = take_back(sent, "close", "--line", "Another line", "--yes")
    assert 'Its line stays the first one: "A false alarm"' in again.out
    assert (again.code, "There was nothing to do" in again.out) == (0, True)
    assert len(ended(sent)) == 1
    assert [message.count("A false alarm") for message in messages(sent)] == [1] * 7


@pytest.mark.parametrize("verb", VERBS)
def test_a_dry_run_shows_what_would_be_done_and_changes_nothing(sent: Journaled, verb: str) -> None:
    before = json.dumps([notes(sent), sent.sandbox.store.data[sent.device["id"]]])
    ran = take_back(sent, verb, "--dry-run")
    assert ran.code == 0, ran.out + ran.err
    assert json.dumps([notes(sent), sent.sandbox.store.data[sent.device["id"]]]) == before
    assert ran.out.count("would be") == 7
    assert all(name in ran.out for name in MAINTENANCE)


@pytest.mark.parametrize("verb", VERBS)
def test_without_a_terminal_and_without_yes_it_refuses(sent: Journaled, verb: str) -> None:
    ran = take_back(sent, verb)
    assert ran.code == 1
    assert "7 copies of 7 users" in ran.out
    assert "--yes does it without a question" in ran.out
    assert (changes(sent), ended(sent)) == ([], [])


@pytest.mark.parametrize("verb", VERBS)
def test_a_copy_that_is_gone_counts_as_done(sent: Journaled, verb: str) -> None:
    for note in notes(sent)[:3]:
        sent.sandbox.store.remove_notification(note["id"])
    ran = take_back(sent, verb, "--yes")
    assert ran.code == 0, ran.out + ran.err
    assert "3 gone already" in ran.out
    assert ran.out.count("gone already") == 4


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(
    "fault",
    [Fault("502", attempts=2), Fault("502", processed=True), Fault("reset", processed=True), Fault("429")],
    ids=["502", "502 after all", "reset", "429"],
)
@pytest.mark.waits(5)
def test_a_storm_is_waited_out(sent: Journaled, verb: str, fault: Fault) -> None:
    fault.route = DELETE if verb == "recall" else PUT
    sent.sandbox.trouble.faults = [fault]
    ran = take_back(sent, verb, "--yes")
    assert ran.code == 0, ran.out + ran.err
    assert len(changes(sent)) > 7
    assert not notes(sent) if verb == "recall" else all(VERBS[verb][1] in message for message in messages(sent))
    assert [message.count("A false alarm") for message in messages(sent)] in ([], [0] * 7, [1] * 7)


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.waits(18)
def test_what_cannot_be_done_is_named_and_the_same_command_does_the_rest(sent: Journaled, verb: str) -> None:
    path = f"/run/notification/{note_of(sent, 'Ana Souza')['id']}"
    sent.sandbox.trouble.faults = [Fault("400", attempts=99, route=(DELETE[0] if verb == "recall" else "PUT", path))]
    ran = take_back(sent, verb, "--yes")
    assert ran.code == 1
    (line,) = [line for line in ran.out.splitlines() if "Ana Souza" in line]
    assert "NOT DONE" in line
    assert f"6 {'recalled' if verb == 'recall' else 'corrected' if verb == 'correct' else 'closed'}, 1 NOT" in ran.out
    assert "The same command does the rest" in ran.out
    sent.sandbox.trouble.faults = []
    sent.sandbox.store.log.clear()
    again = take_back(sent, verb, "--yes")
    assert again.code == 0, again.out + again.err
    assert {each[1] for each in changes(sent)} == {path}


def test_a_long_text_and_what_an_edit_does_are_said_to_be_unknown(sent: Journaled, tmp_path: Path) -> None:
    ran = take_back(sent, "correct", "--message", "x" * 141, "--dry-run")
    assert "What TagoIO does with a text of more than 140 characters (here 141) is not known" in ran.out
    for what in ("is pushed again", "costs a unit of the push quota"):
        assert f"Whether an edit {what} is not known" in ran.out
    assert "Whether" not in take_back(sent, "recall", "--dry-run").out


def test_a_lost_answer_and_a_second_copy_are_recalled_too(sent: Journaled) -> None:
    """Of the one the journal knows a user only, of the other nothing."""
    store = sent.sandbox.store
    bens, anas = note_of(sent, "Ben Carter"), note_of(sent, "Ana Souza")
    store.notifications["f" * 24] = {**bens, "id": "f" * 24}
    store.inboxes[bens["run_user"]].append("f" * 24)
    for row in sent.rows("notify_outcome"):
        users, ids = row["metadata"]["users"].split(), row["metadata"].get("notifications", "").split()
        if anas["id"] in ids:
            place = ids.index(anas["id"])
            ids[place] = "-"
            row["metadata"] |= {"users": " ".join(users), "notifications": " ".join(ids)}
            lost = {"users": users.pop(place), "run": row["metadata"]["run"], "reason": "an answer was lost"}
            row["metadata"] |= {"users": " ".join(users), "notifications": " ".join(id for id in ids if id != "-")}
            store.data[sent.device["id"]].append({**row, "id": "e" * 24, "value": "unknown", "metadata": lost})
            break
    sent.age()
    ran = take_back(sent, "recall", "--yes")
    assert ran.code == 0, ran.out + ran.err
    assert "6 copies of 6 users" in ran.out
    assert "8 recalled" in ran.out
    assert notes(sent) == []


def test_nothing_private_reaches_the_journal(sent: Journaled) -> None:
    for verb in ("correct", "close", "recall"):
        take_back(sent, verb, "--yes")
    rows = json.dumps(sent.sandbox.store.data[sent.device["id"]])
    assert "Ignore this" not in rows
    assert sent.token not in rows
    assert not any(user["email"] in rows for user in sent.sandbox.store.users.values())


@pytest.mark.parametrize("verb", VERBS)
def test_a_wrong_key_names_those_there_are(sent: Journaled, verb: str) -> None:
    ran = take_back(sent, verb, "--yes", key="nosuchkey1")
    key = sent.rows("notify_campaign")[0]["group"]
    said, *listed = ran.err.splitlines()
    assert (ran.code, said) == (1, "The journal knows no campaign nosuchkey1; there are, the newest first:")
    assert any(key in line and "7 sent" in line for line in listed), "with what was sent"
    assert len(notes(sent)) == 7


@pytest.mark.parametrize("verb", VERBS)
def test_without_a_journal_it_says_what_is_missing(sent: Journaled, verb: str) -> None:
    ran = take_back(sent, verb, "--yes", delivery_log_token="")
    assert ran.code == 1
    assert ran.err.startswith("delivery_log_token is not set, and no Analysis of ")
    assert "from the journal only" in ran.err


@pytest.mark.parametrize(("verb", "more"), [("correct", ["--message", " "]), ("close", ["--line", "x" * 251])])
def test_a_text_that_cannot_be_is_refused_before_anything(sent: Journaled, verb: str, more: list[str]) -> None:
    ran = take_back(sent, verb, *more, "--yes")
    assert ran.code == 1
    assert more[0] in ran.err
    assert (changes(sent), ended(sent)) == ([], [])


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.waits(5)
def test_ctrl_c_says_what_is_done_and_the_next_one_does_the_rest(sent: Journaled, verb: str) -> None:
    """Of five users the answers never come in time."""
    slow = [f"/run/notification/{note['id']}" for note in notes(sent)[:5]]
    method = DELETE[0] if verb == "recall" else PUT[0]
    sent.sandbox.trouble.faults = [Fault("429", attempts=99, route=(method, path)) for path in slow]
    sent.sandbox.trouble.retry_seconds = 30
    arguments = ("-m", "lib.tools.campaign", verb, "last", *VERBS[verb], "--yes")
    process = Started(*arguments, env=env_of(sent), cwd=ROOT)
    until = time.monotonic() + 20
    while len({each[1] for each in changes(sent)}) < 7 and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(0.3)  # two answers are on their way
    process.send_signal(signal.SIGINT)
    ran = process.ended(15)
    assert ran.code == 1
    assert "Traceback" not in ran.err
    assert "2 " in ran.out
    assert "5 NOT" in ran.out
    assert ran.out.count("stopped by hand before its turn") == 5
    assert "Stopped by hand" in ran.out
    sent.sandbox.trouble.faults = []
    again = take_back(sent, verb, "--yes")
    assert again.code == 0, again.out + again.err
    if verb == "recall":
        assert notes(sent) == []
    else:
        assert all(VERBS[verb][1] in message for message in messages(sent))


@pytest.mark.parametrize("verb", ["recall", "close"])
@pytest.mark.waits(16)
def test_whom_a_run_has_left_nobody_tells_any_more(journaled: Journaled, verb: str) -> None:  # noqa: F811
    sandbox = journaled.sandbox
    sandbox.trouble.rate_limit, sandbox.trouble.window = 4, 10**8
    journaled.run(POINT, time_budget="10s", **EVENT)
    sandbox.trouble.rate_limit = None
    ran = take_back(journaled, verb, "--yes")
    assert ran.code == 0, ran.out + ran.err
    left = len(notes(journaled))
    assert left == (0 if verb == "recall" else 4)
    journaled.age()
    again = journaled.run(POINT, **EVENT)
    assert again.code == 0, again.out + again.err
    assert len(notes(journaled)) == left
    assert sorted(journaled.outcomes().values()) == ["sent"] * 4 + ["skipped"] * 4
    why = {row["metadata"].get("reason") for row in journaled.rows("notify_outcome") if row["value"] == "skipped"}
    assert why == {"inactive user", f"{'recalled' if verb == 'recall' else 'closed by hand'} meanwhile"}


@pytest.mark.parametrize("verb", ["recall", "close"])
def test_no_step_of_an_escalation_is_taken_any_more(escalating: Escalating, verb: str) -> None:  # noqa: F811
    escalating.alarm()
    assert take_back(escalating, verb, "--yes").code == 0
    before = escalating.told()
    for _ in range(2):
        assert escalating.scheduled(40 * MINUTE).code == 0
    assert escalating.told() == before
    assert escalating.rows("notify_campaign")[-1]["value"] != "escalated"


@pytest.mark.waits(12)
def test_what_a_run_sends_meanwhile_is_recalled_too(journaled: Journaled) -> None:  # noqa: F811
    """A run that a rate limit holds in the middle of its audience; it sees the end before it has told everybody."""
    sandbox = journaled.sandbox
    sandbox.trouble.rate_limit, sandbox.trouble.window = 2, 7.0
    with subprocess.Popen(
        [sys.executable, ROOT / "analysis.py"], env=journaled.env(POINT, **EVENT), stdout=subprocess.DEVNULL
    ) as run:
        until = time.monotonic() + 20
        while not journaled.rows("notify_outcome") and time.monotonic() < until:
            time.sleep(0.05)
        assert journaled.rows("notify_outcome")
        ran = take_back(journaled, "recall", "--yes")
        assert run.wait(60) == 0
    assert "A run is telling people at this moment" in ran.out
    assert ran.code == 0, ran.out + ran.err
    assert notes(journaled) == []
    counts = Counter(journaled.outcomes().values())
    assert counts["sent"] < 7
    assert counts["sent"] + counts["skipped"] == 8
    assert f"{counts['sent']} recalled" in ran.out


@pytest.mark.waits(32)
def test_a_run_that_does_not_stop_is_named(sent: Journaled) -> None:
    """One that knows of no end: its heartbeats go on."""
    ends = threading.Event()
    key = sent.rows("notify_campaign")[0]["group"]
    beat = {"variable": "notify_heartbeat", "value": "telling", "group": key, "metadata": {"run": "a" * 12}}

    def go_on() -> None:
        while not ends.wait(2):
            answer = requests.post(f"{sent.sandbox.api}/data", json=[beat], headers={"token": sent.token}, timeout=5)
            answer.raise_for_status()

    beats = threading.Thread(target=go_on)
    beats.start()
    time.sleep(2.5)
    ran = take_back(sent, "close", "--yes")
    ends.set()
    beats.join()
    assert ran.code == 1
    assert "7 closed" in ran.out
    assert "After 30 s a run is still telling people: more copies may have come" in ran.out
    assert "The same command does the rest" in ran.out


def test_show_says_that_it_is_over(sent: Journaled) -> None:
    take_back(sent, "recall", "--yes")
    for form, said in (
        ([], "over: recalled, 2"),
        (["--json"], '"over": "recalled, 2'),
        (["--html"], "over: recalled, 2"),
    ):
        ran = run_python("-m", "lib.tools.campaign", "show", "last", *form, cwd=ROOT, env=env_of(sent))
        assert said in ran.out


@pytest.mark.parametrize("verb", VERBS)
def test_the_next_event_of_an_alarm_raises_it_anew_unless_it_was_only_corrected(
    journaled: Journaled,  # noqa: F811
    verb: str,
) -> None:
    reads(journaled, 9)
    assert take_back(journaled, verb, "--yes").code == 0
    assert reads(journaled, 10).code == 0
    bens = [note for note in notes(journaled) if journaled.name(note["run_user"]) == "Ben Carter"]
    assert len(bens) == (2 if verb == "close" else 1)
    assert bens[-1]["buttons_enabled"]
    lines = bens[-1]["message"].split("\n")  # under the text of a repeat stands which it is
    assert (lines[0], len(lines)) == ("It is at 10 °C", 2 if verb == "correct" else 1)


def test_a_right_that_is_missing_is_named(sent: Journaled) -> None:
    (analysis,) = sent.sandbox.store.analyses.values()
    own = sent.sandbox.store.token_for(Identity("analysis", analysis["id"]))
    ran = take_back(sent, "recall", "--yes", account_token=own)
    assert ran.code == 1
    assert "allow Run User / Delete notification" in " ".join(ran.out.split())
    assert ran.out.count("Denied") == 7
    assert "7 NOT recalled" in ran.out


@pytest.mark.waits(28)
def test_a_journal_that_goes_away_hides_nothing_of_what_was_done(sent: Journaled) -> None:
    """It takes the end, and nothing after that."""
    trouble = sent.sandbox.trouble

    def strike(seen: Seen) -> None:
        if (seen.request.method, seen.request.path) == ("POST", "/data"):
            trouble.faults = [Fault("503", attempts=999, route=("POST", "/data"))]

    trouble.on_seen = strike
    ran = take_back(sent, "recall", "--yes")
    assert ran.code == 1
    assert "7 recalled" in ran.out
    assert "The journal fails: TagoIO answered 503" in ran.out
    assert (len(ended(sent)), closed(sent), notes(sent)) == (1, [], [])
    trouble.faults, trouble.on_seen = [], lambda seen: None
    again = take_back(sent, "recall", "--yes")
    assert again.code == 0, again.out + again.err
    assert "7 gone already" in again.out


def test_another_regions_campaigns_are_looked_for_there(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("TAGOIO_API", ""), ("TAGOIO_SSE", ""), ("account_token", "p-1"), ("delivery_log_token", "d")):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("region", "eu-w1")
    assert connect()[0].client.api == "https://api.eu-w1.tago.io"
