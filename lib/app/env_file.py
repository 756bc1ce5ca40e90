"""The .env file of a developer: read whole, or refused with the line that is wrong."""

import codecs
import io
import os
import re
from collections.abc import Iterator
from pathlib import Path

from lib.app.settings import VARIABLES, misspelt
from lib.base.errors import SetupError, one_error


def read_env_file(path: Path) -> dict[str, str | None]:
    """The variables of a .env file; those that address TagoIO itself are put into the process' environment too. Raises
    SetupError for a file that cannot be read."""
    if not path.is_file():
        return {}
    from dotenv import dotenv_values  # imported late: inside TagoIO there is no .env, and start-up is billed

    try:
        content = path.read_bytes()
        is_wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))  # as PowerShell writes a file
        text = content.decode("utf-16" if is_wide else "utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise SetupError(f"{path.name} cannot be read: {why}") from error
    one_error(f"{path.name}, {problem}" for problem in _unread_lines(text))
    values = dotenv_values(stream=io.StringIO(text))
    one_error(f"{path.name}: {problem}" for problem in misspelt(values))
    for name in ("T_ANALYSIS_TOKEN", "T_ANALYSIS_ID", "TAGOIO_API", "TAGOIO_SSE"):
        if values.get(name):
            os.environ.setdefault(name, values[name] or "")
    return values


def _unread_lines(text: str) -> Iterator[str]:
    """What dotenv would leave out with a warning. Values are not shown: one may be a token."""
    from dotenv.parser import parse_stream

    for binding in parse_stream(io.StringIO(text)):
        name = re.match(r"\s*(?:export\s+)?([\w-]*)", binding.original.string)
        if binding.error or (binding.key and binding.value is None and binding.key.lower() in VARIABLES):
            begins = f" ({name[1]} …)" if name and name[1] else ""
            line = binding.original.line + len(re.match(r"\n*", binding.original.string)[0])  # type: ignore[index]
            yield (
                f"line {line}{begins} cannot be read: write name=value; a value with quotes, spaces or # goes into "
                "single quotes, name='…'"
            )
