"""Scenarios run in virtual time: only those marked `real`, at least one of each promise, have processes and sockets.

pytest tests/promises -k a_frozen_run            # by name
pytest tests/promises -m "promise(number=4)"     # by the number in the issue
PROMISES_REAL=1 pytest tests/promises            # all of them in real time
"""

import os
from binascii import crc32

import pytest

from tests.promises.virtual import play

ALL_REAL = bool(os.environ.get("PROMISES_REAL"))


def is_real(item: pytest.Function) -> bool:
    """Marked `real=True`, or `real` is the id of these parameters."""
    marker = item.get_closest_marker("promise")
    real = marker.kwargs.get("real") if marker else True
    return ALL_REAL or (item.callspec.id == real if isinstance(real, str) else bool(real))


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if is_real(pyfuncitem):
        return None
    given = pyfuncitem.callspec.params if hasattr(pyfuncitem, "callspec") else {}
    play(lambda: pyfuncitem.obj(**given), crc32(pyfuncitem.nodeid.encode()))
    return True
