"""`python -m tests.benchmarks [PART …]`: this project beside the plain SDK, in one run, as ratios.

Parts: fanout, limit, startup, scale, faults, kills. All without an argument (about a quarter of an hour).
"""

import functools
import json
import os
import random
import re
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from subprocess import DEVNULL
from typing import Any

import pygal
from rich import box
from rich.console import Console
from rich.table import Table

from lib.tools.sandbox.trouble import Fault
from tests.benchmarks.contenders import Result, contend
from tests.benchmarks.doors import Door, closed_for, hanging_for
from tests.benchmarks.server import Remote, remote_sandbox

ROOT = Path(__file__).parents[2]
ROUNDS = 21
BARE_SCRIPT = """
from tagoio_sdk import Analysis, Resources
def run(context, scope):
    run = Resources({"token": context.token}).run
    for user in run.listUsers({"filter": {"tags": [{"key": "group", "value": "all"}]}}):
        run.notificationCreate(user["id"], {"title": "t", "message": "m"})
Analysis.use(run)
"""


def show(title: str, headings: list[str], rows: list[list[Any]]) -> None:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for heading in headings:
        table.add_column(heading, justify="left" if heading == headings[0] else "right")
    for row in rows:
        table.add_row(*map(str, row))
    Console(width=None if sys.stdout.isatty() else 120).print(table)


def tally(server: Remote, result: Result) -> tuple[int, int, int]:
    """Of the users: how many lost (not told and not said to be), told twice, and reported wrongly."""
    received = server.stats().received
    lost = sum(not received[user] for user in server.users)
    twice = sum(received[user] > 1 for user in server.users)
    wrong = sum((result.outcomes.get(user) == "sent") != bool(received[user]) for user in server.users)
    return lost, twice, wrong


def fanout() -> None:
    """1. TLS, 50 ms latency, 1,000 users."""
    with remote_sandbox(1000, tls=True) as server:
        rows, results = [], {}
        for who in ("loop", "threads", "ours"):
            users = server.users[:200] if who == "loop" else server.users
            runs = []
            for _ in range(1 if who == "loop" else 3):
                server.trouble(latency=0.05)
                runs.append(contend(who, server, users))
            best = results[who] = min(runs, key=lambda run: run.seconds)
            scale = 1000 / len(users)
            rows.append(
                [who, f"{best.seconds * scale:.2f}", f"{best.cpu * 1000 / len(users):.3f}", server.stats().connections]
            )
        ours, threads = results["ours"], results["threads"]
        ratio = [
            "ours / threads",
            f"{ours.seconds / threads.seconds:.2f} (<= 0.5)",
            f"{ours.cpu / threads.cpu:.2f} (<= 0.2)",
            "(<= 40)",
        ]
        show(
            "Fan-out: 1,000 users over TLS, 50 ms (loop: 200 users, scaled)",
            ["", "s", "CPU ms each", "connections"],
            [*rows, ratio],
        )


