import io
import json
import sys

import pytest
import structlog

from lib.base.log import hide, redact, set_up_log


@pytest.mark.parametrize(
    "text",
    [
        "the token p-0123456789abcdef0123",
        "https://sse.tago.io/events?channel=x&token=abc-secret&y=1",
        "a-3f2b9c1e-aaaa-bbbb-cccc-000000000000 failed",
    ],
)
def test_what_looks_like_a_token_never_shows(text: str) -> None:
    assert "***" in redact(text)
    for secret in ("0123456789", "abc-secret", "3f2b9c1e"):
        assert secret not in redact(text)


def test_plain_text_is_left_alone() -> None:
    text = "Ana Souza was told at a-quarter past; id 614edef8749df6a30280012a"
    assert redact(text) == text


def test_a_known_secret_never_shows_whatever_it_looks_like(capsys: pytest.CaptureFixture[str]) -> None:
    hide("strange token")
    set_up_log("debug", "another one")
    structlog.get_logger().debug("x", said="a strange token and another one")
    shown = capsys.readouterr().err
    assert '"said": "a *** and ***"' in shown


def test_the_level_is_respected(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_log("warning")
    structlog.get_logger().info("x")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "ascii"])
def test_a_line_with_any_text_is_written_and_stays_json(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict")
    monkeypatch.setattr(sys, "stderr", stream)
    set_up_log()
    structlog.get_logger().info("x", name="José 😀 \ud800 \0")
    stream.flush()
    line = stream.buffer.getvalue().decode(encoding)
    assert json.loads(line)["name"] == "José 😀 \ud800 \0"
    assert ("José" in line) == (encoding == "utf-8")


@pytest.mark.parametrize("address", ["https://ana:s3cr3t@h.example/x", "//ana:s3cr3t@h", "wss://s3cr3t@h:8080"])
def test_who_an_address_logs_in_as_never_shows(address: str) -> None:
    shown = redact(f"it is {address} on TagoIO")
    assert "s3cr3t" not in shown
    assert "***@h" in shown


def test_an_at_sign_behind_an_address_is_left_alone() -> None:
    text = "https://medium.com/@ana?mail=a@b.example and ana@example.com"
    assert redact(text) == text
