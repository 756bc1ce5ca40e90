"""How a run starts, decided from the environment: inside TagoIO, as an external Analysis, or once from a laptop."""

import gc
import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from lib.app.console import Console
from lib.app.env_file import read_env_file
from lib.app.settings import use_region
from lib.base.errors import Rejected, SetupError, TagoIOError
from lib.base.log import guard_output, hide, redact
from lib.base.text import tolerant

SANDBOX = (
    "New here? Try it without an account: python3 -m venv .venv && .venv/bin/pip install -q -r "
    "lib/tools/requirements.txt && .venv/bin/python -m lib.tools.sandbox. With one: copy env.example to .env and fill "
    "it in"
)


class Context(Protocol):
    """What TagoIO hands an Analysis (C: whl modules/Analysis/Analysis_Type.py)."""

    token: str
    analysis_id: str
    environment: list[dict[str, str]] | None

    def log(self, message: str, /) -> None: ...


@dataclass
class LaptopContext:
    """The same for a run that TagoIO did not start."""

    token: str = ""
    analysis_id: str = ""
    environment: list[dict[str, str]] | None = field(default_factory=list)

    def log(self, message: str) -> None:
        tolerant(sys.stdout).write(f"{message}\n")


Notify = Callable[[Context, Any, Mapping[str, str | None]], int]


def start(notify: Notify, folder: Path) -> int:
    """Run `notify(context, scope, variables)` the way the environment asks for; the exit code of the process.

    `variables` are the process' environment and, outside TagoIO, the .env file in `folder`.
    """
    gc.freeze()  # what was imported stays, so no search for garbage looks at it again
    gc.enable()  # the bundle turns it off while it starts
    guard_output()
    inside = bool(os.environ.get("T_ANALYSIS_CONTEXT"))
    try:
        from_file = {} if inside else read_env_file(folder / ".env")
    except SetupError as error:
        _explain(Console(print), error)
        return 1
    variables = {**_lowered(from_file), **_lowered(os.environ)}
    if inside:
        return _run_inside(notify, variables)
    use_region((variables.get("region") or "").strip())
    if os.environ.get("T_ANALYSIS_TOKEN"):
        return _listen(notify, variables, os.environ["T_ANALYSIS_TOKEN"].strip())
    context = LaptopContext(analysis_id=os.environ.get("T_ANALYSIS_ID", ""))
    return _guarded(notify, context, None, variables, SANDBOX)


def _run_inside(notify: Notify, variables: Mapping[str, str | None]) -> int:
    """The SDK's internal mode runs the handler once, at once, and drops what it returns."""
    from tagoio_sdk import Analysis

    codes: list[int] = []
    Analysis.use(lambda context, scope: codes.append(_guarded(notify, context, scope, variables)))
    return codes[0] if codes else 1


def _listen(notify: Notify, variables: Mapping[str, str | None], token: str) -> int:
    """The SDK's listener: it runs the handler for every trigger on the stream, until Ctrl+C."""
    from tagoio_sdk import Analysis

    hide(token)
    try:
        _check_listener(token)
    except SetupError as error:
        _explain(Console(print), error)
        return 1
    Analysis.use(lambda context, scope: [_guarded(notify, context, scope, variables), None][1], params={"token": token})
    return 0


def _check_listener(token: str) -> None:
    """What the SDK would only meet with an exit code of 0, or by trying for ever."""
    from lib.tagoio.audience import retrying
    from lib.tagoio.transport import Client, web_address

    if os.environ.get("TAGOIO_API") and not os.environ.get("TAGOIO_SSE"):
        raise SetupError("TAGOIO_SSE is not set, but TAGOIO_API is; an external Analysis needs both")
    client = Client()
    web_address(os.environ.get("TAGOIO_SSE") or "https://sse.tago.io", "TAGOIO_SSE")
    try:
        retrying(lambda: client.request("GET", "/info", token=token), time.sleep)
    except Rejected as error:
        raise SetupError(
            f"TagoIO does not accept T_ANALYSIS_TOKEN ({error.message}). Copy it from the Analysis' page in the admin "
            "(it must run on External), or leave it out and set account_token to send once from here"
        ) from error
    except TagoIOError as error:
        raise SetupError(f"The trigger stream cannot be opened: {error.message}") from error


def _guarded(
    notify: Notify, context: Context, scope: Any, variables: Mapping[str, str | None], pointer: str = ""
) -> int:
    """One run; whatever goes wrong is said once and becomes an exit code, so that a listener lives on."""
    console = Console(context.log)
    hide(context.token or "")
    try:
        return notify(context, scope, variables)
    except SetupError as error:
        _explain(console, error, pointer)
    except KeyboardInterrupt:
        console.say(["Stopped by hand. Nobody was notified beyond what is said above."])
    except Exception as error:
        if isinstance(error, NameError) and error.name in ("compose", "decide"):
            _explain(console, SetupError(f"analysis.py has no function {error.name}: it must have that name"))
            return 1
        tolerant(sys.stderr).write(redact(traceback.format_exc()))
        console.say([f"Stopped by an unexpected {type(error).__name__}: {error}. The traceback is on stderr."])
    return 1


def _explain(console: Console, error: SetupError, pointer: str = "") -> None:
    lines = [line for problem in error.problems for line in _item(problem)]
    console.say(["Nobody was notified. Please fix:", *lines])
    if pointer and any(problem.startswith("account_token is not set") for problem in error.problems):
        console.hint(pointer)


def _item(problem: str) -> list[str]:
    """A problem's first line, and under it what it shows of a text; no value of others can pose as a line of ours."""
    first, *shown = problem.split("\n")
    return [f"  - {first}", *(f"    | {line}" for line in shown)]


def _lowered(variables: Mapping[str, str | None]) -> dict[str, str | None]:
    return {key.lower(): value for key, value in variables.items()}
