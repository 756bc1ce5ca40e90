"""What an event would be to its alarms, in words: that part of the dry run."""

from collections.abc import Iterator
from datetime import UTC, datetime

from lib.app.alarms import Judged
from lib.app.edits import probed_facts, said_of_edits
from lib.app.job import Job
from lib.app.plan import Plan
from lib.base.text import counted
from lib.campaign.next_steps import Close, Update
from lib.campaign.state import CampaignState
from lib.message.alarm import ordinal


def foreseen(plan: Plan, judged: Judged) -> Iterator[str]:
    """What this event would be, which copies would change, and how many would be told beside them."""
    device = plan.sorting.content.name_or_id(judged.device)
    yield f'Alarm "{judged.name}" of {device}: {_event(judged)}'
    turn, older = judged.turn, judged.older
    if not (turn and older and older.started):
        return
    if turn.kind == "repeated" and not older.ending:
        yield "  nobody would be told again"
    for each in (older, *judged.others):
        yield f"  {_replaced(plan, each) if turn.kind == 'raised' else _copies(plan, each)}"
    if any(map(edits_of, plan.jobs)):
        yield from (f"  {line}" for line in said_of_edits(probed_facts(plan.settings.probed)))
    if turn.kind == "repeated" and (joined := sum(len(job.waiting) for job in plan.jobs if job.key == older.key)):
        yield f"  {joined} would be told, who was not reached or has joined"
    if turn.kind == "cleared" and (told := sum(len(job.waiting) for job in plan.jobs if job.all_clear)):
        yield f"  {told} who had been told would be told that it is over"


def edits_of(job: Job) -> int:
    """How often a copy would be changed: closing one takes two edits, the buttons off and the line."""
    updated = sum(len(action.copies) for action in job.actions if isinstance(action, Update))
    return updated + 2 * sum(len(action.copies) for action in job.actions if isinstance(action, Close))


def _event(judged: Judged) -> str:
    turn, older = judged.turn, judged.older
    if turn is None:
        return "none is open, so there would be nothing to end"
    if turn.kind == "repeated" and older and older.ending:
        return "what this event repeats is over; nobody would be told"
    since = f"open since {datetime.fromtimestamp(turn.since, UTC):%H:%M} UTC"
    if turn.kind == "cleared":
        return f"{since}; this event would clear it"
    if turn.kind == "repeated" and older and older.started:
        return f"{since}; this event would repeat it, the {ordinal(turn.count)} time"
    if turn.kind == "repeated":
        return f"{since}, by a run that told nobody; this event would be told"
    if not older:
        return "none is open; this event would raise it"
    why = "repeat is again" if judged.again else "it is worse"
    return f"an older one is open; this event would be told as new, as {why}"


def _replaced(plan: Plan, older: CampaignState) -> str:
    """What would become of the copies of the older campaign, when some or all are told anew."""
    anew = {user.id for job in plan.jobs if job.is_own for user in job.waiting}
    closed, word = len(older.told & anew), next(reversed(older.replaced.values()), None)
    lines = ", ".join(f'"{line}"' for line in word.answer.all_lines()) if word else ""
    said = f"{counted(closed, 'copy', 'copies')} of campaign {older.key} would be closed with {lines}"
    others = len(older.told) - closed
    return f"{said}; {others} of users who are not told anew would be brought up to date" if others else said


def _copies(plan: Plan, state: CampaignState) -> str:
    """What would become of the copies of an open alarm."""
    if any(each.key == state.key for each in plan.watched):
        return f"another run may be at campaign {state.key} now and see to its copies; if it is not, this run would"
    actions = [action for job in plan.jobs if job.key == state.key for action in job.actions]
    updated = sum(len(action.copies) for action in actions if isinstance(action, Update))
    closed = sum(len(action.copies) for action in actions if isinstance(action, Close))
    if state.last_words and (closed or state.ending):
        copies = state.copies()
        answers = [word.answer for word in state.last_words if word.is_end or not state.ending]
        lacking = [word.answer for word in state.last_words if word.answer in answers and state.lacking(word, copies)]
        answers = lacking or answers
        said = dict.fromkeys(line for answer in answers for line in answer.all_lines())
        lines = ", ".join(f'"{line}"' for line in said)
        return f"{counted(closed, 'copy', 'copies')} of campaign {state.key} would be closed with {lines}"
    if state.is_decided:
        who = state.verdicts[state.decision.run].user_name if state.decision else "somebody"
        return f"{who} has answered campaign {state.key}, so its copies would stay as they are"
    return f"{counted(updated, 'copy', 'copies')} of campaign {state.key} would be brought up to date"
