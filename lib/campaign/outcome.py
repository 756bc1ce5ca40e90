"""What became of one user of a campaign."""

from typing import Literal, NamedTuple

Status = Literal["sent", "fallback", "skipped", "held", "failed", "unknown", "pending"]
STATUSES: tuple[Status, ...] = ("sent", "fallback", "skipped", "held", "failed", "unknown", "pending")
TOLD = ("sent", "fallback")
FINAL = ("sent", "fallback", "skipped", "failed")

DECIDED = "decided meanwhile"
ELSEWHERE = "another run is at it"
NO_TIME = "time budget used up"
EARLIER = "an earlier run may have sent it"


class Outcome(NamedTuple):
    """`sent`: TagoIO accepted it and gave an id; whether it was seen, nobody knows. `subject` is a hash. `channel` is
    the service that took it instead; `step` that of the escalation which the user belongs to, 0 for the first audience.
    `run` came to it `at` (seconds since the epoch, TagoIO's clock)."""

    user_id: str
    user_name: str
    status: Status
    reason: str = ""
    notification_id: str = ""
    subject: str = ""
    priority: str = ""
    channel: str = ""
    step: int = 0
    run: str = ""
    at: float = 0.0

    def counts_before(self, other: "Outcome") -> bool:
        """Who was told was told, whatever another run writes later, and who has seen it first says so; else the newest
        counts."""
        if self.is_of_the_same(other):
            return self.at < other.at
        return (self.status in TOLD, self.at) > (other.status in TOLD, other.at)

    def is_of_the_same(self, other: "Outcome") -> bool:
        """The same notification, seen by one run or by two."""
        return bool(self.notification_id) and (self.status, self.notification_id) == (
            other.status, other.notification_id,
        )  # fmt: skip

    def says_the_same(self, other: "Outcome") -> bool:
        """The same fact, read once more."""
        return (self.run, self.status, self.reason, self.notification_id) == (
            other.run, other.status, other.reason, other.notification_id,
        )  # fmt: skip
