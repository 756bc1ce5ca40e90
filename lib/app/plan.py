"""What a run is going to do, before it does any of it: its own campaign, and what earlier runs left."""

import time
from collections import deque
from collections.abc import Callable, Container
from dataclasses import dataclass, field, replace

from lib.app.console import Console
from lib.app.report import Report
from lib.app.rules import Rules
from lib.app.settings import Settings
from lib.base.errors import Rejected, SetupError, TagoIOError, one_error
from lib.campaign.courtesy import COOLDOWN
from lib.campaign.key import campaign_key, is_repeatable
from lib.campaign.lease import GIVEN_UP
from lib.campaign.next_steps import Action, Policy, TakeStep, Tell, next_steps
from lib.campaign.outcome import DECIDED, Outcome
from lib.campaign.rows import Row, audience_rows, campaign_row, started_rows
from lib.campaign.state import CampaignState
from lib.fallback.fallback import Fallback
from lib.message.content import composed
from lib.message.escalation import Step, steps_text
from lib.message.notification import PRIORITIES, PUSH_CHARACTERS, Notification
from lib.message.trigger import Trigger
from lib.message.user import User
from lib.tagoio.audience import Audience, NobodyFound, choose_audience, users_by_id
from lib.tagoio.journal import Journal
from lib.tagoio.journal_device import JOURNAL_PATIENCE, JournalDevice
from lib.tagoio.profile import check_quota, quota_left
from lib.tagoio.transport import TagoIO

NotificationFor = Callable[[Trigger, User], Notification | str]
LAST_WORDS = 1.5  # seconds of the time budget that are kept for the journal and the report
NOT_AGAIN = "the notification was changed since: it does not escalate any more"


@dataclass(slots=True)
class Job:
    """A campaign as this run works on it: who is to be told, by priority; whom the planning has settled; the rows to be
    written first. `actions` are what else was due."""

    state: CampaignState
    trigger: Trigger
    started_at: float
    is_own: bool = False
    only_ask: bool = False
    users: dict[str, deque[User]] = field(default_factory=lambda: {priority: deque() for priority in PRIORITIES})
    settled: list[Outcome] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    steps: tuple[Step, ...] = ()
    actions: list[Action] = field(default_factory=list)
    has_text: bool = False

    @property
    def key(self) -> str:
        return self.state.key

    @property
    def waiting(self) -> list[User]:
        return [user for users in self.users.values() for user in users]

    @property
    def size(self) -> int:
        return sum(map(len, self.users.values()))

    @property
    def is_empty(self) -> bool:
        """There is no text for anybody, so that nothing needs to be written down."""
        return self.is_own and not self.has_text

    def opening(self, run: str, first: str) -> list[Row]:
        """The rows by which a run begins or resumes it; `first` is told before anybody else is."""
        if not self.is_own:
            return [*self.rows, campaign_row(self.key, "resumed", run, first=first)]
        held = [each.user_id for each in self.settled if each.status == "held"]
        users = [*(user.id for user in self.waiting), *held]
        about = {"started_at": self.started_at, "escalate": steps_text(self.steps), "first": first}
        return list(started_rows(self.key, run, self.trigger, users, **about))


