"""The same work three ways, each in a process of its own: the plain SDK in a loop, on 32 threads, and this project.

`python -m tests.benchmarks.contenders WHO < JSON` sends one notification to each user, who is known beforehand, and
prints, as JSON, the seconds, the processor seconds, and what it takes each user's outcome to be.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from tests.benchmarks.server import Remote

BODY = {
    "title": "Refrigerator alarm",
    "message": "The refrigerator is at 9 degrees. Please check the door.",
    "buttons": [
        {"id": "acknowledge", "label": "Acknowledge", "color": "green", "url": "https://example.com/acknowledge"},
        {"id": "call", "label": "Call", "color": "red", "url": "https://example.com/call"},
    ],
    "buttons_autodisable": True,
}


Work = Callable[[], dict[str, str]]


@dataclass
class Result:
    seconds: float
    cpu: float
    began: float
    outcomes: dict[str, str]


def contend(who: str, server: Remote, users: list[str], **options: Any) -> Result:
    """Run a contender; `options`: `timeout` (seconds to wait for an answer), `window`, `rate_limit`,
    `time_budget` (seconds), `api`."""
    given = json.dumps({"token": server.token, "users": users, **options})
    env = {**os.environ, "TAGOIO_API": options.get("api") or server.api}
    if server.certificate:
        env["REQUESTS_CA_BUNDLE"] = server.certificate
    command = [sys.executable, "-m", "tests.benchmarks.contenders", who]
    done = subprocess.run(command, input=given, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return Result(**json.loads(done.stdout))


def _sdk(given: dict[str, Any]) -> Callable[[str], str]:
    import tagoio_sdk.config
    from tagoio_sdk import Resources

    if given.get("timeout"):
        tagoio_sdk.config.tagoSDKconfig["requestTimeout"] = given["timeout"]
    resources = Resources({"token": given["token"]})

    def send(user: str) -> str:
        try:
            resources.run.notificationCreate(user, BODY)
        except Exception:
            return "failed"
        return "sent"

    return send


def _loop(given: dict[str, Any]) -> Work:
    send = _sdk(given)
    return lambda: {user: send(user) for user in given["users"]}


def _threads(given: dict[str, Any]) -> Work:
    send = _sdk(given)

    def work() -> dict[str, str]:
        with ThreadPoolExecutor(32) as pool:
            return dict(zip(given["users"], pool.map(send, given["users"]), strict=True))

    return work


def _ours(given: dict[str, Any]) -> Work:
    from collections import deque

    from lib.app.console import Console
    from lib.app.dispatch import Dispatch
    from lib.app.job import Job
    from lib.app.plan import Plan
    from lib.app.settings import Settings
    from lib.base.log import set_up_log
    from lib.campaign.key import campaign_key
    from lib.message.content import Content
    from lib.message.document import parse_document
    from lib.message.trigger import Trigger
    from lib.message.user import User
    from lib.tagoio.transport import Client, TagoIO

    set_up_log()
    client = Client(total=given["timeout"]) if given.get("timeout") else Client()
    budget = given.get("time_budget", 0.0)
    settings = Settings(account_token=given["token"], rate_limit=given.get("rate_limit"), time_budget=budget)
    content = Content(lambda trigger, user: None, parse_document(json.dumps(BODY)), str)
    plan = Plan(TagoIO(given["token"], client), settings, Console(lambda text: None), content)
    plan.console.hint = plan.console.progress = lambda *_, **__: None  # type: ignore[assignment, method-assign]
    state = plan.journal.state(campaign_key(Trigger()))
    job = Job(state, Trigger(), plan.journal.now() - 120, is_own=True)  # no answer has told TagoIO's clock yet
    plan.sorting.sort(job, deque(User(user, f"User {user}") for user in given["users"]))
    plan.jobs = [job]
    plan.check()
    dispatch = Dispatch(plan, Trigger(), lambda press: None)
    dispatch.window.window = given.get("window") or dispatch.window.window
    return lambda: {outcome.user_id: outcome.status for outcome in dispatch.perform().outcomes()}


CONTENDERS = {"loop": _loop, "threads": _threads, "ours": _ours}

if __name__ == "__main__":
    asked = json.load(sys.stdin)
    work = CONTENDERS[sys.argv[1]](asked)  # importing and looking up are not part of it
    began, cpu = time.time(), time.process_time()
    outcomes = work()
    result = {"seconds": time.time() - began, "cpu": time.process_time() - cpu, "began": began, "outcomes": outcomes}
    print(json.dumps(result))
