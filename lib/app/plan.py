"""What a run is going to do, before it does any of it: its own campaign, and what earlier runs left."""

import time
from collections import Counter
from collections.abc import Callable

from lib.app.alarms import Alarms, Judged
from lib.app.console import Console
from lib.app.job import Job, Sorting
from lib.app.left import Left
from lib.app.report import Report
from lib.app.rules import Rules
from lib.app.settings import Settings
from lib.base.errors import Rejected, SetupError, TagoIOError, one_error
from lib.campaign.courtesy import COOLDOWN
from lib.campaign.key import campaign_key, is_repeatable
from lib.campaign.lease import GIVEN_UP, MARGIN
from lib.campaign.next_steps import Policy, TellEnd, is_let_be, next_steps
from lib.campaign.outcome import ELSEWHERE, NO_TIME, Outcome
from lib.campaign.state import CampaignState
from lib.fallback.fallback import Fallback
from lib.message.content import NOBODY, Content
from lib.message.trigger import Trigger
from lib.tagoio.audience import choose_audience
from lib.tagoio.journal import Journal
from lib.tagoio.journal_device import JOURNAL_PATIENCE, JournalDevice
from lib.tagoio.profile import check_quota, quota_left
from lib.tagoio.transport import TagoIO

QUICK = 3.0  # seconds for a question that no user's notification must wait for
WATCHES = 3  # times that one run waits whether another is still at a campaign
JOURNAL_ANSWERS = 5.0  # seconds in which the journal's device answers
LAST_WORDS = 1.5  # seconds of the time budget that are kept for the journal and the report


