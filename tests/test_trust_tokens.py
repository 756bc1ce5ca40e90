"""A token is checked where it enters, and shows nowhere, whatever it is wrapped in and whatever goes wrong."""

import base64
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from lib.app.settings import read_settings
from lib.base.errors import SetupError
from lib.base.log import hide, redact
from lib.fallback.channels import secrets_of
from lib.tagoio.transport import Client
from lib.tools.sandbox.server import Sandbox
from lib.tools.sandbox.store import Identity
from tests.conftest import ANALYSIS, BARE, ROOT, Ran, run_python

TOOLS = {
    "install": ["-m", "lib.tools.install", "--dry-run"],
    "campaign": ["-m", "lib.tools.campaign"],
    "probe": ["-m", "lib.tools.probe", "--yes"],
}
ENDS = ["\n", "\r\n", "\r", "\n\n", " \t"]
WRONG = ["{}\nx: y", "{}\r\nx: y", "{}\x00", "…{}", "{}é"]


@pytest.mark.parametrize("end", ENDS)
def test_what_a_copy_leaves_at_the_end_of_a_token_goes(end: str) -> None:
    tags = {"tag_key": "k", "tag_value": "v"}
    assert read_settings([], {**tags, "account_token": f"p-12345678{end}"}).account_token == "p-12345678"
    assert read_settings([], tags, f"a-12345678{end}").account_token == "a-12345678"
    given = read_settings([], {**tags, "account_token": "p-1", "delivery_log_token": f"uuid-1234{end}"})
    assert given.delivery_log_token == "uuid-1234"


@pytest.mark.parametrize("form", WRONG)
def test_what_is_no_token_is_said_without_it(form: str) -> None:
    token = form.format("p-0a1b2c3d4e5f")
    tags = {"tag_key": "k", "tag_value": "v"}
    for given in ({"account_token": token}, {"account_token": "p-1", "delivery_log_token": token.removeprefix("p-")}):
        with pytest.raises(SetupError, match="character that no token has") as caught:
            read_settings([], {**tags, **given})
        assert "0a1b2c3d" not in str(caught.value)
    with pytest.raises(SetupError, match="T_ANALYSIS_TOKEN holds a character") as caught:
        read_settings([], tags, token)
    assert "0a1b2c3d" not in str(caught.value)
    with pytest.raises(SetupError, match="character that no token has") as caught:
        Client("https://127.0.0.1:9").request("GET", "/info", token=token)
    assert "0a1b2c3d" not in str(caught.value)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("tool", ["inside", "once", *TOOLS])
def test_every_entrypoint_takes_a_token_with_a_line_end(
    peopled: Sandbox, run_inside: Callable[..., Ran], tool: str, end: str
) -> None:
    (analysis,) = peopled.store.analyses.values()
    profile, own = peopled.store.profile_token, peopled.store.token_for(Identity("analysis", analysis["id"]))
    device = peopled.store.add_device({"name": "journal"})[1]
    env = {"TAGOIO_API": peopled.api, "tag_key": "group", "tag_value": "maintenance"}
    if tool == "inside":
        env |= {"T_ANALYSIS_CONTEXT": "tago-io", "T_ANALYSIS_TOKEN": own + end, "T_ANALYSIS_ENV": "[]"}
        ran = run_python(ANALYSIS, env={**env, "T_ANALYSIS_DATA": "null"})
    elif tool == "once":
        ran = run_python(ANALYSIS, env={**env, "account_token": profile + end})
    else:
        env |= {"account_token": profile + end, "delivery_log_token": device + end}
        arguments = [*TOOLS[tool], "--dry-run"] if tool == "probe" else TOOLS[tool]
        ran = run_python(*arguments, cwd=ROOT, env=env)
    said = ran.out + ran.err
    assert "Traceback" not in said
    assert not any(token in said for token in (profile, own, device))
    assert ran.code == 0 or (tool == "campaign" and "has no campaign yet" in said), said


@pytest.mark.parametrize("tool", ["inside", "once", "listener", *TOOLS])
def test_every_entrypoint_refuses_what_is_no_token(peopled: Sandbox, tool: str) -> None:
    token = "p-0a1b2c3d4e5f\r\nx: y"
    env = {"TAGOIO_API": peopled.api, "TAGOIO_SSE": f"{peopled.api}/events", "tag_key": "group", "tag_value": "x"}
    if tool == "listener":
        ran = run_python(ANALYSIS, env={**env, "T_ANALYSIS_TOKEN": token})
    elif tool == "inside":
        inside = {"T_ANALYSIS_CONTEXT": "tago-io", "T_ANALYSIS_TOKEN": token, "T_ANALYSIS_ENV": "[]"}
        ran = run_python(ANALYSIS, env={**env, **inside, "T_ANALYSIS_DATA": "null"})
    elif tool == "once":
        ran = run_python(ANALYSIS, env={**env, "account_token": token})
    else:
        ran = run_python(*TOOLS[tool], cwd=ROOT, env={**env, "account_token": token, "delivery_log_token": token})
    said = ran.out + ran.err
    assert ran.code == 1
    assert "no token has" in said
    assert "Traceback" not in said
    assert "0a1b2c3d" not in said


