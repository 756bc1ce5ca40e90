"""What a run would do, without doing it: the dry run."""

from collections.abc import Callable, Iterable, Iterator

from lib.audience import Audience, User
from lib.notification import Button, Notification
from lib.report import few_names

PREVIEWED = 3  # users whose notification is shown whole


def preview(audience: Audience, compose: Callable[[User], Notification | None], notes: Iterable[str]) -> Iterator[str]:
    """The lines of a dry run: who, who not and why, and the notification as the first few users would get it."""
    told = [(user, compose(user)) for user in audience.chosen]
    would = [(user, notification) for user, notification in told if notification]
    left_out = [*audience.skipped, *((user, "compose gave no notification") for user, given in told if not given)]
    yield f"Dry run: nobody was notified. {audience.size} users match; {len(would)} would be told."
    reasons = dict.fromkeys(reason for _, reason in left_out)
    for reason in reasons:
        yield f"  left out, {reason}: {few_names(user.name or user.id for user, why in left_out if why == reason)}"
    if would:
        yield f"  would be told: {few_names(user.name or user.id for user, _ in would)}"
    for user, notification in would[:PREVIEWED]:
        yield f"  {user.name or user.id} would get:"
        yield f"    {notification.title}"
        yield f"    {notification.message}"
        yield from (f"    {_shown(button)}" for button in notification.buttons)
    for note in notes:
        yield f"  note: {note}"


def _shown(button: Button) -> str:
    does = f"runs Analysis {button.analysis}" if button.analysis else f"opens {button.page or button.link}"
    return f"[{button.label}] {button.color} {does}".replace("  ", " ")