class Plan:
    """The jobs of a run. Everything that can be wrong with the set-up is raised as a SetupError here; nobody is told
    and nothing is written."""

    def __init__(self, tago: TagoIO, settings: Settings, console: Console, content: Content) -> None:
        self.tago = tago
        self.settings = settings
        self.console = console
        self.started = time.time()
        self.deadline = self.started + (settings.time_budget or float("inf"))
        tago.client.deadline = self.deadline - LAST_WORDS / 3
        self.journal = open_journal(tago, settings, sleep=self.sleep, deadline=self.deadline)
        self.policy = Policy(
            self.journal.run, bool(settings.fallback), settings.remind_after, has_memory=self.journal.device is not None
        )
        self.report = Report(self.journal.run, self.journal.states)
        self.jobs: list[Job] = []
        self.judged: list[Judged] = []  # of alarms
        self.watched: list[CampaignState] = []  # that another run may be at this moment
        self._times_watched: Counter[str] = Counter()
        self.fallback = Fallback(settings.fallback, tago.address_of_run)
        quick = tago.client.beside(connections=1, total=QUICK)
        quick.deadline = tago.client.deadline
        self.profile = TagoIO(settings.account_token, quick).profile
        self.rules = Rules(settings, self.journal, self.profile, tago.client.time_at_tagoio, self.report.note)
        self.sorting = Sorting(content, self.rules, self.report, self.journal.run)
        self.left = Left(tago.run, self.journal, settings, self.policy, self.sorting, self.report, self.sleep)

    @property
    def keys(self) -> list[str]:
        """Of the campaigns that this run is about."""
        return [job.key for job in self.jobs]

    def make(self, trigger: Trigger) -> None:
        """Plan this run's own campaign, and what is due of earlier ones: who is still to be told, a step of an
        escalation, a press without an answer, a copy to close, who has not read it."""
        left = self._unfinished(trigger)
        goes_on = [state for state in left if self._continues(trigger, state)]
        for state in left:
            if self._may_be_at_work(state):
                self.watched.append(state)
            else:
                self._take_up(state, trigger)
        if trigger.kind == "successor":
            return
        if goes_on:
            key = goes_on[0].key
            self.report.note(f"this run goes on with campaign {key}; it starts no round of its own")
        else:
            self._add(trigger)
        if self.settings.dry_run:
            self._judge_alarms(is_written=False)
            self.jobs += self.left.ends(self.jobs)

    def after_watching(self, trigger: Trigger) -> list[Job]:
        """The jobs of campaigns that another run might have been at, after waiting whether it is."""
        now = self.journal.now()
        watched, self.watched = self.watched, []
        before = {state.key: state.newest(self.journal.run) or now for state in watched}
        quiet = now - max(before.values()) if self.tago.client.knows_time else 0.0
        wait = min(max(GIVEN_UP - quiet, 0.0), GIVEN_UP) + 1.0
        self.console.hint(f"An earlier run left a campaign unfinished; watching {wait:.0f} s whether it is still at it")
        self.sleep(wait)
        self.jobs = []
        try:
            assert self.journal.device is not None  # noqa: S101  # nothing is watched without one
            found = self.journal.device.states(list(before))
        except TagoIOError as error:
            for state in watched:
                self.left.leave(state, f"the journal cannot be read now ({error.message})", now)
            return []
        for key, state in found.items():
            self.journal.states[key] = state
            if state.is_finished or not next_steps(state, self.journal.now(), self.policy):
                self.report.note(f"campaign {key} was dealt with by another run")
            elif state.newest(self.journal.run) > before[key]:
                if self.journal.now() - state.newest(self.journal.run) > MARGIN:
                    self.step_back(state)  # it has shown itself since, but not of late: it may be gone by now
                else:
                    self.report.note(f"campaign {key} is being delivered by another run; left to it")
            elif self.is_late():
                self.left.leave(state, NO_TIME, self.journal.now())
            else:
                self._take_up(state, trigger)
        self.check()
        return self.jobs

    def step_back(self, state: CampaignState) -> None:
        """Another run holds that campaign: it is watched, for it may be gone before it has told anybody."""
        if self._times_watched[state.key] < WATCHES:
            self._times_watched[state.key] += 1
            self.watched.append(state)
        else:
            self.left.leave(state, ELSEWHERE, self.journal.now())

    def check(self) -> None:
        """The last look before anyone is told: what the event is to its alarm, which is written down; raises SetupError
        where the audience does not fit the push quota. What an earlier run left must not keep an alarm from going
        out."""
        self._judge_alarms(is_written=True)
        own = sum(len(job.waiting) for job in self.jobs if job.is_own)
        late = sum(len(job.waiting) for job in self.jobs if not job.is_own) + sum(map(told_of_the_end, self.jobs))
        if not own + late:
            return
        quota = quota_left(self.profile)
        try:
            check_quota(quota, own)
        except SetupError as error:
            own = 0
            self._only_the_left(error)
        if isinstance(quota, str):
            self.report.note(quota)
        elif own + late > quota[0]:
            self.jobs = [job for job in self.jobs if job.is_own]
            note = f"what earlier runs left does not fit the push quota ({quota[0]} left) and waits"
            self.report.note(note, undone=max(late, 1))

    def following(self, jobs: list[Job]) -> list[Job]:
        """What came due of other campaigns by what was done of these."""
        older = [each for job in jobs for each in self.left.older(job, self._is_left_to_another)]
        return [*older, *self.left.ends(jobs)]

    def is_late(self) -> bool:
        """Only the last words are left to be said."""
        return time.time() > self.deadline - LAST_WORDS

    def sleep(self, seconds: float) -> None:
        """Never past the time budget."""
        time.sleep(max(0.0, min(seconds, self.deadline - LAST_WORDS - time.time())))

    # ---- this run's own campaign

    def _add(self, trigger: Trigger) -> None:
        """Where it cannot be told, what earlier runs left still is."""
        state = CampaignState(campaign_key(trigger))
        try:
            audience = choose_audience(self.tago.run, self.settings.choice, sleep=self.sleep)
            for note in audience.notes:
                self.report.note(note)
            if self.settings.notification:
                self.report.note("the text is that of the variable notification; compose in analysis.py was not asked")
            if is_repeatable(trigger) and self._was_begun(state.key):
                return
            skipped = [Outcome(user.id, user.name, "skipped", reason) for user, reason in audience.skipped]
            job = Job(state, trigger, self._now(), is_own=True, settled=skipped)
            self.sorting.sort(job, audience.chosen)
            self._check_steps(job)
            self.journal.states[state.key] = state
            self.jobs.append(job)
        except SetupError as error:
            ending = self._ending(Job(state, trigger, self._now(), is_own=True))
            self.jobs += ending
            self._only_the_left(error, besides=ending)

    def _ending(self, job: Job) -> list[Job]:
        """That alone, if the event ends an alarm: for that nobody has to be chosen."""
        try:
            self.sorting.note_ends(job, NOBODY)
        except SetupError:
            return []
        return [job] if job.alarm.ends and self.journal.keeps else []

    def _judge_alarms(self, *, is_written: bool) -> None:
        """What follows from the event for its alarms takes the place of the run's own campaign."""
        own = next((job for job in self.jobs if job.is_own and job.trigger.device), None)
        if own is None or not (own.alarm.name or own.alarm.ends):
            return
        if self.journal.device is None:
            self.report.note(
                "alarm: without a journal (delivery_log_token) every event is told anew, and nothing ends it; with one "
                "a repeat tells nobody again and brings the copies up to date, and an all-clear closes them"
            )
        if not self.journal.keeps:
            return
        self.jobs.remove(own)
        alarms = Alarms(self.journal, self.left, self._is_left_to_another, is_written=is_written)
        self.jobs, self.judged = alarms.jobs(own, self.jobs), alarms.judged

    def _was_begun(self, key: str) -> bool:
        """Whether another run has this event, or had it."""
        device = self.journal.device
        if device is None or self.journal.gone:
            return False
        try:
            found = device.states([key])[key]
        except TagoIOError as error:
            self._lose_memory(error)
            return False
        if not found.started:
            return False
        if found.is_finished or is_let_be(found, self.journal.now()):
            self.report.note(f"this event was dealt with before, as campaign {key}")
        else:
            self.journal.states[key] = found
            self.step_back(found)
        return True

    def _only_the_left(self, error: SetupError, besides: list[Job] | None = None) -> None:
        """Raises it again where there is nothing else to do."""
        self.jobs = [job for job in self.jobs if not job.is_own or job in (besides or ())]
        if (self.settings.dry_run and not besides) or not (self.jobs or self.watched):
            raise error
        self.report.note(f"this run's own round was not begun: {error}", undone=1)

    def _check_steps(self, job: Job) -> None:
        """Whether an escalation that is about to begin can go on. What everybody was told a short while ago does not
        escalate once more."""
        is_repeated = any(each.reason == COOLDOWN for each in job.settled)
        if is_repeated and not job.size and not any(each.status == "held" for each in job.settled):
            job.steps = ()
        if not job.steps:
            return
        problems = []
        if not self.journal.device:
            problems.append("escalate needs the journal, which knows whether somebody decided: set delivery_log_token")
        if not job.trigger.analysis_id:
            problems.append("escalate needs an Analysis that goes on with it: set T_ANALYSIS_ID to its id")
        if not self.settings.tag_key and any("=" not in step.to for step in job.steps):
            problems.append('escalate, to: without tag_key it must name the tag too, such as "role=supervisor"')
        one_error(problems)

    # ---- what earlier runs left

    def _unfinished(self, trigger: Trigger) -> list[CampaignState]:
        device = self.journal.device
        if device is None:
            return []
        try:
            found = device.unfinished(trigger.analysis_id)
        except TagoIOError as error:
            self._lose_memory(error)
            return []
        self.journal.states |= {state.key: state for state in found}
        return found

    def _lose_memory(self, error: TagoIOError) -> None:
        """A wrong token is a mistake to be fixed; a journal that does not answer stops no alarm."""
        if isinstance(error, Rejected) and error.status in (401, 403, 404):
            raise SetupError(f"The journal cannot be read (delivery_log_token): {error.message}") from error
        self.journal.give_up(error.message)

    def _continues(self, trigger: Trigger, state: CampaignState) -> bool:
        """Whether this run is that campaign's: the same event, or by hand one by hand that was cut off."""
        if is_repeatable(trigger):
            return campaign_key(trigger) == state.key
        by_hand = trigger.kind == "manual" and state.trigger.kind == "manual"
        return by_hand and any(map(state.is_untold, state.unsettled()))

    def _is_left_to_another(self, state: CampaignState) -> bool:
        """Whether another run may be at it, so that it is watched."""
        is_busy = self._may_be_at_work(state)
        self.watched = [each for each in self.watched if each.key != state.key] + [state] * is_busy
        return is_busy

    def _may_be_at_work(self, state: CampaignState) -> bool:
        newest = state.newest(self.journal.run)  # own rows may show late
        return newest > 0 and (not self.tago.client.knows_time or self.journal.now() - newest <= GIVEN_UP)

    def _take_up(self, state: CampaignState, trigger: Trigger) -> None:
        self.jobs += self.left.jobs(state, trigger)

    def _now(self) -> float:
        """When a campaign starts, so that nothing which it creates can seem older."""
        return self.journal.now() - 1.0


def told_of_the_end(job: Job) -> int:
    """How many users would be told that it is over."""
    return sum(len(action.users) for action in job.actions if isinstance(action, TellEnd))


def open_journal(
    tago: TagoIO, settings: Settings, *, sleep: Callable[[float], None], deadline: float = float("inf")
) -> Journal:
    """The journal, on the device of `delivery_log_token` where that is set. It has a client, and so connections, of its
    own. It is waited for, but with a time budget no longer than half of what is left, and for one answer no longer
    than a sixth of it: a run that was frozen while it waited for one has time for another."""

    def now() -> float:
        return tago.client.time_at_tagoio().timestamp()

    if not settings.delivery_log_token:
        return Journal(None, now, sleep=sleep)
    client = tago.client.beside(connections=3, total=min(JOURNAL_ANSWERS, (deadline - time.time()) / 6))
    client.deadline = deadline - LAST_WORDS / 8
    module = TagoIO(settings.account_token, client).device(settings.delivery_log_token)

    def patience() -> float:
        return min(JOURNAL_PATIENCE, max((deadline - time.time()) / 2, 0.5))

    return Journal(JournalDevice(module, now, patience=patience, sleep=sleep), now, tago.client.learn_time, sleep=sleep)
