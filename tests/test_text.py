import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.base.text import counted, did_you_mean, few_names, harmless, one_line, plain, tolerant

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


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("Ana\r\nSouza", "Ana Souza"),
        ("a\u2028\u2029b\tc", "a b c"),
        ("\x1b[31mred\u202e\0", "[31mred"),
        ("José 😀", "José 😀"),
    ],
)
def test_what_somebody_else_wrote_stands_among_our_words_on_one_line(text: str, made: str) -> None:
    assert harmless(text) == made


@pytest.mark.parametrize(
    ("text", "made"),
    [("a\nb", "a\\nb"), ("\x1b[31m", "\\x1b[31m"), ("\u202eab", "\\u202eab"), ("José", "José")],
)
def test_on_a_console_what_would_mislead_shows_as_an_escape(text: str, made: str) -> None:
    assert one_line(text) == made


@pytest.mark.parametrize(
    ("number", "several", "said"),
    [(1, "", "1 copy"), (0, "", "0 copys"), (2, "", "2 copys"), (1, "copies", "1 copy"), (2, "copies", "2 copies")],
)
def test_a_number_goes_with_its_word(number: int, several: str, said: str) -> None:
    assert counted(number, "copy", several) == said


def test_a_stream_that_is_no_file_is_left_as_it_is() -> None:
    stream = io.StringIO()
    assert tolerant(stream) is stream


def test_an_s_is_enough_for_most_words() -> None:
    assert (counted(1, "user"), counted(2, "user")) == ("1 user", "2 users")


@pytest.mark.parametrize(("number", "end"), [(1, "n0"), (20, "n19"), (21, "n19 and 1 more"), (25, "n19 and 5 more")])
def test_of_many_names_the_first_twenty_are_shown(number: int, end: str) -> None:
    shown = few_names(f"n{each}" for each in range(number))
    assert shown.split(", ")[-1] == end


@pytest.mark.parametrize(
    ("wrong", "known", "meant"),
    [
        ("titel", ["message", "title"], "title"),
        ("tag_valeu", ["tag_key", "tag_value"], "tag_value"),
        ("TITLE", ["title", "Title"], "title"),
        ("qqq", ["title"], ""),
    ],
)
def test_the_nearest_word_is_proposed_and_no_other(wrong: str, known: list[str], meant: str) -> None:
    assert did_you_mean(wrong, known) == (f'; did you mean "{meant}"?' if meant else "")
