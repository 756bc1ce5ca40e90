"""A promise that was not kept."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Violation:
    """`promise` is its name, `run`, `user` and `topic` what it is about ("": the whole day)."""

    promise: str
    text: str
    run: str = ""
    user: str = ""
    topic: str = ""

    def __str__(self) -> str:
        return f"{self.promise}: {self.text}"
