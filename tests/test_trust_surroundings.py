"""Odd surroundings: it works, or says one clear thing before anybody is told; never a crash after people were."""

import codecs
import os
import re
import shutil
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lib.base.errors import SetupError
from lib.tagoio.transport import Client
from lib.tools.sandbox.server import Sandbox
from tests.conftest import ANALYSIS, BARE, MAINTENANCE, ROOT, Ran, names_told, run_python

SETTINGS = [
    {"LC_ALL": "C"},
    {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii:strict"},
    {"PYTHONIOENCODING": "latin-1:strict"},
]


def name_them_oddly(sandbox: Sandbox) -> None:
    for user in sandbox.store.users.values():
        user["name"] += " \u540d\U0001f600"


@pytest.mark.parametrize("env", SETTINGS, ids=str)
@pytest.mark.parametrize("way", ["inside", "once"])
def test_a_run_tells_everybody_whatever_the_streams_can_show(
    peopled: Sandbox, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, way: str, env: dict[str, str]
) -> None:
    for name, value in env.items():
        monkeypatch.setitem(BARE, name, value)
    name_them_oddly(peopled)
    ran = request.getfixturevalue(f"run_{way}")(log_level="debug")
    assert ran.code == 0, ran.out + ran.err
    assert len(names_told(peopled)) == 7


@pytest.mark.parametrize("env", SETTINGS[1:4], ids=str)
@pytest.mark.parametrize("tool", ["install", "campaign", "sandbox"])
def test_the_tools_show_any_name_on_any_stream(peopled: Sandbox, tool: str, env: dict[str, str]) -> None:
    name_them_oddly(peopled)
    peopled.store.users[next(iter(peopled.store.users))]["tags"] = [{"key": "\u540d", "value": "\U0001f600"}]
    given = {
        **env,
        "TAGOIO_API": peopled.api,
        "account_token": peopled.store.profile_token,
        "tag_key": "nobody",
        "tag_value": "\u540d",
        "delivery_log_token": peopled.store.add_device({"name": "journal"})[1],
    }
    arguments = {"install": ["--dry-run", "--name", "caf\xe9"], "campaign": [], "sandbox": []}[tool]
    command = [sys.executable, "-m", f"lib.tools.{tool}", *arguments]
    done = subprocess.run(command, cwd=ROOT, env={**BARE, **given}, capture_output=True, timeout=120, check=False)
    said = (done.stdout + done.stderr).decode("latin-1")
    assert "Traceback" not in said
    assert "UnicodeEncodeError" not in said
    assert done.returncode == (1 if tool == "campaign" else 0), said


# ---- the .env


@pytest.fixture
def laptop(peopled: Sandbox, tmp_path: Path) -> Callable[[bytes], Ran]:
    """Run analysis.py beside a .env with this content."""
    shutil.copy(ANALYSIS, tmp_path / "analysis.py")
    (tmp_path / "lib").symlink_to(ROOT / "lib")

    def run(content: bytes) -> Ran:
        (tmp_path / ".env").write_bytes(content)
        return run_python(tmp_path / "analysis.py", env={"TAGOIO_API": peopled.api})

    return run


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_an_env_file_of_any_unicode_is_read(peopled: Sandbox, laptop: Callable[[bytes], Ran], encoding: str) -> None:
    text = f"account_token={peopled.store.profile_token}\r\ntag_key=group\r\ntag_value=maintenance\r\n"
    marks = {"utf-16-le": codecs.BOM_UTF16_LE, "utf-16-be": codecs.BOM_UTF16_BE}
    ran = laptop(marks.get(encoding, b"") + text.encode(encoding))
    assert ran.code == 0, ran.out + ran.err
    assert names_told(peopled) == MAINTENANCE


def test_one_that_is_no_text_is_one_clear_message(peopled: Sandbox, laptop: Callable[[bytes], Ran]) -> None:
    ran = laptop(f"account_token={peopled.store.profile_token}\ntag_value=caf\xe9\n".encode("latin-1"))
    assert ran.code == 1
    assert ".env cannot be read: it is not UTF-8" in ran.out
    assert "Traceback" not in ran.err
    assert peopled.store.profile_token not in ran.out + ran.err
    assert not peopled.store.notifications


@pytest.mark.parametrize("tool", ["install", "campaign", "probe"])
def test_the_tools_say_so_too(tmp_path: Path, tool: str) -> None:
    for name in ("lib", "analysis.py", "pyproject.toml"):
        shutil.copytree(ROOT / name, tmp_path / name) if name == "lib" else shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / ".env").write_bytes(b"tag_value=caf\xe9\n")
    ran = run_python("-m", f"lib.tools.{tool}", cwd=tmp_path, env={"account_token": "p-1"})
    assert ran.code == 1
    assert ".env cannot be read" in ran.err
    assert "Traceback" not in ran.err


