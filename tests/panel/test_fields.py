"""The fields of a form: what they show of a document, what they make of what was entered, where mistakes are told."""

import json
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fedikit.environment.load import check_configuration, load_catalogue
from fedikit.environment.schema import schema
from fedikit.errors import Mistake
from fedikit.panel.fields import (
    ABSENT,
    FORGET,
    Choice,
    Entry,
    Field,
    Group,
    Json,
    Line,
    Lines,
    LongText,
    Number,
    Secret,
    Switch,
    by_place,
    document_of,
    entries_of,
    parts_of,
)
from fedikit.panel.outline import outline
from tests.panel.documents import documents

PERSON = {"displayName": "Testy", "username": "test", "email": "test@example.org"}
SMALL = {"domain": "example.org", "initialUser": PERSON}
many = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@cache
def described() -> dict[str, Any]:
    return schema(load_catalogue(), "configuration")


@cache
def form() -> Group:
    return outline(described())


def field(path: str) -> Field:
    found = {part.path: part for part in parts_of(form())}[path]
    assert isinstance(found, Field)
    return found


def as_json(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def meaning(document: Any) -> Any:
    """What the model makes of a document: a configuration, or mistakes."""
    configuration, mistakes = check_configuration(document, load_catalogue())
    return configuration.model_dump(mode="json") if configuration else mistakes


def entered(path: str, entry: Entry, document: Any) -> Any:
    """The document after something was entered in one field."""
    return document_of(form(), {**entries_of(form(), document), path: entry}, document)


configurations = st.deferred(lambda: documents(described(), described()))


@many
@given(configurations)
def test_what_nobody_touched_stays_as_it_was(document: Any) -> None:
    assert as_json(document_of(form(), entries_of(form(), document), document)) == as_json(document)


@many
@given(configurations)
def test_a_form_means_what_the_document_does(document: Any) -> None:
    """Also when nothing of the document is left but its secret, which no form shows."""
    secret = {key: value for key, value in document["initialUser"].items() if key == "password"}
    again = document_of(form(), entries_of(form(), document), {"initialUser": secret})
    assert meaning(again) == meaning(document)


@many
@given(configurations)
def test_a_form_shows_what_was_entered_in_it(document: Any) -> None:
    entries = entries_of(form(), document)
    assert entries_of(form(), document_of(form(), entries, {})) == entries


@many
@given(configurations, configurations)
def test_what_was_entered_replaces_what_was_there(before: Any, document: Any) -> None:
    entries = entries_of(form(), document)
    assert entries_of(form(), document_of(form(), entries, before)) == entries


@pytest.mark.parametrize(
    ("path", "sort"),
    [
        ("domain", Line),
        ("initialUser.email", Line),
        ("mastodon.contactEmail", Line),
        ("mastodon.description", LongText),
        ("gotosocial.cacheMegabytes", Number),
        ("mastodon.maxMediaGigabytes", Number),
        ("snac.enable", Switch),
        ("pixelfed.registrations", Choice),
        ("mastodon.authorizedFetch", Choice),
        ("mastodon.rules", Lines),
        ("peertube.transcodingResolutions", Lines),
        ("mastodon.signIn.issuer", Line),
        ("initialUser.password", Secret),
    ],
)
def test_each_setting_has_its_sort_of_field(path: str, sort: type[Field]) -> None:
    assert type(field(path)) is sort


def test_a_form_keeps_the_order_of_the_schema_and_what_is_said_beside_a_reference() -> None:
    assert [part.key for part in form().parts] == list(described()["properties"])
    person = next(part for part in form().parts if part.path == "initialUser")
    assert person.help == "The person who can sign in from the start."


ODD: dict[str, Any] = {
    "type": "object",
    "$defs": {
        "Colour": {"enum": ["red", "blue"], "type": "string", "title": "Colour"},
        "Limits": {"type": "object", "properties": {"size": {"type": "number", "default": 1.5}}},
    },
    "properties": {
        "colour": {"$ref": "#/$defs/Colour", "default": "blue"},
        "limits": {"$ref": "#/$defs/Limits", "default": {"size": 2.5}},
        "bounds": {"anyOf": [{"$ref": "#/$defs/Limits"}, {"type": "null"}], "default": {"size": 0.5}},
        "people": {"type": "array", "items": {"type": "object"}, "default": []},
        "sizes": {"type": "object", "additionalProperties": {"type": "integer"}, "default": {}},
        "either": {"anyOf": [{"type": "integer"}, {"type": "string"}], "default": 1},
        "level": {"enum": [1, 2, None], "default": 1},
        "nick": {"anyOf": [{"type": "string", "minLength": 1}, {"type": "null"}], "default": None},
    },
    "required": ["people"],
}


def test_every_sort_of_schema_has_a_field() -> None:
    sorts = {part.path: type(part) for part in parts_of(outline(ODD)) if isinstance(part, Field)}
    assert sorts == {
        "colour": Choice,
        "limits.size": Number,
        "bounds.size": Number,
        "people": Json,
        "sizes": Json,
        "either": Json,
        "level": Choice,
        "nick": Line,
    }
    assert entries_of(outline(ODD), {})["limits.size"] == "2.5"
    assert entries_of(outline(ODD), {})["bounds"] is True


@given(documents(ODD, ODD))
def test_no_sort_of_field_changes_what_it_shows(document: Any) -> None:
    odd = outline(ODD)
    entries = entries_of(odd, document)
    assert as_json(document_of(odd, entries, document)) == as_json(document)
    assert entries_of(odd, document_of(odd, entries, {})) == entries


def test_a_form_of_something_else_is_refused() -> None:
    with pytest.raises(TypeError, match="object with properties"):
        outline({"type": "array"})


def test_what_holds_anyway_is_not_written() -> None:
    assert entered("snac.title", "", SMALL) == SMALL
    assert entered("snac.enable", True, SMALL) == {**SMALL, "snac": {"enable": True}}


def test_what_was_written_is_written_although_it_holds_anyway() -> None:
    before = {**SMALL, "snac": {"title": "Ours"}}
    assert entered("snac.title", "", before) == {**SMALL, "snac": {"title": ""}}


def test_a_form_that_was_hardly_begun_names_each_setting_that_is_missing() -> None:
    document = document_of(form(), entries_of(form(), {}), {})
    assert {mistake.path for mistake in check_configuration(document, load_catalogue())[1]} == {
        "domain", "initialUser.displayName", "initialUser.email", "initialUser.username",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("12", 12),
        (" 12 ", 12),
        ("-3", -3),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("", ""),
        ("twelve", "twelve"),
        ("1,5", "1,5"),
        ("1_000", "1_000"),
        ("１２", "１２"),
        ("NaN", "NaN"),
        ("1e999", "1e999"),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_a_number_is_one_or_stays_as_it_was_typed(typed: str, value: Any) -> None:
    path = "gotosocial.cacheMegabytes"
    document = entered(path, typed, SMALL)
    assert as_json(document["gotosocial"]) == as_json({"cacheMegabytes": value})
    assert isinstance(value, int) or entries_of(form(), document)[path] in (typed, str(value))


def test_a_number_that_need_not_be_is_null_if_empty() -> None:
    assert entered("mastodon.remoteMediaDays", "", SMALL)["mastodon"] == {"remoteMediaDays": None}
    assert entered("mastodon.maxMediaGigabytes", "", SMALL) == SMALL


@pytest.mark.parametrize(
    ("lines", "shown"),
    [
        (["one", "two"], "one\ntwo"),
        ([], ""),
        (["one", ""], '["one", ""]'),
        ([" one"], '[" one"]'),
        (["one\ntwo"], '["one\\ntwo"]'),
        (['["one"]'], '["[\\"one\\"]"]'),
    ],
)
def test_a_list_stands_in_lines_unless_they_cannot_tell_it(lines: list[str], shown: str) -> None:
    rules = field("mastodon.rules")
    assert rules.shown(lines) == shown
    assert rules.read(shown) == lines


def test_empty_lines_are_no_entries() -> None:
    assert field("mastodon.rules").read("\n be kind \n\nno spam\n") == ["be kind", "no spam"]


def test_a_secret_is_never_shown_and_stays_unless_another_is_entered_or_it_is_forgotten() -> None:
    before = {**SMALL, "initialUser": {**PERSON, "password": "correct horse"}}
    path = "initialUser.password"
    assert "correct horse" not in entries_of(form(), before).values()
    assert document_of(form(), entries_of(form(), before), before) == before
    assert entered(path, "battery staple", before)["initialUser"]["password"] == "battery staple"
    assert entered(path, FORGET, before) == SMALL
    assert entered(path, FORGET, SMALL) == SMALL


def test_a_group_that_need_not_be_is_null_when_it_is_switched_off() -> None:
    sign_in = {"issuer": "https://id.example.org", "client": "social"}
    before = {**SMALL, "mastodon": {"signIn": sign_in}}
    assert entered("mastodon.signIn", False, before)["mastodon"] == {"signIn": None}
    assert entered("mastodon.signIn", True, SMALL)["mastodon"] == {"signIn": {}}
    assert entered("mastodon.signIn", False, SMALL) == SMALL


def test_what_the_form_does_not_know_stays() -> None:
    before = {**SMALL, "snac": {"titel": "Ours"}, "friendica": {}}
    assert entered("snac.enable", True, before) == {**before, "snac": {"titel": "Ours", "enable": True}}


def test_what_is_of_another_sort_stays_until_it_is_touched() -> None:
    before = {"domain": 5, "initialUser": {"email": None}, "snac": [], "mastodon": {"enable": "yes", "rules": "none"}}
    assert document_of(form(), entries_of(form(), before), before) == before
    assert entered("snac.title", "Ours", before)["snac"] == {"title": "Ours"}


def test_nothing_comes_of_nothing() -> None:
    person = next(part for part in form().parts if part.path == "snac")
    assert document_of(person, entries_of(person, ABSENT)) is ABSENT


def test_mistakes_are_told_at_the_field_they_belong_to() -> None:
    mistakes = [
        Mistake("domain", "is missing"),
        Mistake("mastodon.rules.2", "is too long"),
        Mistake("snac.titel", "is not known"),
        Mistake("domains", "is not known"),
        Mistake("mastodon", "needs mail"),
    ]
    places = ["", "domain", "mastodon", "mastodon.rules", "snac", "snac.title"]
    assert by_place(mistakes, places) == {
        "domain": [Mistake("", "is missing")],
        "mastodon.rules": [Mistake("2", "is too long")],
        "snac": [Mistake("titel", "is not known")],
        "": [Mistake("domains", "is not known")],
        "mastodon": [Mistake("", "needs mail")],
    }