def limit() -> None:
    """2. A hard limit of 100 in each window of 10 s, 500 users, begun 3 s into a window."""
    rows = []
    for who, given in (("threads", None), ("ours", None), ("ours", 100)):
        with remote_sandbox(500) as server:
            server.trouble(rate_limit=100, window=10.0)
            time.sleep((3 - time.time()) % 10)
            result = contend(who, server, server.users, window=10.0, rate_limit=given)
            # Five windows' worth: the last hundred may go when the fourth window after that of the start begins.
            optimum = (result.began // 10 + 4) * 10 - result.began
            stats = server.stats()
            lost, twice, _ = tally(server, result)
        name = who if who == "threads" else f"ours, rate_limit {given or 'learnt'}"
        refused = f"{100 * stats.refused / stats.posts:.1f} %"
        rows.append(
            [name, f"{result.seconds:.1f}", "-" if lost else f"{result.seconds / optimum:.3f}", refused, lost, twice]
        )
    headings = ["", "s", "of optimum (<= 1.05)", "429s (<= 2 % given, 10 % learnt)", "lost", "twice"]
    show("Rate limit: 100 in 10 s, 500 users", headings, rows)


def startup() -> None:
    """3. A whole process with one user, in environments that hold what TagoIO installs: requirements.txt, and for
    analysis.py alone the wheel of lib."""
    with tempfile.TemporaryDirectory() as folder, remote_sandbox(1) as server:
        place = Path(folder)
        (place / "bare.py").write_text(BARE_SCRIPT)
        python = _environment(place / "plain")
        with_wheel = _environment(place / "with_wheel", *_bundled(place))
        contenders = {
            "bare SDK script": [python, place / "bare.py"],
            "analysis.py": [python, ROOT / "analysis.py"],
            "wheel": [with_wheel, place / "alone.py"],
            "bundle": [python, place / "notify.py"],
        }
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
        for _ in range(ROUNDS + 1):
            for name, command in contenders.items():
                times[name].append(_timed(command, inside(server)))
        told = sum(server.stats().received.values())
    if told != len(contenders) * (ROUNDS + 1):
        raise AssertionError(f"{told} notifications, not {len(contenders) * (ROUNDS + 1)}")
    rows: list[list[Any]] = []
    bare: list[float] = []
    for name, found in times.items():
        # The first one compiles lib. The quickest quarter's end, as others may share the machine.
        ends = [statistics.quantiles(column, n=4)[0] for column in zip(*found[1:], strict=True)]
        bare = bare or ends
        wall, cpu = (f"{mine / theirs:.2f}" for mine, theirs in zip(ends, bare, strict=True))
        rows.append([name, f"{ends[0] * 1000:.0f}", wall, f"{ends[1] * 1000:.0f}", cpu])
    headings = ["", "ms", "of bare", "CPU ms", "of bare (<= 1.2, bundle 1.35)"]
    show(f"Start-up: one user, first quartile of {ROUNDS}", headings, rows)


def _environment(folder: Path, *packages: Path) -> Path:
    """The Python of a new environment with requirements.txt and these packages."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    wanted = ["-r", str(ROOT / "requirements.txt"), *map(str, packages)]
    subprocess.run([python, "-m", "pip", "install", "-q", *wanted], check=True, stderr=DEVNULL)
    return python


def _bundled(folder: Path) -> list[Path]:
    """Makes the bundle (notify.py), and the wheel with its script (alone.py); the wheel."""
    for arguments in (["-o", str(folder / "notify.py")], ["--wheel", "-o", str(folder / "alone.py")]):
        subprocess.run([sys.executable, "-m", "lib.tools.bundle", *arguments], cwd=ROOT, check=True, stdout=DEVNULL)
    return list(folder.glob("*.whl"))


def _timed(command: list[Path], env: dict[str, str]) -> tuple[float, float]:
    """The seconds of a process, and its processor seconds."""
    began = time.perf_counter()
    process = subprocess.Popen(command, env=env, stdout=DEVNULL, stderr=DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise AssertionError(f"{command[-1]} ended with {process.returncode}")
    return time.perf_counter() - began, usage.ru_utime + usage.ru_stime


def inside(server: Remote, **variables: str) -> dict[str, str]:
    """What TagoIO puts into the environment of an Analysis."""
    given = {"tag_key": "group", "tag_value": "all", "max_recipients": "1000000", **variables}
    return {
        "PATH": os.environ["PATH"],
        "T_ANALYSIS_CONTEXT": "tago-io",
        "T_ANALYSIS_TOKEN": server.analysis_token,
        "T_ANALYSIS_ID": "f" * 24,
        "T_ANALYSIS_ENV": json.dumps([{"key": key, "value": value} for key, value in given.items()]),
        "T_ANALYSIS_DATA": "null",
        "TAGOIO_API": server.api,
    }


def scale() -> None:
    """4. Memory and processor time as the audience grows, and both drawn in docs/measured-scale.svg."""
    rows, measured = [], []
    for number, has_journal in ((10_000, True), (30_000, True), (100_000, True), (100_000, False)):
        memory, seconds, lost, twice = _whole_run(number, has_journal=has_journal)
        if has_journal:
            measured.append((number, memory, seconds))
        name = f"{number:,}{'' if has_journal else ', no journal'}"
        rows.append([name, f"{memory:.0f} MB", f"{seconds * 1000 / number:.3f}", lost, twice])
    (few, _, short), *_, (many, _, long) = measured
    rows.append(["ratio", "(<= 90 MB)", f"{long / many / (short / few):.2f} (0.8 to 1.2)", "", ""])
    show("Scale: no latency, a whole run", ["users", "peak memory", "CPU ms each", "lost", "twice"], rows)
    _draw(measured)


def _whole_run(number: int, *, has_journal: bool) -> tuple[float, float, int, int]:
    """Peak memory in MB, processor seconds, lost, told twice."""
    with remote_sandbox(number) as server:
        given = {"delivery_log_token": server.journal_token} if has_journal else {}
        command = [sys.executable, str(ROOT / "analysis.py")]
        process = subprocess.Popen(command, env=inside(server, **given), stdout=DEVNULL, stderr=DEVNULL)
        memory, ended = 0.0, 0
        while not ended:  # what the kernel says at the end counts this process too, which has begun it
            time.sleep(0.05)
            peak = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())
            memory = int(peak[1]) / 1024 if peak else memory
            ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        process.returncode = os.waitstatus_to_exitcode(status)
        received = server.stats().received
    twice = sum(count > 1 for count in received.values())
    return memory, usage.ru_utime + usage.ru_stime, number - len(received), twice


def _draw(measured: list[tuple[int, float, float]]) -> None:
    chart = pygal.XY(
        title="A whole run with its journal, as the audience grows", x_title="users", range=(0, 120), height=360,
        legend_at_bottom=True, js=[], no_prefix=True, x_value_formatter=lambda users: f"{users:,.0f}",
    )  # fmt: skip
    chart.add("peak memory, MB", [(users, memory) for users, memory, _ in measured])
    chart.add("processor time, s", [(users, seconds) for users, _, seconds in measured])
    chart.render_to_file(str(ROOT / "docs" / "measured-scale.svg"))


BROKEN = ("reset", "close", "empty", "cut", "not-json", "status-false", "no-result")
BEFORE_AND_AFTER = (False, True)  # processing
FAULTS = [
    *(Fault("429", retry_after=says) for says in ("", "text", "header")),
    *(Fault(kind, processed=done) for kind in BROKEN for done in BEFORE_AND_AFTER),
    *(
        Fault(kind, processed=done, body=body)
        for kind in ("500", "502", "503", "504")
        for body in ("json", "html", "empty")
        for done in BEFORE_AND_AFTER
    ),
    *(Fault("stall", processed=done, seconds=3) for done in BEFORE_AND_AFTER),
    Fault("late", seconds=3),
]
Case = Callable[[str], list[int]]


def faults() -> None:
    """5. Every fault on 20 % and on all first attempts, 300 users, beside the SDK on threads."""
    cases: dict[str, Case] = {_name(fault): functools.partial(_fault_case, fault) for fault in FAULTS}
    cases["connections refused for 3 s"] = functools.partial(_door_case, functools.partial(closed_for, 3))
    cases["connecting times out for 6 s"] = functools.partial(_door_case, functools.partial(hanging_for, 6))
    cases["unknown host"] = _unknown_host_case
    with ThreadPoolExecutor(12) as pool:
        sdk = pool.map(lambda case: case("threads"), cases.values())
        ours = pool.map(lambda case: case("ours"), cases.values())
        rows: list[list[Any]] = [[name, *a, *b] for name, a, b in zip(cases, sdk, ours, strict=True)]
    totals = [sum(row[column] for row in rows) for column in range(1, 7)]
    headings = ["first attempts (20 % and 100 %)", "SDK lost", "twice", "wrong", "ours lost", "twice", "wrong"]
    show("Fault matrix: 2 x 300 users each; time-outs lowered to 1 s for both", headings, [*rows, ["all", *totals]])


def _name(fault: Fault) -> str:
    about = {"429": f"Retry-After: {fault.retry_after or 'none'}"}.get(fault.kind, fault.body)
    plain = fault.kind if not fault.kind.isdigit() else f"{fault.kind} {about}"
    return f"{plain}{' after processing' if fault.processed else ''}"


def _fault_case(fault: Fault, who: str) -> list[int]:
    found = [0, 0, 0]
    with remote_sandbox(300) as server:
        for share in (0.2, 1.0):
            server.trouble(faults=[replace(fault, share=share)])
            result = contend(who, server, server.users, timeout=1.0)
            time.sleep(3)  # what comes late has come
            found = [before + now for before, now in zip(found, tally(server, result), strict=True)]
    return found


def _door_case(door: Callable[[str, threading.Event], Door], who: str) -> list[int]:
    with remote_sandbox(300) as server:
        stop = threading.Event()
        api, close = door(server.api, stop)
        result = contend(who, server, server.users, timeout=1.0, api=api)
        stop.set()
        close()
        return list(tally(server, result))


def _unknown_host_case(who: str) -> list[int]:
    """Nobody can be told; what counts is that nobody is said to have been."""
    with remote_sandbox(3) as server:
        result = contend(who, server, server.users, api="http://localhost:9", time_budget=20.0)
        _, twice, wrong = tally(server, result)
        return [0, twice, wrong]


def kills() -> None:
    """6. SIGKILL at 60 random instants, then the same run again."""

    def one(seed: int) -> tuple[int, int, int]:
        with remote_sandbox(300) as server:
            server.trouble(latency=0.1)
            event = {"_action_id": "f" * 24, "_action_type": "condition"}
            env = inside(server, delivery_log_token=server.journal_token, **event)
            env["T_ANALYSIS_DATA"] = json.dumps([{"variable": "temperature", "value": 9, "id": str(seed)}])
            command = [sys.executable, str(ROOT / "analysis.py")]
            process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(random.Random(seed).uniform(0.4, 2.0))
            process.send_signal(signal.SIGKILL)
            process.wait()
            before = len(server.stats().received)
            subprocess.run(command, env=env, capture_output=True, check=True)
            received = server.stats().received
            return before, 300 - len(received), sum(count > 1 for count in received.values())

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(one, range(60)))
    midway = sum(0 < before < 300 for before, _, _ in found)
    row = ["300", 60, midway, sum(lost for _, lost, _ in found), sum(twice for _, _, twice in found)]
    show("Kill and run again, with a journal", ["users", "kills", "of them midway", "lost", "twice"], [row])


PARTS = {"fanout": fanout, "limit": limit, "startup": startup, "scale": scale, "faults": faults, "kills": kills}

if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(65536, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),) * 2)
    for part in sys.argv[1:] or PARTS:
        PARTS[part]()
