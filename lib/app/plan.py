"""What a run is going to do, before it does any of it: its own campaign, and what earlier runs left to tell."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from lib.app.console import Console
from lib.app.rules import Rules
from lib.app.settings import Settings
from lib.base.errors import SetupError, one_error
from lib.campaign.campaign import Campaign, composed, new_campaign
from lib.campaign.courtesy import COOLDOWN
from lib.campaign.followup import FollowUp, Overdue
from lib.campaign.report import Outcome, Report
from lib.message.escalation import Step
from lib.message.notification import PRIORITIES, PUSH_CHARACTERS, Notification
from lib.message.trigger import Trigger
from lib.message.user import User
from lib.tagoio.audience import Audience, users_by_id
from lib.tagoio.journal import Journal, Unfinished
from lib.tagoio.profile import check_quota, quota_left
from lib.tagoio.transport import TagoIO

NotificationFor = Callable[[Trigger, User], Notification | str]
DECIDED = "decided meanwhile"
LAST_WORDS = 1.5  # seconds of the time budget that are kept for the journal and the report


@dataclass(slots=True)
class Job:
    """A campaign with those it has still to tell.

    `left` says that an earlier run left it; `in_doubt` of whom it is not known whether that told them. `steps` are
    those of its escalation, `step_of` says which user belongs to which, `taking` are those that are due now, by number,
    with the ids of whom each adds. `overdue` are users to be told by another channel, `cut_off` those for whom one was
    begun and nobody knows how it went. `is_watched` says that the campaign stays open although everybody is told: for a
    later step, or to see who reads it; `is_decided` that somebody has pressed; `is_empty` that there is no text for
    anybody, so that nothing needs to be written down.
    """

    campaign: Campaign
    trigger: Trigger
    users: deque[User]
    skipped: list[Outcome] = field(default_factory=list)
    left: bool = False
    in_doubt: set[str] = field(default_factory=set)
    steps: tuple[Step, ...] = ()
    step_of: dict[str, int] = field(default_factory=dict)
    taking: dict[int, tuple[Step, list[str]]] = field(default_factory=dict)
    overdue: list[Overdue] = field(default_factory=list)
    cut_off: set[str] = field(default_factory=set)
    is_watched: bool = False
    is_decided: bool = False
    is_empty: bool = False

    @property
    def has_work(self) -> bool:
        return bool(self.users or self.taking or self.overdue or self.cut_off)


def open_journal(
    tago: TagoIO,
    settings: Settings,
    *,
    sleep: Callable[[float], None] = time.sleep,
    on_wait: Callable[[float], None] = lambda seconds: None,
) -> Journal | None:
    """The journal of `delivery_log_token`, None where that is not set."""
    token = settings.delivery_log_token
    return Journal(tago.device(token), tago.client.time_at_tagoio, sleep=sleep, on_wait=on_wait) if token else None


class Plan:
    """The jobs of a run. Everything that can be wrong with the set-up is raised as a SetupError here; nobody is told
    and nothing is written."""

    def __init__(self, tago: TagoIO, settings: Settings, console: Console, content: NotificationFor) -> None:
        self.tago = tago
        self.settings = settings
        self.console = console
        self.content = content
        self.report = Report()
        self.jobs: list[Job] = []
        self.started = time.time()
        self.deadline = self.started + (settings.time_budget or float("inf"))
        tago.client.deadline = self.deadline - LAST_WORDS / 3
        self.journal = open_journal(tago, settings, sleep=self.sleep, on_wait=self._say_unfinished)
        self.rules = Rules(settings, self.journal, tago, self.report.notes)

    @property
    def keys(self) -> list[str]:
        """Of the campaigns that this run is about."""
        return [job.campaign.key for job in self.jobs]

    def take_up(self, trigger: Trigger) -> bool:
        """Plan what earlier runs left: who is still to be told, which step of an escalation is due, who has not read
        it. True when this run's own campaign is among that: the same event of an Action, or, for a run by hand, one by
        hand that was cut off. Then there is nothing more to plan."""
        is_own = False
        for left in self.journal.unfinished(trigger.analysis_id) if self.journal else ():
            key = left.campaign.key
            if _continues(trigger, left):
                is_own = True
                self.report.notes.append(f"this run goes on with campaign {key}; it starts no round of its own")
            if left.is_running:
                self.report.notes.append(f"campaign {key} is being delivered by another run; left to it")
                continue
            try:
                self._plan_left(left, trigger)
            except SetupError as error:
                self.report.left_behind += max(len(left.pending), 1)
                self.report.notes.append(f"campaign {key}, which an earlier run left, cannot be finished: {error}")
        return is_own

    def add(self, trigger: Trigger, choose: Callable[[], Audience]) -> None:
        """Plan this run's own campaign, unless the journal says that this very event was dealt with. Where it cannot be
        told, what earlier runs left still is."""
        campaign = new_campaign(trigger, self.tago.client.time_at_tagoio())
        try:
            audience = choose()
            self.report.notes += audience.notes
            if trigger.kind == "action" and self.journal and self.journal.state_of(campaign.key):
                self.report.notes.append(f"this event was dealt with before, as campaign {campaign.key}")
                return
            skipped = [Outcome(user.id, user.name, "skipped", reason) for user, reason in audience.skipped]
            self._plan(Job(campaign, trigger, audience.chosen, skipped))
        except SetupError as error:
            self._only_the_left(error)

    def _only_the_left(self, error: SetupError) -> None:
        """Raises it again where there is nothing else to do."""
        self.jobs = [job for job in self.jobs if job.left]
        if self.settings.dry_run or not any(job.has_work for job in self.jobs):
            raise error
        self.report.left_behind += 1
        self.report.notes.append(f"this run's own round was not begun: {error}")

    def check(self) -> None:
        """The last look before anyone is told: raises SetupError where the audience does not fit the push quota. What
        an earlier run left must not keep an alarm from going out."""
        quota = quota_left(self.tago.profile)
        own = sum(len(job.users) for job in self.jobs if not job.left)
        late = sum(len(job.users) for job in self.jobs if job.left)
        try:
            check_quota(quota, own)
        except SetupError as error:
            own = 0
            self._only_the_left(error)
        if isinstance(quota, str):
            self.report.notes.append(quota)
        elif own + late > quota[0]:
            self.jobs = [job for job in self.jobs if not job.left]
            self.report.left_behind += max(late, 1)
            self.report.notes.append(f"what earlier runs left does not fit the push quota ({quota[0]} left) and waits")

    def composer(self, job: Job) -> Callable[[User], Notification | str]:
        """What each user of a job gets; who is told by a step of the escalation reads that nobody has answered."""

        def compose(user: User) -> Notification | str:
            notification = self.content(job.trigger, user)
            step = job.step_of.get(user.id, 0)
            if not isinstance(notification, Notification) or not 0 < step <= len(job.steps):
                return notification
            return replace(notification, message=f"{notification.message}\n{job.steps[step - 1].line}")

        return compose

    def sleep(self, seconds: float) -> None:
        """Never past the time budget."""
        time.sleep(max(0.0, min(seconds, self.deadline - LAST_WORDS - time.time())))

    def _plan(self, job: Job) -> None:
        """Compose for everyone, sort out whom a rule leaves out, and put high priority first, low last."""
        by_priority: dict[str, deque[User]] = {priority: deque() for priority in PRIORITIES}
        too_long = texts = 0
        for user in job.users:
            notification = self._composed(job, user)
            verdict = self.rules.verdict(user, notification) if not isinstance(notification, Outcome) else notification
            if isinstance(notification, Notification):
                texts += 1
                job.steps = job.steps or tuple(notification.escalate)
            if verdict:
                job.skipped.append(replace(verdict, step=job.step_of.get(user.id, 0)))
            elif isinstance(notification, Notification):
                self.rules.note_told(user, notification)
                by_priority[notification.priority].append(user)
                too_long += notification.is_too_long_for_push
        job.users = deque(user for users in by_priority.values() for user in users)
        job.is_empty = not texts and not job.left
        if not job.left:
            self._check_steps(job)
        to_be_read = bool(self.settings.escalate_after and by_priority["high"])
        job.is_watched = job.is_watched or to_be_read or (bool(job.steps) and not job.left)
        if too_long:
            self.report.notes.append(
                f"{too_long} of the messages exceed the {PUSH_CHARACTERS} characters that TagoIO documents for push"
            )
        self.jobs.append(job)

    def _composed(self, job: Job, user: User) -> Notification | str | Outcome:
        """What a user gets. A mistake in it stops a run before its own campaign is begun; in one that an earlier run
        has begun it is that user's outcome, and nobody else's."""
        try:
            notification = composed(user, self.composer(job))
        except SetupError as error:
            if not job.left:
                raise
            return Outcome(user.id, user.name, "pending", str(error))
        number = job.step_of.get(user.id, 0)
        if number in job.taking and isinstance(notification, Notification) and not notification.escalate:
            return "the notification was changed since: it does not escalate any more"
        return notification

    def _check_steps(self, job: Job) -> None:
        """Whether an escalation that is about to begin can go on. What everybody was told a short while ago does not
        escalate once more."""
        is_repeated = any(each.reason == COOLDOWN for each in job.skipped)
        if is_repeated and not job.users and not any(each.status == "held" for each in job.skipped):
            job.steps = ()
        if not job.steps:
            return
        problems = []
        if not self.journal:
            problems.append("escalate needs the journal, which knows whether somebody decided: set delivery_log_token")
        if not job.trigger.analysis_id:
            problems.append("escalate needs an Analysis that goes on with it: set T_ANALYSIS_ID to its id")
        if not self.settings.tag_key and any("=" not in step.to for step in job.steps):
            problems.append('escalate, to: without tag_key it must name the tag too, such as "role=supervisor"')
        one_error(problems)

    def _plan_left(self, left: Unfinished, trigger: Trigger) -> None:
        """A campaign of an earlier run, unless there is nothing to do for it now and it only has to be watched on."""
        key, known = left.campaign.key, left.known
        earlier = replace(left.trigger, analysis_id=trigger.analysis_id)
        job = Job(left.campaign, earlier, deque(), left=True, in_doubt=known.in_doubt(), steps=known.steps)
        job.cut_off = known.cut_off
        if known.is_decided:
            if left.pending:
                self.report.notes.append(f"campaign {key} was decided meanwhile; the rest is not told")
            job.is_decided = True
            job.skipped = [Outcome(user_id, "", "skipped", DECIDED) for user_id in left.pending]
            self.jobs.append(job)
            return
        job.step_of = dict(known.step_of)
        found = users_by_id(self.tago.run, left.pending, self.sleep)
        gone = [Outcome(user, "", "failed", "no longer a TagoRUN user") for user in left.pending - found.keys()]
        inactive = [user for user in found.values() if not user.active]
        job.skipped = gone + [Outcome(user.id, user.name, "skipped", "inactive user") for user in inactive]
        job.users = deque(user for user in found.values() if user.active)
        if left.pending:
            took_up = f"took up campaign {key}, which an earlier run left with {len(job.users)} to tell"
            self.report.notes.append(took_up)
        due = FollowUp(self.tago.run, self.settings, known, self.tago.client.time_at_tagoio(), self.sleep)
        for number, step, audience in due.steps():
            self._take_step(job, number, step, audience)
        job.overdue = due.overdue()
        job.is_watched = due.goes_on
        self.report.notes += due.notes
        self.report.left_behind += due.missed
        if job.has_work or job.skipped or not job.is_watched:
            self._plan(job)

    def _take_step(self, job: Job, number: int, step: Step, audience: Audience) -> None:
        added = list(audience.chosen)
        job.taking[number] = step, [user.id for user in added]
        job.step_of |= {user.id: number for user in (*added, *(user for user, _ in audience.skipped))}
        job.users.extend(added)
        job.skipped += [Outcome(user.id, user.name, "skipped", reason) for user, reason in audience.skipped]
        said = f"{step.line}: campaign {job.campaign.key} goes on to {step.to} ({len(added)} users)"
        self.report.notes.append(said)

    def _say_unfinished(self, seconds: float) -> None:
        self.console.hint(
            f"An earlier run left a campaign unfinished; watching {seconds:.0f} s whether it is still at it"
        )


def _continues(trigger: Trigger, left: Unfinished) -> bool:
    if trigger.kind == "action":
        return bool(trigger.points) and new_campaign(trigger, left.campaign.started_at).key == left.campaign.key
    return trigger.kind == "manual" and left.trigger.kind == "manual" and bool(left.known.untold)
