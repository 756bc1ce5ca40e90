"""The phones that the page shows, read from the sandbox: users and the cards of their inboxes. No text is made safe
here: the templates escape all of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import webcolors

from lib.campaign.key import marked_parts
from lib.campaign.rows import seconds_of
from lib.message.address import ADMIN, is_path, is_web_address
from lib.message.notification import COLOR
from lib.message.placeholders import local_time
from lib.message.user import read_user
from lib.tools.sandbox.page.names import name_of
from lib.tools.sandbox.run_routes import analyses_of, triggers_of
from lib.tools.sandbox.runner import Run
from lib.tools.sandbox.store import Record, Store

LIGHT = 0.179  # the luminance above which black reads better than white


@dataclass(frozen=True, slots=True)
class ButtonView:
    """A button as TagoRUN shows it; `leads` says where it leads, `href` is set where that is a web address, `is_page`
    where it is a page of TagoIO, which TagoRUN opens inside itself."""

    id: str
    label: str
    color: str
    text_color: str
    leads: str
    href: str = ""
    runs: bool = False
    is_page: bool = False


@dataclass(frozen=True, slots=True)
class Card:
    """A notification in an inbox; `time` is on the user's own clock, `step` that of the escalation which sent it,
    `added` the line that it was closed with."""

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
    added: str = ""


PUSH_LENGTH = 140  # characters that a push shows (D notification-service.md)
PUSH_SHOWN = 8.0  # seconds that it stands before it goes


@dataclass(frozen=True, slots=True)
class Phone:
    """A user's TagoRUN; `push` is the notification that has just come in."""

    id: str
    name: str
    about: list[str]
    is_active: bool
    unread: int
    clock: str
    cards: list[Card]
    push: Card | None


def phone(store: Store, user_id: str, runs: Sequence[Run] = ()) -> Phone:
    """Raises KeyError for a user there is not."""
    user, inbox = store.users[user_id], store.inbox(user_id)
    shown = cards(store, user_id, runs)
    reader = read_user(user)
    is_fresh = bool(inbox) and not inbox[0]["read"] and store.clock() - seconds_of(inbox[0]["created_at"]) < PUSH_SHOWN
    return Phone(
        id=user_id,
        name=name_of(user),
        about=[str(user["timezone"]), str(user["language"]), *(f"{key}={value}" for key, value in reader.tags)],
        is_active=bool(user["active"]),
        unread=sum(not note["read"] for note in inbox),
        clock=local_time(store.now(), reader)[-5:],
        cards=shown,
        push=shown[0] if is_fresh else None,
    )


def pushed(text: str) -> str:
    """What a push shows of a message. Whether TagoIO cuts a longer one or refuses it is unknown."""
    return text if len(text) <= PUSH_LENGTH else f"{text[: PUSH_LENGTH - 1]}…"


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
    message, added = str(note["message"]), ""
    first = store.first_words.get(note["id"], message)
    if message != first and message.startswith(first):
        message, added = first, message.removeprefix(first).strip()
    return Card(
        id=note["id"],
        title=str(note["title"]),
        message=message,
        time=time,
        iso=note["created_at"],
        is_read=bool(note["read"]),
        is_open=bool(note["buttons_enabled"]),
        image=image,
        image_color=color,
        buttons=[_button(store, button) for button in note["buttons"]],
        added=added,
        step=max((steps.get(marked_parts(str(button["id"]))[1], 0) for button in note["buttons"]), default=0),
    )


def _icon(icon: Any) -> tuple[str, str]:
    given = icon if isinstance(icon, dict) else {}
    address = str(given.get("image_url") or given.get("svg_url") or "")
    is_picture = is_web_address(address) or address.startswith("data:image/")
    return (address if is_picture else ""), color_of(given.get("bg_color"))


def _button(store: Store, button: Record) -> ButtonView:
    color = color_of(button.get("color"))
    return ButtonView(str(button["id"]), str(button["label"]), color, _readable_on(color), *_leads(store, button))


def _leads(store: Store, button: Record) -> tuple[str, str, bool, bool]:
    """Where it leads in words, its address, whether it runs an Analysis, and whether it opens a page of TagoIO."""
    analyses = analyses_of(button)
    if analyses:
        names = [store.analyses[each]["name"] if each in store.analyses else f"{each}, not here" for each in analyses]
        return f"runs the Analysis {', '.join(names)}", "", True, False
    address = next((str(each["url"]) for each in (button, *triggers_of(button)) if each.get("url")), "")
    if is_path(address):
        return f"opens the TagoIO page {address}", ADMIN + address, False, True
    if not is_web_address(address):
        return (f"{address} is no web address" if address else "leads nowhere"), "", False, False
    parts = urlsplit(address)
    host = parts.hostname or ""
    own = host == "tago.io" or host.endswith((".tago.io", ".tago.run"))
    if own and not host.startswith("help."):
        return f"opens the TagoIO page {parts.path or '/'}", address, False, True
    return f"opens {host}", address, False, False


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