class Plan:
    """The jobs of a run. Everything that can be wrong with the set-up is raised as a SetupError here; nobody is told
    and nothing is written."""

    def __init__(self, tago: TagoIO, settings: Settings, console: Console, content: NotificationFor) -> None:
        self.tago = tago
        self.settings = settings
        self.console = console
        self.content = content
        self.started = time.time()
        self.deadline = self.started + (settings.time_budget or float("inf"))
        tago.client.deadline = self.deadline - LAST_WORDS / 3
        self.journal = open_journal(tago, settings, sleep=self.sleep, deadline=self.deadline)
        self.policy = Policy(
            self.journal.run, bool(settings.fallback), settings.remind_after, has_memory=self.journal.device is not None
        )
        self.report = Report(self.journal.run, self.journal.states)
        self.jobs: list[Job] = []
        self.watched: list[CampaignState] = []  # that another run may be at this moment
        self.fallback = Fallback(settings.fallback, tago.address_of_run)
        self.rules = Rules(settings, self.journal, tago.profile, tago.client.time_at_tagoio, self.report.note)

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
                self._plan_left(state, trigger)
        if goes_on:
            key = goes_on[0].key
            self.report.note(f"this run goes on with campaign {key}; it starts no round of its own")
        else:
            self._add(trigger)

    def after_watching(self, trigger: Trigger) -> list[Job]:
        """The jobs of campaigns that another run might have been at, after waiting whether it is."""
        watched, self.watched = self.watched, []
        quiet = min(self.journal.now() - state.newest for state in watched) if self.tago.client.knows_time else 0.0
        wait = min(max(GIVEN_UP - quiet, 0.0), GIVEN_UP) + 1.0
        self.console.hint(f"An earlier run left a campaign unfinished; watching {wait:.0f} s whether it is still at it")
        self.sleep(wait)
        before = {state.key: state.newest for state in watched}
        self.jobs = []
        try:
            assert self.journal.device is not None  # noqa: S101  # nothing is watched without one
            found = self.journal.device.states(list(before))
        except TagoIOError as error:
            self.report.note(f"what earlier runs left cannot be read now ({error.message})", undone=len(before))
            return []
        for key, state in found.items():
            self.journal.states[key] = state
            if state.is_finished:
                continue
            if state.newest > before[key]:
                self.report.note(f"campaign {key} is being delivered by another run; left to it")
            elif self.is_late():
                self.report.note(f"campaign {key}, which an earlier run left: time budget used up", undone=1)
            else:
                self._plan_left(state, trigger)
        self.check()
        return self.jobs

    def check(self) -> None:
        """The last look before anyone is told: raises SetupError where the audience does not fit the push quota. What
        an earlier run left must not keep an alarm from going out."""
        own = sum(job.size for job in self.jobs if job.is_own)
        late = sum(job.size for job in self.jobs if not job.is_own)
        if not own + late:
            return
        quota = quota_left(self.tago.profile)
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

    def compose(self, job: Job, user: User) -> Notification | str:
        """What a user gets; who is told by a step of the escalation reads that nobody has answered."""
        notification = self.content(job.trigger, user)
        number = job.state.audience.get(user.id, 0)
        if not isinstance(notification, Notification) or not 0 < number <= len(job.steps):
            return notification
        return replace(notification, message=f"{notification.message}\n{job.steps[number - 1].line}")

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
            if is_repeatable(trigger) and self._was_dealt_with(state.key):
                self.report.note(f"this event was dealt with before, as campaign {state.key}")
                return
            skipped = [Outcome(user.id, user.name, "skipped", reason) for user, reason in audience.skipped]
            job = Job(state, trigger, self._now(), is_own=True, settled=skipped)
            self._sort(job, audience.chosen)
            self._check_steps(job)
            self.journal.states[state.key] = state
            self.jobs.append(job)
        except SetupError as error:
            self._only_the_left(error)

    def _was_dealt_with(self, key: str) -> bool:
        device = self.journal.device
        if device is None or self.journal.gone:
            return False
        try:
            found = device.states([key])[key]
        except TagoIOError as error:
            self._lose_memory(error)
            return False
        return found.started is not None

    def _only_the_left(self, error: SetupError) -> None:
        """Raises it again where there is nothing else to do."""
        self.jobs = [job for job in self.jobs if not job.is_own]
        if self.settings.dry_run or not (self.jobs or self.watched):
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
        """A wrong token is a mistake to be mended; a journal that does not answer stops no alarm."""
        if isinstance(error, Rejected) and error.status in (401, 403, 404):
            raise SetupError(f"The journal cannot be read (delivery_log_token): {error.message}") from error
        self.journal.give_up(error.message)

    def _continues(self, trigger: Trigger, state: CampaignState) -> bool:
        """Whether this run is that campaign's: the same event, or by hand one by hand that was cut off."""
        if is_repeatable(trigger):
            return campaign_key(trigger) == state.key
        by_hand = trigger.kind == "manual" and state.trigger.kind == "manual"
        return by_hand and any(map(state.is_untold, state.unsettled()))

    def _may_be_at_work(self, state: CampaignState) -> bool:
        if not state.newest:
            return False
        return not self.tago.client.knows_time or self.journal.now() - state.newest <= GIVEN_UP

    def _plan_left(self, state: CampaignState, trigger: Trigger) -> None:
        try:
            job = self._left(state, trigger)
        except SetupError as error:
            undone = max(len(list(state.unsettled())), 1)
            self.report.note(
                f"campaign {state.key}, which an earlier run left, cannot be finished: {error}", undone=undone
            )
            return
        if job:
            self.jobs.append(job)

    def _left(self, state: CampaignState, trigger: Trigger) -> Job | None:
        """A campaign of an earlier run, None where nothing of it is due now."""
        if state.missing:
            note = f"campaign {state.key}: the journal has lost the ids of {state.missing} of its users"
            self.report.note(note, undone=state.missing)
        now = self.journal.now()
        actions = next_steps(state, now, self.policy)
        if not actions:
            return None
        earlier = replace(state.trigger, analysis_id=trigger.analysis_id)
        job = Job(state, earlier, state.started_at, steps=state.steps)
        known: dict[str, User] = {}
        for action in actions:
            if isinstance(action, TakeStep):
                known |= self._take_step(job, action)
        job.actions = next_steps(state, now, self.policy)
        for action in job.actions:
            if isinstance(action, Tell):
                self._tell_left(job, action, known)
        return job

    def _tell_left(self, job: Job, tell: Tell, known: dict[str, User]) -> None:
        wanted = dict(tell.users)
        job.only_ask = tell.only_ask
        if tell.only_ask:
            self.report.note(f"campaign {job.key} was decided meanwhile; the rest is not told")
            job.settled += [Outcome(user, "", "skipped", DECIDED) for user, until in wanted.items() if not until]
            wanted = {user: until for user, until in wanted.items() if until}
        missing = wanted.keys() - known.keys()
        found = {**known, **users_by_id(self.tago.run, missing, self.sleep)} if missing else known
        gone = [Outcome(user, "", "failed", "no longer a TagoRUN user") for user in wanted if user not in found]
        users = [found[user] for user in wanted if user in found]
        inactive = [Outcome(user.id, user.name, "skipped", "inactive user") for user in users if not user.active]
        job.settled += gone + inactive
        if missing:
            count = sum(user.active for user in users)
            self.report.note(f"took up campaign {job.key}, which an earlier run left with {count} to tell")
        self._sort(job, deque(user for user in users if user.active))

    def _take_step(self, job: Job, action: TakeStep) -> dict[str, User]:
        """The users that a step adds. One that cannot be taken waits for the next run and keeps no other back."""
        step = action.step
        try:
            audience = self.added_by(step, job.state.audience)
        except SetupError as error:
            self.report.note(f"escalate, {step.to}: cannot be told now: {error}", undone=1)
            return {}
        added = [user.id for user in audience.chosen]
        escalated = campaign_row(job.key, "escalated", self.journal.run, step=action.number, to=step.to)
        rows = [*audience_rows(job.key, added, action.number), escalated]
        job.state.take(rows)
        job.rows += rows
        job.settled += [
            Outcome(user.id, user.name, "skipped", reason, step=action.number) for user, reason in audience.skipped
        ]
        self.report.note(f"{step.line}: campaign {job.key} goes on to {step.to} ({len(added)} users)")
        return {user.id: user for user in audience.chosen}

    def added_by(self, step: Step, told: Container[str]) -> Audience:
        """Who is not in the campaign yet. Raises SetupError where that cannot be looked up."""
        key, value = step.tag(self.settings.tag_key)
        choice = replace(self.settings.choice, send_to=("tags",), tag_key=key, tag_value=(value,))
        try:
            audience = choose_audience(self.tago.run, choice, sleep=self.sleep)
        except NobodyFound:
            self.report.note(f'escalate: no TagoRUN user has the tag "{key}" = "{value}"')
            return Audience()
        chosen = deque(user for user in audience.chosen if user.id not in told)
        skipped = [(user, reason) for user, reason in audience.skipped if user.id not in told]
        if len(chosen) < len(audience.chosen):
            self.report.note(f"escalate, {step.to}: {len(audience.chosen) - len(chosen)} have been told already")
        return Audience(chosen, skipped)

    # ---- both

    def _sort(self, job: Job, users: deque[User]) -> None:
        """Compose for everyone, sort out whom a rule leaves out, and put high priority first, low last."""
        too_long = 0
        escalations: set[tuple[Step, ...]] = set()
        while users:
            user = users.popleft()
            notification = self._composed(job, user)
            if isinstance(notification, Outcome):
                job.settled.append(notification)
                continue
            if isinstance(notification, Notification):
                job.has_text = True
                escalations.add(tuple(notification.escalate))
                self._check_answerable(job, notification)
            verdict = self.rules.verdict(user, notification)
            if verdict:
                job.settled.append(verdict)
            elif isinstance(notification, Notification):
                self.rules.note_told(user, notification)
                job.users[notification.priority].append(user)
                too_long += notification.is_too_long_for_push
        if job.is_own and len(escalations) > 1:
            raise SetupError("escalate differs between users; it is one thing of a campaign: give all the same steps")
        if job.is_own and escalations:
            job.steps = escalations.pop()
        if too_long:
            said = f"the {PUSH_CHARACTERS} characters that TagoIO documents for push"
            self.report.note(f"{too_long} of the messages exceed {said}")

    def _composed(self, job: Job, user: User) -> Notification | str | Outcome:
        """What a user gets. A mistake in it stops a run before its own campaign is begun; in one that an earlier run
        has begun it is that user's outcome, and nobody else's."""
        try:
            notification = composed(user, lambda each: self.compose(job, each))
        except SetupError as error:
            if job.is_own:
                raise
            return Outcome(user.id, user.name, "pending", str(error))
        is_new = user.id not in job.state.outcomes and job.state.audience.get(user.id, 0)
        if is_new and isinstance(notification, Notification) and not notification.escalate and not job.is_own:
            return NOT_AGAIN
        return notification

    def _check_answerable(self, job: Job, notification: Notification) -> None:
        """An escalation ends when somebody decides: a button that runs another Analysis is no answer to it."""
        analysis = job.trigger.analysis_id
        if not (job.is_own and notification.escalate and analysis):
            return
        if not any(button.analysis == analysis for button in notification.buttons):
            raise SetupError(
                'escalate needs a button that runs this Analysis ("analysis": "this"): another one cannot end it'
            )

    def _now(self) -> float:
        """When a campaign starts, so that nothing which it creates can seem older."""
        return self.journal.now() - 1.0


def open_journal(
    tago: TagoIO, settings: Settings, *, sleep: Callable[[float], None], deadline: float = float("inf")
) -> Journal:
    """The journal, on the device of `delivery_log_token` where that is set. It has a client, and so connections, of its
    own. It is waited for, but with a time budget no longer than a third of what is left."""

    def now() -> float:
        return tago.client.time_at_tagoio().timestamp()

    if not settings.delivery_log_token:
        return Journal(None, now, sleep=sleep)
    client = tago.client.beside(connections=3, total=5.0)
    client.deadline = deadline - LAST_WORDS / 8
    module = TagoIO(settings.account_token, client).device(settings.delivery_log_token)

    def patience() -> float:
        return min(JOURNAL_PATIENCE, max((deadline - time.time()) / 3, 0.5))

    return Journal(JournalDevice(module, now, patience=patience, sleep=sleep), now, sleep=sleep)
