"""The benchmarks' contenders still do the same work, so that the figures compare like with like."""

import pytest

from tests.benchmarks.contenders import CONTENDERS, contend
from tests.benchmarks.server import remote_sandbox


@pytest.mark.parametrize("who", CONTENDERS)
def test_each_contender_tells_everyone_once(who: str) -> None:
    with remote_sandbox(3, tls=True) as server:
        result = contend(who, server, server.users)
        assert result.outcomes == dict.fromkeys(server.users, "sent")
        assert server.stats().received == dict.fromkeys(server.users, 1)
