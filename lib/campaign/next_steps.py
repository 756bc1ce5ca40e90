"""What is due of a campaign, and when it will be. Everything that decides what a run does next lives here.

| state (newest fact wins)                             | due                                    | writes             |
|------------------------------------------------------|----------------------------------------|--------------------|
| a press that counts, no answer, its run is gone      | claim and verify it, call `decide`     | decision           |
| answered or ended, a copy still open                 | close it: buttons off, then the line   | closed             |
| ended, to be told and not begun to be                | tell who had been told, once closed    | told               |
| told users anew of an alarm                          | their older copies are to be closed    | anew, passed       |
| an alarm repeated, an open copy is of an older event | bring it up to date                    | updated            |
| in the audience, no outcome, *pending* or *unknown*  | tell; where another run may have told  | outcome            |
|                                                      | ask first; once over only ask          |                    |
| *held*                                               | tell, if the rules let them now        | outcome            |
| not over, a step's time has come                  | add the step's audience                | escalated, audience |
| *failed*, fallback set, none begun                   | tell by fallback                       | fallback, outcome  |
| sent, high priority, `remind_after` over, no answer  | ask whether read; if not, fallback     | fallback, outcome  |
| fallback begun by a run that is gone                 | say *unknown*                          | fallback, outcome  |
| nothing of these, now or later (`wakes_at` is None)  | –                                      | finished           |

What is over, decided or ended, wins over everything but closing. An older campaign of an alarm tells nobody more once
somebody is told anew; the copies of the others stay open. A campaign older than a day is let be; one that was
pressed or ended since counts from then. All times are seconds since the epoch by TagoIO's clock. Nothing here has a
clock of its own or does anything.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from lib.base.duration import shown_duration
from lib.campaign.fold import PressFact
from lib.campaign.lease import DAY
from lib.campaign.outcome import ELSEWHERE
from lib.campaign.state import CampaignState
from lib.message.escalation import Step


class Policy(NamedTuple):
    """What the settings ask for; `run` is this run. Without a memory (no journal) nobody comes after this run, so who
    is left is told by fallback at once. The holder of the lease does what another run may be at as well."""

    run: str
    has_fallback: bool = False
    remind_after: float = 0.0
    has_memory: bool = True
    is_holder: bool = False


@dataclass(frozen=True, slots=True)
class Decide:
    """Call `decide` for a press that counts, once it is verified."""

    press: PressFact


@dataclass(frozen=True, slots=True)
class Close:
    """Close these copies: notification id by user."""

    copies: dict[str, str]


@dataclass(frozen=True, slots=True)
class TellEnd:
    """Tell these users, who had been told, that it is over: in a campaign of its own, so that they are told once."""

    users: frozenset[str]


@dataclass(frozen=True, slots=True)
class Replace:
    """These users have been told, so that their copies of the older campaigns of the alarm are to be closed."""

    users: frozenset[str]


@dataclass(frozen=True, slots=True)
class Update:
    """Bring these copies up to date with the alarm's newest event: notification id by user."""

    copies: dict[str, str]


@dataclass(frozen=True, slots=True)
class Tell:
    """Tell these users; those with a time may have it already, until then. With `only_ask` nobody is sent anything
    more."""

    users: dict[str, float] = field(default_factory=dict)
    only_ask: bool = False


@dataclass(frozen=True, slots=True)
class TakeStep:
    """Add the audience of a step of the escalation."""

    number: int
    step: Step


@dataclass(frozen=True, slots=True)
class TellOtherwise:
    """Tell one user by another channel. `why`: `failed`, `unknown`, or `unread`, of which is first asked whether they
    have read `notification_id`."""

    user_id: str
    why: str
    reason: str
    notification_id: str = ""


@dataclass(frozen=True, slots=True)
class SayUnknown:
    """Another channel was begun for these users by a run that is gone: it may have told them."""

    users: tuple[str, ...]


Action = Decide | Close | TellEnd | Replace | Update | Tell | TakeStep | TellOtherwise | SayUnknown


def next_steps(state: CampaignState, now: float, policy: Policy) -> list[Action]:
    """What is due now, in the order of FEATURES."""
    return [action for feature in FEATURES for action in feature(state, now, policy)]


