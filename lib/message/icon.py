"""The icon of a notification: TagoIO's object, a picture's address, or one of four built-in ones."""

import base64
from collections.abc import Iterator, Mapping
from typing import Any

from lib.message.address import is_web_address

# C js notifications.types: {image_url, bg_color?, fit?} or {svg_url, svg_color?, bg_color?}
IMAGE_FIELDS = {"image_url", "bg_color", "fit"}
SVG_FIELDS = {"svg_url", "svg_color", "bg_color"}
BUILT_IN = {
    "success": ("#2e7d32", "M20 32l9 9 16-18"),
    "info": ("#1565c0", "M32 28v16M32 20v1"),
    "warning": ("#ef6c00", "M32 18v18M32 43v1"),
    "critical": ("#c62828", "M23 23l18 18M41 23L23 41"),
}


def icon_problems(icon: Any) -> Iterator[str]:
    """Sentences on what is wrong with an icon; nothing where it is sound or absent."""
    names = ", ".join(BUILT_IN)
    if isinstance(icon, str):
        if icon and icon not in BUILT_IN and not is_web_address(icon):
            yield f'icon "{icon}" is neither one of {names} nor the web address (https://) of a picture'
    elif not isinstance(icon, Mapping):
        yield f"icon must be one of {names}, a web address, or TagoIO's object with image_url or svg_url"
    elif not (_fits(icon, "image_url", IMAGE_FIELDS) or _fits(icon, "svg_url", SVG_FIELDS)):
        yield "icon takes image_url (with bg_color, fit) or svg_url (with svg_color, bg_color), a web address (https://)"


def wire_icon(icon: str | Mapping[str, str]) -> dict[str, str]:
    """TagoIO's object. A built-in icon travels as a data address; whether TagoIO takes those is unknown, so a
    notification that is refused for its icon goes without it."""
    if isinstance(icon, Mapping):
        return dict(icon)
    if icon not in BUILT_IN:
        return {"image_url": icon}
    color, path = BUILT_IN[icon]
    drawing = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64" fill="none" stroke="#fff" stroke-width="6" '
        f'stroke-linecap="round"><circle cx="32" cy="32" r="29" fill="{color}" stroke="none"/><path d="{path}"/></svg>'
    )
    return {"svg_url": f"data:image/svg+xml;base64,{base64.b64encode(drawing.encode()).decode()}", "bg_color": color}


def _fits(icon: Mapping[Any, Any], address: str, known: set[str]) -> bool:
    texts = all(isinstance(value, str) for value in icon.values())
    return texts and icon.keys() <= known and is_web_address(icon.get(address, ""))
