"""A mistake in `compose` or `decide`, in words that help its author: which line, and which name may be meant."""

import ast
import difflib
import inspect
import re
import textwrap
import traceback
from collections.abc import Callable, Iterable
from dataclasses import fields
from typing import Any

from lib.base.errors import SetupError
from lib.message.notification import Button, Notification

KEYWORD = re.compile(r"(Notification|Button)\.__init__\(\) got an unexpected keyword argument '(\w+)'")


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """`; did you mean "title"?`, or nothing where no known word is near; of words that differ in capitals the first."""
    by_lower: dict[str, str] = {}
    for word in known:
        by_lower.setdefault(word.lower(), word)
    near = difflib.get_close_matches(wrong.lower(), by_lower, 1, 0.6)
    return f'; did you mean "{by_lower[near[0]]}"?' if near else ""


def explained_mistake(error: BaseException, function: str) -> str:
    """What failed, in which line of `function`, and which name may be meant."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.name == function] or [frame.lineno for frame in frames[-1:]]
    where = f", in line {lines[-1]}" if lines else ""
    return f"{type(error).__name__}: {error}{_near(error)}{where}"


def check_returns(compose: Callable[..., Any]) -> None:
    """Raises SetupError where `compose` makes a notification that it does not return."""
    try:
        lines, first = inspect.getsourcelines(compose)
        tree = ast.parse(textwrap.dedent("".join(lines))).body[0]
    except (OSError, TypeError, SyntaxError):
        return  # no source, or no function of its own
    if not isinstance(tree, ast.FunctionDef):
        return
    nodes = list(ast.walk(tree))
    lost = [node.lineno for node in nodes if isinstance(node, ast.Expr) and _makes_notification(node.value)]
    if lost:
        raise SetupError(
            f"compose makes a Notification in line {first + lost[0] - 1} and drops it: is `return` missing?"
        )
    made = [node.lineno for node in nodes if isinstance(node, ast.expr) and _makes_notification(node)]
    if made and not any(isinstance(node, ast.Return) and node.value is not None for node in nodes):
        raise SetupError(
            f"compose makes a Notification in line {first + made[0] - 1} and never returns it: is `return` missing?"
        )


def _makes_notification(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Notification"


def _near(error: BaseException) -> str:
    found = KEYWORD.search(str(error))
    if found:
        of = Notification if found[1] == "Notification" else Button
        return did_you_mean(found[2], (field.name for field in fields(of)))
    if isinstance(error, AttributeError) and error.name and error.obj is not None:
        return did_you_mean(error.name, (name for name in dir(error.obj) if not name.startswith("_")))
    return ""
