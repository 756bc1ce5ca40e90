"""What a run would do, without doing it: the dry run, which is also the doctor for who would not be told and why."""

import math
import time
from collections.abc import Iterable, Iterator

from lib.campaign import composed
from lib.dispatch import Dispatch, Job
from lib.notification import Button, Notification
from lib.profile import quota_left
from lib.report import few_names
from lib.settings import Settings
from lib.user import User
from lib.window import MINUTE

PREVIEWED = 3  # users whose notification is shown whole


def preview(dispatch: Dispatch) -> Iterator[str]:
    """The lines of a dry run. Nothing is written anywhere."""
    yield "Dry run: nobody was notified."
    yield f"Token: {_token_kind(dispatch.settings)}"
    for job in dispatch.jobs:
        yield from _preview_job(dispatch, job)
    yield from _cost(dispatch)
    for note in dispatch.report.notes:
        yield f"  note: {note}"


def _preview_job(dispatch: Dispatch, job: Job) -> Iterator[str]:
    yield f"{len(job.users) + len(job.skipped)} users match; {len(job.users)} would be told."
    for reason in dict.fromkeys(outcome.reason for outcome in job.skipped):
        alike = [outcome for outcome in job.skipped if outcome.reason == reason]
        names = few_names(outcome.user_name or outcome.user_id for outcome in alike)
        yield f"  {'held' if alike[0].status == 'held' else 'left out'}, {reason}: {names}"
    if job.users:
        yield f"  would be told: {_names(job.users)}"
    strangers = [user for user in job.users if not user.has_logged_in]
    if strangers:
        yield f"  never logged in to TagoRUN, so may not see it: {_names(strangers)}"
    for user, _ in zip(job.users, range(PREVIEWED), strict=False):
        notification = composed(user, lambda user: dispatch.content(job.trigger, user))
        if not isinstance(notification, str):
            yield f"  {_name(user)} would get:"
            yield from (f"    {line}" for line in _shown(notification))


def _cost(dispatch: Dispatch) -> Iterator[str]:
    """The quota left, and how long it will take."""
    wanted = sum(len(job.users) for job in dispatch.jobs)
    quota = quota_left(dispatch.tago.profile)
    if isinstance(quota, str):
        yield f"Quota: {quota}"
    else:
        fits = "enough" if wanted <= quota[0] else "NOT ENOUGH: nobody would be told"
        yield f"Quota: {quota[0]} of {quota[1]} push notifications left this month; {fits}"
    limit = dispatch.settings.rate_limit
    if limit:
        windows = math.ceil(wanted / limit)
        seconds = max(windows - 1, 0) * MINUTE - (time.time() % MINUTE if windows > 1 else 0)
        yield f"Rate limit: {limit} a minute, so {windows} windows, about {max(seconds, 1):.0f} s"
    else:
        yield f"Rate limit: not given (rate_limit); at 60 a minute, {math.ceil(wanted / 60)} windows of a minute"


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
