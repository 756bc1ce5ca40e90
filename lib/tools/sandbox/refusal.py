"""An answer of TagoIO's that is no success."""


class Refusal(Exception):
    """`status` and the text of `message`."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        self.message = message
        super().__init__(message)
