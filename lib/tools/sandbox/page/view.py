"""What the page shows, read from the sandbox: users, the cards of an inbox, runs. No text is made safe here: the
templates escape all of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import webcolors

from lib.campaign.key import marked_parts
from lib.campaign.outcome import STATUSES
from lib.message.address import ADMIN, is_path, is_web_address
from lib.message.notification import COLOR
from lib.message.placeholders import local_time
from lib.message.user import read_user
from lib.tools.sandbox.run_routes import analyses_of, triggers_of
from lib.tools.sandbox.runner import Run
from lib.tools.sandbox.store import Record, Store

LIGHT = 0.179  # the luminance above which black reads better than white


@dataclass(frozen=True, slots=True)
class ButtonView:
    """A button as TagoRUN shows it; `leads` says where it leads, `href` is set where that is a web address."""

    id: str
    label: str
    color: str
    text_color: str
    leads: str
    href: str = ""
    runs: bool = False


@dataclass(frozen=True, slots=True)
class Card:
    """A notification in an inbox; `time` is on the user's own clock, `step` that of the escalation which sent it."""

    id: str
    title: str
    message: str
    time: str
    iso: str
    is_read: bool
    is_open: bool
    image: str
    image_color: str
    buttons: list[ButtonView]
    step: int = 0


@dataclass(frozen=True, slots=True)
class UserView:
    """A user of the TagoRUN; `last` is how the last run that was about them ended, with its reason, the channel that
    took it instead of TagoRUN, and the step of the escalation."""

    id: str
    name: str
    timezone: str
    language: str
    tags: list[str]
    is_active: bool
    unread: int
    last: str = ""
    reason: str = ""
    channel: str = ""
    step: int = 0


@dataclass(frozen=True, slots=True)
class OutcomeView:
    """A user in a run."""

    status: str
    name: str
    reason: str
    channel: str
    step: int


@dataclass(frozen=True, slots=True)
class RunView:
    """A run and what became of each user in it."""

    number: int
    why: str
    state: str
    is_going: bool
    has_failed: bool
    billed: str
    is_press: bool
    is_external: bool
    lines: list[str] = field(default_factory=list)
    outcomes: list[OutcomeView] = field(default_factory=list)
    summary: str = ""


def users(store: Store, runs: list[Run]) -> list[UserView]:
    last: dict[str, Record] = {}
    for run in runs:
        for (_, user_id), outcome in run.outcomes.items():
            if outcome.get("status") != "skipped" or user_id not in last:  # left out of one campaign, told in another
                last[user_id] = outcome
    return [
        UserView(
            id=user["id"],
            name=user["name"],
            timezone=user["timezone"],
            language=user["language"],
            tags=[f"{key}={value}" for key, value in read_user(user).tags],
            is_active=bool(user["active"]),
            unread=sum(not note["read"] for note in store.inbox(user["id"])),
            last=str(last.get(user["id"], {}).get("status", "")),
            reason=str(last.get(user["id"], {}).get("reason", "")),
            channel=str(last.get(user["id"], {}).get("channel") or ""),
            step=int(last.get(user["id"], {}).get("step") or 0),
        )
        for user in store.users.values()
    ]


def cards(store: Store, user_id: str, runs: Sequence[Run] = ()) -> list[Card]:
    """The inbox, newest first. Raises KeyError for a user there is not."""
    user = read_user(store.users[user_id])
    steps = {
        campaign: int(each.get("step") or 0)
        for run in runs
        for (campaign, whose), each in run.outcomes.items()
        if whose == user_id
    }
    return [_card(store, note, local_time(note["created_at"], user), steps) for note in store.inbox(user_id)]


def _card(store: Store, note: Record, time: str, steps: dict[str, int]) -> Card:
    image, color = _icon(note.get("icon"))
    return Card(
        id=note["id"],
        title=str(note["title"]),
        message=str(note["message"]),
        time=time,
        iso=note["created_at"],
        is_read=bool(note["read"]),
        is_open=bool(note["buttons_enabled"]),
        image=image,
        image_color=color,
        buttons=[_button(store, button) for button in note["buttons"]],
        step=max((steps.get(marked_parts(str(button["id"]))[1], 0) for button in note["buttons"]), default=0),
    )


def _icon(icon: Any) -> tuple[str, str]:
    given = icon if isinstance(icon, dict) else {}
    address = str(given.get("image_url") or given.get("svg_url") or "")
    is_picture = is_web_address(address) or address.startswith("data:image/")
    return (address if is_picture else ""), color_of(given.get("bg_color"))


