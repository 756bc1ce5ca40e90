"""How far the talk with a mail server came: only a text that was handed over may have been taken."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

GO_AHEAD = 354  # the server takes the text now


class MailPhase(threading.local):
    """Of the attempt that this thread is at: whether a mail server was `asked`, and whether there is `doubt`: a text
    was handed over (after the 354 to DATA, RFC 5321), and the server did not say that it refuses it."""

    asked = False
    doubt = False
    in_data = False

    @contextmanager
    def watched(self) -> Iterator[None]:
        self.asked = self.doubt = False
        _watch_smtplib()
        yield


PHASE = MailPhase()
_WATCHING = threading.Lock()


def _watch_smtplib() -> None:
    """Once, when the first message may be sent. Apprise says nothing of the phase, and makes the connection itself;
    its mail services all use smtplib."""
    import smtplib  # imported late, with Apprise: start-up is billed

    with _WATCHING:
        if getattr(smtplib.SMTP.data, "watched_for", None) is PHASE:
            return
        connect, data, getreply = smtplib.SMTP.connect, smtplib.SMTP.data, smtplib.SMTP.getreply

        def watched_connect(self: smtplib.SMTP, *given: Any, **more: Any) -> Any:
            PHASE.asked = True
            return connect(self, *given, **more)

        def watched_getreply(self: smtplib.SMTP) -> tuple[int, bytes]:
            reply = getreply(self)
            PHASE.doubt = PHASE.doubt or (PHASE.in_data and reply[0] == GO_AHEAD)
            return reply

        def watched_data(self: smtplib.SMTP, msg: Any) -> tuple[int, bytes]:
            before, PHASE.in_data = PHASE.doubt, True
            try:
                reply = data(self, msg)
            finally:
                PHASE.in_data = False
            PHASE.doubt = before or not _is_refusal(reply[0])
            return reply

        watched_data.watched_for = PHASE  # type: ignore[attr-defined]
        smtplib.SMTP.connect = watched_connect  # type: ignore[method-assign]
        smtplib.SMTP.getreply = watched_getreply  # type: ignore[method-assign]
        smtplib.SMTP.data = watched_data  # type: ignore[method-assign]


def _is_refusal(code: int) -> bool:
    return 400 <= code < 600
