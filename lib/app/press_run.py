"""A run that a pressed button started, from the ids to the closed copies."""

import time
from datetime import UTC, datetime

from lib.app.plan import LAST_WORDS, open_journal
from lib.app.settings import Settings
from lib.base.errors import Rejected, SetupError, TagoIOError
from lib.campaign.fold import PressFact
from lib.campaign.key import marked_parts
from lib.campaign.next_steps import Close, Decide, Policy, next_steps, wakes_at
from lib.campaign.rows import PRESS, Row
from lib.campaign.state import CampaignState
from lib.message.trigger import PressIds
from lib.presses.answer import Answers, DecideFunction
from lib.presses.closing import Closing, Copy, closing_line, copies_by_looking
from lib.presses.verify import Press, PressRefused, verify
from lib.tagoio.audience import choose_audience, retrying
from lib.tagoio.inbox import Inbox
from lib.tagoio.transport import TagoIO

WAIT_FOR_ANSWER = 20.0  # seconds that a press which does not count waits for the answer to the one that does


def _has_all(ids: PressIds) -> bool:
    return bool(ids.button_id and ids.user_id and ids.notification_id)


class PressRun:
    """Answers one press. Without a journal the other copies are looked for among the users of `send_to`, and two
    presses of the same instant cannot be told apart."""

    def __init__(self, tago: TagoIO, settings: Settings, decide: DecideFunction) -> None:
        self.deadline = time.time() + (settings.time_budget or float("inf"))
        tago.client.deadline = self.deadline - LAST_WORDS
        self.tago = tago
        self.settings = settings
        self.journal = open_journal(tago, settings, sleep=self.sleep, deadline=self.deadline)
        self.inbox = Inbox(tago.run)
        self.answers = Answers(tago.run, self.inbox, self.journal, decide, sleep=self.sleep, is_over=self.is_late)
        self.policy = Policy(self.journal.run, bool(settings.fallback), settings.remind_after)
        self.outcome = ""  # counted, settled or refused: for the log
        self.lines = self.answers.lines

    def perform(self, ids: PressIds, analysis_id: str = "") -> int:
        """The exit code: 0 when the press counts or is settled already, 1 when it is refused or something failed."""
        self.outcome = "refused"
        _, key, each_counts = marked_parts(ids.button_id)
        try:
            state = self._write_down(ids, key, each_counts, analysis_id) if key and _has_all(ids) else None
            if state:
                self._settle(state)
            else:
                now = self.tago.client.time_at_tagoio()
                clock = self.journal.now
                press = verify(ids, self.tago.run, self.inbox, now, self._state_of, clock, self.sleep)
                self._settle_by_looking(press)
        except PressRefused as refusal:
            self.lines.append(f"Press refused: {refusal}")
            self.answers.problems += 1
        except (TagoIOError, SetupError) as error:
            state = self.journal.states.get(key)
            is_kept = state is not None and self.journal.run in state.presses
            what_next = "the next run of this Analysis takes it up" if is_kept else "press again"
            if is_kept:
                self.journal.end(key, "left")  # so that it does not wait whether this one is gone
            self.lines.append(f"The press could not be settled now, {what_next}: {error}")
            self.answers.problems += 1
        self.journal.close(patience=min(10.0, max(self.deadline - time.time() - LAST_WORDS / 3, 0.5)))
        self.lines += [f"  note: {note}" for note in self.journal.notes()]
        return 1 if self.answers.problems or self.journal.gone else 0

    def is_late(self) -> bool:
        return time.time() > self.deadline - LAST_WORDS

    def sleep(self, seconds: float) -> None:
        """Never past the time budget."""
        time.sleep(max(0.0, min(seconds, self.deadline - LAST_WORDS - time.time())))

    def _state_of(self, key: str) -> CampaignState:
        if key not in self.journal.states and self.journal.device:
            self.journal.states |= self.journal.device.states([key])
        return self.journal.state(key)

    def _write_down(self, ids: PressIds, key: str, each_counts: bool, analysis_id: str) -> CampaignState | None:
        """The press as a row, before anything else, and seen: the oldest one counts, and whatever happens to this run,
        another can verify and answer it. None where there is no journal, or one that takes no rows. Raises
        TagoIOError."""
        device = self.journal.device
        if device is None:
            return None
        state = self.journal.state(key)
        button, _, _ = marked_parts(ids.button_id)
        about = {
            "run": self.journal.run,
            "user": ids.user_id,
            "button": button,
            "notification": ids.notification_id,
            "each": each_counts,
            "analysis": analysis_id,
        }
        row = Row(key, PRESS, button, about)
        try:
            device.write([row])
        except Rejected as error:
            self.journal.give_up(error.message)
            self.journal.add([row])
            return None
        state.take([row])

        def shows(rows: list[Row]) -> bool:
            return any(row.kind == PRESS and row.run == self.journal.run for row in rows)

        self.journal.answer(key)
        state.take(device.seen({"groups": [key]}, shows))
        return state

    def _settle(self, state: CampaignState) -> None:
        own = state.presses[self.journal.run]
        try:
            press = self.answers.verify(state, own)
        except PressRefused:
            self.answers.refuse(state.key, own.run)
            self._finish(state)
            raise
        if own not in state.standing():
            self._settle_after_end(state, press)
            return
        who, counting = press.user.name or press.user.id, self._counting(state, own)
        counts = counting.run == own.run and (not self.journal.was_away or self.answers.is_mine(state, own))
        if counts:
            self.outcome = "counted"
            self.lines.append(f"{who} pressed {press.button}: it counts")
            self.answers.answer(press, own.run)
        else:
            self.outcome = "settled"
            verdict = state.verdicts.get(counting.run)
            settled = f"settled already. {verdict.label} by {verdict.user_name}" if verdict else "another came before"
            self.lines.append(
                f"{who} pressed {press.button} again: it was counted before"
                if press.each_counts
                else f"{who} pressed {press.button}: {settled}"
            )
        if not press.each_counts:
            self._close(state, press, everybody=counts)
        self._finish(state)

    def _settle_after_end(self, state: CampaignState, press: Press) -> None:
        self.outcome = "settled"
        who, ending, said = press.user.name or press.user.id, state.ending, "settled"
        if ending:
            line = ending.answer.for_reader(press.user.language) or ending.why
            said = closing_line(line, datetime.fromtimestamp(ending.at, UTC), press.user)
        self.lines.append(f"{who} pressed {press.button}: it was over before: {said}")
        self._close(state, press, everybody=False)
        self._finish(state)

    def _counting(self, state: CampaignState, own: PressFact) -> PressFact:
        """The press that counts in place of ours, or ours. An older one is waited for until it is answered, or refused;
        where its run has died before that, this one takes it up."""
        device, began = self.journal.device, self.journal.clock()
        while True:
            rivals = (each for each in state.deciding() if each.each == own.each)
            counting = next(each for each in rivals if not own.each or each.user_id == own.user_id)
            is_over = self.journal.clock() - began > WAIT_FOR_ANSWER or self.is_late()
            if counting.run == own.run or counting.run in state.answers or is_over or device is None:
                return counting
            if Decide(counting) in next_steps(state, self.journal.now(), self.policy):
                self.answers.take_up(state, counting)
            if counting in state.standing() and counting.run not in state.answers:
                self.sleep(1.0)
                state.take(device.rows({"groups": [state.key]}))

    def _close(self, state: CampaignState, press: Press, *, everybody: bool) -> None:
        """Every copy for the press that counts; else the own one, and all where nobody else does."""
        is_due = any(isinstance(each, Close) for each in next_steps(state, self.journal.now(), self.policy))
        device = self.journal.device
        if everybody and device:
            state.take(device.rows({"groups": [state.key]}))  # what was sent while `decide` was at it
        copies = state.copies() if everybody or is_due else {}
        if everybody and not state.started:
            found = self._copies_found(press, f"The journal knows nothing of campaign {press.campaign}")
            copies |= {copy.user_id: copy.notification_id for copy, _ in found}
        if press.notification_id not in state.closed:
            copies = {**copies, press.user.id: press.notification_id}
        number = self.answers.close(state, copies)
        if everybody:
            self.lines.append(f"  closed {number} cop{'y' if number == 1 else 'ies'}")

    def _finish(self, state: CampaignState) -> None:
        now, policy = self.journal.now(), self.policy._replace(is_holder=True)
        others = any(state.is_alive(run, now) for run in state.presences if run != self.journal.run)
        is_done = not next_steps(state, now, policy) and wakes_at(state, now, policy) is None
        self.journal.end(state.key, "finished" if is_done and not others else "left")

    def _copies_found(self, press: Press, why: str) -> list[tuple[Copy, str]]:
        """The other users' copies, and what has closed each, where no row tells of them."""
        self.lines.append(f"{why}: looking for the other copies among the users of send_to")
        try:
            chosen = choose_audience(self.tago.run, self.settings.choice, sleep=self.sleep).chosen
            users = [user for user in chosen if user.id != press.user.id]
            return copies_by_looking(self.inbox, users, press.campaign, self.sleep)
        except (SetupError, TagoIOError) as error:
            self.answers.problems += 1
            self.lines.append(f"The other copies cannot be found: {error}")
            return []

    def _settle_by_looking(self, press: Press) -> None:
        """Without a journal."""
        self.outcome = "counted"
        who = press.user.name or press.user.id
        copies, settled = {press.user.id: press.notification_id}, ""
        if press.campaign and not press.each_counts:
            found = self._copies_found(press, "No journal (delivery_log_token)")
            settled = next((line for _, line in found if line), "")
            copies |= {copy.user_id: copy.notification_id for copy, _ in found if not settled}
        if settled:
            self.outcome = "settled"
            self.lines.append(f"{who} pressed {press.button}: settled already; {settled}")
            retrying(lambda: self.inbox.change(press.notification_id, {"buttons_enabled": False}), self.sleep)
            return
        self.lines.append(f"{who} pressed {press.button}: it counts")
        answer = self.answers.answer(press, self.journal.run)
        if press.each_counts:
            return
        if not (answer.line or answer.lines):
            answer = answer._replace(line=f"{press.label}: {who}")  # for the next press to see that it is settled
        at = press.at.timestamp()
        key = press.campaign
        closing = Closing(self.tago.run, self.inbox, key, answer, at, sleep=self.sleep, is_over=self.is_late)
        number = sum(len(set(closed) - closing.gone) for closed in closing.close(copies))
        self.answers.problems += len(closing.problems)
        self.lines += [f"  note: {note}" for note in closing.notes()]
        self.lines.append(f"  closed {number} cop{'y' if number == 1 else 'ies'}")