def _button(store: Store, button: Record) -> ButtonView:
    color = color_of(button.get("color"))
    leads, href, runs = _leads(store, button)
    return ButtonView(str(button["id"]), str(button["label"]), color, _readable_on(color), leads, href=href, runs=runs)


def _leads(store: Store, button: Record) -> tuple[str, str, bool]:
    """Where it leads in words, its address, and whether it runs an Analysis."""
    analyses = analyses_of(button)
    if analyses:
        names = [store.analyses[each]["name"] if each in store.analyses else f"{each}, not here" for each in analyses]
        return f"runs the Analysis {', '.join(names)}", "", True
    address = next((str(each["url"]) for each in (button, *triggers_of(button)) if each.get("url")), "")
    if is_path(address):
        return f"opens the TagoIO page {address}", ADMIN + address, False
    if not is_web_address(address):
        return (f"{address} is no web address" if address else "leads nowhere"), "", False
    parts = urlsplit(address)
    host = parts.hostname or ""
    own = host == "tago.io" or host.endswith((".tago.io", ".tago.run"))
    if own and not host.startswith("help."):
        return f"opens the TagoIO page {parts.path or '/'}", address, False
    return f"opens {host}", address, False


def color_of(given: Any) -> str:
    """`#rrggbb`, "" for what is no colour; so nothing else gets into a style."""
    text = str(given or "").strip().lower()
    if not COLOR.fullmatch(text):
        return ""
    try:
        if text[0] != "#":
            return str(webcolors.name_to_hex(text))
        return str(webcolors.normalize_hex(text[:7] if len(text) > 6 else text[:4]))  # without the transparency
    except ValueError:
        return ""


def _readable_on(color: str) -> str:
    """Black or white, whichever can be read on it (WCAG's relative luminance)."""
    if not color:
        return ""
    parts = [part / 255 for part in webcolors.hex_to_rgb(color)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return "#000000" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > LIGHT else "#ffffff"


def run_view(store: Store, run: Run, *, whole: bool = True) -> RunView:
    is_going = not run.ended
    names = {user["id"]: user["name"] for user in store.users.values()}
    state = (
        "running"
        if is_going
        else "handed over"
        if run.is_external
        else "stopped"
        if (run.code or 0) < 0
        else f"exit code {run.code}"
    )
    return RunView(
        number=run.number,
        why=_why(store, run),
        state=state,
        is_going=is_going,
        has_failed=bool(run.code),
        billed="external, free" if run.is_external else f"{run.seconds_billed} s billed",
        is_press="button_id" in run.extra,
        is_external=run.is_external,
        lines=list(run.lines) if whole else [],
        outcomes=list(_outcomes(run, names)) if whole else [],
        summary=", ".join(_counted(run)),
    )


def _counted(run: Run) -> Iterator[str]:
    for status in STATUSES:
        count = sum(each.get("status") == status for each in run.outcomes.values())
        if count:
            yield f"{count} {status}"


def _outcomes(run: Run, names: dict[str, str]) -> Iterator[OutcomeView]:
    """Whom it went wrong for first, who was left out last."""
    order: dict[str, int] = {status: place for place, status in enumerate(reversed(STATUSES))}
    order["skipped"] = len(order)
    found = [
        OutcomeView(
            status=str(each.get("status")),
            name=names.get(user_id, user_id),
            reason=str(each.get("reason") or ""),
            channel=str(each.get("channel") or ""),
            step=int(each.get("step") or 0),
        )
        for (_, user_id), each in run.outcomes.items()
    ]
    yield from sorted(found, key=lambda row: (order.get(row.status, 0), row.name))


def _why(store: Store, run: Run) -> str:
    if run.extra.get("button_id"):
        user = store.users.get(run.extra.get("user_id", ""), {}).get("name", "somebody")
        note = store.notifications.get(run.extra.get("notification_id", ""), {"buttons": []})
        labels = [button["label"] for button in note["buttons"] if button["id"] == run.extra["button_id"]]
        return f"{user} pressed {labels[0] if labels else run.extra['button_id']}"
    if run.extra.get("_action_type") == "interval":
        return "on schedule"
    if run.extra.get("_action_id"):
        points = run.scope if isinstance(run.scope, list) else []
        shown = [f"{point.get('variable')} = {point.get('value')} {point.get('unit', '')}".strip() for point in points]
        return f"Action: {', '.join(shown)}" if shown else "Action"
    return "by hand"
