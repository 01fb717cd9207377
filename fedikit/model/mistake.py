"""What pydantic complains of, in plain words: each mistake at its dotted path, no secret repeated."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from typing import Annotated, Any, Final, get_origin

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from fedikit.errors import Mistake
from fedikit.model import value
from fedikit.model.spelling import right_spelling

Path = tuple[str | int, ...]
KnownKeys = Callable[[Path], Sequence[str]]

WHOLE = "(all of it)"
UNSEEN: Final = object()
"""Stands for data that is not at hand."""
_SECRETIVE = re.compile("password|secret|token|key|webhook", re.IGNORECASE)
_PASSWORD_IN_ADDRESS = re.compile(r"//[^/]*:[^/]*@")
_GROUP = "a group of settings"
_EXPECTED = {
    "bool_type": "true or false",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "string_type": "text",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": _GROUP,
    "model_type": _GROUP,
    "model_attributes_type": _GROUP,
    "greater_than_equal": "at least {ge}",
    "less_than_equal": "at most {le}",
    "greater_than": "more than {gt}",
    "literal_error": "{expected}",
}
_SAID = {
    "missing": "is missing",
    "json_invalid": "is nested too deeply",  # what else may be wrong with JSON was found when it was read
    "union_tag_not_found": "does not say its {discriminator}",
    "union_tag_invalid": 'is of the type "{tag}", should be {choices}',
    "string_too_short": "is too short, should have at least {min_length} {unit}",
    "string_too_long": "is too long, should have at most {max_length} {unit}",
    "too_short": "is too short, should have at least {min_length} {unit}",
    "too_long": "is too long, should have at most {max_length} {unit}",
}


def nothing_known(path: Path) -> Sequence[str]:
    """Where it is not known which keys may stand at a path."""
    return ()


def mistakes_in(error: ValidationError, data: Any, *, known_keys: KnownKeys = nothing_known) -> tuple[Mistake, ...]:
    """Everything that pydantic found wrong with `data`, in the order of the paths."""
    found = {_mistake(details, data, known_keys) for details in error.errors() if not _is_echo(details)}
    return tuple(sorted(found))


def dotted(path: Sequence[str | int]) -> str:
    """A path as people read it: `hosts.social.after.0`."""
    return ".".join(str(step) for step in path) or WHOLE


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """A hint at the name that was probably meant, or at all there are."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    close = get_close_matches(name.lower(), by_lower, n=1)
    if close:
        return f'; did you mean "{by_lower[close[0]]}"?'
    return f"; known here: {', '.join(sorted(known))}" if known else ""


def _is_echo(details: ErrorDetails) -> bool:
    """Whether something is too short only because what is in it is wrong, which is told anyway."""
    return details["type"] == "too_short" and len(details["input"]) >= details["ctx"]["min_length"]


def _mistake(details: ErrorDetails, data: Any, known_keys: KnownKeys) -> Mistake:
    path = _path_through(data, details)
    is_unknown = details["type"] == "extra_forbidden"
    return Mistake(dotted(path), _unknown(path, known_keys) if is_unknown else _message(details, path))


def _unknown(path: Path, known_keys: KnownKeys) -> str:
    name, known = str(path[-1]), known_keys(path[:-1])
    return "is not for this type" if name in known else f"is not known{did_you_mean(name, known)}"


def _path_through(data: Any, details: ErrorDetails) -> Path:
    """The mistake's location without what pydantic adds to it, such as the names of a union's members."""
    if data is UNSEEN:
        return details["loc"]
    path: list[str | int] = []
    *_, last = details["loc"] or ("",)
    for step in details["loc"]:
        if _has(data, step) or (details["type"] == "missing" and step == last):
            path.append(step)
            data = _part(data, step)
    return tuple(path)


def _has(data: Any, step: str | int) -> bool:
    if isinstance(data, Mapping):
        return step in data
    if isinstance(data, list | tuple):
        return isinstance(step, int) and step < len(data)
    return isinstance(step, str) and hasattr(data, step)


def _part(data: Any, step: str | int) -> Any:
    if isinstance(data, Mapping):
        return data.get(step)
    if isinstance(data, list | tuple) and isinstance(step, int):
        return data[step]
    return getattr(data, str(step), None)


def _message(details: ErrorDetails, path: Path) -> str:
    kind, given, context = details["type"], details["input"], details.get("ctx", {})
    if kind in _SAID:
        is_empty = context.get("min_length") == 1
        unit = "characters" if isinstance(given, str) else "entries"
        choices = str(context.get("expected_tags", "")).replace(", ", " or ")
        return "is empty" if is_empty else _SAID[kind].format(unit=unit, choices=choices, **context)
    wanted = _wanted(kind, context) or details["msg"]
    shown = _shown(given, wanted, path)
    return f"{shown}{wanted}{_meant(given, context.get('pattern', '')) if shown else ''}"


def _meant(given: Any, pattern: str) -> str:
    """How a name or an address is spelt that somebody wrote otherwise."""
    spelt = right_spelling(given, pattern) if pattern in _patterns_of_names() else ""
    return f'; did you mean "{spelt}"?' if spelt else ""


@cache
def _patterns_of_names() -> frozenset[str]:
    return frozenset(map(value.pattern_of, (value.DomainName, value.EmailAddress, value.HostName)))


def _wanted(kind: str, context: dict[str, Any]) -> str:
    if kind == "value_error":
        return str(context["error"])
    if kind == "string_pattern_mismatch":
        pattern = context["pattern"]
        return f"should be {_words_by_pattern().get(pattern, f'text of the form {pattern}')}"
    expected = _EXPECTED.get(kind.replace("_parsing", "_type"))
    return f"should be {expected.format(**context)}" if expected else ""


def _shown(given: Any, wanted: str, path: Path) -> str:
    """What stands there now, unless it is long or could be a secret."""
    if isinstance(given, Mapping):
        return f"is {_GROUP}, "
    if isinstance(given, list | tuple):
        return "is a list, "
    is_secretive = any(_SECRETIVE.search(str(step)) for step in path) or wanted.endswith(_GROUP)
    is_secretive |= bool(_PASSWORD_IN_ADDRESS.search(str(given)))
    is_plain = isinstance(given, bool | int | float | str) and len(str(given)) <= 60
    return f"is {json.dumps(given, ensure_ascii=False)}, " if is_plain and not is_secretive else ""


@cache
def _words_by_pattern() -> dict[str, str]:
    """How the named kinds of `fedikit.model.value` describe themselves, by their patterns."""
    kinds = [kind for kind in vars(value).values() if get_origin(kind) is Annotated]
    schemas = [TypeAdapter(kind).json_schema() for kind in kinds]
    return {schema["pattern"]: _in_a_sentence(schema["description"]) for schema in schemas if "pattern" in schema}


def _in_a_sentence(description: str) -> str:
    is_word = description[1:2].islower() or description[1:2] == " "
    return (description[:1].lower() if is_word else description[:1]) + description[1:].rstrip(".")
