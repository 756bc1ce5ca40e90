"""What can go wrong: a set-up to fix, or a call to TagoIO that was refused, rejected or left in doubt."""

from collections.abc import Iterable


class SetupError(Exception):
    """Something the developer has to fix before anyone is told; `problems` holds a sentence or more each."""

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class TagoIOError(Exception):
    """A call to TagoIO that brought no result.

    `status` is the HTTP status (0: no answer at all), `retry_after` the seconds TagoIO asked us to wait, if it did.
    """

    def __init__(self, message: str, *, status: int = 0, retry_after: float | None = None) -> None:
        self.message = message
        self.status = status
        self.retry_after = retry_after
        super().__init__(message)


class Refused(TagoIOError):
    """Certainly not carried out, and worth another try: rate limit, refused connection, unknown host."""

    @property
    def by_rate_limit(self) -> bool:
        return self.status == 429


class OutOfTime(Refused):
    """Not sent, for the time budget leaves no time for an answer: not worth another try either."""


class Rejected(TagoIOError):
    """Certainly not carried out, and another try would be answered alike: a 4xx other than 429."""


class Doubtful(TagoIOError):
    """Carried out or not, nobody can tell from the answer: timeout, reset, cut or contradictory answer, 5xx."""


def one_error(problems: Iterable[str]) -> None:
    """Raise all problems as one SetupError; nothing where there are none."""
    found = tuple(problems)
    if found:
        raise SetupError(*found)
