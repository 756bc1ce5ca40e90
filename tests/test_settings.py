import re
from pathlib import Path

import pytest

from lib.app.env_file import read_env_file
from lib.app.settings import VARIABLES, Settings, read_settings
from lib.base.errors import SetupError

ROOT = Path(__file__).parent.parent
TAGS = {"tag_key": "group", "tag_value": "a"}


def read(own_token: str = "a-1", **variables: str) -> Settings:
    return read_settings([], variables, own_token)


def problems(**variables: str) -> tuple[str, ...]:
    with pytest.raises(SetupError) as caught:
        read(**variables)
    return caught.value.problems


def test_the_analysis_environment_comes_before_the_process_and_keys_ignore_case() -> None:
    settings = read_settings(
        [{"key": "TAG_KEY", "value": "site"}, {"key": "tag_value", "value": ""}], {"tag_key": "x", **TAGS}, "a-1"
    )
    assert (settings.tag_key, settings.tag_value) == ("site", ("a",))


def test_the_analysis_own_token_stands_in_for_an_empty_account_token() -> None:
    assert read(**TAGS).uses_own_token
    assert read(**TAGS, account_token="p-2").account_token == "p-2"
    assert not read(**TAGS, account_token="p-2").uses_own_token


def test_values_arrive_as_text_and_leave_typed() -> None:
    settings = read(tag_key="k", tag_value=" a , b,a,, ", dry_run="TRUE", max_recipients="7", log_level="Debug")
    assert (settings.tag_value, settings.dry_run, settings.max_recipients) == (("a", "b"), True, 7)
    assert settings.log_level == "debug"
    assert read(send_to="All").send_to == ("all",)
    assert read(send_to="Ana Souza, ben@example.com").send_to == ("Ana Souza", "ben@example.com")


@pytest.mark.parametrize(
    ("text", "is_dry"),
    [
        ("1", True), ("true", True), ("YES", True), ("on", True),
        ("0", False), ("false", False), ("No", False), ("off", False), ("", False),
    ],
)  # fmt: skip
def test_each_word_for_yes_or_no_is_read_as_such(text: str, is_dry: bool) -> None:
    assert read(**TAGS, dry_run=text).dry_run is is_dry


@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        ({"tag_key": "k"}, "tag_value is not set; set it to the tag's value"),
        ({"tag_value": "k"}, "tag_key is not set"),
        ({**TAGS, "account_token": "u-123"}, "account_token holds a TagoRUN user token (u-…), which cannot send"),
        ({**TAGS, "account_token": "Your Account Token Here"}, "account_token still holds the example text"),
        ({**TAGS, "account_token": "p-1234…"}, "account_token holds a character that no token has"),
        ({**TAGS, "delivery_log_token": "abc\u200b"}, "delivery_log_token holds a character"),
        ({**TAGS, "dry_run": "maybe"}, 'dry_run is "maybe"; use true or false'),
        ({**TAGS, "max_recipients": "0"}, 'max_recipients is "0"; use a whole number from 1 up'),
        ({**TAGS, "max_recipients": "1e3"}, 'max_recipients is "1e3"'),
        ({**TAGS, "log_level": "loud"}, 'log_level is "loud"; use one of debug, info'),
        ({**TAGS, "notification": '{"title": "t", "message": "m", "buttons": [{}]}'}, "notification: Button 1: id"),
        ({"send_to": "all, Ana"}, 'send_to mixes "all" with other entries'),
    ],
)
def test_a_bad_value_names_the_variable_and_the_fix(variables: dict[str, str], problem: str) -> None:
    assert problem in problems(**variables)[0]


@pytest.mark.parametrize("key", ["_notification_id", "_action_id", "_user_id", "notification_id", "button_id"])
def test_what_tagoio_hands_over_is_no_misspelt_variable(key: str) -> None:
    read_settings([{"key": key, "value": "x"}], {"account_token": "p-1", "send_to": "all"})


def test_a_variable_of_ours_is_one_with_an_underscore_before_it_too() -> None:
    with pytest.raises(SetupError, match="is dry_run meant"):
        read_settings([{"key": "_dry_run", "value": "true"}], {"account_token": "p-1", "send_to": "all"})


