"""Who is told: look the users up, read every page, and check each of them again before believing the answer."""

import re
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from lib.base.errors import Doubtful, OutOfTime, Refused, Rejected, SetupError, TagoIOError
from lib.base.text import did_you_mean, harmless
from lib.campaign.outcome import NO_TIME
from lib.message.user import EMAIL, User, read_user

PAGE = 1000  # asked for; TagoIO may give fewer (at most 10,000, C mcp global-params.model.ts), so nothing rests on it
FIELDS = ["id", "name", "email", "active", "timezone", "language", "company", "phone", "tags", "options"]
LOOKUP_TRIES = 5
FEW = 50
ID = re.compile(r"[0-9a-f]{24}", re.IGNORECASE)
TAGS_SHOWN = 12


class RunUsers(Protocol):
    """The part of the SDK's `run` module that finds users."""

    def listUsers(self, query: dict[str, Any]) -> list[dict[str, Any]]: ...  # noqa: N802  # the SDK's names
    def userInfo(self, userID: str) -> dict[str, Any]: ...  # noqa: N802, N803


class Choice(NamedTuple):
    """Who is to be told, as the settings say it; `token_name` is for messages. `with_login`: ask who has ever logged
    in."""

    send_to: tuple[str, ...] = ("tags",)
    tag_key: str = ""
    tag_value: tuple[str, ...] = ()
    max_recipients: int = 1000
    token_name: str = "account_token"  # noqa: S105  # a name
    with_login: bool = False


class NobodyFound(SetupError):
    """No user matches."""


