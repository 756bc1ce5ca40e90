"""What the installer must not do: tell anybody too early, take something away, show a secret."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lib.tools.bundle.layout import bundle
from lib.tools.install import rights as rights_module
from lib.tools.install.checks import SAMPLE, texts_mark
from lib.tools.install.rights import Names, lacking, tags_of_users
from lib.tools.install.wanted import TAG
from lib.tools.sandbox.server import Sandbox
from lib.tools.sandbox.trouble import Fault
from tests.conftest import MAINTENANCE, ROOT, names_told
from tests.tools.installing import command, in_process, install, only, rights, story, variables, writes

RUN_USER = ("access", "create_notification", "access_notification", "edit_notification")

# ---- away again


def test_uninstall_lists_what_it_made_asks_and_removes_nothing_else(bare: Sandbox) -> None:
    mine = bare.store.add_analysis({"name": "mine"})
    bare.store.policies["mine"] = {"id": "mine", "name": "mine", "tags": [], "targets": [], "permissions": []}
    install(bare, "--journal", "--every", "15 minutes")
    asked = install(bare, "--uninstall")
    assert asked.code == 1
    assert "  Action Notify TagoRUN users: every" in asked.out
    assert "Nothing was removed (--yes removes them without a question)" in asked.out
    assert len(bare.store.analyses) == 2
    ran = install(bare, "--uninstall", "--yes")
    assert ran.code == 0, ran.err
    assert list(bare.store.analyses) == [mine["id"]]
    assert list(bare.store.policies) == ["mine"]
    assert not bare.store.actions
    assert not bare.store.devices
    assert "Nothing to remove" in install(bare, "--uninstall").out


def test_copies_that_inherited_the_tags_stay(bare: Sandbox) -> None:
    install(bare, "--every", "15 minutes")
    ours, action = only(bare.store.analyses), only(bare.store.actions)
    copy = bare.store.add_analysis({"name": "copy", "tags": [*ours["tags"]]})
    bare.store.actions["copied"] = {**action, "id": "copied", "name": "copied"}
    again = install(bare, "--every", "15 minutes")
    assert f"Analysis copy ({copy['id']}) is a copy; it stays as it is" in again.out
    assert "Nothing to change" in again.out
    ran = install(bare, "--uninstall", "--yes")
    assert list(bare.store.analyses) == [copy["id"]]
    assert list(bare.store.actions) == ["copied"]
    assert "Action copied bears the tag, but stays" in ran.out


def test_two_that_bear_the_tag_are_not_guessed_between(bare: Sandbox) -> None:
    for name in ("one", "two"):
        bare.store.add_analysis({"name": name, "tags": [TAG]})
    ran = install(bare)
    assert ran.code == 1
    assert "More than one Analysis bears the tag" in ran.err
    assert writes(bare) == 0


# ---- what was changed on TagoIO


def test_a_right_added_by_hand_stays_and_is_named(bare: Sandbox) -> None:
    install(bare)
    policy = only(bare.store.policies)
    policy["permissions"].append({"effect": "deny", "action": ["access"], "resource": ["device", "id", "x"]})
    policy["permissions"].reverse()
    policy["targets"].append(["analysis", "id", "other"])
    ran = install(bare)
    assert "Rights beyond what a run needs stay: deny access on device (id x)" in ran.out
    assert "Nothing to change" in ran.out
    install(bare, notification='{"title": "$DEVICE.NAME$", "message": "m"}')  # one is added beside it
    assert {("access", "device"), ("access", "device", "id", "x")} <= rights(bare)
    assert ["analysis", "id", "other"] in only(bare.store.policies)["targets"]
    install(bare, "--overwrite")
    assert ("access", "device", "id", "x") not in rights(bare)


def test_a_policy_that_is_refused_is_tried_with_less_and_what_is_missing_is_said(
    bare: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The names cannot be asked for, and an inferred one is wrong."""
    bare.trouble.faults = [Fault("404", route=("GET", "/am/settings"), attempts=9)]
    wrong = replace(rights_module.QUOTA, wire=("account", "read_quota"))
    monkeypatch.setattr("lib.tools.install.rights.QUOTA", wrong)
    assert in_process(bare, ROOT, monkeypatch) == 0
    said = capsys.readouterr().out
    assert "GET /am/settings cannot be read; the rights are asked for by names that are inferred" in said
    assert "it is tried with less" in said
    assert "Without the right Account / Access profile: the push quota is not checked" in said
    assert {each[0] for each in rights(bare)} == set(RUN_USER)


