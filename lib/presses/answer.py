"""Answers what is pressed: a run that a pressed button started, and a press whose run died."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from lib.base.errors import SetupError, TagoIOError
from lib.campaign.fold import Answer, PressFact
from lib.campaign.key import mark_of
from lib.campaign.lease import LATE
from lib.campaign.rows import DECISION, Row, closed_rows, decision_row
from lib.campaign.state import CampaignState
from lib.message.alarm import LONGEST
from lib.message.mistake import explained_mistake
from lib.message.trigger import PressIds
from lib.message.user import User, without_contact
from lib.presses.closing import Closing
from lib.presses.verify import Press, PressRefused, verify
from lib.tagoio.audience import RunUsers, users_by_id
from lib.tagoio.inbox import Inbox
from lib.tagoio.journal import Journal

LANGUAGES = 7  # times LONGEST letters of four bytes stay below the 10 kB of a row's metadata (D docs sending-data.md)

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
        """A press whose run died before it was answered: claim it, and if this run is the one, verify it and call
        `decide`."""
        try:
            if not self.is_mine(state, fact):
                return
            press = self._verified(state, fact)
        except PressRefused as refusal:
            self.refuse(state.key, fact.run)
            self.lines.append(f"A press that an earlier run left is refused: {refusal}")
            return
        except (TagoIOError, SetupError) as error:
            self._note(f"a press of {fact.button} could not be answered now: {error}")
            return
        name = press.user.name or press.user.id
        self.lines.append(f"{name} pressed {fact.button}: it counts; the run that took it did not finish it")
        self.answer(press, fact.run)

    def verify(self, state: CampaignState, fact: PressFact) -> Press:
        """Raises PressRefused, TagoIOError, SetupError."""
        button = fact.button + mark_of(state.key, "each" if fact.each else "first")
        ids = PressIds(button, fact.user_id, fact.notification_id)
        at, clock = datetime.fromtimestamp(fact.at, UTC), self.journal.now
        press = verify(ids, self.run, self.inbox, at, lambda _: state, clock, self.sleep)
        about = {"name": press.user.name, "label": press.label}
        self.journal.add([decision_row(state.key, "verified", self.journal.run, fact.run, **about)])
        return press

    def refuse(self, key: str, press_run: str) -> None:
        self.journal.add([decision_row(key, "refused", self.journal.run, press_run)])

    def answer(self, press: Press, press_run: str) -> Answer:
        """Call `decide`, and write down what it gave: it is not called again, whatever came of it."""
        answer = self._called(press)
        about = {
            "user": press.user.id,
            "name": press.user.name,
            "label": press.label,
            "button": press.button,
            "each": press.each_counts,
            "seconds": press.seconds_after,
            **answer.about(),
        }
        if press.campaign:
            self.journal.add([decision_row(press.campaign, "answered", self.journal.run, press_run, **about)])
            self.journal.flush()  # before anything else: `decide` is called once
        if answer.line:
            self.lines.append(f"  {without_contact(answer.line, press.user)}")
        return answer

    def close(self, state: CampaignState, copies: Mapping[str, str], *, again: bool = False) -> int:
        """Close these copies of what was decided or has ended, `again` those too that were; how many were."""
        done: set[str] = set()

        def may_show(user: str) -> bool:
            outcome = state.outcomes.get(user)
            return outcome is not None and self.journal.now() <= outcome.at + LATE

        for word in state.last_words:
            due = {user: each for user, each in copies.items() if word.is_for(user)}
            due = due if again else state.lacking(word, due)
            closing = Closing(
                self.run, self.inbox, state.key, word.answer, word.at, sleep=self.sleep, is_over=self.is_over,
                may_show=may_show,
            )  # fmt: skip
            for closed in closing.close(due):
                done.update(set(closed) - closing.gone)
                self.journal.add(closed_rows(state.key, closed, self.journal.run, ended=word.is_end))
            for note in closing.notes():
                self._note(note)
        return len(done)

    def _called(self, press: Press) -> Answer:
        try:
            given = self.decide(press)
        except (Exception, SystemExit) as error:
            said = without_contact(explained_mistake(error, self.decide), press.user)
            self._note(f"decide failed, the decision is recorded all the same: {said}")
            return Answer(run=self.journal.run)
        if given is None:
            self.lines.append("  decide returned nothing: no copy gets a text (is `return` missing?)")
        if not isinstance(given, Mapping):
            return Answer(self._fitting(str(given or "")), run=self.journal.run)
        lines = {str(code).lower(): self._fitting(str(text)) for code, text in list(given.items())[:LANGUAGES]}
        if len(given) > LANGUAGES:
            self._note(f"decide gave {len(given)} languages; the first {LANGUAGES} are used")
        return Answer(lines.get("") or next(iter(lines.values()), ""), lines, self.journal.run)

    def _fitting(self, line: str) -> str:
        """As much as a row of the journal takes whatever the letters."""
        if len(line) > LONGEST:
            self._note(f"decide gave a text of {len(line)} characters; it is cut to {LONGEST}")
        return line[:LONGEST]

    def is_mine(self, state: CampaignState, fact: PressFact) -> bool:
        """Claim it, and see whether this run is the one that answers it. Who wrote the press down and was away since
        needs the oldest claim, for others took it for dead."""
        device = self.journal.device
        if device is None or self.journal.gone:
            return False
        device.write([decision_row(state.key, "taken", self.journal.run, fact.run)])

        def shows(rows: list[Row]) -> bool:
            claims = (row for row in rows if row.kind == DECISION and row.value == "taken")  # not what it verified
            return any(row.run == self.journal.run and row.text("press") == fact.run for row in claims)

        state.take(device.seen({"groups": [state.key]}, shows))
        if fact.run in state.answers or all(each.run != fact.run for each in state.standing()):
            return False  # answered or refused meanwhile
        if fact.run == self.journal.run:
            return min(state.claims[fact.run])[2] == self.journal.run
        return state.claimant(fact, self.journal.now()) == self.journal.run

    def _verified(self, state: CampaignState, fact: PressFact) -> Press:
        """What was verified once is not asked about again: the user may have deleted it since."""
        verdict = state.verdicts.get(fact.run)
        if verdict is None:
            return self.verify(state, fact)
        user = users_by_id(self.run, {fact.user_id}, self.sleep).get(
            fact.user_id, User(fact.user_id, verdict.user_name)
        )
        sent = state.outcomes.get(fact.user_id)
        after = max(fact.at - sent.at, 0.0) if sent and sent.at else None
        at = datetime.fromtimestamp(fact.at, UTC)
        return Press(user, fact.button, verdict.label, state.key, at, fact.notification_id, after, fact.each)

    def _note(self, text: str) -> None:
        self.problems += 1
        self.lines.append(f"  note: {text}")
