"""A campaign as one run works on it."""

from lib.app.job import AlarmFacts
from lib.message.alarm import AllClear


def test_an_all_clear_of_compose_keeps_its_translations_for_who_reads_them() -> None:
    facts = AlarmFacts()
    given = AllClear("temperature", "Back to normal", translations={"pt": "De volta ao normal"})
    for language in ("", "pt-BR", "de", "pt"):
        facts.end(given, language)
    end = facts.ends["temperature"]
    assert [end.in_language(each) for each in ("pt-BR", "de", "en")] == ["De volta ao normal", *["Back to normal"] * 2]


def test_what_compose_says_to_each_user_in_their_language_is_kept_too() -> None:
    facts = AlarmFacts()
    for language, line in (("en", "Cold"), ("pt-BR", "Frio"), ("de", "Kalt"), ("de", "Kalt")):
        facts.end(AllClear("temperature", line), language)
    end = facts.ends["temperature"]
    assert [end.in_language(each) for each in ("pt-BR", "de", "en", "fr")] == ["Frio", "Kalt", "Cold", "Cold"]
