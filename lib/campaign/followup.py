"""What became due of an earlier campaign since it was sent: steps of its escalation, and users to tell another way."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from lib.app.settings import Settings
from lib.base.duration import shown_duration
from lib.base.errors import SetupError
from lib.campaign.known import Known
from lib.message.escalation import Step
from lib.tagoio.audience import Audience, NobodyFound, RunUsers, choose_audience


@dataclass(frozen=True, slots=True)
class Overdue:
    """A user to be told by another channel, `why` as in fallback.py, with the reason for the report. Of `unread` it
    is still to be asked whether they have read it meanwhile."""

    user_id: str
    why: str
    reason: str
    notification_id: str = ""


class FollowUp:
    """Looks what is due at `now` (TagoIO's clock) of a campaign that nobody has decided. `goes_on` says whether
    something may become due later, `missed` counts steps that could not be taken. Nothing is written."""

    def __init__(
        self, run: RunUsers, settings: Settings, known: Known, now: datetime, sleep: Callable[[float], None]
    ) -> None:
        self.run = run
        self.settings = settings
        self.known = known
        self.now = now
        self.sleep = sleep
        self.goes_on = False
        self.missed = 0
        self.notes: list[str] = []
        self._chosen = set(known.audience)

    def steps(self) -> Iterator[tuple[int, Step, Audience]]:
        """The steps that are due and not taken yet, by number, each with whom it adds: a run that comes late takes
        several. One that cannot be taken waits for the next run and keeps the others from nothing."""
        if self.known.pressed:  # somebody has answered, even if that could not be written down as the decision
            return
        start = self.known.first_sent_at
        for number, step in enumerate(self.known.steps, start=1):
            if number in self.known.steps_taken:
                continue
            if start is None or self.now < start + timedelta(seconds=step.after):
                self.goes_on = True
                return
            try:
                yield number, step, self.added_by(step)
            except SetupError as error:
                self.goes_on = True
                self.missed += 1
                self.notes.append(f"escalate, {step.to}: cannot be told now: {error}")

    def overdue(self) -> list[Overdue]:
        """Whose notification failed and who was not told by another channel yet, and who may not have read one of high
        priority in time."""
        if not self.settings.fallback:
            return []
        known = self.known
        due = [
            Overdue(user, "failed", reason) for user, reason in known.failed.items() if user not in known.other_channel
        ]
        within = self.settings.escalate_after
        for user, sent in known.sent.items():
            if not within or not sent.is_high or user in known.other_channel or user in known.pressed:
                continue
            if self.now < sent.at + timedelta(seconds=within):
                self.goes_on = True
            else:
                reason = f"not read within {shown_duration(within)}"
                due.append(Overdue(user, "unread", reason, sent.notification_id))
        return due

    def added_by(self, step: Step) -> Audience:
        """Who is not in the campaign yet. Raises SetupError where that cannot be looked up."""
        key, value = step.tag(self.settings.tag_key)
        wanted = replace(self.settings, send_to=("tags",), tag_key=key, tag_value=(value,))
        try:
            audience = choose_audience(self.run, wanted, sleep=self.sleep)
        except NobodyFound:
            self.notes.append(f'escalate: no TagoRUN user has the tag "{key}" = "{value}"')
            return Audience()
        chosen = [user for user in audience.chosen if user.id not in self._chosen]
        skipped = [(user, reason) for user, reason in audience.skipped if user.id not in self._chosen]
        if len(chosen) < len(audience.chosen):
            self.notes.append(f"escalate, {step.to}: {len(audience.chosen) - len(chosen)} have been told already")
        audience.chosen.clear()
        audience.chosen.extend(chosen)
        audience.skipped = skipped
        self._chosen.update(user.id for user in (*chosen, *(user for user, _ in skipped)))
        return audience
