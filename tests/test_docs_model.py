"""The documentation knows the model: every kind of item, request, check, application and key, with its default."""

import re
import runpy
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from fedikit.environment import load_catalogue
from fedikit.environment.schema import schema
from fedikit.model import Item, Request
from fedikit.model.check import Check
from fedikit.model.item import SecretRef, SecretText
from fedikit.model.request import CommandHealth, Example, HttpHealth, MountedFile, Route, Variables, Volume
from fedikit.model.resource import Resource
from tests.pages import PROJECT, code_in, page, rows_of, section_of

APPLICATIONS, ITEMS = page("docs/applications.md"), page("docs/items.md")
ENVIRONMENT = page("docs/environment.md")


def documented_fields(section: str, *, default: int) -> dict[str, str]:
    """The first cell's name and the cell with the default, row by row."""
    return {code_in(row[0])[0]: row[default].strip("`") for row in rows_of(section)}


def fields_of(model: type[BaseModel]) -> dict[str, str]:
    """The fields of a model with their defaults, as the tables show them."""
    return {
        name: "(needed)" if field.is_required() else repr(field.get_default(call_default_factory=True))
        for name, field in model.model_fields.items()
        if name != "kind"
    }


def kinds_of(union: Any) -> list[type[BaseModel]]:
    return list(get_args(get_args(union)[0]))


def kind(model: type[BaseModel]) -> str:
    return str(model.model_fields["kind"].default)


@pytest.mark.parametrize("model", kinds_of(Item), ids=kind)
def test_every_kind_of_item_is_documented_with_its_fields_and_defaults(model: type[BaseModel]) -> None:
    section = ITEMS.section(kind(model))
    assert documented_fields(section, default=2) == fields_of(model)
    assert f"Class `{model.__name__}`" in section


def test_secrets_in_items_are_documented_with_their_fields_and_defaults() -> None:
    rows = rows_of(ITEMS.section("Secrets in items"))
    documented = {tuple(code_in(row[0] + row[1])): row[2].strip("`") for row in rows}
    own = {
        (model.__name__, name): value for model in (SecretText, SecretRef) for name, value in fields_of(model).items()
    }
    assert documented == own


@pytest.mark.parametrize("model", kinds_of(Request), ids=kind)
def test_every_request_is_documented_with_its_fields_and_defaults(model: type[BaseModel]) -> None:
    section = APPLICATIONS.section(kind(model))
    assert documented_fields(section, default=1) == fields_of(model)
    assert f"Class `{model.__name__}`" in section


PARTS = [Example, Route, Variables, Volume, MountedFile, HttpHealth, CommandHealth]


@pytest.mark.parametrize("model", PARTS, ids=lambda model: model.__name__)
def test_the_parts_of_requests_are_documented(model: type[BaseModel]) -> None:
    (sentence,) = re.findall(rf"`{model.__name__}` has (.+?)\.\n", APPLICATIONS.prose, re.DOTALL)
    assert set(model.model_fields) - {"kind"} <= set(code_in(sentence))


RESOURCES = [model for model in kinds_of(Request) if issubclass(model, Resource)]


@pytest.mark.parametrize("model", RESOURCES, ids=kind)
def test_what_is_told_of_a_resource_is_documented(model: type[Resource]) -> None:
    told = APPLICATIONS.section(kind(model)).partition("It tells ")[2]
    words = {fact.replace("-", "_") for fact in model.FACTS} & set(dir(model))
    words |= {name for name in dir(model) if name.startswith(("if_", "by_"))}
    assert words == {re.split(r"\W", code)[0] for code in code_in(told)}


def test_every_check_is_documented_with_its_fields() -> None:
    rows = rows_of(APPLICATIONS.section("Checks"))
    documented = {code_in(row[0])[0]: set(code_in(row[2])) for row in rows}
    shared = {"kind", "application", "deadline"}
    assert documented == {model.__name__: set(model.model_fields) - shared for model in kinds_of(Check)}
    assert {"application", "deadline"} <= set(code_in(APPLICATIONS.section("Checks")))


def test_every_application_is_in_the_catalogue_and_no_other() -> None:
    rows = rows_of(APPLICATIONS.section("The catalogue"))
    assert {code_in(row[0])[0] for row in rows} == load_catalogue().keys()


def test_the_page_of_settings_is_as_the_schema_says() -> None:
    """Otherwise: .venv/bin/python docs/write_settings.py"""
    written = runpy.run_path(str(PROJECT / "docs/write_settings.py"))
    assert page("docs/settings.md").text == written["settings_page"]()


def keys_in(described: dict[str, Any], node: dict[str, Any]) -> Iterator[str]:
    """The dotted paths of all keys of a JSON Schema; what is named freely is NAME. A jump host has those of hosts."""
    for reference in re.findall(r"#/\$defs/(\w+)", str({key: node.get(key) for key in ("$ref", "anyOf", "oneOf")})):
        if reference == "JumpHost":
            assert described["$defs"]["JumpHost"]["properties"].keys() < described["$defs"]["Ssh"]["properties"].keys()
            continue
        yield from keys_in(described, described["$defs"][reference])
    for key, part in [
        *node.get("properties", {}).items(),
        *(("NAME", v) for v in node.get("patternProperties", {}).values()),
    ]:
        below = list(keys_in(described, part))
        yield from (f"{key}.{path}" for path in below)
        yield key


def test_the_page_of_the_providers_file_is_as_the_schema_says() -> None:
    """Otherwise: .venv/bin/python docs/write_settings.py"""
    written = runpy.run_path(str(PROJECT / "docs/write_settings.py"))
    assert ENVIRONMENT.text == written["environment_page"]()


def test_every_key_of_the_providers_file_is_documented_and_no_other() -> None:
    described = schema({}, "environment")
    rows = {code_in(row[0])[0]: row for row in rows_of(ENVIRONMENT.prose)}
    headings = re.findall(r"^## `([\w.-]+)`", ENVIRONMENT.prose, re.MULTILINE)
    known = {key for key in keys_in(described, described) if not key.endswith(".NAME")} | {"hosts.NAME"}
    assert {*rows, *headings, "hosts"} == known
    assert [key for key, row in rows.items() if not row[3]] == []


def test_every_key_of_the_operators_file_is_documented_and_no_other() -> None:
    described = schema({}, "configuration")
    documented = {code for row in rows_of(section_of("The operator's file")) for code in code_in(row[0])}
    assert documented == {*keys_in(described, described)} - {"initialUser"}
