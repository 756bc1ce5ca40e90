"""What every step of an installation does alike: find what is there, change it or only say so, and note it down."""

from collections.abc import Callable
from typing import Any

from lib.base.errors import Rejected
from lib.tools.install.platform import Kind, Platform
from lib.tools.install.record import recorded, tags_with, the_only

Record = dict[str, Any]


class Hand:
    """With `dry_run` it only says. `changes` counts what was changed, or would be. `analysis` is the installed one,
    {} before there is any; `record` is what its tags name. `obstacles` say why it tells nobody, whatever starts it."""

    def __init__(
        self, platform: Platform, link: Callable[[str], str], say: Callable[[str], None], *, dry_run: bool
    ) -> None:
        self.platform = platform
        self.link = link
        self.say = say
        self.dry_run = dry_run
        self.changes = 0
        self.analysis: Record = {}
        self.record: dict[str, str] = {}
        self.obstacles: list[str] = []

    @property
    def analysis_id(self) -> str:
        return str(self.analysis.get("id", ""))

    def take(self, analysis: Record) -> None:
        self.analysis = analysis
        self.record = recorded(analysis)

    def note_obstacle(self, what: str) -> None:
        """What somebody switched off on TagoIO: it stays so, and is named here and at the end."""
        self.obstacles.append(what)
        self.say(f"WARNING: {what}")

    def do(self, what: str, change: Callable[[], Any], page: str = "") -> Any:
        """A change: never repeated by itself, since TagoIO cannot tell a repetition; the next run looks again. What
        TagoIO answered, None in a dry run."""
        self.changes += 1
        if self.dry_run:
            self.say(f"would be: {what}")
            return None
        answer = change()
        self.say(f"{what}{f'  {self.link(page)}' if page else ''}")
        return answer

    def remember(self, **parts: str) -> None:
        """Note in the Analysis' tags what was made; quietly, as it is no change that anybody asked for."""
        fresh = {part: value for part, value in parts.items() if self.record.get(part) != value}
        if not fresh or self.dry_run:
            return
        self.record |= fresh
        self.analysis["tags"] = tags_with(self.analysis, self.record)
        self.platform.analyses.edit(self.analysis_id, {"tags": self.analysis["tags"]})

    def find(self, kind: Kind, part: str, fits: Callable[[Record], bool] = lambda _: True) -> Record | None:
        """What the record names; or else the one that bears TAG and is named by nobody, which a run that was cut off
        has left. Raises SetupError where there are several."""
        try:
            if self.record.get(part):
                found = self.platform.info(kind, self.record[part])
                if found:
                    return found
            listed = self.platform.bearing_tag(kind)
        except Rejected as error:
            if error.status == 404 or (kind.is_optional and error.status in (401, 403)):  # no such part in this TagoIO
                return None
            raise
        named = set(self.record.values())
        left = [each for each in listed if each["id"] not in named and fits(each)]
        infos = [self.platform.info(kind, each["id"]) for each in left]
        found = the_only(kind.name, [each for each in infos if each and self._is_for_us(each)], kind.title)
        if found:
            self.remember(**{part: found["id"]})
        return found

    def _is_for_us(self, record: Record) -> bool:
        """What names an Analysis must name ours: others may be installed beside it."""
        action, targets = record.get("action"), record.get("targets")
        if isinstance(action, dict):
            return self.analysis_id in (action.get("script") or ())
        return any(self.analysis_id in target for target in targets) if isinstance(targets, list) else True
