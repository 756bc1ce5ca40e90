"""The switches of the sandbox's trouble: one preset at a time, or each thing by itself."""

from typing import Any

from lib.base.text import counted
from lib.tools.sandbox.page.forms import BadInput, Form, number_of_text, text_of
from lib.tools.sandbox.page.plain import Weather
from lib.tools.sandbox.page.presets import KILLED_AFTER, LIMIT, PRESETS, faults_of
from lib.tools.sandbox.server import Sandbox
from lib.tools.sandbox.trouble import KINDS, PLANS, Fault
from lib.tools.sandbox.unknowns import UNKNOWNS, default_facts


class Switches:
    """What is on is read from the sandbox's trouble itself, whoever has switched it on. A documented plan's rate limit
    is no trouble."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.trouble = sandbox.trouble
        self.store = sandbox.store
        self.plan = "none"  # or one of PLANS, or other
        self.kills = False  # the run that begins next
        self.quota: int | None = None  # of push notifications, where somebody has set it
        self._usual_plan = "none"

    def set_plan(self, plan: str, limit: int | None = None) -> None:
        """The rate limits of a plan; none; or `other`, with `limit` notifications a minute."""
        self.plan = self.trouble.plan = plan
        self.trouble.rate_limit = PLANS.get(plan, limit)
        if plan != "other":
            self._usual_plan = plan

    def set_preset(self, form: Form) -> str:
        """One of PRESETS, in the place of all trouble that is on; where all is well, TagoIO is as its documents say."""
        name = text_of(form, "preset")
        if name not in PRESETS:
            raise BadInput("There is no such trouble")
        self.kills, self.trouble.latency, self.trouble.faults = name == "kill", 0.0, faults_of(name, self.store)
        if name == "well":
            self.store.facts.update(default_facts())
        self.quota = None
        self.refill()
        if name == "limit":
            self.set_plan("other", LIMIT)
        else:
            self.set_plan(self._usual_plan)
        self.trouble.begin_anew()
        self.trouble.spare_all()
        return PRESETS[name].says

    def set_each(self, form: Form, kinds: list[str]) -> str:
        limit = _whole(form, "limit", "Requests a minute", 0, 1, 1_000_000) if form.get("plan") == "other" else None
        latency = number_of_text(text_of(form, "latency") or "0", "Latency", 0, 60)
        share = number_of_text(text_of(form, "share") or "100", "Users hit", 0, 100)
        attempts = _whole(form, "attempts", "Requests hit", 1, 1, 1000)
        quota = _whole(form, "quota", "Push notifications", self.quota_left, 0, 10_000_000)
        if quota != self.quota_left:
            self.quota = quota
            self.refill()
        self.set_plan(text_of(form, "plan"), limit)
        self.kills, self.trouble.latency = bool(form.get("kills")), latency
        processed = bool(form.get("processed"))
        self.trouble.faults = [
            Fault(kind, processed, share=share / 100, attempts=attempts) for kind in KINDS if kind in kinds
        ]
        self.trouble.begin_anew()
        shown = ", ".join(fault.kind for fault in self.trouble.faults) or "no faults"
        minute = f"{self.trouble.rate_limit} a minute" if self.trouble.rate_limit else "no rate limit"
        return f"From now on: {minute}, {latency:g} s latency, {shown}, {_pushes_left(self.quota_left)}"

    def refill(self) -> None:
        """The push quota as somebody has set it, else whole."""
        most = int(self.store.limits["push_notification"])
        left = most if self.quota is None else self.quota
        self.store.limits["push_notification"] = max(most, left)
        self.store.used["push_notification"] = max(most, left) - left

    def set_facts(self, form: Form) -> str:
        """How TagoIO is where its documents leave it open: each of UNKNOWNS has a field of its name."""
        facts = {name: text_of(form, name) for name in UNKNOWNS if form.get(name)}
        for name, value in facts.items():
            if value not in UNKNOWNS[name].values:
                raise BadInput(f"{name}: one of {', '.join(UNKNOWNS[name].values)}")
        self.store.facts.update(facts)
        return "From now on TagoIO is so"

    @property
    def quota_left(self) -> int:
        return max(int(self.store.limits["push_notification"]) - int(self.store.used["push_notification"]), 0)

    @property
    def weather(self) -> Weather:
        kill_after = KILLED_AFTER if self.kills else None
        faults, facts = tuple(self.trouble.faults), tuple(self.store.facts.items())
        return Weather(self.trouble.rate_limit, self.trouble.latency, faults, kill_after, self.quota_left, facts)

    @property
    def preset(self) -> str:
        """Which of PRESETS is on, "" for trouble of one's own."""
        on = self._shown()
        found = next((name for name in PRESETS if on == self._preset_shown(name)), "")
        return "" if found == "well" and self.otherwise else found

    @property
    def otherwise(self) -> list[str]:
        """What is not as TagoIO's documents say, or as is likelier; and a push quota that is too small."""
        usual = default_facts()
        odd = [f"{name} {value}" for name, value in self.store.facts.items() if value != usual.get(name)]
        active = sum(bool(user["active"]) for user in self.store.users.values())
        return [_pushes_left(self.quota_left), *odd] if self.quota_left < active else odd

    @property
    def says(self) -> str:
        """What is on in words, "" where all is well."""
        if self.preset:
            on = [] if self.preset == "well" else [PRESETS[self.preset].says]
            return ", ".join([*on, *self.otherwise])
        limit, latency, faults, kills = self._shown()
        parts = [f"{limit} notifications a minute"] if limit else []
        parts += [f"{latency:g} s latency"] if latency else []
        parts += sorted({fault.kind for fault in faults})
        parts += ["the run is killed"] if kills else []
        return ", ".join([*parts, *self.otherwise])

    def _shown(self) -> tuple[Any, ...]:
        limit = self.trouble.rate_limit if self.plan == "other" else None
        return limit, self.trouble.latency, self.trouble.faults, self.kills

    def _preset_shown(self, name: str) -> tuple[Any, ...]:
        return LIMIT if name == "limit" else None, 0.0, faults_of(name, self.store), name == "kill"


def _pushes_left(number: int) -> str:
    return f"{counted(number, 'push notification')} left"


def _whole(form: Form, name: str, label: str, otherwise: int, least: int, most: int) -> int:
    return int(number_of_text(text_of(form, name) or str(otherwise), label, least, most))
