"""JSON Schemas of what people write, for their editors and for the panel's form."""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

from fedikit.environment.environment import Environment
from fedikit.model.application import Catalogue
from fedikit.model.configuration import configuration_model

DIALECT = "https://json-schema.org/draft/2020-12/schema"
Document = Literal["configuration", "environment"]
JsonSchema = dict[str, Any]


def schema(catalogue: Catalogue, document: Document) -> JsonSchema:
    """The JSON Schema (draft 2020-12) of `configuration.json` or `environment.toml`, for these applications."""
    described = _configuration(catalogue) if document == "configuration" else _environment(catalogue)
    return {"$schema": DIALECT, **described}


def for_editors(described: JsonSchema) -> JsonSchema:
    """The same for a file that says itself where its schema lies."""
    own = {"$schema": {"type": "string", "description": "Where this schema lies, for editors."}}
    return described | {"properties": own | described["properties"]}


def keys_at(described: JsonSchema, path: Sequence[str | int]) -> list[str]:
    """The keys that may stand at a path."""
    nodes = list(_alternatives(described, described))
    for step in path:
        nodes = [part for node in nodes for part in _parts(node, step, described)]
    return sorted({key for node in nodes for key in node.get("properties", {})})


def _configuration(catalogue: Catalogue) -> JsonSchema:
    return configuration_model(catalogue).model_json_schema()


def _environment(catalogue: Catalogue) -> JsonSchema:
    described = Environment.model_json_schema()
    described["properties"]["hosts"]["additionalProperties"] = False
    placement = described["properties"]["placement"]
    where = placement.pop("additionalProperties")
    placement["properties"] = {name: _placed(name, where) for name in sorted(catalogue)}
    placement["additionalProperties"] = False
    return described


def _placed(application: str, where: JsonSchema) -> JsonSchema:
    return {**where, "title": application, "description": f"The host, or the hosts, where {application} runs."}


def _parts(node: JsonSchema, step: str | int, whole: JsonSchema) -> Iterator[JsonSchema]:
    """Every schema that what stands at the next step of a path may follow."""
    by_pattern = node.get("patternProperties", {}).values()
    parts = [node.get("items")] if isinstance(step, int) else [node.get("properties", {}).get(step), *by_pattern]
    for part in parts:
        if part is not None:
            yield from _alternatives(part, whole)


def _alternatives(node: JsonSchema, whole: JsonSchema) -> Iterator[JsonSchema]:
    if "$ref" in node:
        name = node["$ref"].removeprefix("#/$defs/")
        yield from _alternatives(whole["$defs"][name], whole)
    for keyword in ("anyOf", "oneOf", "allOf"):
        for part in node.get(keyword, ()):
            yield from _alternatives(part, whole)
    yield node
