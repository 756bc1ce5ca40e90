"""Another channel: real e-mail over a real SMTP server on this machine, and whole runs that need it."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from email import message_from_string
from email.message import Message
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from lib.app.settings import read_settings
from lib.base.errors import SetupError
from lib.base.log import hide
from lib.fallback.channels import channel_of, filled, read_fallback, secrets_of
from lib.fallback.fallback import Fallback, text_for
from lib.message.notification import Button, Notification
from lib.message.user import User
from lib.tools.sandbox.trouble import Fault
from tests.conftest import ANALYSIS, MAINTENANCE, Ran, names_told, run_python
from tests.test_decision import note_of, press
from tests.test_dispatch import EVENT, POINT, Journaled, journaled  # noqa: F401  # a fixture

NOTE = Notification(
    "A <b>cold</b> room",
    "Look <script>alert(1)</script> & act\nnow",
    (
        Button("ack", "Acknowledge", analysis="a" * 24),
        Button("page", "Dashboard", page="/dashboards/info/x"),
        Button("link", "Manual", link="https://example.com/?a=1&b=2"),
    ),
)
ANA = User("1", "Ana", "ana@example.com", phone="+55 (81) 5550-100")


@dataclass
class Mailbox:
    """An SMTP server with a login; what it does depends on the recipient's name. `closes_at` a command, or at the
    `greeting`, it closes the connection."""

    port: int = 0
    closes_at: str = ""
    mails: list[tuple[str, Message]] = field(default_factory=list)
    tries: int = 0
    times: list[float] = field(default_factory=list)

    def closes(self, server: SMTP, command: str) -> None:
        if self.closes_at == command:
            assert server.transport is not None
            server.transport.close()

    async def handle_EHLO(  # noqa: N802
        self, server: SMTP, session: Session, _envelope: Envelope, name: str, responses: list[str]
    ) -> list[str]:
        session.host_name = name
        self.closes(server, "EHLO")
        return responses

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        self.closes(server, "MAIL")
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        self.tries += 1
        self.closes(server, "RCPT")
        if address.startswith("refused"):
            return f"550 5.1.1 no such user {address}"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        address, *_ = envelope.rcpt_tos
        if address.startswith("dropped"):
            assert server.transport is not None
            server.transport.close()
            return "250 OK"
        self.closes(server, "text")
        if address.startswith("odd"):
            return "299 who knows"
        if address.startswith("slow"):
            await asyncio.sleep(3)
        if address.startswith("patient"):
            await asyncio.sleep(0.7)
        if address.startswith("stuck"):
            await asyncio.sleep(40)
        if address.startswith("full"):
            return "452 4.2.2 over quota"
        content = envelope.content
        assert isinstance(content, bytes)
        self.times.append(time.time())
        self.mails.append((address, message_from_string(content.decode())))
        return "250 OK"

    def address(self, user: str = "user", password: str = "right-secret", more: str = "") -> str:
        return f"mailto://{user}:{password}@127.0.0.1:{self.port}?from=alarm@example.com&to={{email}}&cto=1{more}"


class Greeting(SMTP):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.event_handler.closes(self, "greeting")

    async def smtp_DATA(self, arg: str | None) -> None:  # noqa: N802
        self.event_handler.closes(self, "DATA")
        if self.event_handler.closes_at != "DATA":
            await super().smtp_DATA(arg)


@contextmanager
def open_mailbox() -> Iterator[Mailbox]:
    box = Mailbox()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        box.port = free.getsockname()[1]

    def log_in(server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, given: Any) -> AuthResult:
        box.closes(server, "AUTH")
        is_right = isinstance(given, LoginPassword) and given.password == b"right-secret"
        return AuthResult(success=is_right, handled=False, message=None if is_right else "535 5.7.8 bad credentials")

    class Greeted(Controller):
        def factory(self) -> SMTP:
            return Greeting(self.handler, **self.SMTP_kwargs)

    controller = Greeted(
        box, hostname="127.0.0.1", port=box.port, authenticator=log_in, auth_require_tls=False, auth_required=True
    )
    controller.start()
    yield box
    controller.stop()


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with open_mailbox() as box:
        yield box


@pytest.fixture
def second() -> Iterator[Mailbox]:
    with open_mailbox() as box:
        yield box


def tell(address: str, user: User = ANA, why: str = "failed") -> tuple[str, str, str]:
    for secret in secrets_of([address]):
        hide(secret)
    attempt = Fallback([address], lambda: "https://polar.tago.run").tell(user, NOTE, why)
    return attempt.result, attempt.channel, attempt.reason


def someone(name: str) -> User:
    return User("2", name, f"{name}@example.com")


# ---- what is sent


def test_an_e_mail_has_the_text_the_links_and_where_to_answer(mailbox: Mailbox) -> None:
    assert tell(mailbox.address()) == ("taken", "mailto", "")
    ((to, mail),) = mailbox.mails
    assert (to, mail["from"], mail["subject"]) == ("ana@example.com", "alarm@example.com", "A <b>cold</b> room")
    text = mail.get_payload(decode=True)
    assert isinstance(text, bytes)
    assert text.decode().replace("\r\n", "\n").strip() == (
        "Look <script>alert(1)</script> & act\nnow\n\n"
        "Dashboard: https://admin.tago.io/dashboards/info/x\nManual: https://example.com/?a=1&b=2\n"
        "To answer (Acknowledge), open the notification in TagoRUN: https://polar.tago.run\n\n"
        "TagoRUN could not notify you, so this reaches you another way."
    )


def test_where_it_is_html_it_is_escaped(mailbox: Mailbox) -> None:
    tell(mailbox.address(more="&format=html"))
    ((_, mail),) = mailbox.mails
    (page,) = [part for part in mail.walk() if part.get_content_type() == "text/html"]
    text = page.get_payload(decode=True)
    assert isinstance(text, bytes)
    assert b"<script>" not in text
    assert b"&lt;script&gt;alert(1)&lt;/script&gt;" in text


@pytest.mark.parametrize(
    ("why", "said"),
    [
        ("unknown", "It is not known whether TagoRUN has shown you this as well."),
        ("unread", "You have not opened this in TagoRUN yet."),
    ],
)
def test_the_text_says_why_it_comes_this_way(why: str, said: str) -> None:
    title, body = text_for(Notification("a\r\nBcc: x@y.z", "m"), why)
    assert title == "a Bcc: x@y.z", "no header can be smuggled in"
    assert body == f"m\n\n\n{said}".replace("\n\n\n", "\n\n\n")


# ---- how it can go


@pytest.mark.parametrize(
    ("name", "result", "reason"),
    [
        ("refused", "refused", "mailto: 550 5.1.1 no such user ***"),
        ("full", "refused", "mailto: 452 4.2.2 over quota"),
        ("dropped", "doubt", "the connection was closed"),
        ("slow", "doubt", "no answer in time"),
    ],
)
def test_each_way_it_can_go_wrong_has_its_own_reason(mailbox: Mailbox, name: str, result: str, reason: str) -> None:
    assert tell(mailbox.address(), someone(name)) == (result, "mailto" if result == "doubt" else "", reason)


def test_a_refused_login_names_no_password(mailbox: Mailbox) -> None:
    result, _, reason = tell(mailbox.address(password="wrong-secret"))
    assert (result, reason) == ("refused", "mailto: 535 5.7.8 bad credentials")


def test_a_server_that_is_not_there_is_no_doubt(mailbox: Mailbox) -> None:
    address = mailbox.address().replace(str(mailbox.port), "1")
    assert tell(address) == ("refused", "", "mailto: connection refused")


@pytest.mark.parametrize(
    ("address", "user", "reason"),
    [
        ("nosuch://token-abcdef/{email}", ANA, "nosuch: Apprise takes no such address"),
        ("mailto://h?to={email}", User("1"), "mailto: the user has no e-mail address that can be used"),
        ("mailto://h?to={email}", User("1", email="a@b.c,d@e.f"), "mailto: the user has no e-mail address"),
        ("twilio://a:b@c/{phone}", User("1", phone="call me"), "twilio: the user has no phone number in digits"),
    ],
)
def test_a_wrong_address_or_a_user_without_one_is_refused(address: str, user: User, reason: str) -> None:
    result, _, said = tell(address, user)
    assert (result, said.startswith(reason)) == ("refused", True), said


def test_where_apprise_is_not_installed_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    assert tell("mailto://h.example.com?to={email}")[2] == (
        'mailto: Apprise is not installed; put "apprise" among the dependencies at the top of the script'
    )


@pytest.mark.parametrize("name", ["jon.o'neil", "plain", "a+b", "x_y-z"])
def test_it_goes_to_that_very_address(mailbox: Mailbox, name: str) -> None:
    assert tell(mailbox.address(), someone(name))[0] == "taken"
    assert [to for to, _ in mailbox.mails] == [f"{name}@example.com"]


@pytest.mark.parametrize("name", ["d'arcy.o'brien", "a:b"])
def test_an_address_that_apprise_reads_otherwise_is_refused_not_sent_elsewhere(mailbox: Mailbox, name: str) -> None:
    result, _, reason = tell(mailbox.address(), someone(name))
    assert (result, reason) == ("refused", "mailto: Apprise reads the user's e-mail address otherwise")
    assert mailbox.mails == []


def test_where_one_of_several_recipients_is_refused_the_user_may_have_been_told(mailbox: Mailbox) -> None:
    address = mailbox.address().replace("{email}", "{email},refused@example.com")
    assert Fallback([address, address]).tell(ANA, NOTE, "failed").result == "doubt"
    assert len(mailbox.mails) == 1


def test_what_a_service_logs_of_numbers_and_addresses_is_not_repeated(mailbox: Mailbox) -> None:
    address = "json://127.0.0.1:1/?to={phone}&who={email}"
    assert tell(address)[2] == "json: connection refused"


def test_addresses_are_tried_in_their_order_until_one_takes_it_or_leaves_doubt(mailbox: Mailbox) -> None:
    good, bad = mailbox.address(), mailbox.address(password="wrong-secret")
    attempt = Fallback([bad, good, good]).tell(ANA, NOTE, "failed")
    assert (attempt.result, attempt.channel, len(mailbox.mails)) == ("taken", "mailto", 1)
    tries = mailbox.tries
    assert Fallback([good, good]).tell(someone("dropped"), NOTE, "failed").result == "doubt"
    assert mailbox.tries == tries + 1, "another one would tell them twice"
    both = Fallback([bad, "nosuch://x"]).tell(ANA, NOTE, "failed")
    assert both.reason == "mailto: 535 5.7.8 bad credentials; nosuch: Apprise takes no such address"


@pytest.mark.parametrize("command", ["greeting", "EHLO", "AUTH", "MAIL", "RCPT", "DATA"])
def test_a_server_that_closes_before_it_has_the_text_leaves_no_doubt(
    mailbox: Mailbox, second: Mailbox, command: str
) -> None:
    mailbox.closes_at = command
    attempt = Fallback([mailbox.address(), second.address()]).tell(ANA, NOTE, "failed")
    assert (attempt.result, attempt.channel) == ("taken", "mailto")
    assert (len(mailbox.mails), len(second.mails)) == (0, 1)
    assert tell(mailbox.address()) == ("refused", "", "mailto: the connection was closed")


def test_a_server_that_does_not_answer_before_it_has_the_text_leaves_no_doubt(second: Mailbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = second.address().replace(str(second.port), str(silent.getsockname()[1]))
        attempt = Fallback([address, second.address()]).tell(ANA, NOTE, "failed")
    assert (attempt.result, len(second.mails)) == ("taken", 1)


@pytest.mark.parametrize("name", ["ana", "odd", "dropped", "slow"])
def test_a_server_that_has_the_text_and_does_not_refuse_it_leaves_doubt(
    mailbox: Mailbox, second: Mailbox, name: str
) -> None:
    mailbox.closes_at = "text" if name == "ana" else ""
    attempt = Fallback([mailbox.address(), second.address()]).tell(someone(name), NOTE, "failed")
    assert (attempt.result, attempt.channel) == ("doubt", "mailto")
    assert second.mails == []


def test_what_one_recipient_was_sent_is_not_forgotten_over_the_next(mailbox: Mailbox, second: Mailbox) -> None:
    address = mailbox.address().replace("{email}", "{email},full@example.com")
    attempt = Fallback([address, second.address()]).tell(someone("odd"), NOTE, "failed")
    assert (attempt.result, second.mails) == ("doubt", [])


def test_where_a_copy_was_taken_and_the_user_refused_there_is_doubt(mailbox: Mailbox, second: Mailbox) -> None:
    address = mailbox.address(more="&cc=boss@example.com")
    attempt = Fallback([address, second.address()]).tell(someone("refused"), NOTE, "failed")
    assert (attempt.result, len(mailbox.mails), second.mails) == ("doubt", 1, [])


def test_each_thread_tells_how_far_its_own_talk_came(mailbox: Mailbox, second: Mailbox) -> None:
    mailbox.closes_at = "RCPT"
    fallback = Fallback([mailbox.address(), second.address()])
    names = ["ana", "odd", "full"] * 4
    with ThreadPoolExecutor(12) as pool:
        attempts = list(pool.map(lambda name: fallback.tell(someone(name), NOTE, "failed").result, names))
    assert attempts == ["taken", "doubt", "refused"] * 4


# ---- the variable


def test_the_variable_takes_several_addresses_and_fills_them() -> None:
    text = "mailtos://u:p,w@h?to={email}, slack://A/B/C\n twilio://S:T@+15550100/{phone}"
    found = read_fallback(text)
    assert found == ("mailtos://u:p,w@h?to={email}", "slack://A/B/C", "twilio://S:T@+15550100/{phone}")
    assert list(map(channel_of, found)) == ["mailtos", "slack", "twilio"]
    assert filled(found[0], ANA) == "mailtos://u:p,w@h?to=ana%40example.com"
    assert filled(found[2], ANA) == "twilio://S:T@+15550100/%2B55815550100"


@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        ({"fallback": "user:secret@example.com"}, "fallback entry 1 is not an Apprise address"),
        ({"fallback": "mailto://h?to={email"}, "fallback entry 1 has a brace without its other half"),
        ({"fallback": "mailto://h?to={mail}"}, 'fallback entry 1 has "{mail}"; only {email} and {phone}'),
        ({"remind_after": "15m", "fallback": "json://h"}, "remind_after needs the journal"),
        ({"remind_after": "15m", "delivery_log_token": "0123456789abcdef"}, "remind_after needs fallback"),
        ({"remind_after": "2d"}, 'remind_after is "2d"; use at most 20 h'),
    ],
)
def test_a_bad_value_is_named_without_showing_it(variables: dict[str, str], problem: str) -> None:
    with pytest.raises(SetupError) as error:
        read_settings([], {"tag_key": "a", "tag_value": "b", **variables}, "a-1")
    assert problem in str(error.value)
    assert "secret" not in str(error.value)


def test_every_part_of_an_address_that_may_be_a_secret_is_hidden() -> None:
    addresses = ["mailtos://us%65r:pa[s]#s@smtp.example.com?to={email}&key=a%2Fb+c", "slack://TokenA/TokenB/C"]
    found = set(secrets_of(addresses))
    assert {"us%65r", "user", "pa[s]", "a%2Fb+c", "a/b c", "a%2Fb%20c", "TokenA", "TokenB"} <= found
    assert not {"smtp.example.com", "{email}", "key", "to"} & found


# ---- whole runs


Run = Callable[..., Ran]


@pytest.fixture
def deny(journaled: Journaled) -> Callable[[str], None]:  # noqa: F811
    """Lets notifications to a user fail for good."""

    def deny_one(name: str) -> None:
        store = journaled.sandbox.store
        (user,) = [user for user in store.users.values() if user["name"] == name]
        rule = {"effect": "deny", "action": ["create_notification"], "resource": ["run_user", "id", user["id"]]}
        store.policies["seeded"]["permissions"].append(rule)

    return deny_one


def outcomes(run: Ran) -> dict[str, dict[str, Any]]:
    return {line["user"]: line for line in run.log if line["event"] == "outcome"}


@pytest.mark.parametrize("with_journal", [True, False])
def test_who_cannot_be_told_by_tagorun_is_told_by_e_mail(
    journaled: Journaled,  # noqa: F811
    mailbox: Mailbox,
    deny: Callable[[str], None],
    with_journal: bool,
) -> None:
    deny("Ana Souza")
    variables = {"fallback": mailbox.address(), "log_level": "debug"}
    ran = journaled.run(**variables, **({} if with_journal else {"delivery_log_token": ""}))
    assert ran.code == 0, ran.out
    assert "Notified 7 of 8 users" in ran.out
    assert "fallback     1   told by another channel" in ran.out
    assert "401 Authorization Denied" in ran.out
    assert [to for to, _ in mailbox.mails] == ["ana@example.com"]
    assert ran.finished["fallback"] == 1
    assert names_told(journaled.sandbox) == [name for name in MAINTENANCE if name != "Ana Souza"]
    assert [line["channel"] for line in outcomes(ran).values() if line["status"] == "fallback"] == ["mailto"]
    for secret in ("right-secret", "ana@example.com", "alarm@example.com"):
        assert secret not in ran.out + ran.err
        assert secret not in str(journaled.rows("notify_outcome"))
    if with_journal:
        (row,) = [row for row in journaled.rows("notify_outcome") if row["value"] == "fallback"]
        assert (journaled.name(row["metadata"]["users"]), row["metadata"]["channel"]) == ("Ana Souza", "mailto")
        again = journaled.run(**variables)
        assert len(mailbox.mails) == 2, "another campaign is another notification"
        assert "took up" not in again.out


@pytest.mark.parametrize(
    ("user", "variables", "status", "said"),
    [
        ("refused", {}, "failed", "401 Authorization Denied: allow Run User / Create notification"),
        ("refused", {}, "failed", "mailto: 550 5.1.1 no such user ***"),
        ("dropped", {}, "unknown", "mailto may have told them all the same (the connection was closed)"),
        ("", {}, "failed", "mailto: the user has no e-mail address that can be used"),
        ("ana", {"fallback": "nosuch://secret-token/{email}"}, "failed", "nosuch: Apprise takes no such address"),
    ],
)
def test_a_fallback_that_fails_is_one_clear_outcome_and_touches_nobody_else(
    journaled: Journaled,  # noqa: F811
    mailbox: Mailbox,
    deny: Callable[[str], None],
    user: str,
    variables: dict[str, str],
    status: str,
    said: str,
) -> None:
    deny("Ana Souza")
    (ana,) = [each for each in journaled.sandbox.store.users.values() if each["name"] == "Ana Souza"]
    ana["email"] = f"{user}@example.com" if user else ""
    ran = journaled.run(**{"fallback": mailbox.address(), **variables})
    assert ran.code == 1
    assert f"  {status:<8}     1" in ran.out
    assert said in ran.out
    assert ran.finished["sent"] == 6
    assert "secret" not in ran.out + ran.err
    again = journaled.run(time_budget="60s", **{"fallback": mailbox.address(), "send_to": "Ben Carter", **variables})
    assert again.code == 0
    assert mailbox.mails == [], "once per user and campaign, whatever became of it"


def test_a_dry_run_checks_the_addresses_and_says_whom_they_do_not_reach(journaled: Journaled) -> None:  # noqa: F811
    (ana,) = [each for each in journaled.sandbox.store.users.values() if each["name"] == "Ana Souza"]
    ana["email"] = ""
    shown = journaled.run(dry_run="true", fallback="mailtos://user:secret-word@smtp.example.com?to={email}").out
    assert "Fallback: mailtos; Apprise takes each" in shown
    assert "has no e-mail address or phone number for it: Ana Souza" in shown
    wrong = journaled.run(dry_run="true", fallback="twilio://secret-word:b@+15550100/{phone} nosuch://secret-word").out
    assert "WRONG twilio: An invalid Twilio Account SID was specified." in wrong
    assert "WRONG nosuch: Apprise takes no such address" in wrong
    assert "secret-word" not in shown + wrong


def test_without_a_fallback_apprise_is_not_imported(journaled: Journaled, deny: Callable[[str], None]) -> None:  # noqa: F811
    deny("Ana Souza")
    env = {**journaled.env(), "PYTHONPROFILEIMPORTTIME": "1"}
    told = run_python(ANALYSIS, env=env)
    assert told.code == 1
    assert "structlog" in told.err, "the list of imports"
    assert "apprise" not in told.err


@pytest.mark.waits(26)
def test_an_unknown_outcome_without_a_journal_is_told_otherwise_and_the_text_says_so(
    journaled: Journaled,  # noqa: F811
    mailbox: Mailbox,
) -> None:
    store = journaled.sandbox.store
    permissions = store.policies["seeded"]["permissions"]
    permissions[0]["action"] = [action for action in permissions[0]["action"] if action != "access_notification"]
    journaled.sandbox.trouble.faults = [Fault("502")]
    with_journal = journaled.run(fallback=mailbox.address())
    assert with_journal.finished["unknown"] == 7
    assert mailbox.mails == [], "the next run settles those"
    without = journaled.run(fallback=mailbox.address(), delivery_log_token="", send_to="Ben Carter")
    journaled.sandbox.trouble.begin_anew()
    without = journaled.run(fallback=mailbox.address(), delivery_log_token="", send_to="Ben Carter")
    assert without.finished["fallback"] == 1
    ((_, mail),) = mailbox.mails
    assert "It is not known whether TagoRUN has shown you this as well." in str(mail)


def test_a_run_that_is_killed_before_the_fallback_leaves_it_to_the_next(
    journaled: Journaled,  # noqa: F811
    mailbox: Mailbox,
    deny: Callable[[str], None],
) -> None:
    deny("Ana Souza")
    no_time = journaled.run(fallback=mailbox.address(more="&x=1"), time_budget="10s")
    assert no_time.finished["fallback"] == 1
    journaled.sandbox.store.data[journaled.device["id"]] = [
        row
        for row in journaled.sandbox.store.data[journaled.device["id"]]
        if row["variable"] != "notify_fallback" and row["value"] not in ("finished", "fallback", "left")
    ]
    mailbox.mails.clear()
    journaled.age()
    ran = journaled.run(fallback=mailbox.address(), send_to="Ben Carter")
    assert [to for to, _ in mailbox.mails] == ["ana@example.com"]
    assert "fallback     1" in ran.out
    journaled.age()
    journaled.run(fallback=mailbox.address(), send_to="Ben Carter")
    assert len(mailbox.mails) == 1


URGENT = json.dumps(
    {
        "title": "Alarm",
        "message": "Please act",
        "priority": "high",
        "when": {"variable": "temperature", "is": ">", "value": 8},
        "buttons": [{"id": "ack", "label": "Acknowledge", "analysis": "this"}],
    }
)


def test_who_has_not_read_an_urgent_one_in_time_is_told_once_more_by_e_mail(
    journaled: Journaled,  # noqa: F811
    mailbox: Mailbox,
) -> None:
    store = journaled.sandbox.store
    variables = {"notification": URGENT, "fallback": mailbox.address(), "remind_after": "15m"}
    timer = {"_action_id": "e" * 24, "_action_type": "interval"}
    assert journaled.run(POINT, **variables, **EVENT).code == 0
    for name in MAINTENANCE[2:]:
        store.edit_notification(note_of(journaled, name), {"read": True})
    store.ahead += 14 * 60
    assert journaled.run(None, **variables, **timer).code == 0
    assert mailbox.mails == []
    store.ahead += 2 * 60
    ran = journaled.run(None, **variables, **timer)
    assert ran.code == 0, ran.out
    assert sorted(to for to, _ in mailbox.mails) == ["ana@example.com", "ben@example.com"]
    assert "not read within 15 min" in ran.out
    assert "You have not opened this in TagoRUN yet." in str(mailbox.mails[0][1])
    store.ahead += 60 * 60
    assert journaled.run(None, **variables, **timer).code == 0
    assert len(mailbox.mails) == 2
    assert len(names_told(journaled.sandbox)) == 7, "nobody is told again in TagoRUN"


def test_a_decision_makes_the_reading_of_the_others_unimportant(
    journaled: Journaled,  # noqa: F811
    mailbox: Mailbox,
) -> None:
    variables = {"notification": URGENT, "fallback": mailbox.address(), "remind_after": "15m"}
    journaled.run(POINT, **variables, **EVENT)
    press(journaled, "Ana Souza", **variables)
    journaled.sandbox.store.ahead += 16 * 60
    assert journaled.run(None, **variables, _action_id="e" * 24, _action_type="interval").code == 0
    assert mailbox.mails == []


def test_whom_e_mail_does_not_reach_either_is_named_and_not_tried_again(
    journaled: Journaled,  # noqa: F811
    mailbox: Mailbox,
) -> None:
    (ana,) = [each for each in journaled.sandbox.store.users.values() if each["name"] == "Ana Souza"]
    ana["email"] = "refused@example.com"
    variables = {"notification": URGENT, "fallback": mailbox.address(), "remind_after": "15m", "send_to": "Ana Souza"}
    timer = {"_action_id": "e" * 24, "_action_type": "interval"}
    journaled.run(POINT, **variables, **EVENT)
    journaled.sandbox.store.ahead += 16 * 60
    ran = journaled.run(None, **variables, **timer)
    assert ran.code == 1
    assert "Ana Souza: not read within 15 min; mailto: 550 5.1.1 no such user ***" in ran.out
    assert journaled.run(None, **variables, **timer).code == 0
    assert mailbox.tries == 1


# ---- what takes long, two runs at once, and runs that are cut off


def due_by_e_mail(journaled: Journaled, box: Mailbox, names: str) -> dict[str, str]:  # noqa: F811
    """An urgent notification that these users have not read in time."""
    variables = {"notification": URGENT, "fallback": box.address(), "remind_after": "15m"}
    journaled.run(POINT, **variables, **EVENT, send_to=names)
    journaled.sandbox.store.ahead += 16 * 60
    return variables


TIMER = {"_action_id": "e" * 24, "_action_type": "interval"}


def test_a_new_alarm_goes_before_the_e_mails_of_an_old_one(journaled: Journaled, mailbox: Mailbox) -> None:  # noqa: F811
    variables = due_by_e_mail(journaled, mailbox, "Ana Souza, Ben Carter")
    before = set(journaled.sandbox.store.notifications)
    journaled.run([{**POINT[0], "id": "2"}], **variables, **EVENT)
    new = [note for key, note in journaled.sandbox.store.notifications.items() if key not in before]
    assert len(new) == 7
    last = max(datetime.fromisoformat(note["created_at"]).timestamp() for note in new) - journaled.sandbox.store.ahead
    assert len(mailbox.mails) == 2
    assert last < min(mailbox.times)


@pytest.mark.waits(18)
def test_two_runs_at_once_send_one_e_mail(journaled: Journaled, mailbox: Mailbox) -> None:  # noqa: F811
    (ana,) = [each for each in journaled.sandbox.store.users.values() if each["name"] == "Ana Souza"]
    ana["email"] = "patient@example.com"  # a second for each
    variables = due_by_e_mail(journaled, mailbox, "Ana Souza")
    with ThreadPoolExecutor(3) as pool:
        runs = [pool.submit(journaled.run, None, **variables, **TIMER) for _ in range(3)]
        assert all(run.result().code in (0, 1) for run in runs)
    assert len(mailbox.mails) == 1


def test_a_try_that_was_cut_off_is_said_once_and_not_repeated(journaled: Journaled, mailbox: Mailbox) -> None:  # noqa: F811
    variables = due_by_e_mail(journaled, mailbox, "Ana Souza")
    journaled.run(None, **variables, **TIMER)
    rows = journaled.sandbox.store.data[journaled.device["id"]]
    gone = ("taken", "fallback", "finished", "left")
    journaled.sandbox.store.data[journaled.device["id"]] = [row for row in rows if row["value"] not in gone]
    journaled.age()
    ran = journaled.run(None, **variables, **TIMER)
    assert ran.code == 1
    assert "another channel may have told them; the run that tried was cut off: Ana Souza" in ran.out
    assert len(mailbox.mails) == 1
    journaled.age()
    assert journaled.run(None, **variables, **TIMER).code == 0
    assert len(mailbox.mails) == 1


def test_the_time_budget_binds_the_other_channel_too(
    journaled: Journaled,  # noqa: F811
    mailbox: Mailbox,
    deny: Callable[[str], None],
) -> None:
    deny("Ana Souza")
    (ana,) = [each for each in journaled.sandbox.store.users.values() if each["name"] == "Ana Souza"]
    ana["email"] = "stuck@example.com"
    started = time.monotonic()
    ran = journaled.run(fallback=mailbox.address().replace("cto=1", "cto=60"), time_budget="10s")
    assert time.monotonic() - started < 16  # unbounded it is 60
    assert ran.code == 1
    assert "another channel may have told them all the same (no answer in time): Ana Souza" in ran.out
    assert ran.finished["sent"] == 6


def test_an_interrupted_run_says_what_it_knows(
    journaled: Journaled,  # noqa: F811
    mailbox: Mailbox,
    deny: Callable[[str], None],
) -> None:
    deny("Ana Souza")
    (ana,) = [each for each in journaled.sandbox.store.users.values() if each["name"] == "Ana Souza"]
    ana["email"] = "stuck@example.com"
    env = journaled.env(fallback=mailbox.address().replace("cto=1", "cto=60"))
    command = [sys.executable, str(ANALYSIS)]
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 20
    while not mailbox.tries and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "Traceback" not in err
    assert "another channel may have told them all the same" in out
    assert list(journaled.outcomes().values()).count("sent") == 6


def test_who_has_opted_out_since_or_has_answered_is_not_reminded(journaled: Journaled, mailbox: Mailbox) -> None:  # noqa: F811
    survey = {**json.loads(URGENT), "answers": "each"}
    variables = {"notification": json.dumps(survey), "fallback": mailbox.address(), "remind_after": "15m"}
    journaled.run(POINT, **variables, **EVENT, send_to="Ana Souza, Ben Carter, Emi Tanaka")
    press(journaled, "Ana Souza", **variables)
    (ben,) = [each for each in journaled.sandbox.store.users.values() if each["name"] == "Ben Carter"]
    ben["tags"].append({"key": "notifications", "value": "off"})
    journaled.sandbox.store.ahead += 16 * 60
    journaled.run(None, **variables, **TIMER)
    assert [to for to, _ in mailbox.mails] == ["emi@example.com"]


def test_a_password_of_any_characters_is_neither_shown_nor_a_crash(journaled: Journaled) -> None:  # noqa: F811
    for password in ("pa[secretpart]x", "longp[ass", "pa＃secretpart", "pa#secretpart"):
        ran = journaled.run(fallback=f"mailtos://user:{password}@smtp.example.com?to={{email}}", dry_run="true")
        assert ran.code == 0, ran.out
        assert "secretpart" not in ran.out + ran.err
