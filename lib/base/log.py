"""The structured log on stderr (structlog), and the one place that keeps secrets out of everything printed."""

import json
import logging
import re
import sys
import threading
import traceback
from collections.abc import MutableMapping
from types import TracebackType
from typing import Any
from urllib.parse import quote, quote_plus

import structlog

from lib.base.text import MISLEADING, one_line, plain, tolerant

HIDDEN = "***"
TOKEN = re.compile(r"\b(?:[apun]-|at-?)[0-9a-f]{8}[0-9a-f-]{4,}\b|(?<=token=)[^&\s\"']+", re.IGNORECASE)
USERINFO = re.compile(r"(?<=//)[^\s/?#\"'<>]+@")  # of an address: a user, and mostly a password
SHORTEST = 3  # characters; whoever has a shorter secret has none
WHOLE_WORD = 6  # characters below which a secret is looked for as a word of its own: it may be a part of any other

_forms: set[str] = set()
_pattern: list[re.Pattern[str]] = []


def hide(secret: str) -> None:
    """From now on this text never shows in what `redact` has seen, nor as addresses, JSON or Python write it."""
    secret = secret.strip()
    if len(secret) < SHORTEST:
        return
    as_json = (json.dumps(secret, ensure_ascii=is_ascii)[1:-1] for is_ascii in (True, False))
    fit = plain(secret)
    _forms.update((secret, fit, *as_json, repr(secret)[1:-1], quote(fit), quote(fit, safe=""), quote_plus(fit)))
    longest_first = sorted(_forms, key=len, reverse=True)
    _pattern[:] = [re.compile("|".join(map(_searched, longest_first)), re.IGNORECASE)]


def _searched(form: str) -> str:
    return re.escape(form) if len(form) >= WHOLE_WORD else rf"(?<!\w){re.escape(form)}(?!\w)"


def redact(text: str) -> str:
    """The text without secrets: those we know, what looks like a token, and who an address logs in as."""
    for pattern in _pattern:
        text = pattern.sub(HIDDEN, text)
    return USERINFO.sub(f"{HIDDEN}@", TOKEN.sub(HIDDEN, text))


def guard_output() -> None:
    """From now on this process shows any text on any stream, and no secret in a traceback."""
    tolerant(sys.stdout)
    tolerant(sys.stderr)

    def tell(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
        sys.stderr.write(redact("".join(traceback.format_exception(kind, error, trace))))

    sys.excepthook = tell
    threading.excepthook = lambda ended: tell(ended.exc_type, ended.exc_value, ended.exc_traceback)


def set_up_log(level: str = "info", *secrets: str) -> None:
    """Readable lines on a terminal, JSON lines elsewhere; `secrets` never show. A stream that has not all letters gets
    JSON's own escapes."""
    for secret in secrets:
        hide(secret)
    stream = tolerant(sys.stderr)
    knows_all = (stream.encoding or "").lower().replace("-", "") == "utf8"
    as_json = structlog.processors.JSONRenderer(ensure_ascii=not knows_all)
    final: list[Any] = [_on_one_line, structlog.dev.ConsoleRenderer()] if stream.isatty() else [as_json, _escaped]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            _redact_event,
            *final,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(stream),
    )


def _on_one_line(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The traceback apart, which the renderer prints itself."""
    texts = {key: one_line(value) for key, value in event.items() if isinstance(value, str) and key != "exception"}
    return {**event, **texts}


def _escaped(_logger: Any, _method: str, line: str) -> str:
    """JSON leaves some characters that mislead as they are; they stand in its texts only."""
    return MISLEADING.sub(lambda found: f"\\u{ord(found[0]):04x}", line)


def _redact_event(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {key: redact(value) if isinstance(value, str) else value for key, value in event.items()}
