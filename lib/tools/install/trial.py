"""The first live contact: dry runs on TagoIO, whose console is shown; then the question whether to send for real.

One is by hand. One more for each condition hands in what would meet it, so that what `compose` says of it shows now.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

from lib.tools.install.conditions import Condition
from lib.tools.install.hand import Hand
from lib.tools.install.record import LIVE
from lib.tools.install.values import Values
from lib.tools.stream import Stream

FOLLOWED = 120.0  # seconds
QUIET = 1.5  # seconds without a line after the summary, after which a run has ended
ENDINGS = ("Notified ", "Nobody was notified", "Dry run", "Stopped by")
WELL = ("Notified ", "Dry run")
FALSE = ("", "false", "no", "off", "0")


class Trial:
    """Runs the installed Analysis. `sse` is the address of TagoIO's event stream."""

    def __init__(self, hand: Hand, sse: str) -> None:
        self.hand = hand
        self.sse = sse

    def run(self, what: str, scope: dict[str, Any] | None = None) -> bool:
        """Run it once, with this data, and show its console until its summary has come; whether it ended well."""
        analysis_id, platform = self.hand.analysis_id, self.hand.platform
        lines: list[str] = []
        listen = lambda event: lines.extend(_message(event).splitlines())  # noqa: E731
        stream = Stream(self.sse, f"analysis_console.{analysis_id}", platform.token, listen)
        stream.opened.wait(10)
        platform.analyses.run(analysis_id, scope)
        self.hand.say(f"{what}; its console:")
        began, shown, last = time.monotonic(), 0, time.monotonic()
        while time.monotonic() - began < FOLLOWED:
            for line in lines[shown:]:
                self.hand.say(f"  {line}")
                shown, last = shown + 1, time.monotonic()
            ended = any(line.lstrip().startswith(ENDINGS) for line in lines)
            if ended and time.monotonic() - last > QUIET:
                return any(line.lstrip().startswith(WELL) for line in lines)
            if not stream.is_alive() and shown == len(lines):
                break
            time.sleep(0.1)
        why = f"No end seen within {FOLLOWED:.0f} s" if stream.is_alive() else "TagoIO's stream of consoles has ended"
        self.hand.say(f"{why}; see its console: {self.hand.link(f'analysis/{analysis_id}')}")
        return False

    def dry_runs(self, met: Sequence[Condition]) -> bool:
        """By hand, then with what meets each condition; whether all ended well. The first that did not is the last."""
        return self.run("A dry run on TagoIO, nobody is told") and all(map(self._dry_run_with, met))

    def _dry_run_with(self, condition: Condition) -> bool:
        point = condition.point
        whose = condition.device_name or "no device"
        what = f"A dry run with what an Action on {condition.text} hands in, nobody is told"
        data = f"{point['variable']} = {point['value']} of {whose}, by hand, so without the id of an Action"
        return self.run(f"{what} ({data})", point)

    def go_live(
        self, values: Values, confirm: Callable[[str], bool], met: Sequence[Condition], *, with_trial: bool
    ) -> bool | None:
        """Whether it may tell real people from now on; None where a dry run did not end well."""
        if with_trial and not self.dry_runs(met):
            self.hand.say("The dry run did not end well, so dry_run = true stays set")
            return None
        if not confirm("Send for real from now on?"):
            return False
        rest = {name: value for name, value in values.variables.items() if name != "dry_run"}
        values.write("Variable dry_run removed: it is live, and tells real people from now on", rest)
        self.hand.remember(**{LIVE: "yes"})
        return True


def is_dry(values: Values) -> bool:
    return values.variables.get("dry_run", "").strip().lower() not in FALSE


def _message(event: object) -> str:
    """The text of a console event, wherever in it that stands."""
    if isinstance(event, dict):
        found = event.get("message")
        return found if isinstance(found, str) else "".join(_message(value) for value in event.values())
    return "".join(map(_message, event)) if isinstance(event, list) else ""
