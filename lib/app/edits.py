"""What it costs to change a copy that a user has: TagoIO's documents do not say, lib.tools.probe finds out."""

from collections.abc import Iterator, Mapping

EDITS = {
    "edit_pushes": ("is pushed again", "is not pushed again"),
    "edit_costs": ("costs a unit of the push quota", "costs no unit of the push quota"),
}


def probed_text(day: str, facts: Mapping[str, str]) -> str:
    """The variable `probed`: the day, and what a run needs to know."""
    return " ".join([day, *(f"{name}={facts[name]}" for name in EDITS if name in facts)])


def probed_facts(probed: str) -> dict[str, str]:
    return dict(word.split("=", 1) for word in probed.split() if "=" in word)


def said_of_edits(facts: Mapping[str, str], *, only_costs: bool = False) -> Iterator[str]:
    """With `only_costs` what is known to cost something."""
    for name, (yes, no) in EDITS.items():
        known = facts.get(name, "")
        if known == "yes":
            yield f"an edit {yes}, so changing copies is not free"
        elif not only_costs:
            yield f"an edit {no}" if known else f"whether an edit {yes} is not known (lib.tools.probe)"
