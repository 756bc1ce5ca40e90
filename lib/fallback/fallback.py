"""Another way to reach a user whose notification failed or was not read: any service that Apprise speaks to."""

import logging
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple

from lib.base.log import redact
from lib.fallback.channels import NoAddress, channel_of, filled
from lib.fallback.mail_phase import PHASE
from lib.message.address import admin_address, is_path
from lib.message.notification import Notification
from lib.message.user import User, without_contact

# What Apprise's log says when a message was handed over and nobody knows whether it was taken (of mail see MailPhase).
IN_DOUBT = re.compile(r"timed out|timeout|unexpectedly closed|reset|broken pipe|aborted|error=5\d\d", re.IGNORECASE)
NEVER_SENT = re.compile(r"^timed out$|ConnectTimeout|NewConnectionError|NameResolution|refused")
REPLY = re.compile(r"\(([45]\d\d), b?['\"](.*?)['\"]\)")  # an SMTP server's own word

SOMEBODY = User("", email="somebody@example.com", phone="+15550100100")
SENT = "Sent"  # Apprise says so for each of several recipients
KNOWN_TROUBLE = {
    "timed out|timeout": "no answer in time",
    "unexpectedly closed|aborted|broken pipe": "the connection was closed",
    "reset": "the connection was reset",
    "connection refused|NewConnectionError": "connection refused",
    "refused": "the recipient was refused",
    "name or service|NameResolution|getaddrinfo|resolve": "unknown host",
    "certificate": "its certificate is not trusted",
    "STARTTLS": "the server has no STARTTLS",
}
WHY = {
    "failed": "TagoRUN could not notify you, so this reaches you another way.",
    "unknown": "It is not known whether TagoRUN has shown you this as well.",
    "unread": "You have not opened this in TagoRUN yet.",
}


class Attempt(NamedTuple):
    """How it went: `taken` by a channel (its scheme, never its address), `refused` by all, or in `doubt`."""

    result: Literal["taken", "refused", "doubt"]
    channel: str = ""
    reason: str = ""


class _Ear(logging.Handler):
    """Collects what Apprise logs in a thread; none of it reaches the console, for it holds addresses and texts."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self._heard = threading.local()
        logger = logging.getLogger("apprise")  # Apprise itself is imported when it is needed
        logger.addHandler(self)
        logger.propagate = False
        logger.setLevel(logging.DEBUG)

    @contextmanager
    def listening(self) -> Iterator[list[str]]:
        lines: list[str] = []
        self._heard.lines = lines
        yield lines
        self._heard.lines = None

    def emit(self, record: logging.LogRecord) -> None:
        line, lines = record.getMessage(), getattr(self._heard, "lines", None)
        if lines is None:
            return
        if line.startswith("Sent ") and record.levelno == logging.INFO:
            lines.append(SENT)
        if line.startswith("Socket Exception: "):
            lines.insert(0, line.removeprefix("Socket Exception: "))
        elif record.levelno >= logging.WARNING:
            lines.append(line)


EAR = _Ear()


class Fallback:
    """Tells users by `addresses`, the first that takes it. `tago_run` is where notifications are answered, asked for
    once, "" where that is not known. Callable from several threads."""

    def __init__(self, addresses: Sequence[str], tago_run: Callable[[], str] = lambda: "") -> None:
        self.addresses = addresses
        self._ask_where = tago_run
        self._where: str | None = None
        self._lock = threading.Lock()

    def tell(self, user: User, notification: Notification, why: str) -> Attempt:
        """Try the addresses in their order. Where one leaves doubt no other is tried: the user would be told twice."""
        refusals = []
        for address in self.addresses:
            channel = channel_of(address)
            try:
                filled(address, user)
                attempt = self._try(channel, address, user, notification, why)
            except NoAddress as problem:
                attempt = Attempt("refused", channel, str(problem))
            if attempt.result != "refused":
                return attempt
            refusals.append(f"{channel}: {attempt.reason}")
        return Attempt("refused", reason="; ".join(refusals))

    def problems(self) -> Iterator[str]:
        """What a dry run can tell without sending: the addresses that Apprise does not take."""
        for address in self.addresses:
            try:
                with EAR.listening() as heard:
                    if _service(address, SOMEBODY) is None:
                        yield f"{channel_of(address)}: {_why_not(heard)}"
            except (ImportError, NoAddress) as problem:
                yield _import_hint(problem)

    def reaches(self, user: User) -> bool:
        """Whether there is an address that this user's data fill."""
        for address in self.addresses:
            try:
                filled(address, user)
            except NoAddress:
                continue
            return True
        return False

    def _try(self, channel: str, address: str, user: User, notification: Notification, why: str) -> Attempt:
        with EAR.listening() as heard, PHASE.watched():
            try:
                service = _service(address, user)
            except ImportError as error:
                return Attempt("refused", channel, _import_hint(error))
            if service is None:
                return Attempt("refused", channel, _why_not(heard))
            try:
                title, body = text_for(notification, why, self._tago_run())
                if service.notify(title=title, body=body, body_format="text"):
                    return Attempt("taken", channel)
                reason = _said(heard, user)
                return Attempt("doubt" if _leaves_doubt(heard) else "refused", channel, reason)
            except Exception as error:  # a service of Apprise's that breaks must not end the run
                sure = PHASE.asked and not PHASE.doubt
                return Attempt("refused" if sure else "doubt", channel, type(error).__name__)

    def _tago_run(self) -> str:
        with self._lock:
            if self._where is None:
                self._where = self._ask_where()
            return self._where


