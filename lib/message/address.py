"""Addresses that may stand in a notification: web addresses, and paths in TagoIO."""

import re
from urllib.parse import urlsplit

ODD = re.compile(r"[\s\\\x00-\x1f\x7f]")


def is_path(address: str) -> bool:
    """A page of TagoIO by its path, such as /dashboards/info/5b16b4c86ba351000105badc."""
    return address.startswith("/") and not address.startswith("//") and not ODD.search(address)


def is_web_address(address: str) -> bool:
    """http or https with a host, and nothing that browsers read otherwise (a backslash): never javascript: or data:."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not ODD.search(address)
