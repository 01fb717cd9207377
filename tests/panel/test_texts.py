"""What the panel says, in the operator's language."""

from fedikit.panel.texts import Texts


def test_a_text_is_translated_and_what_is_not_stays_english() -> None:
    assert Texts("de")("Your services") == "Ihre Dienste"
    assert Texts("en")("Your services") == "Your services"
    assert Texts("de")("never translated {x}", x=1) == "never translated 1"


def test_numbers_choose_the_form() -> None:
    assert [Texts("de").plural("{n} host", "{n} hosts", n) for n in (0, 1, 2)] == [
        "0 Maschinen",
        "1 Maschine",
        "2 Maschinen",
    ]
    assert Texts("en").plural("{n} host", "{n} hosts", 1) == "1 host"


def test_a_language_that_is_not_spoken_is_english() -> None:
    assert Texts("tlh").language == "en"
