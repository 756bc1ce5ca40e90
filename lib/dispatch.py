"""A run's campaigns, from plan to report: what an earlier run left first, then this run's own."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, tzinfo

import structlog

from lib.audience import Audience, users_by_id
from lib.campaign import Campaign, TagoRunChannel, composed, messages, new_campaign
from lib.campaign_log import CampaignLog
from lib.console import Console
from lib.courtesy import Policy, cooling, opted_out, quiet, subject_key
from lib.delivery import BY_HAND, WORKERS, Delivery
from lib.errors import SetupError
from lib.journal import Journal, Unfinished
from lib.notification import PRIORITIES, PUSH_CHARACTERS, Notification
from lib.placeholders import zone_of
from lib.profile import check_quota, profile_timezone, quota_left
from lib.report import Outcome, Report, Status
from lib.settings import Settings
from lib.transport import TagoIO
from lib.trigger import Trigger
from lib.user import User
from lib.window import RateWindow

NotificationFor = Callable[[Trigger, User], Notification | str]
LAST_WORDS = 1.5  # seconds of the time budget that are kept for the journal and the report


@dataclass(slots=True)
class Job:
    """A campaign with those it has still to tell; `left` says that an earlier run left it, `in_doubt` of whom
    it is not known whether that told them."""

    campaign: Campaign
    trigger: Trigger
    users: deque[User]
    skipped: list[Outcome] = field(default_factory=list)
    left: bool = False
    in_doubt: set[str] = field(default_factory=set)


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


class Dispatch:
    """Plans the jobs of a run, checks them, and delivers them. Everything that can be wrong with the set-up is raised
    as a SetupError while planning: `deliver` tells the first user."""

    def __init__(self, tago: TagoIO, settings: Settings, console: Console, content: NotificationFor) -> None:
        self.tago = tago
        self.settings = settings
        self.console = console
        self.content = content
        self.report = Report()
        self.jobs: list[Job] = []
        self._zone: tzinfo | None = None
        self.interrupted = ""
        self.told: set[tuple[str, str]] = set()  # (user id, subject key), also of what this run plans
        self.started = time.time()
        self.deadline = self.started + (settings.time_budget or float("inf"))
        tago.client.deadline = self.deadline - LAST_WORDS / 3
        self.window = RateWindow(settings.rate_limit, on_wait=self._say_wait)
        self.journal = open_journal(tago, settings, sleep=self.sleep, on_wait=self._say_unfinished)
        self.rules = list(self._rules(settings))

    @property
    def keys(self) -> list[str]:
        """Of the campaigns that this run is about."""
        return [job.campaign.key for job in self.jobs]

    def plan_unfinished(self, trigger: Trigger) -> bool:
        """Take up what earlier runs left. True when this run's own campaign is among that: the same event of an
        Action, or, for a run by hand, one by hand that was cut off. Then there is nothing more to plan."""
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
                self._plan(self._job_of(left, trigger))
            except SetupError as error:
                self.report.left_behind += len(left.pending)
                self.report.notes.append(f"campaign {key}, which an earlier run left, cannot be finished: {error}")
        return is_own

    def plan(self, trigger: Trigger, audience: Audience) -> None:
        """This run's own campaign, unless the journal says that this very event was dealt with."""
        campaign = new_campaign(trigger, self.tago.client.time_at_tagoio())
        self.report.notes += audience.notes
        if trigger.kind == "action" and self.journal and self.journal.state_of(campaign.key):
            self.report.notes.append(f"this event was dealt with before, as campaign {campaign.key}")
            return
        skipped = [Outcome(user.id, user.name, "skipped", reason) for user, reason in audience.skipped]
        self._plan(Job(campaign, trigger, audience.chosen, skipped))

    def check(self) -> None:
        """The last look before anyone is told: raises SetupError where the audience does not fit the push quota. What
        an earlier run left must not keep an alarm from going out."""
        quota = quota_left(self.tago.profile)
        own = sum(len(job.users) for job in self.jobs if not job.left)
        check_quota(quota, own)
        if isinstance(quota, str):
            self.report.notes.append(quota)
        elif own + sum(len(job.users) for job in self.jobs if job.left) > quota[0]:
            self.jobs = [job for job in self.jobs if not job.left]
            self.report.notes.append(f"what earlier runs left does not fit the push quota ({quota[0]} left) and waits")

    def deliver(self) -> Report:
        """Write down what is planned, then tell everybody."""
        logs = {job.campaign.key: self._open_log(job) for job in self.jobs}
        self.jobs = [job for job in self.jobs if self._is_ours(job)]
        total = sum(len(job.users) + len(job.skipped) for job in self.jobs)
        for job in self.jobs:
            log = logs[job.campaign.key]
            self._deliver(job, log, total, [each for each in logs.values() if each])
            if log:
                log.close()
                self.report.notes += log.notes()
        self.report.seconds = time.time() - self.started
        return self.report

    def _is_ours(self, job: Job) -> bool:
        """Two runs may have taken it up, or begun it, at the same moment: one of them steps back."""
        if not self.journal or not job.users or self.journal.is_ours(job.campaign):
            return True
        self.report.notes.append(f"campaign {job.campaign.key} is being delivered by another run; left to it")
        return False

    def _deliver(self, job: Job, log: CampaignLog | None, total: int, logs: list[CampaignLog]) -> None:
        def record(outcome: Outcome) -> None:
            self.report.add(outcome)
            structlog.get_logger().debug(
                "outcome", campaign=job.campaign.key, user=outcome.user_id, status=outcome.status, reason=outcome.reason
            )
            if log:
                log.record(outcome)

        def tick() -> None:
            self.console.progress(len(self.report.outcomes), total, self.report.not_told)
            for each in logs:  # a campaign that waits for its turn must not seem dead
                each.tick()

        for outcome in job.skipped:
            if outcome.status == "held" and job.left and log:
                self.report.add(outcome)
                log.keep_open()
            else:
                record(outcome)
        channel = TagoRunChannel(self.tago.run, job.campaign)
        delivery = Delivery(
            channel,
            self.window,
            deadline=self.deadline - LAST_WORDS,
            workers=min(WORKERS, max(len(job.users), 1)),
            look_first=job.in_doubt,
            is_held_up=lambda: any(each.is_stuck() for each in logs),
        )
        delivery.stopped = self.interrupted
        delivery.deliver(messages(job.users, self._composer(job), record), record, tick)
        self.interrupted = delivery.stopped if delivery.stopped == BY_HAND else self.interrupted
        if delivery.in_doubt:
            self.report.notes.append(
                f"{delivery.in_doubt} answers were lost on the way (time-out, reset, 5xx); TagoIO was asked: "
                f"{delivery.had_arrived} had arrived, the others were sent again or are named above"
            )
        if channel.icon_refused:
            self.report.notes.append(f"TagoIO refused the icon ({channel.icon_refused}); sent without it")

    def _plan(self, job: Job) -> None:
        """Compose for everyone, sort out whom a rule leaves out, and put high priority first, low last."""
        by_priority: dict[str, deque[User]] = {priority: deque() for priority in PRIORITIES}
        too_long = 0
        for user in job.users:
            notification = composed(user, self._composer(job))
            verdict = self._verdict(user, notification)
            if verdict:
                job.skipped.append(verdict)
            elif not isinstance(notification, str):
                if self.settings.cooldown:
                    self.told.add((user.id, subject_key(notification.subject)))
                by_priority[notification.priority].append(user)
                too_long += notification.is_too_long_for_push
        job.users = deque(user for users in by_priority.values() for user in users)
        if too_long:
            self.report.notes.append(
                f"{too_long} of the messages exceed the {PUSH_CHARACTERS} characters that TagoIO documents for push"
            )
        self.jobs.append(job)

    def _verdict(self, user: User, notification: Notification | str) -> Outcome | None:
        """The outcome of a user who is not told, by the first rule that says so."""
        if isinstance(notification, str):
            return Outcome(user.id, user.name, "skipped", notification)
        for policy, status in self.rules:
            reason = policy(user, notification)
            if reason:
                return Outcome(user.id, user.name, status, reason, subject=notification.subject)
        return None

    def _rules(self, settings: Settings) -> Iterator[tuple[Policy, Status]]:
        yield opted_out(settings.opt_out_tag), "skipped"
        if settings.cooldown and self.journal:
            self.told |= self.journal.recently_told(settings.cooldown)
            yield cooling(self.told), "skipped"
        if settings.quiet_hours:
            now = self.tago.client.time_at_tagoio
            yield quiet(settings.quiet_hours, now, self._zone_otherwise), "held" if self.journal else "skipped"

    def _zone_otherwise(self, name: str) -> tzinfo:
        """The profile's time zone where a user's is not known, said once; UTC where that is not known either."""
        if self._zone is None:
            profile = profile_timezone(self.tago.profile)
            self._zone = zone_of(profile) or UTC
            said = f'"{name}"' if name else "empty"
            self.report.notes.append(f"some users' time zone is {said} and not known; took {profile or 'UTC'} for it")
        return self._zone

    def _composer(self, job: Job) -> Callable[[User], Notification | str]:
        return lambda user: self.content(job.trigger, user)

    def _job_of(self, left: Unfinished, trigger: Trigger) -> Job:
        if left.is_decided:
            self.report.notes.append(f"campaign {left.campaign.key} was decided meanwhile; the rest is not told")
            late = [Outcome(user_id, "", "skipped", "decided meanwhile") for user_id in left.pending]
            return Job(left.campaign, left.trigger, deque(), late, left=True)
        found = users_by_id(self.tago.run, left.pending, self.sleep)
        gone = [Outcome(user, "", "failed", "no longer a TagoRUN user") for user in left.pending - found.keys()]
        inactive = [
            Outcome(user.id, user.name, "skipped", "inactive user") for user in found.values() if not user.active
        ]
        users = deque(user for user in found.values() if user.active)
        self.report.notes.append(
            f"took up campaign {left.campaign.key}, which an earlier run left with {len(users)} to tell"
        )
        earlier = replace(left.trigger, analysis_id=trigger.analysis_id)
        return Job(left.campaign, earlier, users, [*gone, *inactive], left=True, in_doubt=left.in_doubt)

    def _open_log(self, job: Job) -> CampaignLog | None:
        if not self.journal:
            return None
        if job.left:
            return self.journal.resume(job.campaign) if job.users else self.journal.look_after(job.campaign)
        held = [outcome.user_id for outcome in job.skipped if outcome.status == "held"]
        return self.journal.begin(job.campaign, job.trigger, [*(user.id for user in job.users), *held])

    def sleep(self, seconds: float) -> None:
        """Never past the time budget."""
        time.sleep(max(0.0, min(seconds, self.deadline - LAST_WORDS - time.time())))

    def _say_wait(self, seconds: float) -> None:
        self.console.hint(f"Rate limit reached; going on in {seconds:.0f} s")

    def _say_unfinished(self, seconds: float) -> None:
        self.console.hint(
            f"An earlier run left a campaign unfinished; watching {seconds:.0f} s whether it is still at it"
        )


def _continues(trigger: Trigger, left: Unfinished) -> bool:
    if trigger.kind == "action":
        return bool(trigger.points) and new_campaign(trigger, left.campaign.started_at).key == left.campaign.key
    return trigger.kind == "manual" and left.trigger.kind == "manual" and bool(left.untold)
