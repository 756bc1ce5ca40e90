"""The journal: outcomes kept on a TagoIO device; what is still pending, who was told recently, who pressed what."""

import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Protocol

from lib.base.errors import SetupError, TagoIOError
from lib.campaign.campaign import Campaign
from lib.campaign.campaign_log import CampaignLog
from lib.campaign.known import Known
from lib.campaign.rows import (
    CAMPAIGN,
    DECISION,
    FALLBACK,
    OUTCOME,
    PRESS,
    Copy,
    PressRow,
    Row,
    about_of,
    audience_row,
    campaign_row,
    decision_row,
    fallback_row,
    iso_of,
    point_row,
    press_row,
    read_press,
    run_of,
    time_of,
)
from lib.message.escalation import Step, steps_text
from lib.message.trigger import Trigger
from lib.message.user import User
from lib.tagoio.audience import retrying

USERS_IN_A_ROW = 100
ROWS_IN_A_CALL = 100
ROWS_IN_AN_ANSWER = 1000
GIVEN_UP = 15.0  # seconds without any row, after which a run is taken for dead: see README, "Two runs at once"
FRESH = 12.0  # a living run has a row that is younger; between FENCE and GIVEN_UP, as times are to the second
TOO_OLD = timedelta(days=1)


class JournalDevice(Protocol):
    """The part of the SDK's `Device` that keeps rows."""

    def sendData(self, data: list[dict[str, Any]]) -> Any: ...  # noqa: N802  # the SDK's names
    def getData(self, queryParams: dict[str, Any]) -> Any: ...  # noqa: N802, N803


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A campaign that an earlier run left, what the journal knows of it, and whether another run is at it now."""

    campaign: Campaign
    known: Known
    is_running: bool = False

    @property
    def trigger(self) -> Trigger:
        return self.known.trigger

    @property
    def pending(self) -> set[str]:
        return self.known.pending


class Journal:
    """Reads and writes the rows of one device. Raises SetupError where it cannot be read or begun."""

    def __init__(
        self,
        device: JournalDevice,
        now: Callable[[], datetime],
        *,
        sleep: Callable[[float], None] = time.sleep,
        on_wait: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        self.device = device
        self.now = now
        self.sleep = sleep
        self.on_wait = on_wait
        self.run = secrets.token_hex(6)  # tells the rows of different runs apart

    def campaigns(self) -> Iterator[str]:
        """The keys of all campaigns, the newest first."""
        for row in self._rows({"variables": [CAMPAIGN]}):
            if row.get("value") == "started":
                yield str(row.get("group"))

    def rows_of(self, key: str) -> Iterator[Row]:
        """Everything about one campaign, newest first."""
        return (row for row in self._rows({"groups": [key]}) if row.get("group") == key)

    def state_of(self, key: str) -> str:
        """`""` for a campaign the journal does not know, `unfinished` or `finished`."""
        known = self._read(key)
        return "" if known.started is None else "finished" if known.finished else "unfinished"

    def unfinished(self, analysis_id: str = "") -> Iterator[Unfinished]:
        """This Analysis' campaigns of the last day that have still somebody to tell or to watch, oldest first."""
        start = self.now() - TOO_OLD - timedelta(hours=1)
        rows = list(self._rows({"variables": [CAMPAIGN], "start_date": start.isoformat()}))
        finished = {row.get("group") for row in rows if row.get("value") == "finished"}
        keys = [str(row.get("group")) for row in rows if row.get("value") == "started"]
        for key in reversed(list(dict.fromkeys(keys))):
            if key in finished:
                continue
            known = self._read(key)
            if known.started is None or known.finished or self.now() - known.started_at > TOO_OLD:
                continue
            if known.trigger.analysis_id != analysis_id:
                continue
            known, is_running = self._wait_for_a_sign_of_life(key, known)
            if not known.finished:
                yield Unfinished(Campaign(key, known.started_at), known, is_running)

    def recently_told(self, seconds: float) -> set[tuple[str, str]]:
        """(user id, subject key) of those who were sent something in the last so many seconds."""
        start = self.now() - timedelta(seconds=seconds)
        told: set[tuple[str, str]] = set()
        for row in self._rows({"variables": [OUTCOME], "start_date": start.isoformat()}):
            if row.get("value") == "sent" and time_of(iso_of(row)) >= start:
                told.add((str(about_of(row).get("user")), str(about_of(row).get("subject"))))
        return told

    def write_press(self, key: str, mark: str, user: User, button: str, label: str, notification_id: str) -> None:
        """A press, whether it counts or not."""
        self.write([press_row(key, mark, user, button, label, notification_id)])

    def presses(self, key: str) -> tuple[list[PressRow], list[PressRow]]:
        """All presses of a campaign, and all decisions."""
        rows = list(self._rows({"variables": [PRESS, DECISION], "groups": [key]}))
        presses = [read_press(row) for row in rows if row.get("variable") == PRESS]
        return presses, [read_press(row) for row in rows if row.get("variable") == DECISION]

    def write_decision(
        self, key: str, user: User, button: str, label: str, seconds: float | None, *, each: bool
    ) -> None:
        """The press that counts."""
        self.write([decision_row(key, user, button, label, seconds, each=each)])

    def copies(self, key: str) -> list[Copy]:
        """Who was sent this campaign, and as which notification."""
        rows = self._rows({"variables": [OUTCOME], "groups": [key]})
        sent = (about_of(row) for row in rows if row.get("value") == "sent" and row.get("group") == key)
        return [Copy(str(about.get("user")), str(about.get("notification"))) for about in sent]

    def begin(
        self, campaign: Campaign, trigger: Trigger, users: Iterable[str], steps: Sequence[Step] = ()
    ) -> "CampaignLog":
        """Write down who is about to be told (user ids), before the first is, and who is next if nobody decides."""
        ids = list(users)
        about = {
            "run": self.run,
            "trigger": trigger.kind,
            "analysis": trigger.analysis_id,
            "action": trigger.action_id,
            "action_state": trigger.action_state,
            "device": trigger.device_id,
            "started_at": campaign.started_at.isoformat(),
            "size": len(ids),
            "escalate": steps_text(steps),
        }
        rows = [point_row(campaign.key, order, point) for order, point in enumerate(trigger.points)]
        rows += _audience_rows(campaign.key, ids)
        rows.append(campaign_row(campaign.key, "started", **about))  # last: the others are whole when it is there
        self._write_first(rows)
        return CampaignLog(self, campaign.key)

    def resume(
        self, campaign: Campaign, steps: Mapping[int, tuple[Step, list[str]]] = MappingProxyType({})
    ) -> "CampaignLog":
        """Go on with a campaign that was begun by an earlier run; `steps` are those that this one takes, by number,
        with the ids of whom each adds."""
        rows = [campaign_row(campaign.key, "running", run=self.run)]
        for number, (_, ids) in steps.items():
            rows += _audience_rows(campaign.key, ids, number)
        for number, (step, _) in steps.items():  # last, as above
            rows.append(campaign_row(campaign.key, "escalated", step=number, to=step.to, run=self.run))
        self._write_first(rows)
        return CampaignLog(self, campaign.key)

    def claim_fallback(self, campaign: Campaign, user_id: str) -> bool:
        """Write down that another channel is about to be tried for a user; False where another run was first, by
        TagoIO's clock. Raises TagoIOError or SetupError where that cannot be written and read again."""
        try:
            self.write([fallback_row(campaign.key, user_id, "begun", self.run)])
        except TagoIOError:
            if self.run not in self._claims(campaign, user_id):
                raise
        claims = self._claims(campaign, user_id)
        return not claims or claims[0] == self.run

    def _claims(self, campaign: Campaign, user_id: str) -> list[str]:
        rows = self._rows({"variables": [FALLBACK], "groups": [campaign.key]})
        begun = [row for row in rows if about_of(row).get("user") == user_id and row.get("value") == "begun"]
        return [run_of(row) for row in sorted(begun, key=lambda row: (iso_of(row), str(row.get("id") or "")))]

    def know(self, campaign: Campaign) -> Known:
        """What the journal knows of a campaign now."""
        return self._read(campaign.key)

    def decision_of(self, campaign: Campaign) -> PressRow | None:
        """What settled a campaign, where something did."""
        rows = self._rows({"variables": [DECISION], "groups": [campaign.key]})
        settling = [read_press(row) for row in rows if not about_of(row).get("each")]
        return min(settling, key=lambda row: (row.time, row.id), default=None)

    def look_after(self, campaign: Campaign) -> "CampaignLog":
        """A campaign of which nobody is told now: no sign of life, so that nothing comes to be in doubt."""
        return CampaignLog(self, campaign.key, is_at_it=False)

    def is_ours(self, campaign: Campaign) -> bool:
        """Whether, of all runs that gave a sign of life of late, this one was the first. TagoIO has no conditional
        write; but rows get their time from TagoIO and every run reads after it has written, so all agree."""
        signs = [row for row in self._rows({"variables": [CAMPAIGN], "groups": [campaign.key]}) if run_of(row)]
        gone = {run_of(row) for row in signs if row.get("value") == "left"}
        alive = [row for row in signs if run_of(row) not in gone]
        fresh = [row for row in alive if (self.now() - time_of(iso_of(row))).total_seconds() <= FRESH]
        first = min(fresh, key=lambda row: (iso_of(row), str(row.get("id") or "")), default=None)
        return first is None or run_of(first) == self.run

    def _write_first(self, rows: list[Row]) -> None:
        """Before anyone is told: raises SetupError."""
        try:
            self.write(rows)
        except TagoIOError as error:
            raise SetupError(f"The journal cannot be written (delivery_log_token): {error.message}") from error

    def write(self, rows: list[dict[str, Any]]) -> None:
        """A row that is written twice, because an answer was lost, says nothing new."""
        for start in range(0, len(rows), ROWS_IN_A_CALL):
            part = rows[start : start + ROWS_IN_A_CALL]
            retrying(lambda part=part: self.device.sendData(part), self.sleep)  # type: ignore[misc]

    def _wait_for_a_sign_of_life(self, key: str, known: Known) -> tuple[Known, bool]:
        """A campaign without `finished` was left, or is being delivered by another run this moment: that one writes
        a row every few seconds. The wait also lets requests of a killed run arrive."""
        if known.runs and known.runs <= known.left_by:
            return known, False
        quiet = (self.now() - time_of(known.newest)).total_seconds()
        if quiet > GIVEN_UP:
            return known, False
        self.on_wait(GIVEN_UP)
        self.sleep(GIVEN_UP)
        later = self._read(key)
        return later, later.newest != known.newest

    def _read(self, key: str) -> Known:
        known = Known()
        for row in self.rows_of(key):
            known.take_in(row)
        return known

    def _rows(self, query: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Newest first, page after page until an empty one."""
        skip = 0
        while True:
            page = {"query": "default", "qty": ROWS_IN_AN_ANSWER, "skip": skip, "ordination": "descending", **query}
            try:
                answer = retrying(lambda page=page: self.device.getData(dict(page)), self.sleep)  # type: ignore[misc]
            except TagoIOError as error:
                raise SetupError(f"The journal cannot be read (delivery_log_token): {error.message}") from error
            if not isinstance(answer, list):
                raise SetupError("The journal cannot be read (delivery_log_token): a list was expected")
            if not answer:
                return
            yield from (row for row in answer if isinstance(row, dict))
            skip += len(answer)


def _audience_rows(key: str, ids: list[str], step: int = 0) -> list[Row]:
    parts = (ids[start : start + USERS_IN_A_ROW] for start in range(0, len(ids), USERS_IN_A_ROW))
    return [audience_row(key, part, step) for part in parts]
