"""A campaign as one run works on it: who is to be told, in which order, and whom a rule leaves out."""

from collections import deque
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from lib.app.report import Report
from lib.app.rules import Rules
from lib.base.errors import SetupError
from lib.campaign.alarm import Severity
from lib.campaign.fold import Answer
from lib.campaign.next_steps import Action
from lib.campaign.outcome import Outcome
from lib.campaign.rows import Row, campaign_row, started_rows
from lib.campaign.state import CampaignState
from lib.message.alarm import AllClear, repeated_line
from lib.message.content import NOBODY, Content, composed
from lib.message.escalation import Step, steps_text
from lib.message.notification import PRIORITIES, PUSH_CHARACTERS, Notification
from lib.message.placeholders import zone_of
from lib.message.trigger import Trigger
from lib.message.user import User
from lib.tagoio.audience import is_inactive

NOT_AGAIN = "the notification was changed since: it does not escalate any more"


@dataclass(slots=True)
class AlarmFacts:
    """What the texts say of alarms: of which `name` they are, how severe; and which the event ends."""

    name: str = ""
    severity: Severity = (len(PRIORITIES), 0)
    again: bool = False
    ends: dict[str, AllClear] = field(default_factory=dict)

    def end(self, all_clear: AllClear, language: str = "") -> None:
        """`compose` says so for each user, in their language."""
        known = self.ends.get(all_clear.alarm)
        if known is None:
            self.ends[all_clear.alarm] = known = all_clear
        said = all_clear.in_language(language)
        if language and known.in_language(language) != said:
            lines = {**known.translations, language.lower().replace("_", "-"): said}
            self.ends[all_clear.alarm] = replace(known, translations=lines)


@dataclass(slots=True)
class Job:
    """`users` are those to be told, by priority. `otherwise` has the outcome of those among them who are only asked
    about: a rule leaves them out, but an earlier run may have told them. `settled` needs nothing more; `rows` are to be
    written first; `actions` are what else was due; `about` goes into the row that begins it. `ended` is the campaign
    of the alarm that this one, which this run begins, tells the end of. `as_repeat` are the rows of an event where
    another run has begun the campaign of its alarm meanwhile. `may_be_told_since`: from then on a run that lost its
    journal before it could begin it may have told people; 0 where there was none."""

    state: CampaignState
    trigger: Trigger
    started_at: float
    is_own: bool = False
    users: dict[str, deque[User]] = field(default_factory=lambda: {priority: deque() for priority in PRIORITIES})
    otherwise: dict[str, Outcome] = field(default_factory=dict)
    settled: list[Outcome] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    steps: tuple[Step, ...] = ()
    actions: list[Action] = field(default_factory=list)
    has_text: bool = False
    answer_buttons: set[str] = field(default_factory=set)
    alarm: AlarmFacts = field(default_factory=AlarmFacts)
    about: dict[str, str] = field(default_factory=dict)
    event_number: int = 0  # of the alarm's events, the one that the trigger is; 0 for the first
    ended: CampaignState | None = None
    as_repeat: list[Row] = field(default_factory=list)
    may_be_told_since: float = 0.0

    @property
    def key(self) -> str:
        return self.state.key

    @property
    def waiting(self) -> list[User]:
        """Who would be told."""
        return [user for users in self.users.values() for user in users if self.is_to_tell(user)]

    def is_to_tell(self, user: User) -> bool:
        """And not only to be asked about."""
        return user.id not in self.otherwise

    @property
    def size(self) -> int:
        return sum(map(len, self.users.values()))

    @property
    def is_empty(self) -> bool:
        """There is no text for anybody, so that nothing needs to be written down."""
        return self.is_new and not self.has_text

    @property
    def is_new(self) -> bool:
        """This run begins it."""
        return self.is_own or self.ended is not None

    @property
    def all_clear(self) -> Answer | None:
        """What it tells of the end of an alarm, in place of a text of its own."""
        return self.ended.ending.answer if self.ended and self.ended.ending else self.state.all_clear

    def opening(self, run: str, first: str) -> list[Row]:
        """The rows by which a run begins or resumes it, and which the state takes next; `first` is told before anybody
        else is."""
        if not self.is_new:
            return [*self.rows, campaign_row(self.key, "resumed", run, first=first)]
        held = [each.user_id for each in self.settled if each.status == "held"]
        users = [*(user.id for user in self.waiting), *held]
        self.state.audience.update((user, 0) for user in users)  # as the rows will say: so each id is in memory once
        about = {
            "started_at": self.started_at,
            "escalate": steps_text(self.steps),
            "first": first,
            "buttons": " ".join(sorted(self.answer_buttons)),
            **self.about,
        }
        by = run if self.as_repeat else ""  # what the run that raised it says of a rule is older than this event
        return [*started_rows(self.key, run, self.trigger, users, by, **about), *self.rows]


