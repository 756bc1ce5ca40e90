"""Defects put into lib, each as a small change of its text: after how many seeds the simulation finds each."""

import multiprocessing
import time
from collections.abc import Iterator
from dataclasses import dataclass

from tests.simulation.patches import GoneError, Mutation, preload
from tests.simulation.runner import Simulator, cores

FIRST_SEED = 500_000  # the table is the same each time


@dataclass(frozen=True, slots=True)
class Mutant:
    name: str
    mutations: tuple[Mutation, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """`seeds` until it was found (0: not found), by which promise; `seed` is the one. `is_gone`: lib has changed."""

    name: str
    seeds: int = 0
    promise: str = ""
    seed: int = 0
    seconds: float = 0.0
    is_gone: bool = False


def _one(name: str, module: str, old: str, new: str) -> Mutant:
    return Mutant(name, (Mutation(module, old, new),))


JOURNAL, DEVICE, INBOX = "lib.tagoio.journal", "lib.tagoio.journal_device", "lib.tagoio.inbox"
LEASE, STATE, STEPS, KEY = "lib.campaign.lease", "lib.campaign.state", "lib.campaign.next_steps", "lib.campaign.key"
DELIVERY, WINDOW, TRANSPORT = "lib.delivery.delivery", "lib.delivery.window", "lib.tagoio.transport"
DISPATCH, REACH, PRESS_RUN, PLAN = "lib.app.dispatch", "lib.app.reach", "lib.app.press_run", "lib.app.plan"
REPORT, VERIFY, ANSWER, AUDIENCE = "lib.app.report", "lib.presses.verify", "lib.presses.answer", "lib.tagoio.audience"
COURTESY, FALLBACK, CHANNELS = "lib.campaign.courtesy", "lib.fallback.fallback", "lib.fallback.channels"

MUTANTS = (
    # the lease
    _one("lease not checked", JOURNAL, "return True if not self.keeps or self.clock() < self._valid_until else None", "return True"),
    _one("own row not read back", DEVICE, "        if shows(rows):\n            return rows\n        while", "        return rows\n        while"),
    _one("heartbeat never written", JOURNAL, 'return [Row(key, HEARTBEATS, value, {"run": self.run}) for key, value in list(self._held.items())]', "return []"),
    _one("last writer wins", LEASE, "first = min(fresh", "first = max(fresh"),
    _one("margin huge", LEASE, "MARGIN = 8.0", "MARGIN = 8000.0"),
    _one("given up at once", LEASE, "GIVEN_UP = 15.0", "GIVEN_UP = 0.5"),
    _one("nobody ever gone", LEASE, "FRESH = 12.0", "FRESH = 12000.0"),
    _one("outcomes not flushed", JOURNAL, "dense = [row for", "dense = [] and [row for"),
    _one("first not confirmed", DELIVERY, "                task.lane.confirm()", "                pass"),
    _one("first not corrected", DISPATCH, "if self._first != user.id:", "if False:"),
    # who may have it
    _one("may have it: never", STATE, "                until = max(until, presence.at + MARGIN + LATE)\n        return until", "                until = max(until, presence.at + MARGIN + LATE)\n        return 0.0"),
    _one("late: zero", LEASE, "LATE = 32.0", "LATE = 0.0"),
    _one("doubtful sent again at once", DELIVERY, "self._doubt(task, error.message, began, self.clock() + LATE)", "self._not_there(task)"),
    _one("unproven list believed", INBOX, 'return Look(doubt="" if listed or self._is_proven() else UNPROVEN)', "return Look()"),
    _one("cut list believed", INBOX, "return Look(doubt=CUT)", "return Look()"),
    _one("mark not compared", INBOX, "return entry.key == key", "return True"),
    _one("5xx taken for refused", TRANSPORT, "    if status >= 500 or status == 408:\n        raise Doubtful(", "    if status >= 500 or status == 408:\n        raise Refused("),
    _one("broken taken for refused", TRANSPORT, "if not EXCHANGE.sent:", "if True:"),
    _one("status false taken for rejected", TRANSPORT, "    if _says_false(envelope):\n        raise Doubtful(", "    if _says_false(envelope):\n        raise Rejected("),
    _one("429 counted as failed", TRANSPORT, "if status == 429 or (", "if False or ("),
    # once and only once
    _one("key random", KEY, 'return trigger.kind == "action" and bool(trigger.points)', "return False"),
    _one("finished too early", DISPATCH, '"finished" if is_done else "left"', '"finished"'),
    _one("other run's outcomes not read", JOURNAL, 'return [row for row in self.device.rows({"groups": [key]}) if row.run != self.run]', "return []"),
    _one("first page only", AUDIENCE, "            seen.update(user.id for user in fresh)\n            yield from fresh", "            yield from fresh\n            return"),
    # what is said
    _one("exit code always 0", REPORT, "return 1 if counts", "return 0 if counts"),
    _one("pending said as sent", DELIVERY, 'self._end(rest, *(rest.lane.why_not() or ("pending", self.stopped)))', 'self._end(rest, *(rest.lane.why_not() or ("sent", self.stopped)))'),
    _one("doubt said as failed", DELIVERY, 'self._end(task, "unknown", f"{task.why}; {doubt}")', 'self._end(task, "failed", f"{task.why}; {doubt}")'),
    _one("summary counts all as told", REPORT, "told = counts.total(), sum(counts[status] for status in TOLD)", "told = counts.total(), counts.total()"),
    Mutant("addresses shown", (Mutation(CHANNELS, 'return address.partition("://")[0].lower()', "return address"), Mutation("lib.base.log", "if len(secret) >= 6:", "if False:"))),
    # presses
    _one("press: any button", VERIFY, "if ids.button_id not in labels:", "if False:"),
    _one("press: anybody's notification", VERIFY, "if outcome is None or outcome.notification_id != ids.notification_id:", "if False:"),
    _one("newest press decides", STATE, "return min((each for each in list(self.presses.values()) if not each.each), key=_age, default=None)", "return max((each for each in list(self.presses.values()) if not each.each), key=_age, default=None)"),
    _one("answer not written", ANSWER, '            self.journal.add([Row(press.campaign, DECISION, "answered", about)])', "            pass"),
    _one("closing forgotten", PRESS_RUN, "number = self.answers.close(state, copies)", "number = len(copies)"),
    _one("copies of a dead press not closed", STEPS, "if answer and state.copies()", "if False and state.copies()"),
    _one("told after a decision", DISPATCH, 'return ("skipped", DECIDED) if self.state.decision else None', "return None"),
    # the other channel
    _one("fallback not claimed", REACH, '        self.journal.add(fallback_rows(self.job.key, users, "begun", self.journal.run))\n        self.journal.flush()\n', ""),
    _one("fallback in doubt tried on", FALLBACK, '"doubt" if _leaves_doubt(heard) else "refused"', '"refused"'),
    _one("fallback never tried", STEPS, "if not policy.has_fallback or state.decision:\n        return\n    wanted", "if True:\n        return\n    wanted"),
    _one("reminded without asking", REACH, 'if each.why == "unread" and not self._is_unread(each):', "if False:"),
    # order, limits, time
    _one("low priority first", DISPATCH, "            for priority in PRIORITIES:\n                for lane", "            for priority in reversed(PRIORITIES):\n                for lane"),
    _one("rate limit not waited for", WINDOW, "            self._closed_until = max(self._closed_until, until)\n            self._careful = True", "            pass"),
    _one("time budget ignored", PLAN, 'self.deadline = self.started + (settings.time_budget or float("inf"))', 'self.deadline = float("inf")'),
    _one("step taken at once", STEPS, "now >= start + step.after", "now >= start"),
    _one("opting out ignored", COURTESY, 'if wish == "off":', "if False:"),
    _one("inactive users told", AUDIENCE, 'return None if user.active else "inactive user"', "return None"),
)  # fmt: skip


def show_table(most: int, only: str = "") -> int:
    """Print it as it comes; 1 where one was not found."""
    preload()
    chosen = [mutant for mutant in MUTANTS if only in mutant.name]
    print(f"{len(chosen)} mutants, at most {most} seeds each\n\n{'mutant':<36}{'seeds':>6}{'time':>7}  found by")
    missed = 0
    for found in _searched(chosen, most):
        missed += not found.seeds
        said = f"{found.promise} (seed {found.seed})" if found.seeds else "NOT FOUND"
        said = "its text does not stand in lib any more" if found.is_gone else said
        print(f"{found.name:<36}{found.seeds or '-':>6}{found.seconds:>6.0f}s  {said}", flush=True)
    print(f"\n{len(chosen) - missed} of {len(chosen)} found")
    return 1 if missed else 0


def _searched(chosen: list[Mutant], most: int) -> Iterator[Found]:
    """Each in a process of its own: lib is loaded once in a process."""
    context = multiprocessing.get_context("fork")
    with context.Pool(cores(), maxtasksperchild=1) as pool:
        yield from pool.imap(_search, [(mutant, most) for mutant in chosen], chunksize=1)


def _search(given: tuple[Mutant, int]) -> Found:
    mutant, most = given
    began = time.perf_counter()
    try:
        simulator = Simulator(mutant.mutations)
    except GoneError:
        return Found(mutant.name, is_gone=True)
    for number, result in enumerate(simulator.results(range(FIRST_SEED, FIRST_SEED + most)), 1):
        if result.broken:
            seconds = time.perf_counter() - began
            return Found(mutant.name, number, result.broken[0].promise, result.seed, seconds)
        if number % 25 == 0:
            simulator.clear_up()
    return Found(mutant.name, seconds=time.perf_counter() - began)
