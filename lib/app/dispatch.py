"""Does what a plan says, round by round: begins its campaigns, tells the users, follows up, falls back, ends them."""

import functools
import time

from lib.app.follow_ups import FollowUps
from lib.app.hand_on import HandOn
from lib.app.job import Job
from lib.app.lane import CampaignLane, Tally
from lib.app.plan import LAST_WORDS, Plan
from lib.app.reach import Reach
from lib.app.report import Report
from lib.base.errors import SetupError, TagoIOError
from lib.campaign.next_steps import TellOtherwise
from lib.campaign.outcome import NO_TIME
from lib.campaign.state import CampaignState
from lib.delivery.delivery import BY_HAND, WORKERS, Delivery, Task
from lib.delivery.window import RateWindow
from lib.message.notification import PRIORITIES
from lib.message.trigger import Trigger
from lib.presses.answer import DecideFunction
from lib.tagoio.inbox import Inbox
from lib.tagoio.transport import TagoIO


class Dispatch:
    """Performs a plan after its `check`, round by round: what another run may have been at comes last."""

    def __init__(self, plan: Plan, trigger: Trigger, decide: DecideFunction) -> None:
        self.plan = plan
        self.trigger = trigger
        self.report = plan.report
        self.journal = plan.journal
        self.inbox = Inbox(plan.tago.run, self._known, self._told_by_others)
        self.window = RateWindow(plan.settings.rate_limit, sleep=time.sleep, on_wait=self._say_wait)
        self.follow_ups = FollowUps(plan, self.inbox, decide)
        self.interrupted = ""
        self.tally = Tally()
        self.lanes: list[CampaignLane] = []
        self.is_out_of_time = False
        self.left: dict[str, CampaignState] = {}  # what this run holds and could not finish

    def perform(self) -> Report:
        """Everything that is due, until nothing is or time is up, or until Ctrl-C."""
        try:
            self._rounds(self.plan.jobs)
            while self.plan.watched and not self.interrupted:
                self._rounds(self._watched())
        except KeyboardInterrupt:
            self.interrupted = BY_HAND
            for lane in self.lanes:
                lane.leave(BY_HAND)
                self._end(lane)
        self.journal.close(patience=min(10.0, max(self.plan.deadline - time.time() - LAST_WORDS / 3, 0.5)))
        if self.tally.by_others:
            self.report.note(f"{self.tally.by_others} users were settled by another run meanwhile")
        self._hand_on()
        for note in self.journal.notes():
            self.report.note(note, undone=1)
        for line in self.follow_ups.answers.lines:
            self.report.note(line.strip().removeprefix("note: "))
        self.report.undone += self.follow_ups.answers.problems
        self.report.seconds = time.time() - self.plan.started
        return self.report

    def _hand_on(self) -> None:
        """What time was too short for. Without a journal a successor would know nothing of it."""
        budget = self.plan.settings.time_budget
        if not (self.is_out_of_time and budget and self.journal.device) or self.journal.gone or self.interrupted:
            return
        client = self.plan.tago.client.beside(connections=1, total=LAST_WORDS)
        client.deadline = self.plan.deadline + LAST_WORDS / 3
        analyses = TagoIO(self.plan.settings.account_token, client).analyses
        hand_on = HandOn(analyses, self.trigger, self.report, budget, self.plan.sleep)
        hand_on.perform(self.left.values(), is_wanted=self.plan.settings.hand_on)

    def _watched(self) -> list[Job]:
        """What another run might have been at. Others were told by now: there is no set-up to fix."""
        try:
            return self.plan.after_watching(self.trigger)
        except SetupError as error:
            self.report.note(f"what an earlier run left cannot be finished: {error}", undone=1)
            return []

    # ---- one round

    def _rounds(self, jobs: list[Job]) -> None:
        """Then what came due by them of other campaigns; that an alarm is over is told when its copies are closed."""
        self.lanes = []
        all_clears = [job for job in jobs if job.all_clear]
        self._round([job for job in jobs if not job.all_clear])
        following = [*all_clears, *self.plan.following([lane.job for lane in self.lanes if lane.is_ours])]
        self._round([job for job in following if not job.all_clear])
        all_clears = [job for job in following if job.all_clear]
        if all_clears and self.plan.is_late():
            self.is_out_of_time = True
            self.report.note(f"that an alarm is over is not told yet: {NO_TIME}", undone=1)
        else:
            self._round(all_clears)
        for lane in self.lanes:
            self._end(lane)

    def _round(self, jobs: list[Job]) -> None:
        if not jobs:
            return
        lanes = self._begin(sorted(jobs, key=lambda job: job.started_at))
        self.lanes += lanes
        if any(lane.job.all_clear or lane.state.alarm for lane in lanes):
            self.follow_ups.look_for_presses(lanes)  # it may be raised again, or over by now
        for lane in lanes:
            if lane.job.size and lane.is_ours:  # somebody may have decided, and nobody more is told then
                self.follow_ups.answer_presses(lane)
        self._tell(lanes)
        for lane in lanes:
            self.follow_ups.replace(lane)
        for lane in lanes:
            self.follow_ups.perform(lane)
        self._reach(lanes)

    def _begin(self, jobs: list[Job]) -> list[CampaignLane]:
        """Write down what is planned; those that are another run's are left to it."""
        scouts = (
            job for priority in PRIORITIES for job in jobs if any(job.is_to_tell(user) for user in job.users[priority])
        )
        scout = next(scouts, None)
        self.window.careful()
        openings, first = {}, {}
        for job in jobs:
            self.inbox.learn(job.key, (notification for _, notification in job.state.told_ids()))
            first[job.key] = job.waiting[0].id if job is scout else ""
            if not job.is_new:
                job.state.share(user.id for users in job.users.values() for user in users)
            if not job.is_empty:
                openings[job.key] = job.opening(self.journal.run, first[job.key])
        ours = self.journal.begin(openings) if openings else set()
        lanes = []
        for job in jobs:
            if job.is_empty or job.key in ours:
                lanes.append(CampaignLane(self.plan, self.inbox, self.tally, job, first[job.key]))
            else:
                self.journal.add(job.as_repeat)
                self.plan.step_back(job.state)
        self.tally.total += sum(lane.job.size + len(lane.job.settled) for lane in lanes)
        for lane in lanes:
            for outcome in lane.job.settled:
                lane.record(outcome)
        return lanes

    def _tell(self, lanes: list[CampaignLane]) -> None:
        """In TagoRUN: what is urgent first, then what is old."""

        def take() -> Task | None:
            for priority in PRIORITIES:
                for lane in lanes:
                    task = lane.next(priority)
                    if task:
                        return task
            return None

        number = sum(lane.job.size for lane in lanes)
        if not number:
            return
        delivery = Delivery(
            take,
            self.window,
            has_more=lambda: any(lane.job.size for lane in lanes),
            deadline=self.plan.deadline - LAST_WORDS,
            workers=min(WORKERS, number),
        )
        delivery.stopped = self.interrupted

        def tick() -> None:
            self._show_progress()
            if self.follow_ups.look_now_and_then(lanes):
                for lane in lanes:  # this run may wait a minute for its next window
                    self.follow_ups.replace(lane)
                    self.follow_ups.close(lane)

        delivery.deliver(tick)
        self.is_out_of_time = self.is_out_of_time or delivery.stopped == NO_TIME
        if delivery.stopped == BY_HAND:
            self.interrupted = BY_HAND
        self._add_notes(delivery)

    def _add_notes(self, delivery: Delivery) -> None:
        if delivery.in_doubt:
            self.report.note(
                f"{delivery.in_doubt} answers were lost on the way (time-out, reset, 5xx); TagoIO was asked: "
                f"{delivery.had_arrived} had arrived, the others were sent again or are named above"
            )
        if self.inbox.icon_refused:
            self.report.note(f"TagoIO refused the icon ({self.inbox.icon_refused}); sent without it")

    def _reach(self, lanes: list[CampaignLane]) -> None:
        """By another channel, whom TagoRUN did not reach: after every notification of the round, for it takes long."""
        self.journal.flush()  # a press meanwhile must find every copy
        for lane in lanes:
            actions = self.follow_ups.due(lane) if lane.is_ours else []
            due = [action for action in actions if isinstance(action, TellOtherwise)]
            if due:
                tick = functools.partial(self.follow_ups.look_now_and_then, [lane])
                reach = Reach(self.plan, lane.job, self.inbox, self.tally.undelivered, lane.record, tick)
                reach.stopped = self.interrupted
                reach.perform(due)
                self.interrupted = reach.stopped

    def _end(self, lane: CampaignLane) -> None:
        """Finished when nothing is due any more and nothing will be."""
        if lane.job.is_empty:
            return
        is_done = self.follow_ups.is_done(lane)
        self.journal.end(lane.key, "finished" if is_done else "left")
        if lane.is_ours and not is_done:
            self.left[lane.key] = lane.state

    def _known(self) -> list[tuple[str, str]]:
        """Some (user, notification) that TagoIO is known to have: of this run, else as the journal says."""
        found = [told for state in list(self.journal.states.values()) for told in list(state.told_ids())[:3]]
        device = self.journal.device
        if not found and device:
            try:
                found = list(device.told_lately())[:3]
            except TagoIOError:
                return []
        return found

    def _told_by_others(self) -> dict[str, str]:
        """The campaign of each notification that the journal knows of late."""
        device = self.journal.device
        try:
            return dict(device.told_in_an_hour()) if device and not self.journal.gone else {}
        except TagoIOError:
            return {}

    def _show_progress(self) -> None:
        why = "TagoIO does not answer" if self.window.is_outage else "rate limit reached"
        self.plan.console.progress(
            self.tally.done,
            self.tally.total,
            self.tally.trouble,
            limit=self.window.limit,
            wait=self.window.opens_in,
            why=why,
        )

    def _say_wait(self, seconds: float) -> None:
        why = "TagoIO does not answer; trying again" if self.window.is_outage else "Rate limit reached; going on"
        self.plan.console.waits(f"{why} in {seconds:.0f} s")
