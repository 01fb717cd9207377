"""What stands under a field: escaped, cut, and in the operator's language."""

from typing import Any

import pytest

from fedikit.errors import Mistake
from fedikit.panel.fields import Line, Lines, Secret
from fedikit.panel.notes import cut, mistakes_html, note_html, said, secret_words, translated
from fedikit.panel.texts import Texts

ENGLISH = Texts()


class Recording(Texts):
    """Texts that remember what they were asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, dict[str, object]]] = []

    def __call__(self, text: str, /, **values: object) -> str:
        self.asked.append((text, values))
        return super().__call__(text, **values)


@pytest.mark.parametrize(
    ("message", "template", "values"),
    [
        ("is missing", "is missing", {}),
        ('is "x", should be a whole number', "is {a}, should be a whole number", {"a": '"x"'}),
        ("is 5, should be at least 10", "is {a}, should be at least {b}", {"a": "5", "b": "10"}),
        ("is -1.5, should be at most 2", "is {a}, should be at most {b}", {"a": "-1.5", "b": "2"}),
        (r'is "a\"b", should be a list', "is {a}, should be a list", {"a": r'"a\"b"'}),
        ("should be text of the form ^a{2}$", "should be text of the form ^a{2}$", {}),
        ('is "{a}", should be a list', 'is "{a}", should be a list', {}),
    ],
)
def test_a_catalogue_holds_the_models_words_without_what_was_entered(
    message: str, template: str, values: dict[str, Any]
) -> None:
    text = Recording()
    assert translated(message, text) == message
    assert text.asked == [(template, values)]


def test_more_values_than_there_are_names_for_are_left() -> None:
    message = " ".join(str(number) for number in range(20))
    assert translated(message, ENGLISH) == message


def test_nothing_of_a_message_is_markup() -> None:
    html = mistakes_html("snac.title", ["<script>", "`<b>`"])
    assert "&lt;script&gt;" in html
    assert "<code>&lt;b&gt;</code>" in html
    assert 'class="fk-error fk-error-snac-title"' in html
    assert mistakes_html("snac.title", []) == ""


def test_long_messages_are_cut_and_hidden_characters_written_out() -> None:
    assert len(cut("x" * 1000)) == 301
    assert cut("a\x1b\u202eb") == "a\\x1b\\u202eb"


def test_help_says_what_may_be_entered() -> None:
    lines = Lines(path="exposes", help="What all may see.", options=("peers", "blocklist"))
    assert "What all may see. One in each line. Possible are: peers, blocklist." in note_html(lines, ENGLISH)
    line = Line(path="domain", help="Where.", examples=("example.org",))
    assert "Where. For example: example.org" in note_html(line, ENGLISH)
    assert "Your provider decides this." in note_html(line, ENGLISH, is_fixed=True)


def test_an_entry_of_a_list_is_called_by_its_line() -> None:
    place = Lines(path="snac.rules")
    assert said(place, Mistake("0", "is empty"), {}, ENGLISH) == "line 1: is empty"


def test_a_secrets_state_is_told_without_it() -> None:
    assert secret_words(False, "", ENGLISH) == ""
    assert len({secret_words(True, entry, ENGLISH) for entry in ("", "typed", None)}) == 3
    assert "typed" not in note_html(Secret(path="p"), ENGLISH, state=secret_words(True, "typed", ENGLISH))
