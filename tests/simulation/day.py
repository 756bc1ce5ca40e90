"""Plays a scenario: the runs of a day side by side, then quiet runs when all trouble is over."""

import json
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

from tests.simulation.developer import Developer
from tests.simulation.faults import Faults
from tests.simulation.history import History, Ran
from tests.simulation.patches import Loaded, Streams
from tests.simulation.scenario import Change, Run, Scenario
from tests.simulation.scheduler import Process, Scheduler, Stuck
from tests.simulation.server import ACCOUNT_TOKEN, Server
from tests.simulation.strikes import Strikes
from tests.simulation.threads import World
from tests.simulation.wire import Wire

SETTLED_AFTER = 60.0  # seconds: nothing is on its way any more, and no run that died is waited for
CLOCKS_APART = 60.0  # seconds more, where TagoIO does not tell its time
STARTING = 0.5  # seconds until an Analysis that the API was asked to run does
QUIET_RUNS = 2  # within which everything settles that is due; the next one has nothing to do
LONG_PAST = 200.0  # seconds after which a step or a reminder is due for everybody
ACTIVE = ("create", "write", "change")  # routes of a run that has something to do


class Day:
    """One scenario, once."""

    def __init__(self, scenario: Scenario, lib: Loaded) -> None:
        self.scenario = scenario
        self.lib = lib
        self.random = Random(scenario.seed)
        self.scheduler = Scheduler(self.random, stretch=scenario.stretch, preempt=scenario.preempt)
        self.server = Server(scenario.platform, scenario.people, lambda: self.scheduler.now, self.random)
        self.history = History(scenario, server=self.server)
        self.faults = Faults(scenario.faults, scenario.outages)
        self.strikes = Strikes(self.scheduler, self._killed)
        self.developer = Developer(scenario.setup, self.history, self.scheduler, lib.analysis)
        self._ran: dict[Process, Ran] = {}
        self.server.on_start = self._start_successor

    def play(self) -> History:
        World.scheduler = self.scheduler
        lib, history = self.lib, self.history
        lib.wire = Wire(self.scheduler, self.server, self.faults, self.strikes, history)
        lib.compose, lib.decide = self.developer.compose, self.developer.decide
        with Streams():
            try:
                self._play()
            except Stuck as stuck:
                history.stuck = str(stuck)
            finally:
                self.scheduler.end()
        return history

    def _play(self) -> None:
        for number, run in enumerate(self.scenario.runs, 1):
            self.scheduler.at(run.at, self._starter(run, f"run {number}"))
        for change in self.scenario.changes:
            self.scheduler.at(change.at, lambda change=change: self._change(change))  # type: ignore[misc]
        self.scheduler.run()
        self.history.trouble_ended = self.scheduler.now
        self.server.is_quiet = self.faults.is_quiet = True
        self._quiet_runs("quiet run")
        setup = self.scenario.setup
        for due, name in ((setup.escalate_after, "later run"), (setup.remind_after, "last run")):
            if due:
                self.scheduler.now += due + LONG_PAST
                self._quiet_runs(name)

    def _quiet_runs(self, name: str) -> None:
        """Until one has nothing to do; whether it came in time is the oracle's to say."""
        for place in range(1, QUIET_RUNS + 2):
            begin = self._starter(Run(0.0, "schedule"), f"{name} {place}", is_quiet=True)
            before = len(self.history.requests)
            apart = SETTLED_AFTER if self.scenario.platform.has_date else SETTLED_AFTER + CLOCKS_APART
            self.scheduler.at(self.scheduler.now + apart, begin)
            self.scheduler.run()
            if not any(request.route in ACTIVE for request in self.history.requests[before:]):
                return

    # ---- runs

    def _start_successor(self, scope: Any) -> None:
        number = sum(ran.run.kind == "successor" for ran in self.history.ran) + 1
        at = self.scheduler.now + STARTING
        begin = self._starter(Run(at, "successor"), f"successor {number}", scope, is_quiet=self.server.is_quiet)
        self.scheduler.at(at, begin)

    def _starter(self, run: Run, name: str, scope: Any = None, *, is_quiet: bool = False) -> Callable[[], None]:
        def begin() -> None:
            process = Process(name, run.skew)
            ran = Ran(name, run, self.scheduler.now, process, is_quiet)
            environment = self._environment(ran)
            if environment is None:
                return
            self.history.ran.append(ran)
            self.scheduler.processes.append(process)
            self.strikes.watch(process, run)
            self._ran[process] = ran
            self.scheduler.start(process, lambda: self._main(ran, environment, scope))

        return begin

    def _main(self, ran: Ran, environment: dict[str, str], scope: Any) -> None:
        listed = json.dumps([{"key": key, "value": value} for key, value in environment.items()])
        points = [self.developer.point(ran.run.number)] if ran.run.kind == "action" else scope
        ran.code = self.lib.run(ACCOUNT_TOKEN, listed, json.dumps(points))
        ran.ended = self.scheduler.now
        ran.process.is_dead = True  # its other threads are daemons

    def _environment(self, ran: Ran) -> dict[str, str] | None:
        """None where there is nothing that could be pressed."""
        given = self.developer.environment()
        kind = ran.run.kind
        if kind == "action":
            return given | {"_action_id": "e" * 24, "_action_type": "condition", "_device_id": "f" * 24}
        if kind == "schedule":
            return given | {"_action_id": "9" * 24, "_action_type": "interval"}
        if kind == "press":
            pressed = self.developer.pressed(ran.run, self.server)
            if pressed is None:
                return None
            ran.pressed, ran.is_honest = pressed, not ran.run.forged
            return given | pressed
        return given

    def _killed(self, process: Process) -> None:
        self._ran[process].killed = self.scheduler.now

    # ---- what others do

    def _change(self, change: Change) -> None:
        now, user = self.scheduler.now, self.server.users.get(f"a{change.person:023x}")
        if change.what == "join":
            self.server.join(len(self.server.users), self.scenario.people[change.person % len(self.scenario.people)])
        elif user is None:
            return
        elif change.what == "delete":
            user.left_at = min(user.left_at, now)
        elif change.what == "deactivate":
            user.is_active, user.inactive_from = False, min(user.inactive_from, now)
        elif change.what == "opt_in":
            user.person, user.opted_in_at = replace(user.person, opt_out=""), now
        elif change.what == "rename":
            user.name = f"{user.name} II"
        elif change.what == "read":
            for note in self.server.notes:
                if note.user == user.id:
                    note.read_at = min(note.read_at, now)


def play(scenario: Scenario, lib: Loaded) -> History:
    return Day(scenario, lib).play()
