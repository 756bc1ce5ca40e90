"""Which rule of courtesy keeps a user from being told, or from being told now."""

from collections import ChainMap
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, tzinfo
from functools import cached_property

from lib.app.settings import Settings
from lib.base.errors import TagoIOError
from lib.campaign.courtesy import Rule, cooling, opted_out, quiet, subject_key
from lib.campaign.outcome import Outcome, Status
from lib.message.notification import Notification
from lib.message.placeholders import zone_of
from lib.message.user import User
from lib.tagoio.journal import Journal
from lib.tagoio.profile import Profiles, profile_timezone


class Rules:
    """The rules that the settings ask for, in their order; remarks for the report go to `note`."""

    def __init__(
        self,
        settings: Settings,
        journal: Journal,
        profile: Profiles,
        now: Callable[[], datetime],
        note: Callable[[str], None],
    ) -> None:
        self.journal = journal
        self.profile = profile
        self.now = now
        self.note = note
        self._told: set[tuple[str, str]] = set()  # (user id, subject key)
        self._planned: dict[tuple[str, str], str] = {}  # that this run tells, with the campaign
        self.settings = settings
        self._zone: tzinfo | None = None

    def verdict(self, user: User, notification: Notification | str) -> Outcome | None:
        """The outcome of a user who is not told, by the first rule that says so."""
        if isinstance(notification, str):
            return Outcome(user.id, user.name, "skipped", notification)
        for rule, status in self.rules:
            reason = rule(user, notification)
            if reason:
                return Outcome(user.id, user.name, status, reason, subject=subject_key(notification.subject))
        return None

    def note_told(self, user: User, notification: Notification, campaign: str) -> None:
        """This run is going to tell them."""
        if self.settings.cooldown:
            self._planned[user.id, subject_key(notification.subject)] = campaign

    def forget(self, campaign: str) -> None:
        """Nobody is told of it after all."""
        for each in [each for each, planned in self._planned.items() if planned == campaign]:
            del self._planned[each]

    @cached_property
    def rules(self) -> list[tuple[Rule, Status]]:
        """Read when the first user is looked at: TagoIO's clock is known then, and the cooldown goes by it."""
        return list(self._of(self.settings))

    def _of(self, settings: Settings) -> Iterator[tuple[Rule, Status]]:
        yield opted_out(settings.opt_out_tag), "skipped"
        if settings.cooldown and self.journal.device:
            try:
                self._told |= self.journal.device.recently_told(settings.cooldown)
            except TagoIOError as error:
                self.note(f"cooldown: who was told lately cannot be read ({error.message}); everybody is told")
            yield cooling(ChainMap(self._planned, dict.fromkeys(self._told, ""))), "skipped"
        if settings.quiet_hours:
            yield (
                quiet(settings.quiet_hours, self.now, self._zone_otherwise),
                "held" if self.journal.device else "skipped",
            )

    def _zone_otherwise(self, name: str) -> tzinfo:
        """The profile's time zone where a user's is not known, said once; UTC where that is not known either."""
        if self._zone is None:
            profile = profile_timezone(self.profile)
            self._zone = zone_of(profile) or UTC
            said = f'"{name}"' if name else "empty"
            self.note(f"some users' time zone is {said} and not known; took {profile or 'UTC'} for it")
        return self._zone
