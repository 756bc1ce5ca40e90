"""The mutants: defects put into lib, each as a small change of its text, that the simulation must find."""

from dataclasses import dataclass

from tests.simulation.mutation import Mutation


@dataclass(frozen=True, slots=True)
class Mutant:
    """`of_alarms` are searched for in days of alarms."""

    name: str
    mutations: tuple[Mutation, ...]
    of_alarms: bool = False


def _of(module: str, *defects: tuple[str, str, str], of_alarms: bool = False) -> tuple[Mutant, ...]:
    """Name, old text, new text."""
    return tuple(Mutant(name, (Mutation(f"lib.{module}", old, new),), of_alarms) for name, old, new in defects)


LEASE = (
    *_of(
        "tagoio.journal",
        ("lease not checked", "return True if not self.keeps or", "return True if True or"),
        ("heartbeat never written", "return [Row(key, HEARTBEATS", "return [] and [Row(key, HEARTBEATS"),
        ("outcomes not flushed", "dense = [row for", "dense = [] and [row for"),
        (
            "other run's outcomes not read",
            'return [row for row in self.device.rows({"groups"',
            'return [] and [row for row in ({"groups"',
        ),
        ("holds on after a gap", "if self.clock() - last <= FRESH:", "if True:"),
        ("lost rows not written late", "if self.gone:\n            self._write_late()", "if False:\n            pass"),
    ),
    *_of(
        "tagoio.journal_device",
        (
            "own row not read back",
            "if shows(rows):\n                break",
            "break",
        ),
    ),
    *_of(
        "campaign.lease",
        ("last writer wins", "first = min(fresh", "first = max(fresh"),
        ("margin huge", "MARGIN = 8.0", "MARGIN = 8000.0"),
        ("given up at once", "GIVEN_UP = 15.0", "GIVEN_UP = 0.5"),
        ("nobody ever gone", "FRESH = 12.0", "FRESH = 12000.0"),
        ("late: zero", "LATE = 32.0", "LATE = 0.0"),
    ),
    *_of(
        "app.lane",
        ("first not corrected", "if self._first and self._first != user.id:", "if False:"),
    ),
    *_of(
        "app.dispatch",
        ("finished too early", '"finished" if is_done else "left"', '"finished"'),
    ),
)
DOUBT = (
    *_of(
        "campaign.state",
        ("may have it: never", "        return until\n\n    def may_hide", "        return 0.0\n\n    def may_hide"),
    ),
    *_of(
        "delivery.delivery",
        ("first not confirmed", "task.lane.confirm()", "pass"),
        (
            "doubtful sent again at once",
            "self._doubt(task, error.message, began, self.clock() + LATE)",
            "self._not_there(task)",
        ),
        ("pending said as sent", 'task.lane.why_not() or ("pending"', 'task.lane.why_not() or ("sent"'),
        (
            "doubt said as failed",
            'self._end(task, "unknown", f"{task.why}; {doubt}")',
            'self._end(task, "failed", doubt)',
        ),
    ),
    *_of(
        "tagoio.inbox",
        ("unproven list believed", "listed or self._is_proven()", "True"),
        ("cut list believed", "return Look(doubt=CUT)", "return Look()"),
        ("mark not compared", "return entry.key == key", "return True"),
    ),
    *_of(
        "tagoio.transport",
        (
            "5xx taken for refused",
            "if status >= 500 or status == 408:\n        raise Doubtful(",
            "if status >= 500 or status == 408:\n        raise Refused(",
        ),
        ("broken taken for refused", "if not error.was_sent:", "if True:"),
        (
            "status false taken for rejected",
            "if _says_false(envelope):\n        raise Doubtful(",
            "if _says_false(envelope):\n        raise Rejected(",
        ),
        ("429 counted as failed", "if status == 429 or (", "if False or ("),
    ),
)
AUDIENCE = (
    *_of("campaign.key", ("key random", 'return trigger.kind == "action" and', "return False and")),
    *_of(
        "tagoio.audience",
        ("first page only", "while fresh := self._fresh(last + 1, matching, seen):", "while fresh := []:"),
        ("pages read forwards only", "for page in range(last, 0, -1):", "for page in [1]:"),
        ("inactive users told", "return None if user.active else", "return None if True else"),
    ),
    *_of("campaign.courtesy", ("opting out ignored", 'if wish == "off":', "if False:")),
)
WORDS = (
    *_of(
        "app.report",
        ("exit code always 0", "return 1 if counts", "return 0 if counts"),
        (
            "summary counts all as told",
            "counts.total(), sum(counts[status] for status in TOLD)",
            "counts.total(), counts.total()",
        ),
    ),
    Mutant(
        "addresses shown",
        (
            Mutation("lib.fallback.channels", 'return address.partition("://")[0].lower()', "return address"),
            Mutation("lib.base.log", "if len(secret) < SHORTEST:", "if True:"),
            Mutation("lib.base.log", 'USERINFO.sub(f"{HIDDEN}@", TOKEN.sub(HIDDEN, text))', "text"),
        ),
    ),
)
PRESSES = (
    *_of(
        "presses.verify",
        ("press: any button", "if ids.button_id not in labels:", "if False:"),
        (
            "press: anybody's notification",
            "outcome is not None and outcome.notification_id == ids.notification_id",
            "True",
        ),
    ),
    *_of(
        "campaign.state",
        (
            "newest press decides",
            "sorted(presses, key=_age)",
            "sorted(presses, key=_age, reverse=True)",
        ),
    ),
    *_of(
        "presses.answer",
        (
            "answer not written",
            'self.journal.add([decision_row(press.campaign, "answered", self.journal.run, press_run, **about)])',
            "pass",
        ),
    ),
    *_of("presses.closing", ("second copy left open", "others = [entry for", "others = [] and [entry for")),
    *_of("app.press_run", ("closing forgotten", "number = self.answers.close(state, copies)", "number = len(copies)")),
    *_of(
        "campaign.next_steps",
        ("copies of a dead press not closed", "if words and state.copies()", "if False and state.copies()"),
    ),
    *_of("app.lane", ("told after a decision", "if self.state.tells_nobody else None", "if False else None")),
)
CHANNELS = (
    *_of(
        "app.reach",
        (
            "fallback not claimed",
            'self.journal.add(fallback_rows(self.job.key, users, "begun", self.journal.run))',
            "pass",
        ),
        ("reminded without asking", 'if each.why == "unread" and not self._is_unread(each):', "if False:"),
    ),
    *_of(
        "fallback.fallback",
        ("fallback in doubt tried on", '"doubt" if _leaves_doubt(heard) else "refused"', '"refused"'),
    ),
    *_of(
        "campaign.next_steps", ("fallback never tried", "if not policy.has_fallback or state.tells_nobody:", "if True:")
    ),
)
ORDER = (
    *_of(
        "app.dispatch",
        (
            "low priority first",
            "for priority in PRIORITIES:\n                for lane",
            "for priority in reversed(PRIORITIES):\n                for lane",
        ),
    ),
    *_of(
        "delivery.window",
        ("rate limit not waited for", "self._closed_until = max(self._closed_until, until)\n", "pass\n"),
    ),
    *_of(
        "app.plan",
        ("time budget ignored", "self.deadline = self.started + (settings.time_budget or", "self.deadline = 1e12 + ("),
    ),
    *_of("campaign.next_steps", ("step taken at once", "now >= start + step.after", "now >= start")),
)
ALARMS = (
    *_of(
        "campaign.alarm",
        (
            "each event raises",
            "if self.campaign and severity >= self.severity",
            "if False and severity >= self.severity",
        ),
        ("worse is a repeat", "severity >= self.severity and", "True and"),
        (
            "all-clear does not clear",
            'self.campaign, self.older = "", []',
            "self.older = []",
        ),
        ("handed in twice counts twice", "if event not in self.turns:", "if True:"),
        of_alarms=True,
    ),
    *_of(
        "app.alarms",
        ("cleared not ended", "if not keys:\n            return []", "return []"),
        ("replaced by what came after too", "alarm.replaced_by(turn.campaign) if key", "alarm.older if key"),
        ("no word of what came in its place", "if older and not state.started:", "if False:"),
        ("late endings not written", "self._write(late)", "pass"),
        ("order not heeded", "turn = alarm.turns[own.key]", "turn = foreseen"),
        of_alarms=True,
    ),
    *_of(
        "campaign.state",
        ("told at once counts as newest", "number = self._repeated[self._newest_event][2]", "number = 0"),
        ("repeats by row", "return len(self._repeated) + 1 if self._repeated else 0", "return 0"),
        of_alarms=True,
    ),
    *_of(
        "campaign.alarm",
        ("older forgotten", "self.older.append(replaced)", "pass"),
        of_alarms=True,
    ),
    *_of(
        "campaign.state",
        (
            "older closed for everybody",
            "user not in self.besides if self.users is None else user in self.users",
            "True",
        ),
        of_alarms=True,
    ),
    *_of(
        "app.left",
        ("end told by each campaign", "all_clear_key(job.state.ending.by or job.key)", "all_clear_key(job.key)"),
        of_alarms=True,
    ),
    *_of(
        "app.updating",
        ("update not written down", "self.journal.add(updated_rows(", "list(updated_rows("),
        of_alarms=True,
    ),
    *_of(
        "campaign.next_steps",
        ("ended copies left open", "if words and state.copies()", "if not state.ending and words and state.copies()"),
        of_alarms=True,
    ),
)
MUTANTS = (*LEASE, *DOUBT, *AUDIENCE, *WORDS, *PRESSES, *CHANNELS, *ORDER, *ALARMS)