# ---- addresses


@pytest.mark.parametrize(
    "address",
    [
        "https://joe:pa55word@api.tago.io",
        "http://joe:pa55word@127.0.0.1:9",
        "joe:pa55word@api.tago.io",
        "//joe:pa55word@x",
    ],
)
def test_a_password_in_the_address_is_refused_and_not_shown(peopled: Sandbox, address: str) -> None:
    env = {"TAGOIO_API": address, "account_token": "p-1", "tag_key": "k", "tag_value": "v", "delivery_log_token": "x"}
    runs = [run_python(ANALYSIS, env=env)]
    runs += [run_python("-m", f"lib.tools.{tool}", cwd=ROOT, env=env) for tool in ("campaign", "install")]
    runs.append(run_python("-m", "lib.tools.probe", "--yes", cwd=ROOT, env=env))
    runs.append(run_python(ANALYSIS, env={**env, "T_ANALYSIS_TOKEN": "a-1", "TAGOIO_SSE": f"{peopled.api}/events"}))
    for ran in runs:
        assert ran.code == 1
        assert "holds a user or a password" in ran.out + ran.err
        assert "pa55word" not in ran.out + ran.err
        assert "Traceback" not in ran.err


@pytest.mark.parametrize("host", ["api.tago.io", "192.0.2.1", "localhost.example.com", "127.0.0.1.example.com"])
def test_no_token_goes_to_another_machine_unencrypted(host: str) -> None:
    with pytest.raises(SetupError, match=r"plain http to .*; use https"):
        Client(f"http://{host}:8080")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1.2.3", "[::1]"])
def test_to_this_machine_it_may(host: str) -> None:
    assert Client(f"http://{host}:8080").api == f"http://{host}:8080"


def test_a_listener_opens_no_stream_to_another_machine_unencrypted(peopled: Sandbox) -> None:
    token = peopled.store.profile_token
    env = {"TAGOIO_API": peopled.api, "TAGOIO_SSE": "http://192.0.2.1/events", "T_ANALYSIS_TOKEN": token}
    ran = run_python(ANALYSIS, env=env)
    assert ran.code == 1
    assert "TAGOIO_SSE is plain http to 192.0.2.1" in ran.out


# ---- certificates and proxies


def test_a_file_of_certificates_that_cannot_be_read_is_one_clear_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    for path in (tmp_path / "ca.pem", tmp_path / "none.pem"):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(path))
        with pytest.raises(SetupError, match="the certificates of REQUESTS_CA_BUNDLE cannot be read"):
            Client("https://127.0.0.1:9")


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("setpriv") is None, reason="needs another account to be")
def test_a_folder_of_certificates_that_cannot_be_read_is_one_clear_message(tmp_path: Path) -> None:
    folder = Path("/tmp/trust-unreadable-ca")  # noqa: S108  # another account must get as far as there
    folder.mkdir(exist_ok=True)
    folder.chmod(0o700)
    code = "from lib.tagoio.transport import Client\nClient('https://127.0.0.1:9')"
    command = ["setpriv", "--reuid=65534", "--clear-groups", sys.executable, "-c", code]
    env = {**BARE, "REQUESTS_CA_BUNDLE": str(folder), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)
    folder.rmdir()
    assert "SetupError: the certificates of REQUESTS_CA_BUNDLE cannot be read" in done.stderr


def test_an_empty_folder_of_certificates_trusts_nobody_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path))
    assert Client("https://127.0.0.1:9").connections._tls is not None
    assert ssl.create_default_context(capath=str(tmp_path)).get_ca_certs() == []


def test_odd_proxy_credentials_are_sent_as_they_are_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://jo%C3%A9:p%40ss%0d%0a@127.0.0.1:9")
    proxy = Client("https://127.0.0.2:9").connections._proxy
    assert proxy is not None
    assert re.fullmatch("127.0.0.1", proxy.hostname or "")


@pytest.mark.parametrize("proxy", ["http://joe:pa55word@127.0.0.1:9", "http://joe:pa55word@nohost.invalid:1"])
def test_a_proxy_that_is_not_there_is_told_without_its_password(proxy: str) -> None:
    env = {"https_proxy": proxy, "TAGOIO_API": "https://192.0.2.1", "account_token": "p-1", "tag_key": "k"}
    ran = run_python(ANALYSIS, env={**env, "tag_value": "v", "time_budget": "10s"})
    assert ran.code == 1
    assert "Nobody was notified" in ran.out
    assert "pa55word" not in ran.out + ran.err
    assert "Traceback" not in ran.err