def test_all_problems_come_in_one_error() -> None:
    with pytest.raises(SetupError) as caught:
        read_settings([], {"dry_run": "x", "notification": '{"title": ""}'})
    assert [problem.split()[0] for problem in caught.value.problems] == [
        "notification:", "notification:", "dry_run", "account_token", "tag_key", "tag_value",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("tag_vlaue", "tag_value"),
        ("dry_rum", "dry_run"),
        ("dry-run", "dry_run"),
        ("Notifications", "notification"),
        ("quiet", "quiet_hours"),
        ("send", "send_to"),
        ("escalate_after", "remind_after"),
    ],
)
def test_a_mistyped_variable_stops_the_run(key: str, meant: str) -> None:
    with pytest.raises(SetupError, match=f'"{key}" is not a variable of this Analysis; is {meant} meant'):
        read_settings([{"key": key, "value": "x"}], TAGS, "a-1")


@pytest.mark.parametrize("key", ["_action_id", "device_token", "user_id", "button_id", "notification_id", "API_KEY"])
def test_the_developers_own_variables_are_let_be(key: str) -> None:
    assert read_settings([{"key": key, "value": "x"}], TAGS, "a-1")


def test_the_env_file_addresses_tagoio_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TAGOIO_API", "T_ANALYSIS_TOKEN"):
        monkeypatch.setenv(name, "before")
    monkeypatch.delenv("TAGOIO_API")
    path = tmp_path / ".env"
    path.write_text("TAGOIO_API=http://x\nT_ANALYSIS_TOKEN=a-2\ntag_key=k\n")
    assert read_env_file(path)["tag_key"] == "k"
    import os

    assert os.environ["TAGOIO_API"] == "http://x"
    assert os.environ["T_ANALYSIS_TOKEN"] == "before"
    assert read_env_file(tmp_path / "none") == {}


def test_env_example_the_readme_and_the_model_name_the_same_variables() -> None:
    in_example = re.findall(r"^#? ?([a-z_]+)=", (ROOT / "env.example").read_text(), re.MULTILINE)
    in_readme = re.findall(
        r"^\| `([a-z_]+)` \|", (ROOT / "README.md").read_text().split("## Variables")[1].split("\n## ")[0], re.MULTILINE
    )
    in_docstring = re.search(r"Every variable: ([^.]*)\.", (ROOT / "analysis.py").read_text())
    assert in_example == list(VARIABLES)
    assert in_readme == list(VARIABLES)
    assert in_docstring
    assert re.split(r",\s+", in_docstring[1]) == list(VARIABLES)


def test_the_variables_fit_tagoios_limit_of_twenty() -> None:
    assert len(VARIABLES) <= 20


def test_the_defaults_in_env_example_are_the_models() -> None:
    given = dict(re.findall(r"^# ([a-z_]+)=(.*)$", (ROOT / "env.example").read_text(), re.MULTILINE))
    model = Settings()
    for name in ("max_recipients", "dry_run", "log_level"):
        assert VARIABLES[name](given[name]) == getattr(model, name)


@pytest.mark.parametrize(
    "line",
    ['dry_run="true', "dry_run='true\"", "dry_run: true", "dry_run true", "dry_run", 'notification="{"title": "t"}"'],
)
def test_a_line_of_env_that_cannot_be_read_is_named_and_not_left_out(tmp_path: Path, line: str) -> None:
    file = tmp_path / ".env"
    file.write_text(f"tag_key=group\n# seen\n\n{line}\ntag_value=maintenance\n")
    with pytest.raises(SetupError) as caught:
        read_env_file(file)
    name = re.match(r"\w+", line)
    assert name
    assert str(caught.value).startswith(f".env, line 4 ({name[0]} …) cannot be read: write name=value")


@pytest.mark.parametrize(
    ("line", "meant"),
    [("dryrun=true", "dry_run"), ("dry=true", "dry_run"), ("tag_vaule=x", "tag_value"), ("max_recipents=2", "max_rec")],
)
def test_a_misspelt_name_in_env_is_not_left_out(tmp_path: Path, line: str, meant: str) -> None:
    file = tmp_path / ".env"
    file.write_text(f"account_token=p-1\n{line}\nTAGOIO_API=http://x\nMY_OWN=1\n")
    with pytest.raises(SetupError, match=f"is {meant}"):
        read_env_file(file)
