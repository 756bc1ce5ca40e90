from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.base.errors import Doubtful, SetupError
from lib.message.user import User
from lib.tagoio.audience import Audience, Choice, choose_audience
from lib.tagoio.transport import Client, TagoIO
from lib.tools.sandbox.listing import select
from lib.tools.sandbox.server import Sandbox
from lib.tools.sandbox.store import Record, Store
from lib.tools.sandbox.trouble import Fault
from tests.conftest import MAINTENANCE

USERS_ROUTE = ("GET", "/run/users")


def choose(sandbox: Sandbox, token: str = "", **variables: Any) -> Audience:
    tago = TagoIO(token or sandbox.store.profile_token, Client(sandbox.api))
    given = {"tag_key": "group", "tag_value": ("maintenance",), **variables}
    return choose_audience(tago.run, Choice(**given), sleep=lambda seconds: None)


def names(audience: Audience) -> list[str]:
    return sorted(user.name for user in audience.chosen)


def refusal(sandbox: Sandbox, **variables: Any) -> str:
    with pytest.raises(SetupError) as caught:
        choose(sandbox, **variables)
    return str(caught.value)


def test_the_users_with_the_tag_are_chosen_and_the_inactive_one_is_skipped(peopled: Sandbox) -> None:
    audience = choose(peopled)
    assert names(audience) == MAINTENANCE
    assert [(user.name, reason) for user, reason in audience.skipped] == [("Grace Lim", "inactive user")]
    assert audience.size == 8


def test_any_of_several_values_counts_and_each_user_once(peopled: Sandbox) -> None:
    assert names(choose(peopled, tag_key="role", tag_value=("supervisor", "manager", "supervisor"))) == [
        "Daniel Weber", "Hugo Silva", "Jon O'Neil",
    ]  # fmt: skip


def test_everyone_is_chosen_with_all(peopled: Sandbox) -> None:
    assert len(choose(peopled, send_to=("all",)).chosen) == 11


def test_users_can_be_named_by_id_email_or_exact_name(peopled: Sandbox) -> None:
    emi = next(user["id"] for user in peopled.store.users.values() if user["name"] == "Emi Tanaka")
    audience = choose(peopled, send_to=(emi, "ANA@example.com", "Jon O'Neil", "Ana Souza"))
    assert names(audience) == ["Ana Souza", "Emi Tanaka", "Jon O'Neil"]


def test_unknown_names_are_all_named_and_nobody_is_chosen(peopled: Sandbox) -> None:
    said = refusal(peopled, send_to=("Ana Souza", "Nobody", "f" * 24, "x@example.com"))
    assert 'no TagoRUN user has the id, e-mail or name "Nobody"' in said
    assert said.count("no TagoRUN user") == 3


def test_a_name_that_two_users_share_is_refused(peopled: Sandbox) -> None:
    peopled.store.add_user({"name": "Ana Souza", "email": "ana2@example.com", "active": True})
    assert '2 users are called "Ana Souza"; use their e-mail or id' in refusal(peopled, send_to=("Ana Souza",))


def test_nobody_matching_is_explained_with_the_likely_causes(peopled: Sandbox) -> None:
    said = refusal(peopled, tag_value=("Maintenance",))
    assert 'No TagoRUN user has the tag "group" = "Maintenance"' in said
    assert "; users have group = maintenance, group = office, role = supervisor" in said
    assert said.endswith('did you mean "group = maintenance"?')
    for user in peopled.store.users.values():
        user["tags"] = []
    said = refusal(peopled, tag_value=("Maintenance",))
    assert "spelt otherwise" in said
    assert "Access Management policy" in said


def test_a_larger_audience_than_allowed_is_refused(peopled: Sandbox) -> None:
    assert "7 users would be told, more than max_recipients (6)" in refusal(peopled, max_recipients=6)


def test_an_analysis_token_without_a_policy_sees_nobody(peopled: Sandbox) -> None:
    from lib.tools.sandbox.store import Identity

    peopled.store.policies.clear()
    (analysis,) = peopled.store.analyses.values()
    with pytest.raises(SetupError, match="does not allow Run User / Access"):
        choose(peopled, token=peopled.store.token_for(Identity("analysis", analysis["id"])))


def test_a_wrong_token_is_named_with_where_to_get_one(peopled: Sandbox) -> None:
    with pytest.raises(SetupError, match=r"does not accept the token in account_token.*Tokens"):
        choose(peopled, token="p-wrong")


def test_an_unreachable_server_is_named_by_its_address() -> None:
    tago = TagoIO("p-1", Client("http://127.0.0.1:9"))
    with pytest.raises(SetupError, match=r"http://127.0.0.1:9 cannot be reached.*TAGOIO_API"):
        choose_audience(tago.run, Choice(send_to=("all",)), sleep=lambda seconds: None)


@pytest.mark.parametrize("kind", ["500", "429", "reset", "cut", "not-json", "status-false", "empty", "no-result"])
def test_a_page_is_asked_for_again_when_its_answer_cannot_be_had(peopled: Sandbox, kind: str) -> None:
    peopled.trouble.faults = [Fault(kind, route=USERS_ROUTE, processed=True, attempts=2)]
    assert names(choose(peopled)) == MAINTENANCE


def test_a_page_that_never_can_be_read_leaves_nobody_chosen(peopled: Sandbox) -> None:
    peopled.trouble.faults = [Fault("not-json", route=USERS_ROUTE, attempts=99)]
    assert "The users cannot be looked up" in refusal(peopled)


