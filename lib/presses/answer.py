"""Answers what is pressed: a run that a pressed button started, and a press whose run died."""

import json
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from lib.base.errors import SetupError, TagoIOError
from lib.campaign.rows import DECISION, Row, closed_rows
from lib.campaign.state import Answer, CampaignState, PressFact
from lib.message.user import User
from lib.presses.closing import Closing
from lib.presses.verify import Press
from lib.tagoio.audience import RunUsers, users_by_id
from lib.tagoio.inbox import Inbox
from lib.tagoio.journal import Journal

LINE = 250  # characters of a closing line
LANGUAGES = 7  # times LINE letters of four bytes stay below the 10 kB of a row's metadata (D docs sending-data.md)

DecideFunction = Callable[[Press], "str | Mapping[str, str] | None"]


class Answers:
    """Calls `decide` for presses and closes copies, each once, as the states of the journal say that it is due.

    `lines` are for the console, `problems` for the exit code.
    """

    def __init__(
        self,
        run: RunUsers,
        inbox: Inbox,
        journal: Journal,
        decide: DecideFunction,
        *,
        sleep: Callable[[float], None],
        is_over: Callable[[], bool] = lambda: False,
    ) -> None:
        self.run = run
        self.inbox = inbox
        self.journal = journal
        self.decide = decide
        self.sleep = sleep
        self.is_over = is_over
        self.lines: list[str] = []
        self.problems = 0

    def take_up(self, state: CampaignState, fact: PressFact) -> None:
        """A press whose run died before it was answered: claim it, and call `decide` if this run is the one."""
        claim = Row(state.key, DECISION, "taken", {"press": fact.run, "run": self.journal.run})
        try:
            if not self._is_mine(state, fact, claim):
                return
            user = users_by_id(self.run, {fact.user_id}, self.sleep).get(
                fact.user_id, User(fact.user_id, fact.user_name)
            )
        except (TagoIOError, SetupError) as error:
            self._note(f"the press of {fact.user_name} could not be answered now: {error}")
            return
        sent = state.outcomes.get(fact.user_id)
        after = max(fact.at - sent.at, 0.0) if sent and sent.at else None
        at = datetime.fromtimestamp(fact.at, UTC)
        press = Press(user, fact.button, fact.label, state.key, at, fact.notification_id, after, fact.each)
        self.lines.append(f"{user.name or user.id} pressed {fact.button}: it counts; the run that took it was cut off")
        self.answer(press, fact.run)

    def answer(self, press: Press, press_run: str) -> Answer:
        """Call `decide`, and write down what it gave: it is not called again, whatever came of it."""
        answer = self._called(press)
        about = {
            "press": press_run,
            "run": self.journal.run,
            "user": press.user.id,
            "name": press.user.name,
            "label": press.label,
            "button": press.button,
            "each": press.each_counts,
            "seconds": press.seconds_after,
            "line": answer.line,
            "lines": json.dumps(dict(answer.lines), ensure_ascii=False) if answer.lines else "",
        }
        if press.campaign:
            self.journal.add([Row(press.campaign, DECISION, "answered", about)])
        if answer.line:
            self.lines.append(f"  {answer.line}")
        return answer

    def close(self, state: CampaignState, copies: Mapping[str, str]) -> int:
        """Close these copies of what was decided; how many were."""
        decision = state.decision
        answer = state.answers.get(decision.run) if decision else None
        if not decision or not answer:
            return 0
        number = 0
        closing = Closing(self.run, self.inbox, answer, decision.at, sleep=self.sleep, is_over=self.is_over)
        for closed in closing.close(copies):
            number += len(closed)
            self.journal.add(closed_rows(state.key, closed, self.journal.run))
        for note in closing.notes():
            self._note(note)
        return number

    def _called(self, press: Press) -> Answer:
        try:
            given = self.decide(press)
        except (Exception, SystemExit) as error:
            line = traceback.extract_tb(error.__traceback__)[-1].lineno
            self._note(
                f"decide failed, the decision is recorded all the same: {type(error).__name__}: {error}, in line {line}"
            )
            return Answer(run=self.journal.run)
        if not isinstance(given, Mapping):
            return Answer(self._fitting(str(given or "")), run=self.journal.run)
        lines = {str(code).lower(): self._fitting(str(text)) for code, text in list(given.items())[:LANGUAGES]}
        if len(given) > LANGUAGES:
            self._note(f"decide gave {len(given)} languages; the first {LANGUAGES} are used")
        return Answer(lines.get("") or next(iter(lines.values()), ""), lines, self.journal.run)

    def _fitting(self, line: str) -> str:
        """As much as a row of the journal takes whatever the letters."""
        if len(line) > LINE:
            self._note(f"decide gave a text of {len(line)} characters; it is cut to {LINE}")
        return line[:LINE]

    def _is_mine(self, state: CampaignState, fact: PressFact, claim: Row) -> bool:
        device = self.journal.device
        if device is None or self.journal.gone:
            return False
        device.write([claim])

        def shows(rows: list[Row]) -> bool:
            return any(row.kind == DECISION and row.run == self.journal.run for row in rows)

        state.take(device.seen({"groups": [state.key]}, shows))
        return fact.run not in state.answers and state.claimant(fact, self.journal.now()) == self.journal.run

    def _note(self, text: str) -> None:
        self.problems += 1
        self.lines.append(f"  note: {text}")
