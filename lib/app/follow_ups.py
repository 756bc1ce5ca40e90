"""What is due of a campaign beside telling its users: presses are answered, copies closed and brought up to date."""

import time
from collections.abc import Iterator

from lib.app.edits import probed_facts, said_of_edits
from lib.app.lane import CampaignLane
from lib.app.plan import Plan
from lib.app.updating import Updating
from lib.base.errors import SetupError, TagoIOError
from lib.base.text import counted
from lib.campaign.fold import PressFact
from lib.campaign.next_steps import (
    Action,
    Close,
    Decide,
    Replace,
    SayUnknown,
    Update,
    next_steps,
    wakes_at,
)
from lib.campaign.outcome import TOLD, Outcome
from lib.campaign.rows import (
    CHANGE,
    DECISION,
    PRESS,
    anew_rows,
    ended_row,
    fallback_rows,
    passed_rows,
    updated_rows,
)
from lib.presses.answer import Answers, DecideFunction
from lib.tagoio.audience import users_by_id
from lib.tagoio.inbox import Inbox

LOOK_EVERY = 5.0  # seconds between two looks for a press while a campaign is under way
CUT_OFF = "another channel may have told them; the run that tried was cut off"


class FollowUps:
    """Does it for the lanes of one run, of each what is asked for."""

    def __init__(self, plan: Plan, inbox: Inbox, decide: DecideFunction) -> None:
        self.plan = plan
        self.report = plan.report
        self.journal = plan.journal
        self.inbox = inbox
        self.answers = Answers(plan.tago.run, inbox, plan.journal, decide, sleep=plan.sleep, is_over=plan.is_late)
        self._policy = plan.policy._replace(is_holder=True)
        self._looked_at = time.monotonic()

    def look_now_and_then(self, lanes: list[CampaignLane]) -> bool:
        """Whether it was time to look again."""
        if time.monotonic() - self._looked_at < LOOK_EVERY:
            return False
        self.look_for_presses(lanes)
        return True

    def look_for_presses(self, lanes: list[CampaignLane]) -> None:
        self._looked_at = time.monotonic()
        device = self.journal.device
        keys = [lane.key for lane in lanes if not lane.job.is_empty]
        if device is None or self.journal.gone or not keys:
            return
        try:
            for row in device.rows({"variables": [PRESS, DECISION, CHANGE], "groups": keys}, once=True):
                if row.key in self.journal.states:
                    self.journal.states[row.key].take([row])
            for lane in lanes:
                if lane.job.all_clear and not lane.state.is_over and self.plan.left.is_raised_again(lane.job):
                    self.journal.add([ended_row(lane.key, self.journal.run, "raised again", "", {})])
        except TagoIOError:
            return  # it is asked again

    def perform(self, lane: CampaignLane) -> None:
        """Answer and close what was pressed; say of whom nobody knows."""
        if not lane.is_ours:
            return
        self.look_for_presses([lane])
        self.answer_presses(lane)
        self.journal.add(updated_rows(lane.key, lane.told_of_repeat, self.journal.run, lane.job.event_number))
        self.close(lane)
        for action in self.due(lane):
            if isinstance(action, Update):
                self._bring_up_to_date(lane, action)
            elif isinstance(action, SayUnknown):
                self._say_unknown(lane, action.users)

    def answer_presses(self, lane: CampaignLane) -> None:
        """Each once: where one is refused, the next may be due."""
        tried: set[str] = set()
        while press := next((each for each in self._presses_due(lane) if each.run not in tried), None):
            tried.add(press.run)
            self.answers.take_up(lane.state, press)

    def _presses_due(self, lane: CampaignLane) -> Iterator[PressFact]:
        return (action.press for action in self.due(lane) if isinstance(action, Decide))

    def close(self, lane: CampaignLane) -> None:
        for action in self.due(lane) if lane.is_ours else ():
            if isinstance(action, Close):
                number = self.answers.close(lane.state, action.copies)
                self.report.note(f"closed {counted(number, 'copy', 'copies')} of campaign {lane.key}")
                self._say_price(number)

    def replace(self, lane: CampaignLane) -> None:
        """Write down of the older campaigns of the alarm who was told anew."""
        for action in self.due(lane) if lane.is_ours and lane.state.replaces else ():
            if not isinstance(action, Replace):
                continue
            run = self.journal.run
            for older in map(self.journal.state, lane.state.replaces):
                self.journal.add(anew_rows(older.key, run, lane.key, action.users, older.audience))
            self.journal.add(passed_rows(lane.key, run, action.users))

    def _bring_up_to_date(self, lane: CampaignLane, action: Update) -> None:
        updating = Updating(self.plan.tago.run, self.inbox, self.journal, self.plan.sorting)
        number = updating.perform(lane.job, action.copies, self.plan.sleep, self.plan.is_late)
        self.report.note(f"brought {counted(number, 'copy', 'copies')} of campaign {lane.key} up to date")
        self._say_price(number)
        for note in updating.notes():
            self.report.note(note, undone=1)
        if lane.state.is_over:  # somebody pressed meanwhile, and what was closed then is written anew
            self.answers.close(lane.state, action.copies, again=True)

    def _say_price(self, changed: int) -> None:
        for line in said_of_edits(probed_facts(self.plan.settings.probed), only_costs=True) if changed else ():
            self.report.note(line)

    def _say_unknown(self, lane: CampaignLane, users: tuple[str, ...]) -> None:
        try:
            found = users_by_id(self.plan.tago.run, set(users), self.plan.sleep)
        except SetupError:
            found = {}  # then they are named by id
        self.journal.add(fallback_rows(lane.key, users, "doubt", self.journal.run, reason="that run was cut off"))
        for user in users:
            name, known = found[user].name if user in found else "", lane.state.outcomes.get(user)
            if known and known.status in TOLD:  # in TagoRUN: what is not known is whether they were reminded
                self.report.note(f"{CUT_OFF}: {name or user}", undone=1)
            else:
                lane.record(Outcome(user, name, "unknown", CUT_OFF))

    def due(self, lane: CampaignLane) -> list[Action]:
        return next_steps(lane.state, self.journal.now(), self._policy)

    def is_done(self, lane: CampaignLane) -> bool:
        """Whether nothing is due any more and nothing will be."""
        return not self.due(lane) and wakes_at(lane.state, self.journal.now(), self._policy) is None