class FakeRun:
    """Lists users as a server with its own idea of a page does."""

    def __init__(self, users: list[Record], page_size: int, *, filters: bool = True) -> None:
        self.users, self.page_size, self.filters = users, page_size, filters

    def listUsers(self, query: dict[str, Any]) -> list[Record]:  # noqa: N802
        wanted = query["filter"] if self.filters else {}
        order = ",".join(query["orderBy"])
        return select(self.users, wanted, order, query["page"], min(query["amount"], self.page_size), query["fields"])

    def userInfo(self, userID: str) -> Record:  # noqa: N802, N803
        raise NotImplementedError


people = st.lists(
    st.tuples(st.booleans(), st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xyz")), max_size=3)),
    max_size=30,
)


@given(people, st.integers(1, 40), st.booleans(), st.lists(st.sampled_from("xyz"), min_size=1, max_size=3, unique=True))
def test_exactly_the_active_users_with_the_tag_are_chosen_whatever_the_page_size(
    given_people: list[Any], page_size: int, filters: bool, values: list[str]
) -> None:
    store = Store()
    for active, tags in given_people:
        listed = [{"key": key, "value": value} for key, value in tags]
        store.add_user({"name": "n", "email": "e", "active": active, "tags": listed})
    wanted = Choice(tag_key="a", tag_value=tuple(values))
    having = [
        user
        for user in store.users.values()
        if any(tag["key"] == "a" and tag["value"] in values for tag in user["tags"])
    ]
    run = FakeRun(list(store.users.values()), page_size, filters=filters)
    if not having:
        with pytest.raises(SetupError):
            choose_audience(run, wanted)
        return
    audience = choose_audience(run, wanted)
    assert sorted(user.id for user in audience.chosen) == sorted(user["id"] for user in having if user["active"])
    assert sorted(user.id for user, _ in audience.skipped) == sorted(u["id"] for u in having if not u["active"])


def test_users_whom_the_server_adds_unasked_are_left_out_and_noted() -> None:
    store = Store()
    store.add_user({"name": "in", "email": "e", "active": True, "tags": [{"key": "a", "value": "x"}]})
    store.add_user({"name": "out", "email": "e", "active": True})
    audience = choose_audience(
        FakeRun([*store.users.values()], 9, filters=False), Choice(tag_key="a", tag_value=("x",))
    )
    assert names(audience) == ["in"]
    assert audience.notes == ["TagoIO also returned 1 users without the tag; they were left out"]


@pytest.mark.parametrize("page", [[None], [{"name": "no id"}], [{"id": 5}]])
def test_a_page_of_users_that_makes_no_sense_stops_the_run(page: Any) -> None:
    class Senseless(FakeRun):
        def listUsers(self, query: dict[str, Any]) -> Any:  # noqa: N802
            return page

    with pytest.raises(SetupError, match="cannot be looked up"):
        choose_audience(Senseless([], 9), Choice(send_to=("all",)))


def test_a_server_that_repeats_its_page_for_ever_is_not_asked_for_ever() -> None:
    class Repeating(FakeRun):
        def listUsers(self, query: dict[str, Any]) -> Any:  # noqa: N802
            return [{"id": "1", "name": "n"}]

    assert choose_audience(Repeating([], 9), Choice(send_to=("all",))).size == 1


def test_a_rate_limited_lookup_waits_as_long_as_it_is_told() -> None:
    slept: list[float] = []
    answers: Iterator[Any] = iter([Doubtful("x", status=500), Doubtful("y", retry_after=7.0), [], [{"id": "1"}]])

    class Busy(FakeRun):
        def listUsers(self, query: dict[str, Any]) -> Any:  # noqa: N802
            answer = next(answers)
            if isinstance(answer, Exception):
                raise answer
            return answer

    choose_audience(Busy([], 9), Choice(send_to=("all",)), sleep=slept.append)
    assert slept == [1.0, 7.0]


def test_a_users_tag_can_be_asked_for() -> None:
    user = User("1", tags=(("site", "recife"), ("site", "albany")))
    assert user.tag("site") == "recife"
    assert user.tag("role", "none") == "none"


class Pages:
    """TagoIO's list of users, `size` on a page; `after` says what happens when a page was read."""

    def __init__(
        self, names: str, size: int = 20, after: Callable[[int, list[str]], None] = lambda read, users: None
    ) -> None:
        self.users = list(names)
        self.size = size
        self.after = after
        self.read = 0

    def listUsers(self, query: Any) -> list[dict[str, Any]]:  # noqa: N802  # the SDK's name
        first = self.size * (query["page"] - 1)
        shown = [{"id": name, "name": name, "active": True} for name in self.users[first : first + self.size]]
        self.read += 1
        self.after(self.read, self.users)
        return shown

    def userInfo(self, userID: str) -> dict[str, Any]:  # noqa: N802, N803
        raise AssertionError("nobody is asked for")


def test_a_user_who_is_listed_twice_on_one_page_is_chosen_once() -> None:
    audience = choose_audience(Pages("aabbcc"), Choice(send_to=("all",)))
    assert [user.id for user in audience.chosen] == ["a", "b", "c"]


@pytest.mark.parametrize(("number", "size"), [(20, 20), (21, 20), (55, 20), (3, 2), (4, 3), (9, 3), (10, 3)])
@pytest.mark.parametrize("when", range(1, 8))
def test_nobody_is_left_out_because_another_is_deleted_while_pages_are_read(number: int, size: int, when: int) -> None:
    everyone = [chr(ord("A") + each) for each in range(number)]

    def delete(read: int, users: list[str]) -> None:
        if read == when:
            users.remove("A")

    audience = choose_audience(Pages("".join(everyone), size, delete), Choice(send_to=("all",)))
    assert {user.id for user in audience.chosen} >= set(everyone) - {"A"}
    few = Pages("ab")
    choose_audience(few, Choice(send_to=("all",)))
    assert few.read == 2, "a few are not read twice"
