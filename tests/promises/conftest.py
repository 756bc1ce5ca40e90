"""All chosen scenarios at once, a few at a time: most of each is waiting. Each runs alone too, by its name or number.

pytest tests/promises -k a_frozen_run            # by name
pytest tests/promises -m "promise(number=4)"     # by the number in the issue
PROMISES_AT_ONCE=1 pytest tests/promises         # one after another
"""

import os
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

ALONE: list[str] = []
HERE = Path(__file__).parent
AT_ONCE = int(os.environ.get("PROMISES_AT_ONCE", "7"))
POOL = pytest.StashKey[ThreadPoolExecutor]()
BEGUN = pytest.StashKey[dict[str, "Future[Any]"]]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "promise(number, seconds): which promise of the issue; how long it takes about")


def seconds_of(item: pytest.Item) -> float:
    marker = item.get_closest_marker("promise")
    return float(marker.kwargs.get("seconds", 5)) if marker else 5


def begin(session: pytest.Session) -> "dict[str, Future[Any]]":
    """Every scenario of this folder that was chosen; the longest first."""
    pool = session.config.stash[POOL] = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="scenario")
    items = [item for item in session.items if isinstance(item, pytest.Function) and HERE in item.path.parents]
    begun = {}
    for item in sorted(items, key=seconds_of, reverse=True):
        arguments = item.callspec.params if hasattr(item, "callspec") else {}
        begun[item.nodeid] = pool.submit(item.obj, **arguments)
    return begun


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool:
    stash = pyfuncitem.session.config.stash
    if BEGUN not in stash:
        stash[BEGUN] = begin(pyfuncitem.session)
    try:
        stash[BEGUN][pyfuncitem.nodeid].result()
    except Exception:
        # Real seconds on a machine that other scenarios keep busy: once more, alone, and said in the summary.
        pyfuncitem.obj(**(pyfuncitem.callspec.params if hasattr(pyfuncitem, "callspec") else {}))
        ALONE.append(pyfuncitem.nodeid)
    return True


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for nodeid in ALONE:
        terminalreporter.write_line(f"passed only when run alone: {nodeid}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    if POOL in session.config.stash:
        session.config.stash[POOL].shutdown(wait=False, cancel_futures=True)
