"""The journal of the Analysis that the installer made, where .env does not have its token: the installer keeps that
among TagoIO's Secrets, which cannot be read."""

import time
from collections.abc import Callable

from lib.base.errors import Rejected, SetupError
from lib.tagoio.transport import TagoIO
from lib.tools.install.platform import PAGE, Platform
from lib.tools.install.record import recorded, the_installed
from lib.tools.terminal import typed

NAME = "delivery_log_token"
KNOWN_FROM = "what was sent to whom is known from the journal only"


def installed_token(tago: TagoIO, account_token: str, link: Callable[[str], str]) -> str:
    """A token of its device that may read and write. Raises SetupError where none can be had, which says where else."""
    platform = Platform(tago.client, account_token, time.sleep)
    try:
        return _token(platform, link)
    except Rejected as error:
        why = f"the installed Analysis cannot be looked up: {error.message}"
        raise SetupError(f"{NAME} is not set, and {why}") from error


def _token(platform: Platform, link: Callable[[str], str]) -> str:
    kind = platform.kinds["analysis"]
    listed = the_installed(platform.bearing_tag(kind))
    analysis = platform.info(kind, listed["id"]) if listed else None
    if not analysis:
        raise SetupError(
            f"{NAME} is not set, and no Analysis of {typed('lib.tools.install')} is on this profile: put the token of "
            f"the journal's device into .env or the environment; {KNOWN_FROM}"
        )
    variables = analysis.get("variables")
    for each in variables if isinstance(variables, list) else ():
        if each.get("key") == NAME and each.get("value"):
            return str(each["value"])
    device_id = recorded(analysis).get("journal", "")
    device = platform.info(platform.kinds["journal"], device_id) if device_id else None
    if not device:
        raise SetupError(
            f"{NAME} is not set, and the Analysis {analysis.get('name')} has no journal that "
            f"{typed('lib.tools.install')} --journal made; {KNOWN_FROM}"
        )
    query = {"page": 1, "amount": PAGE, "fields": ["name", "token", "permission"]}
    for each in platform.ask(lambda: platform.devices.tokenList(device_id, dict(query))):
        token = str(each.get("token") or "")
        holder = platform.holder_of(token) if each.get("permission") == "full" else None
        if holder and holder.get("id") == device_id:  # neither expired nor shown in part
            return token
    raise SetupError(
        f"{NAME} is not set, and TagoIO shows no token of the journal's device that can be used: copy one with full "
        f"permission from the page of the device {device.get('name')} ({device_id}) into .env: {link('devices')}"
    )
