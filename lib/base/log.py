"""The structured log on stderr (structlog), and the one place that keeps secrets out of everything printed."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from lib.base.text import MISLEADING, one_line, tolerant

HIDDEN = "***"
TOKEN = re.compile(r"\b(?:[apun]-|at-?)[0-9a-f]{8}[0-9a-f-]{4,}\b|(?<=token=)[^&\s\"']+", re.IGNORECASE)
_secrets: set[str] = set()


def hide(secret: str) -> None:
    """From now on this text never shows in what `redact` has seen."""
    if len(secret) >= 6:
        _secrets.add(secret)


def redact(text: str) -> str:
    """The text without tokens: those we know, and what looks like one."""
    for secret in _secrets:
        text = text.replace(secret, HIDDEN)
    return TOKEN.sub(HIDDEN, text)


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
