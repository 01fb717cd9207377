"""Texts that people and applications write are what they look like: one line, with nothing for a terminal."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from fedikit.environment import load_catalogue, load_configuration
from fedikit.errors import ConfigurationError
from fedikit.model import Line, Person, SignsIn, Symlink, User
from fedikit.model.application import Application
from fedikit.model.item import Job, SecretRef

CODES = (0, 7, 9, 10, 13, 27, 0x7F, 0x85, 0x9B, 0x61C, 0x200B, 0x200E, 0x200F, 0x2028, 0x2029, 0x202E, 0x2066, 0xFEFF)
UNSEEN = [chr(code) for code in CODES]
SHOWN = ["", "Ein Süppchen für 2 €", "日本語", "עברית", "a\u200db", "👩‍🚀", "–", "a\xa0b"]
LINES = TypeAdapter(Line)


@pytest.mark.parametrize("character", UNSEEN, ids=ascii)
def test_what_cannot_be_seen_is_refused_wherever_it_stands(character: str) -> None:
    for text in (f"a{character}b", character, f"a{character}"):
        with pytest.raises(ValidationError):
            LINES.validate_python(text)


@pytest.mark.parametrize("text", SHOWN, ids=ascii)
def test_what_people_write_is_taken(text: str) -> None:
    assert LINES.validate_python(text) == text


def texts_of(application: Application[Any]) -> list[str]:
    fields = application.settings.model_fields
    return [name for name in ("title", "description") if name in fields]


@pytest.mark.parametrize("character", UNSEEN, ids=ascii)
def test_every_text_of_the_configuration_is_refused_with_it(character: str, tmp_path: Path) -> None:
    settings = {name: texts_of(application) for name, application in load_catalogue().items()}
    chosen: dict[str, Any] = {name: dict.fromkeys(texts, f"a{character}b") for name, texts in settings.items()}
    person = {"displayName": f"Testy{character}", "username": "test", "email": "test@example.org"}
    path = tmp_path / "configuration.json"
    path.write_text(json.dumps({"domain": "example.org", "initialUser": person, **chosen}))
    with pytest.raises(ConfigurationError) as caught:
        load_configuration(path)

    expected = {f"{name}.{text}" for name, texts in settings.items() for text in texts} | {"initialUser.displayName"}
    assert {mistake.path for mistake in caught.value.mistakes} == expected
    assert character == "\n" or character not in str(caught.value)


def test_a_mistake_shows_what_a_key_really_is(tmp_path: Path) -> None:
    path = tmp_path / "configuration.json"
    path.write_text(json.dumps({"\x1b]0;x\x07": 1, "hel\u202elo": {}}))
    with pytest.raises(ConfigurationError) as caught:
        load_configuration(path)
    assert "\\x1b]0;x\\x07: is not known" in str(caught.value)
    assert "hel\\u202elo: is not known" in str(caught.value)


@pytest.mark.parametrize("character", UNSEEN, ids=ascii)
def test_what_applications_say_is_refused_with_it_too(character: str) -> None:
    for make in (
        lambda: Person(displayName=f"a{character}", username="test", email="test@example.org"),
        lambda: Symlink(path="/etc/a", target=f"/b{character}"),
        lambda: Symlink(path=f"/etc/a{character}", target="/b"),
        lambda: User(name="a", comment=f"a{character}"),
        lambda: User(name="a", authorized_keys=(f"ssh-ed25519 AAAA a{character}",)),
        lambda: SignsIn(application="a", url="https://a.test", username=f"a{character}", secret=SecretRef(name="a/b")),
    ):
        with pytest.raises(ValidationError):
            make()


def test_a_command_may_have_a_script_of_several_lines_but_no_end_of_all_texts() -> None:
    assert Job(name="a", run=("sh", "-c", "true\nfalse\n")).run[2] == "true\nfalse\n"
    with pytest.raises(ValidationError):
        Job(name="a", run=("sh", "a\x00b"))