def test_the_names_of_rights_are_those_that_tagoio_has_for_their_labels() -> None:
    listed = [
        {"label": label, "value": f"x_{label[:6]}", "match_by": ["any"]} for label in ("Access", "Edit Notification")
    ]
    names = Names({"resources": {"people": {"label": "Run users"}}, "settings": {"analysis": {"people": listed}}})
    assert names.of(rights_module.EDIT) == ("people", "x_Edit N")
    assert names.of(rights_module.CREATE) is None
    assert rights_module.CREATE in lacking(names)
    assert not names.by_tag(rights_module.ACCESS)
    unreadables: list[Any] = [None, [], {}, {"settings": None}, {"settings": {"analysis": []}}]
    for unreadable in unreadables:
        assert Names(unreadable).of(rights_module.EDIT) == ("run_user", "edit_notification")


def test_users_are_matched_by_the_tag_where_nobody_else_is_to_be_told(bare: Sandbox) -> None:
    install(bare, "--run")
    by_tag = ("run_user", "tag.key", "group", "tag.value", "maintenance")
    assert {each for each in rights(bare) if each[1] == "run_user"} == {(action, *by_tag) for action in RUN_USER}
    assert names_told(bare) == MAINTENANCE
    install(bare, "--overwrite", send_to="all")
    assert {each for each in rights(bare) if each[1] == "run_user"} == {(action, "run_user") for action in RUN_USER}


@pytest.mark.parametrize(
    ("variables", "code", "tags"),
    [
        ({"tag_key": "a", "tag_value": "x, y"}, "", [("a", "x"), ("a", "y")]),
        ({"tag_key": "a", "tag_value": "x", "send_to": "tags"}, "# escalate=1", [("a", "x")]),
        ({"tag_key": "a", "tag_value": "x", "send_to": "all"}, "", []),
        ({"tag_key": "a", "tag_value": "x"}, "Notification(escalate=[])", []),
        ({"tag_key": "a", "tag_value": "x", "notification": '{"escalate": []}'}, "", []),
        ({"tag_key": "a"}, "", []),
        ({}, "", []),
    ],
)
def test_whom_a_policy_may_be_limited_to(variables: dict[str, str], code: str, tags: list[tuple[str, str]]) -> None:
    assert tags_of_users(variables, code) == tags


# ---- Secrets


def test_the_journals_token_is_a_secret_that_nobody_can_read_and_it_works(bare: Sandbox) -> None:
    fallback = "mailtos://me:hunter22@mail.example.com"
    first = install(bare, "--journal", "--run", fallback=fallback)
    assert first.code == 0, first.out + first.err
    assert "Secret delivery_log_token created" in first.out
    assert not {"delivery_log_token", "fallback"} & set(variables(bare))
    assert {each["key"]: each["value"] for each in bare.store.kept_secrets.values()}["fallback"] == fallback
    device = only(bare.store.devices)
    assert [row for row in bare.store.data[device["id"]] if row["variable"] == "notify_outcome"]
    again = install(bare, "--journal", fallback=fallback)
    assert "Nothing to change" in again.out
    assert "Secret fallback is there (--overwrite sets it anew)" in again.out
    assert "Secret fallback set anew" in install(bare, "--overwrite", fallback="json://localhost/").out
    assert "hunter22" not in first.out + first.err + again.out + again.err
    install(bare, "--uninstall", "--yes")
    assert not bare.store.kept_secrets


def test_what_stands_among_the_variables_stays_there_unless_told(bare: Sandbox) -> None:
    bare.trouble.faults = [Fault("404", route=("GET", "/am/settings"), attempts=1)]
    install(bare, fallback="json://localhost/")
    assert variables(bare)["fallback"] == "json://localhost/"
    assert "Nothing to change" in install(bare, fallback="json://localhost/").out
    moved = install(bare, "--overwrite", fallback="json://localhost/")
    assert "Variable fallback removed, as it would override the Secret" in moved.out
    assert "fallback" not in variables(bare)


def test_a_secret_of_somebody_elses_stays_and_ours_becomes_a_variable(bare: Sandbox) -> None:
    bare.store.kept_secrets["s"] = {"id": "s", "key": "fallback", "value": "theirs", "tags": []}
    ran = install(bare, fallback="json://localhost/")
    assert "TagoIO takes no Secret fallback (400 Secret key already in use); it becomes a variable" in ran.out
    assert variables(bare)["fallback"] == "json://localhost/"
    assert bare.store.kept_secrets["s"]["value"] == "theirs"


# ---- the first live contact


