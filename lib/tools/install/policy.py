"""The policy step: makes it, or puts back what is missing, which is named; what was added by hand stays, named too."""

from collections.abc import Callable
from typing import Any

from lib.base.errors import Rejected
from lib.tools.install.hand import Hand
from lib.tools.install.rights import (
    Names,
    Rule,
    Wish,
    covers,
    lacking,
    permissions_of,
    policy_body,
    rules_of,
    shown_rule,
)

Record = dict[str, Any]
PART = "policy"
WHAT = "Policy for the Analysis' own token"
OFF = "is switched off on TagoIO"
NEEDED = "nobody can be told"


def put_policy(hand: Hand, names: Names, wishes: list[Wish], *, overwrite: bool) -> None:
    """With `overwrite` it holds the wishes and nothing else."""
    for right in lacking(names):
        hand.say(f"TagoIO has no right {right}{f': {right.without}' if right.without else ', which a run needs'}")
    if not names.are_known:
        hand.say("GET /am/settings cannot be read; the rights are asked for by names that are inferred")
    found = hand.find(hand.platform.kinds["policy"], PART)
    kept: list[Record] = []
    if found:
        wanted, there = rules_of(permissions_of(names, wishes)), rules_of(found.get("permissions"))
        extra = there - wanted
        if extra and not overwrite:
            _name_extra(hand, extra)
            kept = [each for each in found.get("permissions") or () if rules_of([each]) & extra]
        is_on = bool(found.get("active", True))
        if not (is_on or overwrite):
            hand.note_obstacle(f"the {WHAT[0].lower()}{WHAT[1:]} {OFF} and stays so (--overwrite switches it on)")
        is_right = all(covers(there, rule) for rule in wanted) and not (overwrite and (extra or not is_on))
        if is_right and ["analysis", "id", hand.analysis_id] in (found.get("targets") or ()):
            hand.say(f"{WHAT} is there")
            return
        _name_missing(hand, names, wishes, there)
    _write(hand, names, wishes, found, kept, is_on=overwrite or not found or bool(found.get("active", True)))


def _name_extra(hand: Hand, extra: set[Rule]) -> None:
    said = "; ".join(map(shown_rule, sorted(extra)))
    hand.say(f"Rights beyond what a run needs stay: {said} (--overwrite takes them away)")


def _name_missing(hand: Hand, names: Names, wishes: list[Wish], there: set[Rule]) -> None:
    """Whether somebody took a right out, or it has become a need, is not known; one whose limits change is there."""
    held = {(rule[0], rule[1], rule[2][:1]) for rule in there}
    narrowed = []
    for wish in wishes:
        needed = {rule for rule in rules_of(permissions_of(names, [wish])) if not covers(there, rule)}
        if any((rule[0], rule[1], rule[2][:1]) in held for rule in needed):
            narrowed.append(str(wish.right))
        elif needed:
            hand.say(f"Right {wish.right} is not there and is put back: without it, {wish.right.without or NEEDED}")
    if narrowed:
        hand.say(f"Rights are there with other limits, and what a run needs is put there: {', '.join(narrowed)}")


def _write(
    hand: Hand, names: Names, wishes: list[Wish], found: Record | None, kept: list[Record], *, is_on: bool
) -> None:
    """A policy that TagoIO refuses is tried with what a run cannot do without; then the rest, one by one."""
    access = hand.platform.access
    targets = [["analysis", "id", hand.analysis_id]]
    targets += [each for each in (found or {}).get("targets") or () if each not in targets]

    def body(some: list[Wish]) -> Record:
        return {
            **policy_body(hand.analysis_id, [*permissions_of(names, some), *kept]),
            "targets": targets,
            "active": is_on,
        }

    def write(some: list[Wish]) -> Callable[[], Any]:
        policy_id = hand.record.get(PART)
        return (lambda: access.edit(policy_id, body(some))) if policy_id else (lambda: access.create(body(some)))

    what = f"{WHAT} {'changed' if found else 'created'}{_whom(wishes)}"
    try:
        _note(hand, hand.do(what, write(wishes), "am"))
        return
    except Rejected as error:
        taken = [wish for wish in wishes if not wish.right.without]
        if error.status not in (400, 422) or len(taken) == len(wishes):
            raise
        hand.say(f"TagoIO refused the policy ({error.message}); it is tried with less")
    _note(hand, hand.do(what, write(taken), "am"))
    for wish in wishes:
        if not wish.right.without:
            continue
        try:
            write([*taken, wish])()
            taken.append(wish)
        except Rejected:
            hand.say(f"Without the right {wish.right}: {wish.right.without}")


def _note(hand: Hand, made: Any) -> None:
    if isinstance(made, dict) and made.get("am_id"):
        hand.remember(**{PART: str(made["am_id"])})


def _whom(wishes: list[Wish]) -> str:
    tags = wishes[0].tags if wishes else ()
    if not tags:
        return ""
    values = " or ".join(f"{key} = {value}" for key, value in tags)
    return f", for users with {values} (after a change of tag_key or tag_value run this again)"
