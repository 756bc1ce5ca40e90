"""The device that keeps the journal: rows as TagoIO stores and lists them."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any

from tests.simulation.request import Request
from tests.simulation.scenario import Platform
from tests.simulation.scheduler import EPOCH


@dataclass(frozen=True, slots=True)
class Stored:
    """A row that TagoIO took `at` (the world's time); it shows from `shows_at` on."""

    at: float
    shows_at: float
    process: str
    row: dict[str, Any]
    stamped: float  # by TagoIO's clock
    text: str  # as it is listed
    place: int  # in an order that means nothing

    @property
    def about(self) -> dict[str, Any]:
        return dict(self.row.get("metadata") or {})


class Device:
    def __init__(self, platform: Platform, now: Callable[[], float], random: Random) -> None:
        self.platform = platform
        self.now = now
        self.random = random
        self.rows: list[Stored] = []

    def write(self, request: Request) -> tuple[int, str]:
        at = self.now()
        stamped = int((EPOCH + at + self.platform.ahead) * 1000) / 1000
        time = datetime.fromtimestamp(stamped, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        for row in request.body:
            number = len(self.rows)
            text = json.dumps({**row, "id": f"c{number:023x}", "time": time})
            shows_at = at + self.random.random() * self.platform.rows_late
            if self.rows:
                shows_at = max(shows_at, self.rows[-1].shows_at)
            place = number * 2654435761 % 1_000_003
            self.rows.append(Stored(at, shows_at, request.process, row, stamped, text, place))
        return 201, f'"{len(request.body)} Data Added"'

    def read(self, request: Request, *, is_quiet: bool) -> tuple[int, str]:
        query, now = request.query, self.now()
        variables, groups = query.get("variables"), query.get("groups")
        since = _seconds(query["start_date"][0]) if "start_date" in query else 0.0
        found = [
            stored
            for stored in reversed(self.rows)
            if (is_quiet or stored.shows_at <= now)
            and (not groups or stored.row["group"] in groups)
            and (not variables or stored.row["variable"] in variables)
            and stored.stamped >= since
        ]
        if self.platform.rows_order == "shuffled":
            found.sort(key=lambda stored: stored.place)
        skip, amount = int(query["skip"][0]), min(int(query["qty"][0]), self.platform.rows_page)
        return 200, f"[{','.join(stored.text for stored in found[skip : skip + amount])}]"


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
