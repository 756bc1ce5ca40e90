"""The values that the Analysis is given: its Environment Variables, and TagoIO's Secrets for what must not be read.

A Secret shows in `context.environment` like a variable, is encrypted, takes 2,048 characters, and is granted to the
Analysis by a tag; a variable of the same name overrides it (D secrets.md).
"""

from collections.abc import Callable

from lib.base.errors import Rejected
from lib.tools.install.hand import Hand
from lib.tools.install.rights import SECRETS, Names
from lib.tools.install.wanted import SECRET_NAMES, TAG, difference, shown

SECRET_TAG = "tagorun_notify_for"  # the key of a tag; its value is the Analysis' id
OURS = ("probed",)  # what the installer itself finds out
LONGEST_SECRET = 2048  # characters, D secrets.md


class Values:
    """What stands on TagoIO, read before anything rests on it. `secrets` are the names of ours among its Secrets.
    `kept` are the variables that stay though another value is wanted."""

    def __init__(self, hand: Hand, names: Names) -> None:
        self.hand = hand
        listed = hand.analysis.get("variables")
        self.variables = {
            str(each.get("key")): str(each.get("value") or "") for each in (listed if isinstance(listed, list) else ())
        }
        self.can_keep_secrets = names.are_known and names.by_tag(SECRETS)
        self.secrets: dict[str, str] = {}
        self.kept: list[str] = []
        self._forgotten: set[str] = set()
        if self.can_keep_secrets and hand.analysis_id:
            kind = hand.platform.kinds["secret"]
            for name in SECRET_NAMES:
                found = hand.find(kind, name, lambda each, name=name: each.get("key") == name)  # type: ignore[misc]
                if found:
                    self.secrets[name] = str(found["id"])

    @property
    def secret_tag(self) -> tuple[str, str] | None:
        """By which the policy grants them."""
        return (SECRET_TAG, self.hand.analysis_id) if self.secrets else None

    @property
    def hand_on(self) -> bool:
        """Whether a run may have to start its own Analysis once more: it has a time budget, and a journal."""
        has_journal = "delivery_log_token" in self.secrets or bool(self.variables.get("delivery_log_token"))
        wanted = self.variables.get("hand_on", "true").strip().lower() not in ("false", "no", "off", "0")
        return has_journal and wanted and bool(self.variables.get("time_budget"))

    def forget(self, name: str) -> None:
        """What stands there under this name is to be replaced, in whichever of the two places it is."""
        self._forgotten.add(name)
        if name in self.variables:
            self.variables[name] = ""

    def put(self, wanted: dict[str, str], *, overwrite: bool, confirm: Callable[[str], bool]) -> None:
        """What was changed on TagoIO stays, unless told: by `overwrite`, or by an answer to the question about it."""
        left = {name: value for name, value in wanted.items() if not self._put_secret(name, value, overwrite=overwrite)}
        new = {name: value for name, value in left.items() if not self.variables.get(name)}
        new |= {name: value for name, value in left.items() if name in OURS and self.variables.get(name) != value}
        other = {name: value for name, value in left.items() if name not in new and self.variables[name] != value}
        for name, value in other.items():
            differs = difference(name, self.variables[name], value)
            if overwrite or (not self.hand.dry_run and confirm(f"{differs}. Replace it there?")):
                new[name] = value
            else:
                self.kept.append(name)
                self.hand.say(f"{differs}; it stays as it is on TagoIO (--overwrite replaces it)")
        if new:
            said = ", ".join(shown(name, value) for name, value in new.items())
            self.write(f"Variables set: {said}", {**self.variables, **new})
        else:
            self.hand.say("Variables are set")

    def write(self, what: str, variables: dict[str, str]) -> None:
        """All of them: TagoIO takes the list as a whole."""
        listed = [{"key": key, "value": value} for key, value in variables.items()]
        analysis_id = self.hand.analysis_id
        self.hand.do(
            what,
            lambda: self.hand.platform.analyses.edit(analysis_id, {"variables": listed}),
            f"analysis/{analysis_id}",
        )
        self.variables = variables

    def _put_secret(self, name: str, value: str, *, overwrite: bool) -> bool:
        """Whether it stands among the Secrets then. One that is there cannot be read, so it stays unless told."""
        if name not in SECRET_NAMES or not self.can_keep_secrets or len(value) > LONGEST_SECRET:
            return False
        if self.variables.get(name) and not overwrite:
            return False  # it stands among the variables, which override Secrets
        if name in self.secrets and not (overwrite or name in self._forgotten):
            self.hand.say(f"Secret {name} is there (--overwrite sets it anew)")
            return True
        if not self._write_secret(name, value):
            return False
        if name in self.variables:
            rest = {each: text for each, text in self.variables.items() if each != name}
            self.write(f"Variable {name} removed, as it would override the Secret", rest)
        return True

    def _write_secret(self, name: str, value: str) -> bool:
        secrets, known = self.hand.platform.secrets, self.secrets.get(name)
        tags = [TAG, {"key": SECRET_TAG, "value": self.hand.analysis_id}]
        what = f"Secret {name} {'set anew' if known else 'created'}"
        try:
            if known:
                self.hand.do(what, lambda: secrets.edit(known, {"value": value}), "secrets")
            else:
                made = self.hand.do(
                    what, lambda: secrets.create({"key": name, "value": value, "tags": tags}), "secrets"
                )
                self.secrets[name] = str(made["id"]) if made else ""
        except Rejected as error:  # the plan has none, or somebody else's has this name
            self.hand.say(f"TagoIO takes no Secret {name} ({error.message}); it becomes a variable")
            return False
        if self.secrets[name]:
            self.hand.remember(**{name: self.secrets[name]})
        return True
