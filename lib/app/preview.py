"""What a run would do, without doing it: the dry run, which is also the doctor for who would not be told and why."""

import math
import time
from collections.abc import Iterable, Iterator

from lib.app.edits import probed_facts
from lib.app.foreseen import edits_of, foreseen
from lib.app.job import Job
from lib.app.plan import Plan
from lib.app.settings import Settings
from lib.base.duration import shown_duration
from lib.base.errors import SetupError
from lib.base.text import counted, few_names
from lib.campaign.next_steps import TellOtherwise
from lib.delivery.window import MINUTE
from lib.fallback.channels import channel_of
from lib.fallback.fallback import Fallback
from lib.message.content import composed
from lib.message.notification import Button, Notification
from lib.message.user import User
from lib.tagoio.profile import quota_left

NOT_TOLD = {"held": "held", "failed": "cannot be told"}
PREVIEWED = 3  # users whose notification is shown whole


def preview(plan: Plan) -> Iterator[str]:
    """The lines of a dry run. Nothing is written anywhere."""
    yield "Dry run: nobody was notified."
    yield f"Token: {_token_kind(plan.settings)}"
    if plan.journal.gone:
        yield f"Journal: CANNOT BE USED NOW ({plan.journal.gone}); this would be told as if there were none"
    for judged in plan.judged:
        yield from foreseen(plan, judged)
    for job in plan.jobs:
        yield from _preview_job(plan, job)
    if plan.settings.fallback:
        yield from _fallback(plan)
    yield from _cost(plan)
    if not plan.settings.probed:
        yield "TagoIO: not probed; what its documents leave open is taken either way"
        yield "  (.venv/bin/python -m lib.tools.probe finds it out)"
    for note in plan.report.notes:
        yield f"  note: {note}"


def _preview_job(plan: Plan, job: Job) -> Iterator[str]:
    users = job.waiting
    overdue = [action for action in job.actions if isinstance(action, TellOtherwise)]
    if not (users or job.settled or overdue):
        return
    matching = len(users) + len(job.settled)
    yield f"{counted(matching, 'user')} {'matches' if matching == 1 else 'match'}; {len(users)} would be told."
    if overdue:
        unread = f"{counted(len(overdue), 'user')} of an earlier run would be told"
        yield f"  {unread} by another channel, unless they have read it"
    for reason in dict.fromkeys(outcome.reason for outcome in job.settled):
        alike = [outcome for outcome in job.settled if outcome.reason == reason]
        names = few_names(outcome.user_name or outcome.user_id for outcome in alike)
        yield f"  {NOT_TOLD.get(alike[0].status, 'left out')}, {reason}: {names}"
    if users:
        yield f"  would be told: {_names(users)}"
    if job.is_own:
        yield from _steps(plan, job)
    strangers = [user for user in users if not user.has_logged_in]
    if len(strangers) > 1 and len(strangers) == len(users):
        yield "  nobody of them has logged in to TagoRUN yet, so they may not see it"
    elif strangers:
        yield f"  never logged in to TagoRUN, so may not see it: {_names(strangers)}"
    for user in users[:PREVIEWED]:
        notification = composed(user, lambda each: plan.sorting.compose(job, each))
        if not isinstance(notification, str):
            yield f"  {_name(user)} would get:"
            yield from (f"    {line}" for line in _shown(notification))


def _steps(plan: Plan, job: Job) -> Iterator[str]:
    """Whom each step of the escalation would add: a group that nobody is in shows now, not in the emergency."""
    told = {user.id for user in job.waiting}
    for step in job.steps:
        try:
            added = plan.left.added_by(step, told).chosen
        except SetupError as error:
            yield f"  escalation to {step.to}: cannot be looked up: {error}"
            continue
        told |= {user.id for user in added}
        yield f"  after {shown_duration(step.after)} without a decision: {step.to}, {_names(added) or 'NOBODY'}"


def _fallback(plan: Plan) -> Iterator[str]:
    """Which other channels there are, what is wrong with them, and whom none of them reaches."""
    fallback = Fallback(plan.settings.fallback)
    problems = list(fallback.problems())
    yield f"Fallback: {', '.join(map(channel_of, fallback.addresses))}{'' if problems else '; Apprise takes each'}"
    yield from (f"  WRONG {problem}" for problem in problems)
    unreached = [user for job in plan.jobs for user in job.waiting if not fallback.reaches(user)]
    if unreached:
        yield f"  has no e-mail address or phone number for it: {_names(unreached)}"


def _cost(plan: Plan) -> Iterator[str]:
    """The quota left, and how long it will take."""
    wanted = sum(job.size for job in plan.jobs)
    quota = quota_left(plan.profile)
    if isinstance(quota, str):
        yield f"Quota: {quota}"
    else:
        fits = "enough" if wanted <= quota[0] else "NOT ENOUGH: nobody would be told"
        edits = sum(map(edits_of, plan.jobs))
        if edits and probed_facts(plan.settings.probed).get("edit_costs") == "yes":
            fits += f"; changing copies would take {edits} of them"
        yield f"Quota: {quota[0]} of {quota[1]} push notifications left this month; {fits}"
    limit = plan.settings.rate_limit
    if limit:
        windows = math.ceil(wanted / limit)
        seconds = max(windows - 1, 0) * MINUTE - (time.time() % MINUTE if windows > 1 else 0)
        yield f"Rate limit: {limit} a minute, so {counted(windows, 'window')}, about {max(seconds, 1):.0f} s"
    else:
        windows = math.ceil(wanted / 60)
        yield f"Rate limit: not given (rate_limit); at 60 a minute, {counted(windows, 'window')} of a minute"


def _token_kind(settings: Settings) -> str:
    kinds = {"p-": "a profile's (Access Management does not limit it)", "a-": "an Analysis' (its policy decides)"}
    kind = kinds.get(settings.account_token[:2].lower(), "without a prefix: an old one, or a device's")
    return f"{kind}, from {settings.token_name}"


def _shown(notification: Notification) -> Iterator[str]:
    yield notification.title + ("" if notification.priority == "normal" else f" ({notification.priority} priority)")
    length = len(notification.message)
    yield notification.message + (f" ({length} characters, long for push)" if notification.is_too_long_for_push else "")
    yield from map(_shown_button, notification.buttons)


def _shown_button(button: Button) -> str:
    does = f"runs Analysis {button.analysis}" if button.analysis else f"opens {button.page or button.link}"
    return f"[{button.label}] {button.color} {does}".replace("  ", " ")


def _names(users: Iterable[User]) -> str:
    return few_names(map(_name, users))


def _name(user: User) -> str:
    return user.name or user.id
