"""The JSON Schemas: an editor can complete and explain every key, and refuses what the model refuses."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import jsonschema  # type: ignore[import-untyped]
import pytest

from fedikit.environment import Policies, load_environment
from fedikit.environment.schema import Document, keys_at, schema

Data = dict[str, Any]


@pytest.fixture(params=get_args(Document))
def described(request: pytest.FixtureRequest, catalogue: Data) -> Data:
    return schema(catalogue, request.param)


def fields_of(node: Any, path: str = "") -> Iterator[tuple[str, Data]]:
    """Every field that the schema describes anywhere, with the path to it in the schema."""
    if isinstance(node, dict):
        for key, part in node.items():
            if key == "properties":
                yield from ((f"{path}/{name}", field) for name, field in part.items())
            yield from fields_of(part, f"{path}/{key}")
    if isinstance(node, list):
        for number, part in enumerate(node):
            yield from fields_of(part, f"{path}/{number}")


def definition(described: Data, field: Data) -> Data:
    """What a field refers to, which may have the title and the description in its place."""
    found: Data = described["$defs"].get(field.get("$ref", "").removeprefix("#/$defs/"), {})
    return found


def test_every_field_has_a_title_and_a_description(described: Data) -> None:
    fields = {path: {**definition(described, field), **field} for path, field in fields_of(described)}

    assert len(fields) > 15
    assert [path for path, field in fields.items() if not (field.get("title") and field.get("description"))] == []


def test_no_group_takes_unknown_keys(described: Data) -> None:
    groups = [described, *described["$defs"].values()]

    assert [group["title"] for group in groups if group["additionalProperties"] is not False] == []


def test_it_is_a_schema(described: Data) -> None:
    jsonschema.Draft202012Validator.check_schema(described)
    assert described["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_the_samples_follow_it(catalogue: Data, sample: Data, provider: Data) -> None:
    jsonschema.validate(sample, schema(catalogue, "configuration"))
    jsonschema.validate(provider, schema(catalogue, "environment"))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("domain", "Fediversity.Test"),
        ("hello", {"enable": "yes"}),
        ("hallo", {}),
        ("initialUser", {"username": "test"}),
    ],
)
def test_a_bad_configuration_does_not_follow_it(catalogue: Data, sample: Data, path: str, value: object) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**sample, path: value}, schema(catalogue, "configuration"))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("hosts", {"Social": {"type": "local"}}),
        ("hosts", {"social": {"address": "10.0.0.1"}}),
        ("hosts", {"social": {"type": "local", "port": 22}}),
        ("placement", {"friendica": "social"}),
        ("secrets", {"master_key": "the key itself"}),
    ],
)
def test_a_bad_environment_does_not_follow_it(catalogue: Data, provider: Data, path: str, value: object) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**provider, path: value}, schema(catalogue, "environment"))


def test_it_tells_the_keys_at_a_path(catalogue: Data) -> None:
    described = schema(catalogue, "environment")

    assert keys_at(described, ("policies",)) == sorted(Policies.model_json_schema(by_alias=True)["properties"])
    assert keys_at(described, ("hosts", "any", "user")) == []
    assert keys_at(described, ("hosts", "any"))[:3] == ["address", "after", "connect_seconds"]


def test_the_environment_of_the_tests_loads(provider: Data, write: Callable[[str, Any], Path]) -> None:
    assert load_environment(write("environment.json", provider)).name == "lab"
