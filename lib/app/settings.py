"""What the developer configures: environment variables, parsed once into one typed object."""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from tagoio_sdk.regions import getConnectionURI

from lib.base.duration import read_duration, shown_duration
from lib.base.errors import SetupError, one_error
from lib.campaign.courtesy import QuietHours, read_quiet_hours
from lib.fallback.channels import read_fallback, secrets_of
from lib.message.document import Variant, parse_document
from lib.message.escalation import LATEST
from lib.tagoio.audience import Choice
from lib.tagoio.transport import is_token

# docs/account-token.md: what a token's first letters say. Device tokens and old ones have no prefix.
TOKEN_KINDS = {"p-": "profile", "a-": "analysis", "u-": "TagoRUN user", "n-": "network", "at": "authorization"}
USABLE_TOKENS = ("p-", "a-")
SHORTEST_BUDGET = 10  # seconds
FROM_TAGOIO = ("button_id", "user_id", "notification_id")  # with a pressed button
RENAMED = {"escalate_after": "remind_after"}
SHORTEST_NAME = 3  # letters of a name that may be the beginning of one of ours, such as dry
LOG_LEVELS = ("debug", "info", "warning", "error")


class Settings(NamedTuple):
    """The variables of the Analysis, each documented in the README and in env.example."""

    account_token: str = ""
    tag_key: str = ""
    tag_value: tuple[str, ...] = ()
    send_to: tuple[str, ...] = ("tags",)
    notification: tuple[Variant, ...] = ()
    dry_run: bool = False
    max_recipients: int = 1000
    rate_limit: int | None = None
    time_budget: float | None = None
    hand_on: bool = True
    delivery_log_token: str = ""
    opt_out_tag: str = "notifications"
    quiet_hours: QuietHours | None = None
    cooldown: float = 0.0
    fallback: tuple[str, ...] = ()
    remind_after: float = 0.0
    log_level: str = "warning"  # TagoIO shows the log on the console too, where its JSON is in a person's way
    region: str = ""
    probed: str = ""
    uses_own_token: bool = False

    def secrets(self) -> Iterator[str]:
        """What must never show."""
        yield from (self.account_token, self.delivery_log_token, *secrets_of(self.fallback))

    @property
    def choice(self) -> Choice:
        """Who is to be told."""
        who = (self.send_to, self.tag_key, self.tag_value, self.max_recipients)
        return Choice(*who, self.token_name, with_login=self.dry_run)

    @property
    def token_name(self) -> str:
        """Where the token came from, for messages."""
        return "T_ANALYSIS_TOKEN (the Analysis' own token)" if self.uses_own_token else "account_token"


def read_settings(
    environment: Iterable[Mapping[str, Any]] | None, variables: Mapping[str, str | None], own_token: str = ""
) -> Settings:
    """Settings from the Analysis' own environment (TagoIO's list of `{key, value}`), then from `variables`.

    Keys are matched without regard to case; an empty value counts as not given; `own_token` stands in for an empty
    `account_token`. Raises one SetupError with every problem, each naming the variable, what is wrong and the fix.
    """
    own = {str(entry.get("key", "")): entry.get("value") for entry in environment or ()}
    given = _merged(own, variables)
    problems: list[str] = []
    values: dict[str, Any] = {}
    for name, parse in VARIABLES.items():
        if name not in given:
            continue
        try:
            values[name] = parse(given[name])
        except SetupError as error:
            problems += error.problems
        except ValueError as error:
            problems.append(f"{name} {error}")
    if "account_token" not in given:
        own_token = own_token.strip()
        values.update(account_token=own_token, uses_own_token=True)
        problems += _own_token_problems(own_token)
    settings = Settings(**values)
    use_region(settings.region)
    problems += misspelt(own)
    problems += _missing_tags(settings, problems)
    if settings.cooldown and not settings.delivery_log_token:
        problems.append("cooldown needs the journal, which knows who was told when: set delivery_log_token")
    if settings.remind_after and not settings.delivery_log_token:
        problems.append("remind_after needs the journal, which knows who was told when: set delivery_log_token")
    if settings.remind_after and not settings.fallback and not any("fallback" in each for each in problems):
        problems.append("remind_after needs fallback, the addresses by which a user is told who has not read it")
    one_error(problems)
    return settings


def region_addresses(region: str) -> tuple[str, str]:
    """The addresses of the API and of the event stream, of a region or a TagoDeploy project (C: whl regions.py)."""
    known = region if region in ("us-e1", "eu-w1", "usa-1") else {"tdeploy": region}
    found = getConnectionURI(known)
    return found["api"], found["sse"]


def use_region(region: str) -> None:
    """Call that region from now on; where TAGOIO_API is set, that goes before it: the sandbox is reached by it."""
    if region and not os.environ.get("TAGOIO_API"):
        os.environ["TAGOIO_API"], os.environ["TAGOIO_SSE"] = region_addresses(region)


def _merged(*sources: Mapping[str, Any]) -> dict[str, str]:
    merged: dict[str, str] = {}
    for source in sources:
        for key, value in source.items():
            name, text = key.strip().lower(), "" if value is None else str(value).strip()
            if text and name in VARIABLES and name not in merged:
                merged[name] = text
    return merged


