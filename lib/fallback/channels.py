"""The addresses of other channels, as Apprise writes them: read, filled for a user, and kept out of what is shown."""

import re
from collections.abc import Iterator, Sequence
from urllib.parse import quote, quote_plus, unquote, unquote_plus

from lib.message.user import EMAIL, User

ADDRESS = re.compile(r"([a-z][a-z0-9+.-]*)://\S+", re.IGNORECASE)
BETWEEN_ADDRESSES = re.compile(r"[\s,;]+(?=[A-Za-z][\w+.-]*://)")  # as Apprise itself splits a list
FILLED = re.compile(r"\{(\w*)\}")
HOST = re.compile(r"(?:[\w-]+\.)+[a-z]{2,}|[0-9.]+|localhost", re.IGNORECASE)
PHONE = re.compile(r"\+?[0-9]{5,15}")
PUBLIC_HOST = ("mail", "http", "json", "xml", "form")  # schemes whose host is one; elsewhere a token may stand there


# What may stand in an address as an option, and in a sentence too.
PUBLIC = ("yes", "no", "true", "false", "text", "html", "markdown", "ssl", "tls", "starttls", "split", "truncate")


# The name of a mailbox that is a word of any sentence, as in mailtos://user:password@host: it is no secret.
MAILBOX = re.compile(r"([a-z]{1,7}):(?!\1@)[^@]*@", re.IGNORECASE)


class NoAddress(Exception):
    """The user has nothing to put into an address."""


def read_fallback(text: str) -> tuple[str, ...]:
    """The addresses in their order, split at spaces, commas or semicolons. ValueError names one by its number only: an
    address holds secrets."""
    addresses = tuple(BETWEEN_ADDRESSES.split(text.strip()))
    for number, address in enumerate(addresses, start=1):
        if not ADDRESS.fullmatch(address):
            raise ValueError(f"entry {number} is not an Apprise address such as mailtos://user:pass@host?to={{email}}")
        for name in FILLED.findall(address):
            if name not in ("email", "phone"):
                raise ValueError(f'entry {number} has "{{{name}}}"; only {{email}} and {{phone}} are filled')
        if re.search(r"[{}]", FILLED.sub("", address)):
            raise ValueError(f"entry {number} has a brace without its other half; write {{email}} or {{phone}}")
    return addresses


def secrets_of(addresses: Sequence[str]) -> Iterator[str]:
    """Every part of these addresses that may be a secret, as it stands and as services write it."""
    for address in addresses:
        yield address
        scheme, _, rest = address.partition("://")
        path, _, query = rest.partition("?")
        mailbox = MAILBOX.match(rest) if scheme.lower().startswith("mail") else None
        for part in (*re.split(r"[/:@#]", path), *re.findall(r"=([^&]*)", query)):
            is_host = scheme.lower().startswith(PUBLIC_HOST) and bool(HOST.fullmatch(part))
            is_port = part.isdecimal() and len(part) < 6
            is_public = is_host or is_port or part.lower() in PUBLIC or bool(mailbox and part == mailbox[1])
            if part and not FILLED.search(part) and not is_public:
                plain = unquote_plus(part)
                yield from dict.fromkeys((part, unquote(part), plain, quote(plain, safe=""), quote_plus(plain)))


def channel_of(address: str) -> str:
    """The service: all that may be shown of an address."""
    return address.partition("://")[0].lower()


def filled(address: str, user: User, *, bracketed: bool = False) -> str:
    """The address with the user's e-mail address (<in brackets> if so) and phone number; raises NoAddress where one is
    missing or odd."""
    values = {"email": user.email.strip(), "phone": re.sub(r"[\s().-]", "", user.phone)}
    wanted = {"email": (EMAIL, "no e-mail address that can be used"), "phone": (PHONE, "no phone number in digits")}
    for name in FILLED.findall(address):
        form, lacking = wanted[name]
        if not form.fullmatch(values[name]):
            raise NoAddress(f"the user has {lacking}")
    if bracketed:
        values["email"] = f"<{values['email']}>"
    return FILLED.sub(lambda found: quote(values[found[1]], safe=""), address)
