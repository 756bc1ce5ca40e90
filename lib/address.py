"""Addresses that may stand in a notification: web addresses, and paths in TagoIO."""

import re
from urllib.parse import urlsplit


def is_path(address: str) -> bool:
    """A page of TagoIO by its path, such as /dashboards/info/5b16b4c86ba351000105badc."""
    return address.startswith("/") and not address.startswith("//")


def is_web_address(address: str) -> bool:
    """http or https with a host, and no space: never javascript: or data:."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not re.search(r"\s", address)