@dataclass(slots=True)
class Audience:
    """The users chosen: each either to be told, or skipped with a reason. `notes` are for the report."""

    chosen: deque[User] = field(default_factory=deque)
    skipped: list[tuple[User, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    size: int = 0


def choose_audience(run: RunUsers, choice: Choice, *, sleep: Callable[[float], None] = time.sleep) -> Audience:
    """The users of `send_to`, each once, every page read before anyone is told.

    Raises SetupError when nobody matches, an entry of `send_to` is unknown, there are more than `max_recipients`, or
    TagoIO's answer cannot be had or read.
    """
    try:
        fields = [*FIELDS, "last_login"] if choice.with_login else FIELDS
        audience = _read_audience(_Finder(run, sleep, fields), choice)
    except TagoIOError as error:
        raise _explained(error, choice.token_name) from error
    if not audience.chosen and not audience.skipped:
        raise NobodyFound(_nobody(choice, _tags_of_users(run, sleep)))
    if len(audience.chosen) > choice.max_recipients:
        raise SetupError(
            f"{len(audience.chosen)} users would be told, more than max_recipients ({choice.max_recipients}) allows. "
            "Choose fewer users, or raise max_recipients"
        )
    return audience


def _read_audience(finder: "_Finder", choice: Choice) -> Audience:
    if choice.send_to == ("tags",):
        users = finder.with_tag(choice.tag_key, choice.tag_value)
    elif choice.send_to == ("all",):
        users = finder.everyone()
    else:
        users = finder.named(choice.send_to)
    audience = Audience(notes=finder.notes)
    for user in users:
        reason = is_inactive(user)
        if reason:
            audience.skipped.append((user, reason))
        else:
            audience.chosen.append(user)
    audience.size = len(audience.chosen) + len(audience.skipped)
    return audience


def is_inactive(user: User) -> str | None:
    return None if user.active else "inactive user"


def retrying(call: Callable[[], Any], sleep: Callable[[float], None]) -> Any:
    """The answer to a question that may safely be asked again; a rate limit is waited out."""
    for attempt in range(1, LOOKUP_TRIES + 1):
        try:
            return call()
        except (Refused, Doubtful) as error:
            if attempt == LOOKUP_TRIES or isinstance(error, OutOfTime):
                raise
            sleep(error.retry_after if error.retry_after is not None else 0.5 * 2**attempt)
    raise AssertionError("not reached")


def users_by_id(run: RunUsers, ids: set[str], sleep: Callable[[float], None] = time.sleep) -> dict[str, User]:
    """Those users that still exist; a few are asked for one by one, many by reading everyone."""
    finder = _Finder(run, sleep)
    try:
        known = {} if len(ids) <= FEW else {user.id: user for user in finder.everyone() if user.id in ids}
        missing = ids - known.keys()  # a filtered list leaves users out: only a 404 says that one is gone
        return known | {user.id: user for user_id in sorted(missing) for user in finder.with_id(user_id)}
    except TagoIOError as error:
        raise _explained(error, "account_token") from error


class _Finder:
    def __init__(self, run: RunUsers, sleep: Callable[[float], None], fields: Sequence[str] = FIELDS) -> None:
        self.run = run
        self.fields = fields
        self.sleep = sleep
        self.notes: list[str] = []

    def with_tag(self, key: str, values: Iterable[str]) -> Iterator[User]:
        """One question per value: how TagoIO joins several tag filters is not documented."""
        seen: set[str] = set()
        strangers: set[str] = set()
        wanted = list(dict.fromkeys(values))
        for value in wanted:
            for user in self._pages({"tags": [{"key": key, "value": value}]}):
                if user.id in seen:
                    continue
                if (key, value) not in user.tags:
                    strangers.add(user.id)
                    continue
                strangers.discard(user.id)
                if value != wanted[-1]:  # no question lists a user twice, so after the last one nobody comes again
                    seen.add(user.id)
                yield user
        if strangers:
            self.notes.append(f"TagoIO also returned {len(strangers)} users without the tag; they were left out")

    def first_page(self) -> list[User]:
        return self._page(1, {})

    def everyone(self) -> Iterator[User]:
        return self._pages({})

    def named(self, wanted: Iterable[str]) -> Iterator[User]:
        """Ids, e-mail addresses and exact names, each of exactly one user; all others are named in one error. What has
        the form of an id or of an address is looked for as nothing else: anybody may choose it for a name."""
        found: dict[str, User] = {}
        problems: list[str] = []
        everyone: list[User] | None = None
        for entry in wanted:
            matches = list(self._lookup(entry))
            if not matches and not ID.fullmatch(entry):
                everyone = everyone if everyone is not None else list(self.everyone())
                matches = [user for user in everyone if _is_meant(user, entry)]
            if len(matches) == 1:
                found.setdefault(matches[0].id, matches[0])
            elif matches:
                ids = ", ".join(user.id for user in matches[:FEW])
                problems.append(
                    f'send_to: {len(matches)} users are called "{entry}"; use their e-mail or id instead: {ids}'
                )
            else:
                form = "id" if ID.fullmatch(entry) else "e-mail" if EMAIL.fullmatch(entry) else "id, e-mail or name"
                near = did_you_mean(entry, (user.name for user in everyone or ()))
                problems.append(f'send_to: no TagoRUN user has the {form} "{entry}"{near}')
        if problems:
            raise SetupError(*problems)
        yield from found.values()

    def with_id(self, user_id: str) -> Iterator[User]:
        try:
            yield read_user(retrying(lambda: self.run.userInfo(user_id), self.sleep))
        except Rejected as error:
            if error.status != 404:
                raise

    def _lookup(self, entry: str) -> Iterator[User]:
        if ID.fullmatch(entry):
            yield from (user for user in self.with_id(entry) if _is_meant(user, entry))
            return
        matching = {"email": entry} if EMAIL.fullmatch(entry) else {"name": entry}
        yield from (user for user in self._pages(matching) if _is_meant(user, entry))

    def _pages(self, matching: dict[str, Any]) -> Iterator[User]:
        """Every user that TagoIO lists, each once: from the second page on until one brings nobody new, then back to
        the first.

        Neither a short page nor the amount asked for says that it was the last: the server may cap the amount, and
        Access Management filters lists. Oldest first, so that a user who joins meanwhile shifts no page. One who is
        deleted shifts others, but only onto the page before: and on the way back that is read later.
        """
        seen: set[str] = set()
        last = 1
        while fresh := self._fresh(last + 1, matching, seen):
            last += 1
            yield from fresh
        for page in range(last, 0, -1):
            yield from self._fresh(page, matching, seen)

    def _fresh(self, page: int, matching: dict[str, Any], seen: set[str]) -> list[User]:
        """Who is on that page and not `seen` yet."""
        fresh = {user.id: user for user in self._page(page, matching) if user.id not in seen}
        seen.update(fresh)
        return list(fresh.values())

    def _page(self, page: int, matching: dict[str, Any]) -> list[User]:
        query = {"page": page, "amount": PAGE, "fields": list(self.fields), "orderBy": ["created_at", "asc"]}
        return [
            read_user(each)
            for each in retrying(lambda: self.run.listUsers({**query, "filter": dict(matching)}), self.sleep)
        ]


def _is_meant(user: User, entry: str) -> bool:
    if ID.fullmatch(entry):
        return user.id == entry.lower()
    if EMAIL.fullmatch(entry):
        return user.email.lower() == entry.lower()
    return user.name == harmless(entry)


def _tags_of_users(run: RunUsers, sleep: Callable[[float], None]) -> list[str]:
    """The tags of the first users, the most frequent first; none where they cannot be looked up."""
    try:
        users = _Finder(run, sleep).first_page()
    except TagoIOError:
        return []
    tags = Counter(f"{key} = {value}" for user in users for key, value in user.tags)
    return [tag for tag, _ in tags.most_common()]


def _nobody(choice: Choice, tags: list[str]) -> str:
    if choice.send_to == ("tags",):
        values = " or ".join(f'"{value}"' for value in choice.tag_value)
        wanted = f'the tag "{choice.tag_key}" = {values}'
        if tags:
            more = f" and {len(tags) - TAGS_SHOWN} more" if len(tags) > TAGS_SHOWN else ""
            near = did_you_mean(f"{choice.tag_key} = {choice.tag_value[0]}", tags)
            return f"No TagoRUN user has {wanted}; users have {', '.join(tags[:TAGS_SHOWN])}{more}{near}"
        cause = "the tag is spelt otherwise (capitals count), or no user has it: see User Management"
    else:
        wanted, cause = "an account in this TagoRUN", "this profile has no users yet: see User Management"
    return (
        f"No TagoRUN user has {wanted}. Likely causes: {cause}; the token belongs to another profile; or "
        "it is an Analysis token whose Access Management policy does not allow Run User / Access (TagoIO then answers "
        "with an empty list, not with an error)"
    )


def _explained(error: TagoIOError, token_name: str) -> SetupError:
    """What the developer can do when the users could not be looked up."""
    denied = "denied" in error.message.lower()
    if error.status == 401 and not denied:
        return SetupError(
            f"TagoIO does not accept the token in {token_name} ({error.message}). Get one in the admin: My Account > "
            "Profile > Tokens (p-…), or leave account_token empty on TagoIO to use the Analysis' own token"
        )
    if error.status in (401, 403):
        return SetupError(
            f"The token in {token_name} may not list users ({error.message}). In Access Management, give this Analysis "
            "a policy with Run User / Access and Run User / Create notification"
        )
    if isinstance(error, OutOfTime):
        return SetupError(f"{NO_TIME}, before the users could be looked up")
    if isinstance(error, Refused) and not error.status:
        return SetupError(f"{error.message}. Check the network, and TAGOIO_API if you set it")
    return SetupError(f"The users cannot be looked up: {error.message}")
