"""Documents that a JSON Schema allows, for property tests; with what the model may find wrong besides."""

from typing import Any

from hypothesis import strategies as st

JsonSchema = dict[str, Any]
_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def documents(node: JsonSchema, whole: JsonSchema) -> st.SearchStrategy[Any]:
    """What may stand where this schema holds."""
    if "$ref" in node:
        return documents(whole["$defs"][node["$ref"].removeprefix("#/$defs/")], whole)
    if "anyOf" in node:
        return st.one_of([documents(inner, whole) for inner in node["anyOf"]])
    if "enum" in node or "const" in node:
        return st.sampled_from(node.get("enum", [node.get("const")]))
    return _of_type(node, whole)


def _of_type(node: JsonSchema, whole: JsonSchema) -> st.SearchStrategy[Any]:
    match node.get("type"):
        case "null":
            return st.none()
        case "boolean":
            return st.booleans()
        case "integer":
            return st.integers(node.get("minimum"), node.get("maximum"))
        case "number":
            return st.floats(node.get("minimum"), node.get("maximum"), allow_nan=False, allow_infinity=False)
        case "string":
            return _texts(node)
        case "array":
            return st.lists(documents(node.get("items", {}), whole), min_size=node.get("minItems", 0), max_size=4)
        case "object" if "properties" in node:
            return _objects(node, whole)
    return _ANYTHING


def _texts(node: JsonSchema) -> st.SearchStrategy[str]:
    shortest, longest = node.get("minLength", 0), node.get("maxLength", 300)
    if "pattern" not in node:
        return st.text(min_size=shortest, max_size=longest)
    return st.from_regex(node["pattern"], fullmatch=True).filter(lambda text: shortest <= len(text) <= longest)


def _objects(node: JsonSchema, whole: JsonSchema) -> st.SearchStrategy[dict[str, Any]]:
    parts = {key: documents(inner, whole) for key, inner in node["properties"].items()}
    required = {key: part for key, part in parts.items() if key in node.get("required", ())}
    return st.fixed_dictionaries(required, optional={key: parts[key] for key in parts.keys() - required.keys()})
