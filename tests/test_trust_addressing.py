"""Whom `send_to` means: an id is an id, an address is an address, whatever somebody calls themselves."""

from typing import Any

import pytest

from lib.tools.sandbox.server import Sandbox
from tests.test_audience import choose, names, refusal

NOBODYS = "0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (NOBODYS, f'no TagoRUN user has the id "{NOBODYS}"'),
        (NOBODYS.upper(), f'no TagoRUN user has the id "{NOBODYS.upper()}"'),
        ("boss@example.com", 'no TagoRUN user has the e-mail "boss@example.com"'),
    ],
)
def test_nobody_gets_it_by_a_name_that_looks_like_an_id_or_an_address(peopled: Sandbox, entry: str, said: str) -> None:
    for name in (entry, entry.lower()):
        peopled.store.add_user({"name": name, "email": f"mallory{len(peopled.store.users)}@x.io", "active": True})
    assert said in refusal(peopled, send_to=(entry,))


def test_an_address_is_its_owners_though_another_bears_it_as_a_name(peopled: Sandbox) -> None:
    peopled.store.add_user({"name": "ana@example.com", "email": "mallory@x.io", "active": True})
    assert names(choose(peopled, send_to=("ana@example.com",))) == ["Ana Souza"]


def test_an_id_is_its_owners_though_another_bears_it_as_a_name(peopled: Sandbox) -> None:
    emi = next(user["id"] for user in peopled.store.users.values() if user["name"] == "Emi Tanaka")
    peopled.store.add_user({"name": emi, "email": "mallory@x.io", "active": True})
    assert names(choose(peopled, send_to=(emi,))) == ["Emi Tanaka"]


def test_a_server_that_ignores_filters_changes_nothing(peopled: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    peopled.store.add_user({"name": "boss@example.com", "email": "mallory@x.io", "active": True})
    monkeypatch.setattr("lib.tools.sandbox.run_user_routes.read_filters", lambda _: {})
    assert 'the e-mail "boss@example.com"' in refusal(peopled, send_to=("boss@example.com",))
    assert names(choose(peopled, send_to=("Ana Souza",))) == ["Ana Souza"]


def test_two_of_one_name_are_an_error_that_gives_their_ids(peopled: Sandbox) -> None:
    twin: Any = peopled.store.add_user({"name": "Ana Souza", "email": "ana2@example.com", "active": True})
    said = refusal(peopled, send_to=("Ana Souza",))
    assert '2 users are called "Ana Souza"; use their e-mail or id instead' in said
    assert twin["id"] in said
    assert names(choose(peopled, send_to=(twin["id"],))) == ["Ana Souza"]


def test_a_name_with_a_mark_that_does_not_show_is_found_as_it_is_pasted(peopled: Sandbox) -> None:
    peopled.store.add_user({"name": "\u200fנועה", "email": "noa@x.io", "active": True})
    assert names(choose(peopled, send_to=("\u200fנועה",))) == ["נועה"]
