"""A TagoRUN user, as `compose` sees them, read from TagoIO's answer."""

import re
from typing import Any, NamedTuple

from lib.base.errors import Doubtful
from lib.base.log import HIDDEN
from lib.base.text import harmless, plain


class User(NamedTuple):
    """Texts are one line each (base/text.py). `tags` holds (key, value) pairs as TagoIO has them; `timezone` and
    `language` are TagoIO's codes (`America/Sao_Paulo`, `pt-BR`).

    `has_logged_in` is only looked up for a dry run.
    """

    id: str
    name: str = ""
    email: str = ""
    active: bool = True
    timezone: str = ""
    language: str = ""
    company: str = ""
    phone: str = ""
    date_format: str = ""
    time_format: str = ""
    has_logged_in: bool = True
    tags: tuple[tuple[str, str], ...] = ()

    def tag(self, key: str, default: str = "") -> str:
        """The value of the user's first tag with that key, or `default`."""
        return next((harmless(value) for name, value in self.tags if name == key), default)


EMAIL = re.compile(r"[^\s@,;<>\"()]+@[^\s@,;<>\"()]+")


def without_contact(text: str, user: User) -> str:
    """A text about a user, fit for a journal, a report, a console: without their phone number and any e-mail address,
    whoever put it there."""
    for private in (user.email, user.phone):
        text = text.replace(private, HIDDEN) if private else text
    return EMAIL.sub(HIDDEN, text)


def read_user(given: Any) -> User:
    """Raises Doubtful where the answer is no user: a part of an audience must not get lost by accident."""
    if isinstance(given, list) and len(given) == 1:  # docs/api user-info shows a list of one
        given = given[0]
    if not isinstance(given, dict) or not isinstance(given.get("id"), str) or not plain(given["id"]):
        raise Doubtful("a user in TagoIO's answer cannot be read: it has no id")
    listed, options = given.get("tags"), given.get("options")
    options = options if isinstance(options, dict) else {}
    tags = tuple(
        _shared((plain(str(tag.get("key", ""))), plain(str(tag.get("value", "")))))
        for tag in (listed if isinstance(listed, list) else ())
        if isinstance(tag, dict)
    )
    return User(
        id=plain(given["id"]),
        name=harmless(str(given.get("name") or "")),
        email=harmless(str(given.get("email") or "")),
        active=given.get("active") is not False,
        timezone=_shared(plain(str(given.get("timezone") or ""))),
        language=_shared(plain(str(given.get("language") or ""))),
        company=_shared(harmless(str(given.get("company") or ""))),
        phone=harmless(str(given.get("phone") or "")),
        date_format=_shared(harmless(str(options.get("date_format") or ""))),
        time_format=_shared(harmless(str(options.get("time_format") or ""))),
        has_logged_in=given.get("last_login", True) is not None,
        tags=_shared(tags),
    )


_SHARED: dict[Any, Any] = {}


def _shared(value: Any) -> Any:
    """The same object for equal values: time zones, languages and tags recur for thousands of users."""
    return _SHARED.setdefault(value, value) if len(_SHARED) < 10_000 else value
