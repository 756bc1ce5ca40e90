"""What the simulator has found in lib and is not mended yet: each is tolerated by a narrow rule, so that others show.

To be emptied. A mended one is taken out, and its seeds stay in kept_seeds.txt.
"""

from collections.abc import Callable
from dataclasses import dataclass

from tests.simulation.facts import Facts
from tests.simulation.violation import Violation

TWICE = ("nobody twice", "every copy is closed", "pending is true", "failed is true")


@dataclass(frozen=True, slots=True)
class Finding:
    name: str
    is_this: Callable[[Facts, Violation], bool]


class Strict:
    """Whether known findings count as failures too; set before anything is simulated."""

    is_on = False


def known(facts: Facts, violation: Violation) -> str:
    """The name of the finding that a violation belongs to, "" for a new one."""
    return "" if Strict.is_on else next((finding.name for finding in FINDINGS if finding.is_this(facts, violation)), "")


def _first_is_believed(facts: Facts, violation: Violation) -> bool:
    """A run lost its journal before it could write that it tells others than the `first` of its own row."""
    if violation.promise not in TWICE:
        return False
    return any(facts.is_blind(name) or _only_looked_later(facts, name) for name in _tellers(facts, violation))


def _only_looked_later(facts: Facts, process: str) -> bool:
    """Its journal went after the first was told."""
    requests = [each for each in facts.history.requests if each.process == process]
    refused = any(each.route == "write" and not each.carried_at for each in requests)
    return facts.runs[process].killed is not None and refused


def _tellers(facts: Facts, violation: Violation) -> set[str]:
    where = violation.user, violation.topic
    return {each.process for each in (*facts.asked.get(where, ()), *facts.tried.get(where, ()))}


def _first_is_not_the_only_one(facts: Facts, violation: Violation) -> bool:
    """After a first who was rejected or is in doubt, others are told before a row says so; then it was killed."""
    if violation.promise not in TWICE:
        return False
    for name in _tellers(facts, violation):
        sent = [each for each in facts.history.requests if each.process == name and each.route == "create"]
        named = [each.about.get("first") for each in facts.rows[violation.topic] if each.process == name]
        first = [each for each in sent if each.user in named and each.answer not in ("200", "")]
        is_cut_off = facts.runs[name].killed is not None or facts.runs[name].process.frozen_for > 8
        if first and first[0] is sent[0] and is_cut_off:
            return True
    return False


def _pending_is_believed(facts: Facts, violation: Violation) -> bool:
    """Out of time, a run says *pending* of whom an earlier run may have told; the next one believes it."""
    said = [each for each in facts.said if (each.user, each.topic) == (violation.user, violation.topic)]
    is_out_of_time = any(each.status == "pending" and "time budget" in each.reason for each in said)
    return violation.promise in TWICE and is_out_of_time


def _lease_is_never_renewed(facts: Facts, violation: Violation) -> bool:
    """Where coming back to the lease takes longer than it lasts, nobody is told any more."""
    if violation.promise == "every run ends":
        return any(place in violation.text for place in ("Reach._claim", "Delivery._may_send"))
    platform, text = facts.history.scenario.platform, facts.history.ran[-1].console
    is_slow = platform.rows_late > 2 or platform.latency > 0.3
    return violation.promise in ("nobody lost", "everything settles") and is_slow and "time budget used up" in text


def _flush_spins(_facts: Facts, violation: Violation) -> bool:
    """`flush` never gives up where no campaign is held."""
    return violation.promise == "every run ends" and "Journal.flush" in violation.text


def _press_is_taken_for_dead(facts: Facts, violation: Violation) -> bool:
    """A press that waits for its row to show writes no sign of life, and does not look again before it decides."""
    scenario = facts.history.scenario
    troubles = [each.route for each in scenario.faults if each.route in ("rows", "write")]
    is_slow = scenario.platform.rows_late or troubles or any("rows" in each.routes for each in scenario.outages)
    is_frozen = any(run.kind == "press" and run.frozen_at for run in scenario.runs)
    return violation.promise == "one decision" and bool(is_slow or is_frozen)


def _taken_up_is_not_written(facts: Facts, violation: Violation) -> bool:
    """Who takes a press up writes the answer only after closing every copy, and shows no sign of life meanwhile."""
    calls = facts.decided.get(violation.topic, [])
    is_taken_up = any("the run that took it was cut off" in facts.runs[call.process].console for call in calls)
    return violation.promise == "one decision" and is_taken_up


def _cut_list_verifies_no_button(facts: Facts, violation: Violation) -> bool:
    """Where TagoIO lists only a part, the journal vouches for the notification, and nobody for the button."""
    forged = {ran.name for ran in facts.history.ran if ran.run.forged == "button"}
    is_cut = any(person.old >= 15 for person in facts.history.scenario.people)
    return violation.promise in ("presses are verified", "honest decisions") and violation.run in forged and is_cut


def _object_is_an_empty_page(facts: Facts, violation: Violation) -> bool:
    """The SDK's date parser makes an empty list of an object, so a garbled page seems to be the last."""
    garbled = any(fault.route == "users" and fault.effect == "no_id" for fault in facts.history.scenario.faults)
    return violation.promise in ("nobody lost", "nobody unmentioned") and garbled


def _old_row_is_believed(facts: Facts, violation: Violation) -> bool:
    """The lease is read from an own row of long ago, as of that row's time: so two runs hold one campaign."""
    tellers = _tellers(facts, violation)
    return (
        violation.promise in TWICE and len(tellers) > 1 and any(_held_late(facts, name, violation) for name in tellers)
    )