def test_a_listener_takes_a_token_with_a_line_end(peopled: Sandbox, tmp_path: Path) -> None:
    from tests.test_start import until

    (analysis,) = peopled.store.analyses.values()
    analysis["run_on"] = "external"
    token = peopled.store.token_for(Identity("analysis", analysis["id"]))
    env = {**BARE, "T_ANALYSIS_TOKEN": f"{token}\r\n", "TAGOIO_API": peopled.api, "TAGOIO_SSE": f"{peopled.api}/events"}
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen([sys.executable, "-u", str(ANALYSIS)], env=env, stdout=log, stderr=log)
    try:
        until(lambda: peopled.runner.listeners[f"analysis_trigger.{analysis['id']}"])
    finally:
        process.kill()
        process.wait()
    assert token not in (tmp_path / "log").read_text()


SECRETS = ['pa"ss/wör d\\+&=', "tok:en@host/π", "s3cr3t%2Fx"]
WRAPPED: list[Callable[[str], str]] = [
    str, json.dumps, repr, quote, quote_plus, lambda text: json.dumps(text, ensure_ascii=False),
    lambda text: quote(text, safe=""), lambda text: quote(text, safe="").lower(),
]  # fmt: skip


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("wrap", WRAPPED)
def test_a_secret_is_found_in_its_escaped_forms(secret: str, wrap: Callable[[str], str]) -> None:
    hide(secret)
    assert re.fullmatch(r"before ['\"]?\*\*\*['\"]? after", redact(f"before {wrap(secret)} after"))


def test_a_short_secret_is_found_as_a_word_and_spares_words_it_is_a_part_of() -> None:
    hide("kx7")
    assert redact("login kx7: refused; akx7b kx7") == "login ***: refused; akx7b ***"


def test_the_longest_secret_goes_first_whatever_the_order() -> None:
    for secret in ("zebra-1", "zebra-1-stripes", "a-zebra-1-stripes-long"):
        hide(secret)
    assert redact("zebra-1-stripes a-zebra-1-stripes-long zebra-1") == "*** *** ***"


def test_no_option_of_an_address_is_a_secret() -> None:
    address = "mailtos://user:kx8@mail.example.com:587?format=text&verify=no&to={email}"
    assert "kx8" in set(secrets_of([address]))
    assert not {"user", "587", "text", "no", "mail.example.com"} & set(secrets_of([address]))
    same = "mailtos://secret:secret@mail.example.com?to={email}"
    assert "secret" in set(secrets_of([same]))


@pytest.mark.parametrize("where", ["main", "thread"])
@pytest.mark.parametrize(
    "tool", ["lib.tools.install.__main__", "lib.tools.campaign.__main__", "lib.tools.probe.__main__"]
)
def test_what_nobody_foresaw_is_told_without_secrets(tool: str, where: str) -> None:
    code = f"""
import argparse, threading
import {tool} as tool
from lib.base.log import hide
def breaks(*_, **__):
    hide("kx9-secret-of-mine")
    raise RuntimeError("with kx9-secret-of-mine and p-0a1b2c3d4e5f")
def parse(*_): return argparse.Namespace()
for name in ("_install", "_probe", "_connect"):
    if hasattr(tool, name):
        setattr(tool, name, breaks)
if "{where}" == "thread":
    real = breaks
    def breaks_beside(*_, **__):
        beside = threading.Thread(target=real); beside.start(); beside.join(); raise SystemExit(1)
    for name in ("_install", "_probe", "_connect"):
        if hasattr(tool, name):
            setattr(tool, name, breaks_beside)
tool.main([])
"""
    ran = run_python("-c", code, cwd=ROOT, env={"PYTHONPATH": str(ROOT)})
    assert ran.code == 1
    assert "RuntimeError: with *** and ***" in ran.err
    assert "kx9-secret" not in ran.out + ran.err


def test_a_proxys_password_shows_in_no_form(monkeypatch: pytest.MonkeyPatch) -> None:
    for address in ("http://joe:pa55word@proxy.example.com:x", "socks5://joe:pa55word@proxy", "http://joe:pa55word@"):
        monkeypatch.setenv("https_proxy", address)
        with pytest.raises(SetupError, match="cannot be used") as caught:
            Client("https://127.0.0.1:9")
        assert "pa55word" not in str(caught.value)
        assert base64.b64encode(b"joe:pa55word").decode() not in str(caught.value)