def test_it_ends_with_a_dry_run_on_tagoio_and_nobody_is_told(bare: Sandbox) -> None:
    ran = command(bare, "--every", "15 minutes")
    assert ran.code == 0, ran.out + ran.err
    assert "would be told: Ana Souza" in ran.out
    assert "8 users match; 7 would be told" in ran.out
    assert "Users: 8 with group = maintenance, 1 of them inactive" in ran.out
    assert ran.out.rstrip().splitlines()[-1].endswith("python -m lib.tools.install --live")
    assert variables(bare)["dry_run"] == "true"
    assert not bare.store.notifications
    live = command(bare, "--live", "--run")
    assert "Variable dry_run removed: it is live" in live.out
    assert "Notified 7 of 8 users" in live.out
    assert "dry_run" not in variables(bare)
    assert "It is live, and its Actions start it" in live.out
    stays = command(bare)  # no dry run any more, which would silence it
    assert "Nothing to change" in stays.out
    assert "dry_run" not in variables(bare)


def test_a_dry_run_that_does_not_end_well_keeps_it_from_going_live(bare: Sandbox) -> None:
    ran = command(bare, "--live", "--run", tag_value="nobody")
    assert ran.code == 1
    assert "WARNING: no user has group = nobody; users have group = maintenance (8), group = office (4)" in ran.out
    assert "so dry_run = true stays set" in ran.out
    assert variables(bare)["dry_run"] == "true"


def test_what_the_developer_will_hardly_want_is_warned_of(bare: Sandbox) -> None:
    bare.store.add_device({"name": "Fridge", "tags": [{"key": "kind", "value": "freezer"}]})
    ran = command(bare, "--dry-run", "--when", "t > 5", "--device-tag", "kind=fridge")
    assert (
        "WARNING: no device has the tag kind = fridge, so nothing starts it; devices have kind = freezer (1)" in ran.out
    )
    assert "WARNING: the texts in analysis.py (compose, under EDIT ME) are those it came with" in ran.out
    ran = command(
        bare, "--dry-run", "--when", "t > 5", "--device", "0" * 24, notification='{"title": "t", "message": "m"}'
    )
    assert f"WARNING: there is no device {'0' * 24}" in ran.out
    assert "came with" not in ran.out


def test_the_samples_mark_is_that_of_the_texts_it_came_with() -> None:
    """After a change of the template: python -m lib.tools.install.checks"""
    assert SAMPLE.read_text().strip() == texts_mark(bundle(ROOT).edit_me)


def test_values_are_shown_and_secrets_are_not(bare: Sandbox) -> None:
    _, token = bare.store.add_device({"name": "Mine"})
    ran = command(bare, "--dry-run", delivery_log_token=token, fallback="mailtos://me:hunter22@mail.example.com")
    assert "tag_key = group, tag_value = maintenance" in ran.out
    assert "hunter22" not in ran.out + ran.err
    assert token not in ran.out + ran.err


# ---- the script


def test_a_script_that_was_edited_on_tagoio_is_shown_kept_and_not_overwritten(
    bare: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = story(tmp_path, ("- EDIT ME\n", "- EDIT ME\n\n# mine\n"))
    assert in_process(bare, root, monkeypatch) == 0
    there = Path(only(bare.store.scripts))
    edited = there.read_text().replace("# mine", "# edited in the admin")
    there.write_text(edited)
    capsys.readouterr()
    assert in_process(bare, root, monkeypatch) == 0
    said = capsys.readouterr().out
    assert "  -# edited in the admin" in said
    assert "  +# mine" in said
    assert "The script on TagoIO stays as it is (--overwrite replaces it with analysis.py)" in said
    assert Path(only(bare.store.scripts)).read_text() == edited
    (copy,) = root.glob("analysis.tagoio-*.py")
    assert copy.read_text() == edited
    assert in_process(bare, root, monkeypatch, "--overwrite") == 0
    assert Path(only(bare.store.scripts)).read_text() == bundle(root).text


def test_a_script_that_nobody_edited_there_is_brought_up_to_date(
    bare: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = story(tmp_path, ("- EDIT ME\n", "- EDIT ME\n\n# first\n"))
    assert in_process(bare, root, monkeypatch) == 0
    (root / "analysis.py").write_text((root / "analysis.py").read_text().replace("# first", "# second"))
    assert in_process(bare, root, monkeypatch) == 0
    assert Path(only(bare.store.scripts)).read_text() == bundle(root).text
    assert not list(root.glob("analysis.tagoio-*.py"))


def test_a_script_that_cannot_be_read_is_not_overwritten(bare: Sandbox) -> None:
    install(bare)
    record = only(bare.store.analyses)["tags"]
    next(tag for tag in record if tag["key"] == "tagorun_notify_bundle")["value"] = "of another bundle"
    bare.trouble.faults = [Fault("404", route=("GET", f"/analysis/{only(bare.store.analyses)['id']}"), attempts=0)]
    bare.store.scripts.clear()
    ran = install(bare)
    assert "so whether it was edited there is not known" in ran.out
    assert "stays as it is (--overwrite replaces it" in ran.out
    assert "Script uploaded" in install(bare, "--overwrite").out
