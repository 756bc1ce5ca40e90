"""The journal of an Analysis, as it stands on the sandbox's device: the states of its campaigns, the rows of its
alarms."""

from collections.abc import Iterable, Iterator

from lib.campaign.rows import ALARM, Row, read_row
from lib.campaign.state import CampaignState
from lib.tools.sandbox.process import merged
from lib.tools.sandbox.store import Record, Store


class Journal:
    """Its rows by their group. Without a journal (`is_kept`) there are none."""

    def __init__(self, rows: Iterable[Row], *, is_kept: bool = True) -> None:
        self.is_kept = is_kept
        self._rows: dict[str, list[Row]] = {}
        for row in rows:
            self._rows.setdefault(row.key, []).append(row)

    def state(self, campaign: str) -> CampaignState:
        state = CampaignState(campaign)
        state.take(self._rows.get(campaign, []))
        return state

    def alarms(self) -> Iterator[list[Row]]:
        """The rows of each alarm of a device."""
        for rows in self._rows.values():
            found = [row for row in rows if row.kind == ALARM]
            if found:
                yield found


def journal_of(store: Store, analysis: Record) -> Journal:
    """The one whose token is among the Analysis' variables, or among the Secrets that it may read."""
    listed = merged(analysis, store.secrets_for(str(analysis["id"])), {})
    given = (each for each in listed if isinstance(each, dict))
    token = next((each.get("value") for each in given if str(each.get("key")).lower() == "delivery_log_token"), "")
    bearer = store.tokens.get(str(token))
    if bearer is None or bearer.kind != "device":
        return Journal([], is_kept=False)
    return Journal(row for row in map(read_row, store.rows_of(bearer.id)) if row)