def _missing_tags(settings: Settings, problems: list[str]) -> list[str]:
    """`send_to` = tags needs a key and a value."""
    if settings.send_to != ("tags",) or any(problem.startswith("send_to ") for problem in problems):
        return []
    return [
        f"{name} is not set; set it to the tag's {name[4:]} as in User Management, or set send_to to all"
        for name in ("tag_key", "tag_value")
        if not getattr(settings, name)
    ]


def misspelt(own: Mapping[str, Any]) -> Iterator[str]:
    """A mistyped dry_run would tell real people: so what looks like one of our variables must be one."""
    from difflib import get_close_matches  # imported late, as start-up is billed

    for key in own:
        name = key.strip().lower()
        if name.startswith("_") and name.strip("_") not in VARIABLES:
            continue  # TagoIO's own begin so: _action_id, _user_id
        word = name.replace("-", "_")
        near = get_close_matches(word, VARIABLES, 1, 0.8)
        near += [new for old, new in RENAMED.items() if old == word]
        near += [known for known in VARIABLES if len(word) >= SHORTEST_NAME and known.startswith(f"{word}_")]
        if near and name not in VARIABLES and name not in FROM_TAGOIO:
            yield f'"{key}" is not a variable of this Analysis; is {near[0]} meant? Rename it, or remove it'


def _own_token_problems(token: str) -> Iterator[str]:
    if not token:
        yield (
            "account_token is not set; create a token in TagoIO's admin (My Account > Profile > Tokens) and put it "
            "there, or run this as an Analysis, which has a token of its own"
        )
    elif not is_token(token):
        yield "T_ANALYSIS_TOKEN holds a character that no token has; copy it again"


def _token(text: str) -> str:
    _check_characters(text)
    prefix = text[:2].lower()
    if "your" in text.lower() or " " in text:
        raise ValueError("still holds the example text; paste a token, or leave it empty to use the Analysis' own")
    if prefix in TOKEN_KINDS and prefix not in USABLE_TOKENS:
        raise ValueError(
            f"holds a {TOKEN_KINDS[prefix]} token ({prefix}…), which cannot send; use a profile token (p-…) from "
            "My Account > Profile > Tokens, or leave it empty to use the Analysis' own"
        )
    return text


def _list(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part for part in (piece.strip() for piece in text.split(",")) if part))


def _send_to(text: str) -> tuple[str, ...]:
    wanted = _list(text)
    if not wanted:
        raise ValueError(f'is "{text}"; use tags, all, or ids, e-mails and names with commas')
    for word in ("tags", "all"):
        if word in (part.lower() for part in wanted):
            if len(wanted) > 1:
                raise ValueError(f'mixes "{word}" with other entries; use it alone, or only ids, e-mails and names')
            return (word,)
    return wanted


def _flag(text: str) -> bool:
    words = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
    if text.lower() not in words:
        raise ValueError(f'is "{text}"; use true or false')
    return words[text.lower()]


def _count(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) < 1:
        raise ValueError(f'is "{text}"; use a whole number from 1 up, such as 1000')
    return int(text)


def _time_budget(text: str) -> float:
    seconds = read_duration(text)
    if seconds < SHORTEST_BUDGET:
        raise ValueError(f'is "{text}"; a run needs at least {SHORTEST_BUDGET} s to end in good order')
    return seconds


def _remind_after(text: str) -> float:
    seconds = read_duration(text)
    if not 0 < seconds <= LATEST:
        raise ValueError(f'is "{text}"; use at most {shown_duration(LATEST)}, as older campaigns are left alone')
    return seconds


def _check_characters(token: str) -> None:
    if not is_token(token.replace(" ", "")):
        raise ValueError("holds a character that no token has (an ellipsis, or one that does not show); copy it again")


def _device_token(text: str) -> str:
    _check_characters(text)
    if text[:2].lower() in TOKEN_KINDS:
        kind = TOKEN_KINDS[text[:2].lower()]
        raise ValueError(f"holds a token of another kind ({kind}); use the token of the device that keeps the journal")
    return text


def _region(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9-]+", text):
        raise ValueError(f'is "{text}"; use us-e1, eu-w1, or the id of a TagoDeploy project')
    return text


def _log_level(text: str) -> str:
    if text.lower() not in LOG_LEVELS:
        raise ValueError(f'is "{text}"; use one of {", ".join(LOG_LEVELS)}')
    return text.lower()


VARIABLES: dict[str, Callable[[str], Any]] = {
    "account_token": _token,
    "tag_key": str,
    "tag_value": _list,
    "send_to": _send_to,
    "notification": parse_document,
    "dry_run": _flag,
    "max_recipients": _count,
    "rate_limit": _count,
    "time_budget": _time_budget,
    "hand_on": _flag,
    "delivery_log_token": _device_token,
    "opt_out_tag": str,
    "quiet_hours": read_quiet_hours,
    "cooldown": read_duration,
    "fallback": read_fallback,
    "remind_after": _remind_after,
    "log_level": _log_level,
    "region": _region,
    "probed": str,
}
