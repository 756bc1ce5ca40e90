import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.base.text import plain, tolerant

ANYTHING = st.text(st.characters())


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("Ana\0 Souza", "Ana Souza"),
        ("\ud83d Ana", "\ufffd Ana"),
        ("Ana \ude00", "Ana \ufffd"),
        ("\ud83d\ude00", "😀"),
        ("\u202eJosé\t#A.B#\r\n", "\u202eJosé\t#A.B#\r\n"),
    ],
)
def test_what_cannot_be_written_goes_and_nothing_else(text: str, made: str) -> None:
    assert plain(text) == made


@given(ANYTHING)
def test_any_text_can_be_encoded_then(text: str) -> None:
    assert "\0" not in plain(text)
    assert plain(text).encode().decode() == plain(text) == plain(plain(text))


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [("utf-8", "é😀\\ud800"), ("latin-1", "é\\U0001f600\\ud800"), ("ascii", "\\xe9\\U0001f600\\ud800")],
)
def test_what_a_stream_has_no_letters_for_is_escaped(encoding: str, shown: str) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    assert tolerant(tolerant(stream)) is stream
    stream.write("é😀\ud800")
    stream.flush()
    assert stream.buffer.getvalue().decode(encoding) == shown