def wakes_at(state: CampaignState, now: float, policy: Policy) -> float | None:
    """When something is due next; None: never."""
    is_due = next(_open_presses(state), None) is not None or (bool(state.last_words) and bool(state.copies()))
    is_due = is_due or any(tell_end(state, now, policy)) or any(replace_older(state, now, policy))
    is_due = is_due or (not state.is_over and bool(state.outdated()))
    if state.tells_nobody:
        return now if is_due else None
    times = [now] if is_due or next(state.unsettled(), None) or state.lacks_added else []
    if len(state.steps_taken) < len(state.steps):
        start = state.first_sent_at
        taken = state.steps_taken
        times += [start + step.after if start else now for n, step in enumerate(state.steps, 1) if n not in taken]
    times += [at for _, at in _reminders(state, policy)]
    return min(times, default=None)


def is_let_be(state: CampaignState, now: float) -> bool:
    """Older than a day, and so was its last press, or its end."""
    ended_at = state.ending.at if state.ending else 0.0
    touched = max([state.started_at, ended_at, *(press.at for press in state.standing())])
    return now - touched > DAY


def answer_presses(state: CampaignState, now: float, policy: Policy) -> Iterator[Decide]:
    for press in _open_presses(state):
        if state.claimant(press, now) in ("", policy.run):
            yield Decide(press)


def close_copies(state: CampaignState, now: float, policy: Policy) -> Iterator[Close]:
    words = state.last_words
    if words and state.copies() and (policy.is_holder or not state.is_alive(words[-1].answer.run, now)):
        yield Close(state.copies())


def tell_end(state: CampaignState, now: float, policy: Policy) -> Iterator[TellEnd]:
    if state.ending and state.ending.tell and not state.is_end_told and state.told:
        yield TellEnd(frozenset(state.told))


def replace_older(state: CampaignState, now: float, policy: Policy) -> Iterator[Replace]:
    if state.replaces and not state.told <= state.passed:
        yield Replace(frozenset(state.told - state.passed))


def bring_up_to_date(state: CampaignState, now: float, policy: Policy) -> Iterator[Update]:
    """Not while a press waits for its answer, for then every copy gets that."""
    has_press = next(_open_presses(state), None) is not None
    if not (state.is_over or has_press) and state.outdated():
        yield Update(state.outdated())


def resume(state: CampaignState, now: float, policy: Policy) -> Iterator[Tell]:
    users = {user: state.may_have_it(user, policy.run) for user in state.unsettled()}
    if users:
        yield Tell(users, only_ask=state.tells_nobody)


def escalate(state: CampaignState, now: float, policy: Policy) -> Iterator[TakeStep]:
    start = state.first_sent_at
    if state.tells_nobody or not start:
        return
    for number, step in enumerate(state.steps, start=1):
        if number not in state.steps_taken and now >= start + step.after:
            yield TakeStep(number, step)


def fall_back(state: CampaignState, now: float, policy: Policy) -> Iterator[TellOtherwise]:
    if not policy.has_fallback or state.tells_nobody:
        return
    wanted = ("failed",) if policy.has_memory else ("failed", "unknown", "pending")
    for user, outcome in state.outcomes.items():
        if outcome.status in wanted and user not in state.tries and outcome.reason != ELSEWHERE:
            yield TellOtherwise(user, "unknown" if outcome.status == "unknown" else "failed", outcome.reason)


def remind(state: CampaignState, now: float, policy: Policy) -> Iterator[TellOtherwise]:
    reason = f"not read within {shown_duration(policy.remind_after)}"
    for user, at in _reminders(state, policy):
        if now >= at:
            yield TellOtherwise(user, "unread", reason, state.outcomes[user].notification_id)


def report_interrupted(state: CampaignState, now: float, policy: Policy) -> Iterator[SayUnknown]:
    cut_off = tuple(user for user, each in state.tries.items() if not each.result and each.run != policy.run)
    if cut_off:
        yield SayUnknown(cut_off)


FEATURES: list[Callable[[CampaignState, float, Policy], Iterator[Action]]] = [
    answer_presses,
    close_copies,
    tell_end,
    replace_older,
    bring_up_to_date,
    resume,
    escalate,
    fall_back,
    remind,
    report_interrupted,
]


def _open_presses(state: CampaignState) -> Iterator[PressFact]:
    return (press for press in state.deciding() if press.run not in state.answers)


def _reminders(state: CampaignState, policy: Policy) -> Iterator[tuple[str, float]]:
    """Who is to be reminded, and when."""
    if not policy.remind_after or not policy.has_fallback or state.tells_nobody:
        return
    answered = {press.user_id for press in state.standing()}
    for user, outcome in state.outcomes.items():
        if outcome.status == "sent" and outcome.priority == "high" and user not in state.tries and user not in answered:
            yield user, outcome.at + policy.remind_after
