"""Addresses that may stand in a notification: web addresses, and paths in TagoIO."""

import os
import re
from urllib.parse import urlsplit

ADMIN = "https://admin.tago.io"  # TagoRUN opens links to it inside itself (TagoIO Admin changelog 7.0.0)
ODD = re.compile(r"[\s\\\x00-\x1f\x7f]")


def admin_address() -> str:
    """Where the pages of TagoIO are: beside its API, by region (D changelog: admin.eu-w1.tago.io) or TagoDeploy."""
    api = urlsplit(os.environ.get("TAGOIO_API") or "")
    host = api.hostname or ""
    is_tagoio = host.startswith("api.") and host.endswith((".tago.io", ".tagoio.net"))
    return f"https://admin.{host.removeprefix('api.')}" if is_tagoio else ADMIN


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