class Sorting:
    """Composes for the users of a job, and sorts out whom a rule leaves out. `run` is this run."""

    def __init__(self, content: Content, rules: Rules, report: Report, run: str) -> None:
        self.content = content
        self.rules = rules
        self.report = report
        self.run = run

    def compose(self, job: Job, user: User) -> Notification | str:
        """What a user gets; who is told by a step of the escalation reads that nobody has answered, and how often an
        alarm was repeated is below its text."""
        if job.all_clear:
            line = job.all_clear.for_reader(user.language)
            return Notification(line, line, priority=PRIORITIES[-1], subject=job.key)  # no cooldown swallows an end
        notification = self.content(job.trigger, user)
        if isinstance(notification, Notification) and job.event_number:
            local = datetime.fromtimestamp(job.started_at, UTC).astimezone(zone_of(user.timezone) or UTC)
            line = repeated_line(notification.repeated, job.event_number, f"{local:%H:%M}")
            notification = replace(notification, message=f"{notification.message}\n{line}".rstrip("\n"))
        number = job.state.audience.get(user.id, 0)
        if not isinstance(notification, Notification) or not 0 < number <= len(job.steps):
            return notification
        return replace(notification, message=f"{notification.message}\n{job.steps[number - 1].line}")

    def sort(self, job: Job, users: deque[User], *, ruled: str = "") -> None:
        """`ruled` is a reason that leaves out all of them. Raises SetupError where the own campaign cannot begin: what
        is wrong for everybody is the author's mistake, what is wrong for some is theirs alone."""
        too_long = 0
        mistakes: list[str] = []
        said: set[tuple[tuple[Step, ...], str]] = set()
        if self.content.variants:
            self.note_ends(job, NOBODY)
        while users:
            user = users.popleft()
            notification = ruled or is_inactive(user) or self._composed(job, user)
            if isinstance(notification, str) and not self.content.variants:
                self.note_ends(job, user)
            if isinstance(notification, Outcome):
                mistakes.append(f"{notification.reason} (for {user.name or user.id})")
            if isinstance(notification, Notification):
                said.add((tuple(notification.escalate), notification.alarm))
                self._learn(job, notification)
                too_long += notification.is_too_long_for_push
            self._place(job, user, notification)
        if job.is_own and mistakes and not job.has_text:
            raise SetupError(mistakes[0])
        if job.is_own and said:
            _agree(job, said)
        if too_long:
            limit = f"the {PUSH_CHARACTERS} characters that TagoIO documents for push"
            self.report.note(f"{too_long} of the messages exceed {limit}")

    def _learn(self, job: Job, notification: Notification) -> None:
        _check_answerable(job, notification)
        job.has_text = True
        job.answer_buttons |= {button.id for button in notification.buttons if button.analysis}
        severity = PRIORITIES.index(notification.priority), self.content.place(job.trigger)
        job.alarm.severity = min(job.alarm.severity, severity)
        job.alarm.again = notification.repeat == "again"

    def note_ends(self, job: Job, user: User) -> None:
        """The alarms that this event ends, where the run began by it."""
        if job.is_own:
            for each in self.content.all_clears(job.trigger, user):
                job.alarm.end(each, user.language)

    def _place(self, job: Job, user: User, notification: Notification | str | Outcome) -> None:
        """Whether they have it already comes before any rule: TagoIO is asked about who is in doubt."""
        verdict = notification if isinstance(notification, Outcome) else self.rules.verdict(user, notification)
        priority = notification.priority if isinstance(notification, Notification) else PRIORITIES[-1]
        if verdict is None and isinstance(notification, Notification):
            self.rules.note_told(user, notification, job.key)
            job.users[priority].append(user)
        elif verdict and job.state.may_hide_it(user.id, self.run):
            job.otherwise[user.id] = verdict
            job.users[priority].append(user)
        elif verdict:
            job.settled.append(verdict)

    def _composed(self, job: Job, user: User) -> Notification | str | Outcome:
        """What a user gets. A text that cannot be made is that user's outcome, and nobody else's."""
        try:
            notification = composed(user, lambda each: self.compose(job, each))
        except SetupError as error:
            return Outcome(user.id, user.name, "failed" if job.is_own else "pending", str(error))
        is_new = user.id not in job.state.outcomes and job.state.audience.get(user.id, 0)
        if is_new and isinstance(notification, Notification) and not notification.escalate and not job.is_own:
            return NOT_AGAIN
        return notification


def _agree(job: Job, said: set[tuple[tuple[Step, ...], str]]) -> None:
    """What is one thing of a campaign. Raises SetupError where it differs between users."""
    for name, values in zip(("escalate", "alarm"), map(set, zip(*said, strict=True)), strict=True):
        if len(values) > 1:
            raise SetupError(f"{name} differs between users; it is one thing of a campaign: give all the same")
    job.steps, job.alarm.name = said.pop()
    job.alarm.ends.pop(job.alarm.name, None)


def _check_answerable(job: Job, notification: Notification) -> None:
    """An escalation ends when somebody decides: a button that runs another Analysis is no answer to it."""
    analysis = job.trigger.analysis_id
    if not (job.is_own and notification.escalate and analysis):
        return
    if not any(button.analysis == analysis for button in notification.buttons):
        raise SetupError(
            'escalate needs a button that runs this Analysis ("analysis": "this"): another one cannot end it'
        )
