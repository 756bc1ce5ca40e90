"""Brings what TagoIO has to what is wanted, step by step; and takes away again what it made, by its record."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from lib.app.edits import probed_text
from lib.base.errors import Rejected, SetupError
from lib.tools.bundle.layout import Bundle
from lib.tools.install.actions import others_stay, put_action
from lib.tools.install.hand import Hand
from lib.tools.install.journal import put_journal
from lib.tools.install.policy import put_policy
from lib.tools.install.record import LIVE, NO_IDS, SELF, is_copy, the_installed
from lib.tools.install.rights import Names, names_a_device, tags_of_users, wishes
from lib.tools.install.script import put_script
from lib.tools.install.triggers import Trigger
from lib.tools.install.values import Values
from lib.tools.install.wanted import NAME, TAG, wanted_analysis, wanted_variables
from lib.tools.sandbox.unknowns import Facts

Record = dict[str, Any]


@dataclass(frozen=True)
class Wanted:
    """What the developer asks for. `name` is of an Analysis that is made, "" where they gave none.
    `folder` is where analysis.py is; `given` the variables of .env."""

    name: str
    script: Bundle
    folder: Path
    given: dict[str, str]
    triggers: list[Trigger] = field(default_factory=list)
    region: str = ""
    facts: Facts = field(default_factory=dict)
    probed: str = ""
    journal: bool = False
    overwrite: bool = False


class Installer:
    """Every step looks first, changes what differs, and says what it did; so a run that was cut off is completed by the
    next one. All that it makes is named by the record in the Analysis' tags, and it touches nothing else. `confirm`
    asks the developer."""

    def __init__(self, hand: Hand, confirm: Callable[[str], bool]) -> None:
        self.hand = hand
        self.confirm = confirm
        self.values: Values | None = None

    def look(self) -> None:
        """Find the installed Analysis, if there is one."""
        platform = self.hand.platform
        kind = platform.kinds["analysis"]
        found = platform.bearing_tag(kind)
        for each in filter(is_copy, found):
            self.hand.say(f"Analysis {each['name']} ({each['id']}) is a copy; it stays as it is")
        installed = the_installed(found)
        if installed:
            self.hand.take(platform.info(kind, installed["id"]) or {})

    def install(self, wanted: Wanted) -> Values:
        """What then stands on TagoIO."""
        hand = self.hand
        self.look()
        if not hand.analysis:
            self._create(wanted.name or NAME)
        elif SELF not in hand.record:
            hand.remember(**{SELF: hand.analysis_id, LIVE: hand.record.get(LIVE, "no")})
        name = str(hand.analysis.get("name") or wanted.name or NAME)
        if wanted.name and wanted.name != name:
            hand.say(f"The installed Analysis is named {name}, not {wanted.name}; it goes on with that one")
        self._look_whether_it_runs(overwrite=wanted.overwrite)
        put_script(hand, wanted.script.text, wanted.folder, overwrite=wanted.overwrite)
        names = Names(hand.platform.catalog())
        values = Values(hand, names)
        self._put_values(wanted, values, name)
        code, document = wanted.script.edit_me, values.variables.get("notification", "")
        put_policy(
            hand,
            names,
            wishes(
                names,
                tags_of_users(values.variables, code),
                with_quota=wanted.facts.get("quota_readable") != "no",
                with_device_names=names_a_device(code, document),
                itself=hand.analysis_id if values.hand_on else "",
                secret_tag=values.secret_tag,
            ),
            overwrite=wanted.overwrite,
        )
        for trigger in wanted.triggers:
            put_action(hand, name, trigger, overwrite=wanted.overwrite)
        others_stay(hand, wanted.triggers)
        return values

    def _create(self, name: str) -> None:
        hand = self.hand
        made = hand.do(
            f"Analysis {name} created",
            lambda: hand.platform.analyses.create(wanted_analysis(name, [TAG])),
            "analysis",
        )
        if made:
            hand.take({"id": str(made["id"]), "name": name, "tags": [TAG], "variables": []})
            hand.remember(**{SELF: hand.analysis_id, LIVE: "no"})

    def _look_whether_it_runs(self, *, overwrite: bool) -> None:
        hand = self.hand
        if not hand.analysis.get("active", True):
            if overwrite:
                edit = partial(hand.platform.analyses.edit, hand.analysis_id, {"active": True})
                hand.do("Analysis switched on", edit, f"analysis/{hand.analysis_id}")
            else:
                hand.note_obstacle("the Analysis is switched off on TagoIO and stays so (--overwrite switches it on)")
        if hand.analysis.get("run_on", "tago") != "tago":
            hand.note_obstacle("the Analysis is set to run external on TagoIO, so this script does not run there")

    def _put_values(self, wanted: Wanted, values: Values, name: str) -> None:
        given = wanted_variables(wanted.given, wanted.region)
        if wanted.journal:
            standing = values.variables.get("delivery_log_token", "")
            token = put_journal(
                self.hand, name, standing, has_secret="delivery_log_token" in values.secrets,
                overwrite=wanted.overwrite,
            )  # fmt: skip
            given.pop("delivery_log_token", "")
            if token:
                given["delivery_log_token"] = token
                values.forget("delivery_log_token")  # what stands there belongs to no journal any more
        if wanted.probed:
            given["probed"] = probed_text(wanted.probed, wanted.facts)
        if self.hand.record.get(LIVE, "no") != "yes" and not values.variables.get("dry_run"):
            given["dry_run"] = "true"  # nobody is told before the developer says so
        values.put(given, overwrite=wanted.overwrite, confirm=self.confirm)

    # ---- away again

    def uninstall(self, name: str, *, unasked: bool) -> bool:
        """Remove what the record names, what starts it first; False where it was not to be. Raises SetupError where
        what is installed has another `name` than was given."""
        self.look()
        hand = self.hand
        if name and hand.analysis and hand.analysis.get("name") != name:
            named = hand.analysis.get("name")
            raise SetupError(f"The installed Analysis is named {named}, not {name}: nothing is removed")
        plan = self._recorded() if hand.analysis else []
        if not plan:
            hand.say("Nothing to remove: nothing here was installed by this command")
            self._name_what_stays(set())
            return True
        hand.say("To be removed:")
        for kind, record in plan:
            hand.say(f"  {kind.name} {record.get(kind.title)}  {hand.link(kind.page)}")
        if not (hand.dry_run or unasked or self.confirm("Remove them?")):
            hand.say("Nothing was removed (--yes removes them without a question)")
            return False
        for kind, record in plan:
            hand.do(f"{kind.name} {record.get(kind.title)} removed", lambda: kind.module.delete(record["id"]))  # noqa: B023
        self._name_what_stays({record["id"] for _, record in plan})
        return True

    def _name_what_stays(self, removed: set[str]) -> None:
        """What bears the tag and is in no record: a copy, or left by a run that was cut off."""
        for kind in self.hand.platform.kinds.values():
            with suppress(Rejected):  # no such part in this TagoIO
                for each in self.hand.platform.bearing_tag(kind):
                    if each["id"] not in removed and each["id"] != self.hand.analysis_id:
                        where = self.hand.link(kind.page)
                        self.hand.say(f"{kind.name} {each.get(kind.title)} bears the tag, but stays  {where}")

    def _recorded(self) -> list[tuple[Any, Record]]:
        """What starts it first; the Analysis, which has the record, last."""
        kinds = self.hand.platform.kinds
        parts = {"policy": "policy", "journal": "journal", "delivery_log_token": "secret", "fallback": "secret"}
        found = []
        for part, record_id in self.hand.record.items():
            if part not in NO_IDS:
                kind = kinds[parts.get(part, "action")]
                record = self.hand.platform.info(kind, record_id)
                found += [(kind, record)] if record else []
        order = list(kinds)[1:]
        found.sort(key=lambda each: order.index(next(name for name in order if kinds[name] is each[0])))
        return [*found, (kinds["analysis"], self.hand.analysis)]
