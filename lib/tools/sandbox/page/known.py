"""What is known of each user on a day: what TagoIO saw, what the Analysis said at last, and whom the journal says it
still has to tell."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from lib.campaign.key import marked_parts
from lib.campaign.state import CampaignState
from lib.tools.sandbox.page.days import Day
from lib.tools.sandbox.page.journal import Journal
from lib.tools.sandbox.page.witness import LOOKS, TELLS, Step
from lib.tools.sandbox.store import Record

LEFT_OUT = ("skipped", "held")
CHANGES = {"updated", "closed"}  # of a copy that the user has from before


@dataclass(frozen=True, slots=True)
class Known:
    """`told`: how often TagoIO has taken the same for them, on this day or before. `is_waiting`: they are in an
    audience, and nobody has said a last word on them. `has_older`: they have a copy of one of the day's
    campaigns that was made before it began."""

    user_id: str
    steps: list[Step] = field(default_factory=list)
    outcome: Record = field(default_factory=dict)
    told: int = 0
    is_waiting: bool = False
    has_older: bool = False

    @property
    def status(self) -> str:
        return str(self.outcome.get("status") or "")

    @property
    def changed(self) -> str:
        """`closed` or `updated` where nothing new was sent: only the copy from before was changed; else ""."""
        kinds = [step.kind for step in self.steps]
        is_only = not (self.status or self.is_waiting) and set(kinds) <= CHANGES | LOOKS
        return next((kind for kind in reversed(kinds) if kind in CHANGES), "") if is_only else ""

    @property
    def is_left_out(self) -> bool:
        return not self.steps and self.status in LEFT_OUT

    @property
    def is_of_note(self) -> bool:
        """Not only looked at."""
        return bool(self.status or self.is_waiting or {step.kind for step in self.steps} - LOOKS)

    @property
    def is_told(self) -> bool:
        """As far as the Analysis can know: TagoIO has said so."""
        return self.status in ("sent", "fallback") or any(step.kind == "sent" and step.note_id for step in self.steps)

    @property
    def is_dropped(self) -> bool:
        """TagoIO has given an id and made no notification, which the Analysis cannot know."""
        return not self.told and any(step.kind == "dropped" for step in self.steps)

    @property
    def is_told_before(self) -> bool:
        """On a day before, and not on this one."""
        return not told_by(self.steps) and (bool(self.told) or self.has_older)


def told_by(steps: Iterable[Step]) -> set[str]:
    """The notifications that were sent in these steps."""
    return {step.note_id for step in steps if step.kind in TELLS} - {""}


def known_of(day: Day, steps: Sequence[Step], journal: Journal, notes: Iterable[Record] = ()) -> list[Known]:
    """Of whoever had to do with the day; `steps` are those of all days, `notes` all that the inboxes show."""
    states = [journal.state(campaign) for campaign in sorted(day.touched)]
    waiting = dict(_waiting(day, states))
    own, told = _by_user(day.steps), _by_user(_tells(day, steps))
    outcomes = {**waiting, **day.outcomes}
    older = set(_older(day, notes))
    everybody = (
        Known(
            user, own.get(user, []), outcomes.get(user, {}), _most(told.get(user, [])), user in waiting, user in older
        )
        for user in dict.fromkeys([*outcomes, *own])
    )
    return [each for each in everybody if each.is_of_note]


def audience_of(day: Day, everybody: Iterable[Known]) -> list[str]:
    """Whom the day was to tell; of an external Analysis nobody knows."""
    if day.is_external:
        return []
    return [each.user_id for each in everybody if not each.changed and each.status not in LEFT_OUT]


def is_whole(day: Day, journal: Journal) -> bool:
    """Whether the journal tells whom each of the day's campaigns is for."""
    return bool(day.touched) and all(journal.state(campaign).started for campaign in day.touched)


def _waiting(day: Day, states: Iterable[CampaignState]) -> Iterator[tuple[str, Record]]:
    """With what the journal says of them so far. Of another day's campaign that tells nobody more nobody waits."""
    for state in states:
        if state.key in day.campaigns or not state.tells_nobody:
            for user in state.unsettled():
                outcome = state.outcomes.get(user)
                yield user, {"status": outcome.status, "reason": outcome.reason} if outcome else {}


def _tells(day: Day, steps: Iterable[Step]) -> Iterator[Step]:
    """What a campaign has told is the same on every day. A text without one is the same on its own day only."""
    touched, numbers = day.touched, {run.number for run in day.runs}
    for step in steps:
        if step.note_id and step.kind in TELLS and (step.campaign in touched or step.run in numbers):
            yield step


def _older(day: Day, notes: Iterable[Record]) -> Iterator[str]:
    """Whose copy of one of the day's campaigns was made before it began."""
    began, touched = day.runs[0].began, day.touched
    for note in notes:
        if note["created_at"] < began and any(marked_parts(str(each["id"]))[1] in touched for each in note["buttons"]):
            yield str(note["run_user"])


def _by_user(steps: Iterable[Step]) -> dict[str, list[Step]]:
    found: dict[str, list[Step]] = {}
    for step in steps:
        found.setdefault(step.user_id, []).append(step)
    return found


def _most(tells: Iterable[Step]) -> int:
    return max(Counter(step.what for step in tells).values(), default=0)