def text_for(notification: Notification, why: str, tago_run: str = "") -> tuple[str, str]:
    """Title and text, plain. The links of the buttons are in it; a decision can only be made in TagoRUN."""
    lines = [notification.message, ""]
    for button in notification.buttons:
        address = button.link or (admin_address() + button.page if is_path(button.page) else button.page)
        if address:
            lines.append(f"{button.label}: {address}")
    answers = ", ".join(button.label for button in notification.buttons if button.analysis)
    if answers:
        lines.append(f"To answer ({answers}), open the notification in TagoRUN{f': {tago_run}' if tago_run else ''}")
    return " ".join(notification.title.split()), "\n".join([*lines, "", WHY[why]])


def _service(address: str, user: User) -> Any:
    """Apprise's service for an address, None where it takes none such. Imported here: start-up is billed.

    Apprise reads a name and an address from o'neil@example.com: so what it has made of the user's is looked at, and
    where it is another, it is tried in brackets. Raises NoAddress where that does not help either.
    """
    import apprise

    for bracketed in (False, True):
        service = apprise.Apprise.instantiate(filled(address, user, bracketed=bracketed))
        if service is None or "{email}" not in address or _is_for(service, user.email.strip()):
            return service
    raise NoAddress("Apprise reads the user's e-mail address otherwise")


def _is_for(service: Any, email: str) -> bool:
    """Whether an e-mail goes to that very address; other services have no such list."""
    targets = getattr(service, "targets", None)
    if not isinstance(targets, list) or not hasattr(service, "from_addr"):
        return True
    return any(
        email.lower() in (str(part).lower() for part in target) for target in targets if isinstance(target, tuple)
    )


def _import_hint(error: Exception) -> str:
    if isinstance(error, ImportError):
        return 'Apprise is not installed; put "apprise" among the dependencies at the top of the script'
    return str(error)


def _leaves_doubt(heard: list[str]) -> bool:
    """Whether a message that a service did not take may have reached somebody all the same."""
    if SENT in heard:
        return True
    if PHASE.asked:
        return PHASE.doubt
    return any(map(IN_DOUBT.search, heard)) and not any(map(_is_sure, heard))


def _is_sure(line: str) -> bool:
    """Whether Apprise says with it that nothing can have been taken."""
    return bool(NEVER_SENT.search(line))


def _said(heard: list[str], user: User) -> str:
    """What Apprise said, as one of a few sentences: its own hold addresses, numbers and texts."""
    for line in heard:
        reply = REPLY.search(line)
        if reply:
            return without_contact(redact(f"{reply[1]} {reply[2]}"), user)
    for sign, sentence in KNOWN_TROUBLE.items():
        if any(re.search(sign, line, re.IGNORECASE) for line in heard):
            return sentence
    status = next((found for line in heard if (found := re.search(r"error=(\d{3})", line))), None)
    return f"HTTP {status[1]}" if status else "the service did not take it"


def _why_not(heard: list[str]) -> str:
    """Why Apprise makes no service of an address, without what it quotes from there."""
    plain = [re.sub(r"\s*\([^)]*\)|\s*[\"'].*?[\"']", "", line) for line in heard if "://" not in line]
    return redact(plain[0]) if plain else "Apprise takes no such address"
