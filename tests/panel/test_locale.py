"""The catalogues: whatever the panel may say is translated, whole, and nothing else is."""

import string

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

from fedikit.panel.texts import LANGUAGES
from tests.pages import PROJECT
from tests.panel.texts import Message, as_po, messages

UNUSED = {("{n} host", "{n} hosts")}
"""Which tests of the texts themselves need."""


@pytest.fixture(params=sorted(LANGUAGES.keys() - {"en"}))
def catalogue(request: pytest.FixtureRequest) -> Catalog:
    with (PROJECT / f"fedikit/panel/locale/{request.param}.po").open("rb") as file:
        return read_po(file, locale=request.param, abort_invalid=True)


def translations(catalogue: Catalog) -> dict[Message, tuple[str, ...]]:
    found: dict[Message, tuple[str, ...]] = {}
    for message in catalogue:
        if message.id:
            strings = (message.string,) if isinstance(message.string, str) else tuple(message.string)
            found[message.id if isinstance(message.id, str) else (message.id[0], message.id[1])] = strings
    return found


def test_everything_is_translated(catalogue: Catalog) -> None:
    known = {message for message, strings in translations(catalogue).items() if all(strings)}
    lacking = messages() - known
    assert not lacking, f"{len(lacking)} texts are to be translated:\n\n{as_po(lacking)}"


def test_nothing_is_translated_that_is_not_said(catalogue: Catalog) -> None:
    assert translations(catalogue).keys() - messages() - UNUSED == set()


def test_a_translation_fills_in_what_the_text_does(catalogue: Catalog) -> None:
    for message, strings in translations(catalogue).items():
        wanted = set.union(*map(placeholders, [message] if isinstance(message, str) else message))
        for string_ in strings:
            assert placeholders(string_) <= wanted, string_
        assert set.union(*map(placeholders, strings)) == wanted, message


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
