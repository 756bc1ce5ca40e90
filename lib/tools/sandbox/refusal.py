"""An answer of TagoIO's that is no success."""


class Refusal(Exception):
    """`status` and the text of `message`."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        self.message = message
        super().__init__(message)


class Denied(Refusal):
    """What the token may not do. The text and 401 are those of C mcp handlers.ts; on other routes the status is unknown
    (`denied_create`)."""

    def __init__(self) -> None:
        super().__init__(401, "Authorization Denied")
