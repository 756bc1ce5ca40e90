"""A mistake in `compose` or `decide`, in words that help its author: which line, and which name may be meant."""

import ast
import builtins
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import fields
from types import FrameType
from typing import Any

from lib.base.errors import SetupError
from lib.base.text import did_you_mean
from lib.message.alarm import AllClear
from lib.message.notification import PLACEHOLDER, Button, Notification
from lib.message.placeholders import is_known

MADE = {kind.__name__: kind for kind in (Notification, AllClear, Button)}
RETURNED = ("Notification", "AllClear")
KEYWORD = re.compile(rf"({'|'.join(MADE)})\.__init__\(\) got an unexpected keyword argument '(\w+)'")
OTHER_WORDS = {"body": "message", "text": "message", "content": "message", "url": "link", "href": "link"}
ARGUMENTS = {"compose": "compose(trigger, user)", "decide": "decide(press)"}
# What Python says of a wrong type, and what its author has to know then.
HINTS = (
    (r"'NoneType'", "; something here is None: trigger.value gives None where the run brought no number"),
    (r"'tuple'", "; a comma makes two values of one: a decimal has a point, 8.5"),
    (r"'str' and '(int|float)'|'(int|float)' and 'str'|must be str|concatenate str",
     "; one is text and the other a number: numbers stand without quotes, and trigger.value(…) gives one"),
)  # fmt: skip


def explained_mistake(error: BaseException, function: Callable[..., Any]) -> str:
    """What failed, in which line of `function`, and which name may be meant."""
    return f"{type(error).__name__}: {error}{_hint(error, function)}{in_line(error, function)}"


def in_line(error: BaseException, function: Callable[..., Any]) -> str:
    """Of the function; "" where it was not reached."""
    lines = [line for _, line in _frames(error, function)]
    return f", in line {lines[-1]}" if lines else ""


def check_source(compose: Callable[..., Any]) -> None:
    """Raises SetupError where `compose` makes a notification that it does not return, or writes a placeholder of the
    JSON."""
    try:
        lines, first = inspect.getsourcelines(compose)
        tree = ast.parse(textwrap.dedent("".join(lines))).body[0]
    except (OSError, TypeError, SyntaxError):
        return  # no source, or no function of its own
    if not isinstance(tree, ast.FunctionDef):
        return
    nodes = list(ast.walk(tree))
    has_return = any(isinstance(node, ast.Return) and node.value is not None for node in nodes)
    for node in nodes:
        made = _made(node.value if isinstance(node, ast.Expr) else node)
        if made and (isinstance(node, ast.Expr) or not has_return):
            what = f"makes {made} in line {first + node.lineno - 1}"  # type: ignore[attr-defined]
            raise SetupError(f"compose {what} and does not return it: is `return` missing?")
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node is not _docstring(tree):
            _check_text(node.value, first + node.lineno - 1)


def _made(node: ast.AST) -> str:
    """What of that which is to be returned a call makes, with its article."""
    is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in RETURNED
    return f"{'an' if node.func.id[0] == 'A' else 'a'} {node.func.id}" if is_call else ""  # type: ignore[attr-defined]


def _docstring(tree: ast.FunctionDef) -> ast.expr | None:
    return tree.body[0].value if isinstance(tree.body[0], ast.Expr) else None


def _check_text(text: str, line: int) -> None:
    """`$NTH$` and the like are filled wherever they stand, in the line of a repeat."""
    for found in PLACEHOLDER.finditer(text):
        if found[1] and is_known(found[1].upper()):
            raise SetupError(
                f"compose has {found[0]} in line {line}: placeholders are filled in the variable notification only; "
                'here write {trigger.value("temperature")}, {trigger.device_name}, {user.name} in an f"…" text'
            )


def _frames(error: BaseException, function: Callable[..., Any]) -> Iterator[tuple[FrameType, int]]:
    """Of the function, the innermost last."""
    code, trace = getattr(inspect.unwrap(function), "__code__", None), error.__traceback__
    while trace:
        if trace.tb_frame.f_code is code:
            yield trace.tb_frame, trace.tb_lineno
        trace = trace.tb_next


def _hint(error: BaseException, function: Callable[..., Any]) -> str:
    frames = [frame for frame, _ in _frames(error, function)]
    found = KEYWORD.search(str(error))
    if found:
        known = [field.name for field in fields(MADE[found[1]])]
        meant = OTHER_WORDS.get(found[2])
        return f'; did you mean "{meant}"?' if meant in known else did_you_mean(found[2], known)
    if isinstance(error, AttributeError) and error.name and error.obj is not None:
        return did_you_mean(error.name, (name for name in dir(error.obj) if not name.startswith("_")))
    if isinstance(error, NameError) and error.name and frames:
        return did_you_mean(error.name, [*frames[-1].f_locals, *frames[-1].f_globals, *dir(builtins)])
    if isinstance(error, TypeError) and not frames:
        name = getattr(function, "__name__", "")
        return f"; it is called as {ARGUMENTS[name]}" if name in ARGUMENTS else ""
    is_of_a_type = isinstance(error, TypeError | AttributeError)
    return next((hint for pattern, hint in HINTS if is_of_a_type and re.search(pattern, str(error))), "")
