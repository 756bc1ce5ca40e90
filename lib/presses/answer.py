"""A run that a pressed button started, from the ids to the closed copies."""

from collections.abc import Callable, Iterator

from lib.app.console import Console
from lib.app.settings import Settings
from lib.base.errors import SetupError, TagoIOError
from lib.campaign.rows import Copy
from lib.message.trigger import PressIds
from lib.presses.decision import Press, PressRefused, close_copies, copies_by_looking, judge, verify
from lib.tagoio.audience import choose_audience
from lib.tagoio.journal import Journal
from lib.tagoio.transport import TagoIO

Decide = Callable[[Press], str | None]


class Answer:
    """Answers one press. Without a journal the other copies are looked for among the users of `send_to`, and two
    presses of the same instant cannot be told apart."""

    def __init__(self, tago: TagoIO, settings: Settings, console: Console, journal: Journal | None) -> None:
        self.tago = tago
        self.settings = settings
        self.console = console
        self.journal = journal
        self.outcome = ""  # counted, settled or refused: for the log

    def to(self, ids: PressIds, decide: Decide) -> int:
        """The exit code: 0 when the press counts or is settled already, 1 when it is refused or `decide` failed."""
        try:
            press = verify(ids, self.tago.run, self.tago.client.time_at_tagoio)
            settled_by, copies = self._standing(press)
        except PressRefused as refusal:
            return self._refused(f"Press refused: {refusal}")
        except (TagoIOError, SetupError) as error:
            return self._refused(f"The press could not be settled, press again: {error}")
        who = press.user.name or press.user.id
        if settled_by is not None:
            self.outcome = "settled"
            if not press.each_counts:
                notes = close_copies(self.tago.run, [Copy(press.user.id, press.notification_id)], settled_by, press.at)
                self.console.say([f"{who} pressed {press.button}: settled already. {settled_by}".rstrip(), *notes])
            else:
                self.console.say([f"{who} pressed {press.button} again: it was counted before"])
            return 0
        self.outcome = "counted"
        return self._count(press, copies, decide)

    def _refused(self, why: str) -> int:
        self.outcome = "refused"
        self.console.say([why])
        return 1

    def _count(self, press: Press, copies: list[Copy], decide: Decide) -> int:
        code, lines = 0, [f"{press.user.name or press.user.id} pressed {press.button}: it counts"]
        problems = list(self._write_down(press))
        code = 1 if problems else 0
        lines += [f"  note: {note}" for note in problems]
        line = ""
        try:
            line = decide(press) or ""
        except Exception as error:
            code = 1
            lines.append(f"decide failed, the decision is recorded all the same: {type(error).__name__}: {error}")
        lines += [f"  {line}"] if line else []
        if not line and not self.journal:
            line = f"{press.label}: {press.user.name or press.user.id}"  # for the next press to see that it is settled
        if not press.each_counts:
            own = Copy(press.user.id, press.notification_id)
            everybody = [own, *(copy for copy in copies if copy != own)]
            lines += [f"  note: {note}" for note in close_copies(self.tago.run, everybody, line, press.at)]
            lines.append(f"  closed {len(everybody)} copies")
        self.console.say(lines)
        return code

    def _write_down(self, press: Press) -> Iterator[str]:
        if not self.journal or not press.campaign:
            return
        about = (press.campaign, press.user, press.button, press.label, press.seconds_after)
        try:
            self.journal.write_decision(*about, each=press.each_counts)
        except TagoIOError as error:
            yield f"the decision could not be written to the journal ({error.message})"

    def _standing(self, press: Press) -> tuple[str | None, list[Copy]]:
        """What settled it before ("" where only that is known), or None with the other copies."""
        if not press.campaign:
            return None, []
        if self.journal:
            verdict = judge(press, self.journal)
            if not verdict.counts:
                earlier = verdict.earlier
                return f"{earlier.label} by {earlier.user_name}" if earlier else "", []
            if press.each_counts:
                return None, []
            copies = self.journal.copies(press.campaign)
            if not copies:
                self.console.hint(f"The journal knows nothing of campaign {press.campaign}: other copies stay open")
            return None, copies
        if press.each_counts:
            return None, []
        return self._by_looking(press)

    def _by_looking(self, press: Press) -> tuple[str | None, list[Copy]]:
        self.console.hint("No journal (delivery_log_token): looking for the other copies among the users of send_to")
        try:
            audience = choose_audience(self.tago.run, self.settings)
        except SetupError as error:
            self.console.hint(f"The other copies cannot be found: {error}")
            return None, []
        others = [user for user in audience.chosen if user.id != press.user.id]
        found = copies_by_looking(self.tago.run, others, press.campaign)
        if any(not is_open for _, is_open in found):
            return "", []
        return None, [copy for copy, _ in found]
