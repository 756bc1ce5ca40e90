"""What a run would do, without doing it: the dry run."""

from collections.abc import Iterable, Iterator

from lib.audience import User
from lib.dispatch import Job, NotificationFor
from lib.notification import Button, Notification
from lib.report import few_names

PREVIEWED = 3  # users whose notification is shown whole


def preview(jobs: Iterable[Job], notification_for: NotificationFor, notes: Iterable[str]) -> Iterator[str]:
    """The lines of a dry run: who, who not and why, and the notification as the first few users would get it."""
    yield "Dry run: nobody was notified."
    for job in jobs:
        yield from _preview_job(job, notification_for)
    for note in notes:
        yield f"  note: {note}"


def _preview_job(job: Job, notification_for: NotificationFor) -> Iterator[str]:
    told = [(user, notification_for(job.trigger, user)) for user in job.users]
    would = [(user, notification) for user, notification in told if notification]
    reasons = {outcome.user_name or outcome.user_id: outcome.reason for outcome in job.skipped}
    reasons |= {_name(user): "compose gave no notification" for user, notification in told if not notification}
    yield f"{len(job.users) + len(job.skipped)} users match; {len(would)} would be told."
    for reason in dict.fromkeys(reasons.values()):
        yield f"  left out, {reason}: {few_names(name for name, why in reasons.items() if why == reason)}"
    if would:
        yield f"  would be told: {few_names(_name(user) for user, _ in would)}"
    for user, notification in would[:PREVIEWED]:
        yield f"  {_name(user)} would get:"
        yield from (f"    {line}" for line in _shown(notification))


def _shown(notification: Notification) -> Iterator[str]:
    yield notification.title
    yield notification.message
    yield from map(_shown_button, notification.buttons)


def _shown_button(button: Button) -> str:
    does = f"runs Analysis {button.analysis}" if button.analysis else f"opens {button.page or button.link}"
    return f"[{button.label}] {button.color} {does}".replace("  ", " ")


def _name(user: User) -> str:
    return user.name or user.id
