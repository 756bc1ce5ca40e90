"""What an event is to its alarm, and what this run does of it in place of a campaign of its own.

The event is written into the rows of the alarm and seen there before anything follows from it; so of two runs that
raise, repeat or clear at once all come to the same (lib/campaign/alarm.py).
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from lib.app.job import Job
from lib.app.left import Left
from lib.base.errors import TagoIOError
from lib.campaign.alarm import Alarm, Turn, alarm_key, clear_row
from lib.campaign.fold import answer_in
from lib.campaign.rows import CHANGE, Row, audience_rows, ended_row, point_rows, replaced_row
from lib.campaign.state import CampaignState
from lib.message.alarm import LONGEST, AllClear
from lib.message.content import composed
from lib.message.notification import Notification
from lib.tagoio.journal import Journal

MOST_LANGUAGES = 7  # so that the lines fit one row


class Judged(NamedTuple):
    """What the event is to the alarm of that name, `again` where each is told. `older` is the campaign whose copies
    change by it, and so do those of `others` that are older yet."""

    name: str
    device: str
    turn: Turn | None = None  # there is nothing to end
    older: CampaignState | None = None
    again: bool = False
    others: Sequence[CampaignState] = ()


class Alarms:
    """`is_left_to_another` says whether another run may be at a campaign now, which is then watched. Without
    `is_written`, in a dry run, nothing is written."""

    def __init__(
        self,
        journal: Journal,
        left: Left,
        is_left_to_another: Callable[[CampaignState], bool],
        *,
        is_written: bool,
    ) -> None:
        self.journal = journal
        self.left = left
        self.is_left_to_another = is_left_to_another
        self.is_written = is_written
        self.planned: dict[str, Job] = {}
        self.judged: list[Judged] = []

    def jobs(self, own: Job, others: list[Job]) -> list[Job]:
        """The jobs of a run whose own one would be this: what it tells itself, and what it changes of older ones."""
        self.planned = {job.key: job for job in others}
        ended = [job for each in own.alarm.ends.values() for job in self._end(own, each)]
        held = list(self._hold(own)) if own.alarm.name else [own] if own.has_text else []
        return [*held, *ended, *self.planned.values()]

    # ---- what holds

    def _hold(self, own: Job) -> Iterator[Job]:
        key = alarm_key(own.trigger.analysis_id, own.trigger.device, own.alarm.name)
        own.about["alarm"] = own.alarm.name
        try:
            turn, state, older, ended = self._judged(key, own)
        except TagoIOError as error:
            self.journal.give_up(error.message)  # an alarm goes out all the same
            yield own
            return
        replaced = next((each for each in older if each.key == turn.replaced), None)
        changed = replaced if turn.kind == "raised" else state
        others = [each for each in older if each is not changed]
        self.judged.append(Judged(own.alarm.name, own.trigger.device, turn, changed, own.alarm.again, others))
        if turn.kind == "repeated" and state.ending:
            self._note(f'the alarm "{own.alarm.name}" that this event repeats is over, as campaign {state.key}')
            yield from self._changed(state, own)
        elif turn.kind == "repeated" and state.started:
            became = "answered" if state.is_decided else "told" if state.first_told_at else "raised"
            self._note(
                f'the alarm "{own.alarm.name}" of this device is open, and was {became} as campaign {state.key}; '
                f"this is event {turn.count}"
            )
            self.left.sorting.rules.forget(own.key)
            for each in (state, *older):
                yield from self._changed(each, own)  # nobody is told again but who has no copy
        else:
            self.journal.states.pop(own.key, None)
            if turn.kind == "repeated":  # maybe of an alarm raised by a run that came to tell nobody
                own.as_repeat = self._repeats(own, state)
                own.may_be_told_since = turn.since
            own.state = self.journal.states[state.key] = state
            own.about["replaces"] = " ".join(each.key for each in older)
            self._defer(older)
            yield own
        for each in ended:
            if each.key != state.key:
                yield from self._changed(each, own)

    def _judged(self, key: str, own: Job) -> tuple[Turn, CampaignState, list[CampaignState], list[CampaignState]]:
        """Written, and seen; in a dry run what it would be: with the campaign that the event belongs to, the older ones
        in whose place that was raised, and those that have ended. What follows from the event is written in the same
        call, for this run may be gone after it; what TagoIO's order makes otherwise is written after it. Raises
        TagoIOError."""
        alarm = self._alarm(key)
        is_over = bool(alarm.campaign) and self._state(alarm.campaign).ending is not None
        facts = own.alarm
        closed = alarm.campaign if is_over else ""
        row = alarm.event(key, own.key, self.journal.run, facts.severity, again=facts.again, over=closed)
        foreseen = alarm.take(row._replace(at=self.journal.now()))
        state, older, rows = self._following(own, alarm, foreseen)
        ended = self._ended(alarm)
        older_ones = alarm.replaced_by(foreseen.campaign)
        alarm = self._seen(alarm, row, *rows, *ended)
        turn = alarm.turns[own.key]
        may_be_begun_now = turn.kind == "repeated" and not state.started
        is_foreseen = (turn.kind, turn.campaign) == (foreseen.kind, foreseen.campaign)
        is_foreseen = is_foreseen and alarm.replaced_by(turn.campaign) == older_ones
        if may_be_begun_now or not is_foreseen:
            state, older, rows = self._following(own, alarm, turn)
            self._write(rows)
        late = self._ended(alarm)
        self._write(late)
        over = {each.key: each for each in self._over([*ended, *late])}
        state = over.get(state.key, state)  # ended by another event meanwhile
        for each in (state, *older):
            known = max((each.at for each in each.presences.values()), default=0.0)  # our clock may be behind
            each.take(row._replace(at=max(self.journal.now(), known + 0.001)) for row in rows)
        return turn, state, older, list(over.values())

    def _following(self, own: Job, alarm: Alarm, turn: Turn) -> tuple[CampaignState, list[CampaignState], list[Row]]:
        """The campaign of the event, the older ones, and the rows that say what the event is to them: it repeats all
        that are open, and those who are told anew read what came in the place of the older. Raises TagoIOError."""
        device = self.journal.device
        left_out = device.ended | device.spent if device else set()
        older_ones = (key for key in alarm.replaced_by(turn.campaign) if key not in left_out)
        state, *older = self._states([turn.campaign, *older_ones])
        older = [each for each in older if not each.ending]
        is_repeat = turn.kind == "repeated" and state.started and not state.ending
        rows = self._repeats(own, state) if is_repeat else []
        for each in older:
            rows += self._repeats(own, each, joins=False) if each.started else []
        if older and not state.started:  # raised by this event, or by a run that came to tell nobody
            why, word = "told anew" if own.alarm.again else "replaced by a worse one", self._came_after(own)
            run, by = self.journal.run, turn.campaign
            rows += [replaced_row(each.key, run, by, why, word.message, word.translations) for each in older]
        return state, older, rows

    def _repeats(self, own: Job, state: CampaignState, *, joins: bool = True) -> list[Row]:
        """The rows of an event that repeats it; without `joins` nobody is told of it for the first time."""
        is_open = joins and not state.is_over
        joined = [each.id for each in own.waiting if state.lacks(each.id)] if is_open else []
        about = {"run": self.journal.run, "event": own.key, "points": len(own.trigger.points), "added": len(joined)}
        repeated = Row(state.key, CHANGE, "repeated", about)
        points = point_rows(state.key, own.trigger, own.key)
        return [repeated, *points, *audience_rows(state.key, joined, by=self.journal.run)]

    def _alarm(self, key: str, run: str = "") -> Alarm:
        device = self.journal.device
        assert device is not None  # noqa: S101  # there are no alarms without a journal
        return Alarm(device.alarm_rows(key, run))

    def _seen(self, alarm: Alarm, row: Row, *beside: Row) -> Alarm:
        """With the event of that row, once TagoIO shows it; rows `beside` it are written with it."""
        if not self.is_written:
            return alarm
        self._write([row, *beside])
        return self._alarm(row.key, self.journal.run)

    def _write(self, rows: list[Row]) -> None:
        if self.journal.device and self.is_written and rows:
            self.journal.device.write(rows)

    def _note(self, text: str) -> None:
        """What a dry run says of it is in lib/app/foreseen.py."""
        if self.is_written:
            self.left.report.note(text)

    # ---- what is over

    def _end(self, own: Job, all_clear: AllClear) -> Iterator[Job]:
        key = alarm_key(own.trigger.analysis_id, own.trigger.device, all_clear.alarm)
        try:
            states = self._cleared(key, own, all_clear)
        except TagoIOError as error:
            note = (
                f'whether the alarm "{all_clear.alarm}" was ended is not known ({error.message}): if it was, the next '
                "run closes its copies, else the next event that clears it does"
            )
            self.left.report.note(note, undone=1)
            return
        if not states:
            self.judged.append(Judged(all_clear.alarm, own.trigger.device))
            self._note(f'nothing to end: no alarm "{all_clear.alarm}" of this device is open')
        else:
            turn, newest = states[-1]
            others = [state for _, state in states[:-1]]
            self.judged.append(Judged(all_clear.alarm, own.trigger.device, turn, newest, others=others))
        for _, state in states:
            ends = f"campaign {state.key} ends" if state.started else "nobody is known to have been told of it"
            self._note(f'the alarm "{all_clear.alarm}" of this device is over: {ends}')
            yield from self._changed(state, own)

    def _cleared(self, key: str, own: Job, all_clear: AllClear) -> list[tuple[Turn, CampaignState]]:
        """The campaigns that end by this event. What is open is ended in the call that says so, for this run may be
        gone after it. Raises TagoIOError."""
        alarm = self._alarm(key)
        row = self._clear_row(key, own.key, all_clear)
        if alarm.take(row._replace(at=self.journal.now())).kind == "nothing":
            return []
        ended = self._ended(alarm)
        alarm = self._seen(alarm, row, *ended)
        late = self._ended(alarm)  # raised meanwhile
        self._write(late)
        return [(alarm.turns[own.key], state) for state in self._over([*ended, *late])]

    def _clear_row(self, key: str, event: str, word: AllClear) -> Row:
        longest = max(map(len, (word.message, *word.translations.values())))
        if longest > LONGEST:
            self._note(f"the all-clear has {longest} characters; it is cut to {LONGEST}")
        lines = {code: line[:LONGEST] for code, line in list(word.translations.items())[:MOST_LANGUAGES]}
        return clear_row(key, event, self.journal.run, word.message[:LONGEST], lines, tell=word.tell)

    def _ended(self, alarm: Alarm) -> list[Row]:
        """The rows that end what is over and of which no row says so yet: cleared by this event, or by one whose run
        was gone before it saw that it had. They count from now on."""
        device = self.journal.device
        known = device.ended | (device.spent - {*list(alarm.cleared)[-1:]}) if device else set()
        rows = []
        for key, cleared in alarm.cleared.items():
            state, word = self.journal.state(key), answer_in(cleared)
            if key not in known and state.ending is None:
                tell, by = cleared.about.get("tell") is True, cleared.text("event")
                rows.append(ended_row(key, self.journal.run, "cleared", word.line, word.lines, tell=tell, by=by))
                state.take([rows[-1]._replace(at=self.journal.now())])
        return rows

    def _over(self, ended: list[Row]) -> list[CampaignState]:
        states = self._states([row.key for row in ended])
        for state, row in zip(states, ended, strict=True):
            state.take([row._replace(at=self.journal.now())])
        return states

    # ---- an older campaign that changes

    def _changed(self, state: CampaignState, own: Job) -> Iterator[Job]:
        """The job of a campaign after what was written of it, unless another run may be at it, which finds that."""
        before = self.planned.pop(state.key, None)
        self._defer([state])
        if not self.is_left_to_another(state):
            yield from self.left.jobs(state, own.trigger, before, own.waiting)

    def _defer(self, states: list[CampaignState]) -> None:
        """What was planned of these campaigns waits until it is known who is told anew, or of the end."""
        for state in states:
            self.planned.pop(state.key, None)
            self.journal.states[state.key] = state

    def _state(self, key: str) -> CampaignState:
        """As its rows show it now. Raises TagoIOError."""
        return self._states([key])[0]

    def _states(self, keys: list[str]) -> list[CampaignState]:
        device = self.journal.device
        unread = [key for key in keys if key not in self.planned]
        read = device.states(unread) if device and unread else {}
        planned = {key: job.state for key, job in self.planned.items()}
        return [planned.get(key) or read.get(key) or self.journal.state(key) for key in keys]

    def _came_after(self, own: Job) -> AllClear:
        """What the older copies are closed with: the title of what came in their place, by language."""
        titles: dict[str, str] = {}
        for user in own.waiting:
            if user.language not in titles and len(titles) <= MOST_LANGUAGES:
                notification = composed(user, lambda each: self.left.sorting.compose(own, each))
                if isinstance(notification, Notification):
                    titles[user.language] = f"→ {notification.title}"[:LONGEST]
        first = next(iter(titles.values()), "→ told anew")
        by_language = {code.lower().replace("_", "-"): title for code, title in titles.items() if code}
        return AllClear(own.alarm.name, first, translations=by_language)