def _held_late(facts: Facts, process: str, violation: Violation) -> bool:
    """It began to tell so long after its first row that this was no fresh one any more; or it came back to it."""
    if facts.history.scenario.platform.rows_late and _has_read_again(facts, process, violation):
        return True
    rows = [each.at for each in facts.rows[violation.topic] if each.process == process]
    told = [each.sent_at for listed in facts.asked.values() for each in listed if each.process == process]
    return bool(rows and told) and min(told) - min(rows) > 8.0


def _has_read_again(facts: Facts, process: str, violation: Violation) -> bool:
    """Frozen for longer than the lease lasts, and it has read the journal since, before it told this user."""
    thawed, frozen_for = facts.runs[process].process.frozen_until, facts.runs[process].process.frozen_for
    where = violation.user, violation.topic
    sent = [each.sent_at for each in facts.asked.get(where, ()) if each.process == process]
    told = max([*sent, *(each.at for each in facts.tried.get(where, ()) if each.process == process)], default=0.0)
    read = (each for each in facts.history.requests if each.process == process and each.route == "rows")
    return frozen_for > 8 and any(thawed < each.sent_at and each.answered_at <= told for each in read)


def _waiting_task_is_not_asked_again(facts: Facts, violation: Violation) -> bool:
    """Frozen with a user taken for sending; back, it reads that another run told them, and sends all the same."""
    tellers = _tellers(facts, violation)
    is_back = any(_has_read_again(facts, name, violation) for name in tellers)
    return violation.promise in TWICE and len(tellers) > 1 and is_back


def _claim_is_not_seen(facts: Facts, violation: Violation) -> bool:
    """Whom another run has begun to tell by another channel since the plan was made is told in TagoRUN all the same."""
    is_both = "by TagoRUN and by another channel" in violation.text
    return is_both and len(_tellers(facts, violation)) > 1 and facts.is_begun(violation.user, violation.topic)


def _flush_does_not_wait(facts: Facts, violation: Violation) -> bool:
    """`flush` returns while another thread has the rows under way: a claim is not written when it is acted upon."""
    tries = facts.tried.get((violation.user, violation.topic), [])
    if violation.promise not in TWICE or not tries:
        return False
    claimed = [each.at for each in facts.rows[violation.topic] if each.row["variable"] == "notify_fallback"]
    writes = [each for each in facts.history.requests if each.route == "write" and each.process == tries[0].process]
    begun = any(row["value"] == "begun" for each in writes for row in each.body if each.sent_at <= tries[0].at)
    return begun and min(claimed, default=float("inf")) > tries[0].at


def _pages_shift(facts: Facts, violation: Violation) -> bool:
    """A user who is deleted while pages are read moves another off the next page."""
    scenario = facts.history.scenario
    is_deleted = any(change.what == "delete" for change in scenario.changes)
    return (
        violation.promise in ("nobody lost", "nobody unmentioned") and is_deleted and scenario.platform.users_page < 10
    )


def _young_likeness_is_unknown(_facts: Facts, violation: Violation) -> bool:
    """Without a mark, one that came seconds before the last look is not looked at once more."""
    return violation.promise == "unknown is true" and "with the same text; whose it is" in violation.text


def _other_status_own_reason(_facts: Facts, violation: Violation) -> bool:
    """Where another channel was not tried, the status is another run's and the reason this one's."""
    return violation.promise == "skipped is true" and "another run is at it" in violation.text


def _only_asked_is_unknown(_facts: Facts, violation: Violation) -> bool:
    """Who was only asked about when the time was up is *unknown*, and nothing had been sent."""
    return violation.promise == "unknown is true" and "(no answer when the time was up)" in violation.text


def _older_row_shows_later(facts: Facts, violation: Violation) -> bool:
    """Two runs take up a campaign; the one whose row shows at once does not wait for an older row of the other."""
    platform = facts.history.scenario.platform
    return (
        violation.promise in (*TWICE, "one decision", "the first wins")
        and bool(platform.rows_late)
        and not platform.rows_in_turn
    )


def _finished_hides_a_press(facts: Facts, violation: Violation) -> bool:
    """`finished` counts by its time: it ends a press that its run has never seen."""
    rows = [(each.row["variable"], each.row["value"], each.at) for each in facts.rows[violation.topic]]
    pressed = min((at for kind, _, at in rows if kind == "notify_press"), default=float("inf"))
    finished = any((kind, value) == ("notify_campaign", "finished") and at > pressed for kind, value, at in rows)
    return violation.promise == "every copy is closed" and finished


FINDINGS = (
    Finding("flush spins", _flush_spins),
    Finding("first is believed", _first_is_believed),
    Finding("first is not the only one", _first_is_not_the_only_one),
    Finding("pending is believed", _pending_is_believed),
    Finding("the lease is never renewed", _lease_is_never_renewed),
    Finding("a press is taken for dead", _press_is_taken_for_dead),
    Finding("an older row shows later", _older_row_shows_later),
    Finding("finished hides a press", _finished_hides_a_press),
    Finding("taken up is not written", _taken_up_is_not_written),
    Finding("an old row is believed", _old_row_is_believed),
    Finding("a waiting task is not asked again", _waiting_task_is_not_asked_again),
    Finding("a claim is not seen", _claim_is_not_seen),
    Finding("flush does not wait", _flush_does_not_wait),
    Finding("pages shift", _pages_shift),
    Finding("a cut list verifies no button", _cut_list_verifies_no_button),
    Finding("an object is an empty page", _object_is_an_empty_page),
    Finding("only asked is unknown", _only_asked_is_unknown),
    Finding("young likeness is unknown", _young_likeness_is_unknown),
    Finding("another's status, own reason", _other_status_own_reason),
)
