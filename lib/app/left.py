"""What earlier runs left: which of it this run takes up, and who is to be told of it."""

from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator, Set

from lib.app.job import Job, Sorting
from lib.app.report import Report
from lib.app.settings import Settings
from lib.base.errors import SetupError, TagoIOError
from lib.base.text import NAMES_SHOWN
from lib.campaign.alarm import Alarm, alarm_key, all_clear_key
from lib.campaign.next_steps import Policy, TakeStep, Tell, next_steps, tell_end
from lib.campaign.outcome import EARLIER, Outcome, Status
from lib.campaign.rows import audience_rows, campaign_row, joining_rows, told_row
from lib.campaign.state import CampaignState
from lib.message.escalation import Step
from lib.message.trigger import Trigger
from lib.message.user import User
from lib.tagoio.audience import Audience, NobodyFound, RunUsers, choose_audience, users_by_id
from lib.tagoio.journal import Journal


class Left:
    """Makes the jobs of campaigns that earlier runs have begun."""

    def __init__(
        self,
        run_users: RunUsers,
        journal: Journal,
        settings: Settings,
        policy: Policy,
        sorting: Sorting,
        report: Report,
        sleep: Callable[[float], None],
    ) -> None:
        self.run_users = run_users
        self.journal = journal
        self.settings = settings
        self.policy = policy
        self.sorting = sorting
        self.report = report
        self.sleep = sleep

    def jobs(
        self, state: CampaignState, trigger: Trigger, before: Job | None = None, known: Iterable[User] = ()
    ) -> Iterator[Job]:
        """What is due of it now. `before` is what was planned of it before something new became known; `known` users
        need not be looked up."""
        job = self._job(state, trigger, self.journal.now(), before, {user.id: user for user in known})
        if job:
            self._read(state.replaces)
            yield job

    def older(self, job: Job, is_left_to_another: Callable[[CampaignState], bool]) -> Iterator[Job]:
        """Of those whom that campaign has told anew the copies of older ones are to be closed."""
        for key in job.state.replaces:
            older = self.journal.state(key)
            if not is_left_to_another(older):
                yield from self.jobs(older, job.trigger)

    def ends(self, jobs: Iterable[Job]) -> Iterator[Job]:
        """What tells who had been told that an alarm is over."""
        ended: dict[str, list[Job]] = {}
        for job in jobs:
            if any(tell_end(job.state, self.journal.now(), self.policy)) and job.state.ending:
                ended.setdefault(all_clear_key(job.state.ending.by or job.key), []).append(job)
        for key, alike in ended.items():
            yield from self._all_clear(key, alike)

    def _read(self, keys: Iterable[str]) -> None:
        """The campaigns that one replaces, which may be finished."""
        device, unknown = self.journal.device, [key for key in keys if key not in self.journal.states]
        try:
            self.journal.states |= device.states(unknown) if device and unknown else {}
        except TagoIOError as error:
            self.journal.give_up(error.message)

    def _job(
        self, state: CampaignState, trigger: Trigger, now: float, before: Job | None, known: dict[str, User]
    ) -> Job | None:
        """None where nothing is due, or where it cannot be looked up: then the next run tries."""
        if state.missing:
            note = f"campaign {state.key}: the journal has lost the ids of {state.missing} of its users"
            self.report.note(note, undone=state.missing)
        actions = next_steps(state, now, self.policy)
        if not actions and not before:
            return None
        job = Job(state, state.trigger._replace(analysis_id=trigger.analysis_id), state.started_at, steps=state.steps)
        job.event_number = 0 if state.lacks_points else state.repeats  # then the copies are brought up to date later
        if before:
            job.rows = before.rows
            job.settled = [each for each in before.settled if each.user_id not in state.audience]
        for action in actions:
            if isinstance(action, TakeStep):
                known = known | self._take_step(job, action)
        job.actions = next_steps(state, now, self.policy)
        try:
            for action in job.actions:
                if isinstance(action, Tell):
                    self._tell(job, action, known)
        except SetupError as error:
            self.leave(state, str(error), now)
            return None
        return job

    def _all_clear(self, key: str, ended: list[Job]) -> Iterator[Job]:
        """One campaign for all that an event has cleared, whoever begins it; where another run has, who is not in it
        yet joins. Where the alarm was raised again there is nothing to tell."""
        trigger = ended[0].trigger._replace(points=(), device_id=ended[0].trigger.device)
        job = Job(CampaignState(key), trigger, self.journal.now() - 1.0, ended=ended[0].state)
        job.rows = [told_row(each.key, self.policy.run) for each in ended]
        job.about = {"all_clear": ended[0].state.alarm, **job.all_clear.about()} if job.all_clear else {}
        ending = ended[0].state.ending
        job.may_be_told_since = ending.at if ending and ending.answer.run != self.policy.run else 0.0
        try:
            alarm, begun = self._alarm(job), self._begun(key)
            last = (alarm.campaign, *([] if alarm.campaign else alarm.cleared))
            users = {user for each in ended for user in each.state.told} - begun.audience.keys()
            is_last = self.settings.dry_run or any(each.key in last for each in ended)  # a dry run writes no end
            if users and begun.started and is_last:
                job.rows += joining_rows(key, self.policy.run, users)
                begun.take(row._replace(at=self.journal.now()) for row in job.rows)
                self.journal.states[key] = begun
                yield from self.jobs(begun, trigger, job)
                return
            if users and is_last:
                self.sorting.sort(job, deque(users_by_id(self.run_users, users, self.sleep).values()))
        except (TagoIOError, SetupError) as error:
            self.report.note(f"that campaign {ended[0].key} is over is not told yet: {error}", undone=1)
            return
        if job.has_text:
            self.journal.states[key] = job.state
            yield job
        else:
            self.journal.add(job.rows)

    def _begun(self, key: str) -> CampaignState:
        device = self.journal.device
        return device.states([key])[key] if device else CampaignState(key)

    def is_raised_again(self, job: Job) -> bool:
        """Whether the alarm is open, the end of which that job tells. Raises TagoIOError."""
        return self._alarm(job).campaign != ""

    def _alarm(self, job: Job) -> Alarm:
        device, trigger, started = self.journal.device, job.trigger, job.state.started
        name = job.about.get("all_clear") or (started.text("all_clear") if started else "")
        key = alarm_key(trigger.analysis_id, trigger.device, name)
        return Alarm(device.alarm_rows(key) if device else ())

    def leave(self, state: CampaignState, why: str, now: float) -> None:
        """Say that this run cannot finish it, and of each user who is still to be told that they wait for the next."""
        waiting = list(state.unsettled())
        said = f"campaign {state.key}, which an earlier run left, waits for the next run"
        self.report.note(said if waiting else f"{said}: {why}", undone=1)
        for user in waiting:
            is_open = state.may_hide_it(user, self.policy.run)
            status: Status = "unknown" if is_open else "pending"
            reason = f"{EARLIER}; {why}" if is_open else why
            step, known = state.audience.get(user, 0), state.outcomes.get(user)
            at = max(now, known.at + 0.001 if known else 0.0)  # TagoIO's clock is known to the second only
            outcome = Outcome(user, "", status, reason, step=step, run=self.policy.run, at=at)
            state.settle(outcome)
            self.report.log(state.key, outcome)

    def added_by(self, step: Step, told: Container[str]) -> Audience:
        """Who is not in the campaign yet. Raises SetupError where that cannot be looked up."""
        key, value = step.tag(self.settings.tag_key)
        choice = self.settings.choice._replace(send_to=("tags",), tag_key=key, tag_value=(value,))
        try:
            audience = choose_audience(self.run_users, choice, sleep=self.sleep)
        except NobodyFound:
            self.report.note(f'escalate: no TagoRUN user has the tag "{key}" = "{value}"')
            return Audience()
        chosen = deque(user for user in audience.chosen if user.id not in told)
        skipped = [(user, reason) for user, reason in audience.skipped if user.id not in told]
        if len(chosen) < len(audience.chosen):
            self.report.note(f"escalate, {step.to}: {len(audience.chosen) - len(chosen)} have been told already")
        return Audience(chosen, skipped)

    def _tell(self, job: Job, tell: Tell, known: dict[str, User]) -> None:
        wanted = list(tell.users)
        if tell.only_ask:
            self.report.note(f"campaign {job.key} was {job.state.why_over}; the rest is not told")
            wanted = [user for user in tell.users if job.state.may_hide_it(user, self.policy.run)]
            untold = tell.users.keys() - set(wanted)
            names, why = self._names(untold), job.state.why_over
            job.settled += [Outcome(user, names.get(user, ""), "skipped", why) for user in tell.users if user in untold]
        missing = set(wanted) - known.keys()
        found = {**known, **users_by_id(self.run_users, missing, self.sleep)} if missing else known
        users = deque(found[user] for user in wanted if user in found)
        job.settled += [Outcome(user, "", "failed", "no longer a TagoRUN user") for user in wanted if user not in found]
        if missing:
            count = sum(user.active for user in users)
            self.report.note(f"took up campaign {job.key}, which an earlier run left with {count} to tell")
        self.sorting.sort(job, users, ruled=job.state.why_over if tell.only_ask else "")

    def _names(self, users: Set[str]) -> dict[str, str]:
        """Of so many as the report names."""
        try:
            found = users_by_id(self.run_users, set(users), self.sleep) if len(users) <= NAMES_SHOWN else {}
        except SetupError:
            return {}  # then they are named by id
        return {user: each.name for user, each in found.items()}

    def _take_step(self, job: Job, action: TakeStep) -> dict[str, User]:
        """The users that a step adds. One that cannot be taken waits for the next run and keeps no other back."""
        step = action.step
        try:
            audience = self.added_by(step, job.state.audience)
        except SetupError as error:
            self.report.note(f"escalate, {step.to}: cannot be told now: {error}", undone=1)
            return {}
        added = [user.id for user in audience.chosen]
        escalated = campaign_row(job.key, "escalated", self.policy.run, step=action.number, to=step.to)
        rows = [*audience_rows(job.key, added, action.number), escalated]
        job.state.take(rows)
        job.rows += rows
        job.settled += [
            Outcome(user.id, user.name, "skipped", reason, step=action.number) for user, reason in audience.skipped
        ]
        self.report.note(f"{step.line}: campaign {job.key} goes on to {step.to} ({len(added)} users)")
        return {user.id: user for user in audience.chosen}
