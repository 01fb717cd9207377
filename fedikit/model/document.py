"""Documents: JSON, TOML and YAML as plain data; what is wrong with the text is told by line and column, or by path."""

import json
import re
import tomllib
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from fedikit.errors import Mistake
from fedikit.model.mistake import WHOLE, dotted

LARGEST_YAML = 10_000  # values; a few lines of aliases could come to more than any machine can hold


class Malformed(Exception):
    """Text that is not what it should be; carries all mistakes that were found."""

    def __init__(self, *mistakes: Mistake) -> None:
        super().__init__(*mistakes)
        self.mistakes = mistakes


class _Object(dict[str, Any]):
    """A JSON object that remembers which of its keys stood there more than once."""

    repeated: tuple[str, ...] = ()


class _NoNumber:
    """What stands for NaN and Infinity, which Python's JSON reader would let pass."""


def parse_json(text: str) -> Any:
    """JSON as data. Refuses what JSON does not allow, or what could be read in two ways."""
    return _read(lambda: _checked(json.loads(text, object_pairs_hook=_object, parse_constant=lambda name: _NoNumber())))


def parse_toml(text: str) -> Any:
    """TOML as data."""
    return _read(lambda: tomllib.loads(text))


def parse_yaml(text: str) -> Any:
    """YAML as data in which every scalar is text."""
    return _read(lambda: _checked(_yaml(text)))


def _yaml(text: str) -> Any:
    import yaml  # slow to import, and seldom needed

    class Loader(yaml.BaseLoader):  # type: ignore[misc] # yaml is untyped
        def construct_mapping(self, node: Any, deep: bool = False) -> _Object:
            parts = [[self.construct_object(part, deep=True) for part in pair] for pair in node.value]
            return _object([(str(key), value) for key, value in parts])

    try:
        loader = Loader(text)
        node = loader.get_single_node()
        if _size(node, {}) > LARGEST_YAML:
            _refuse(WHOLE, f"comes to more than {LARGEST_YAML} values, for what it repeats by *name")
        return loader.construct_document(node) if node else None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}" if mark else WHOLE
        _refuse(place, f"is not YAML: {error.problem}")
    except yaml.YAMLError as error:
        _refuse(WHOLE, f"is not YAML: {_lower(str(error))}")


def _size(node: Any, known: dict[int, int]) -> int:
    """How many values a node of YAML comes to, with what it repeats by name; `known`: those that were counted."""
    if id(node) not in known:
        known[id(node)] = 0  # one that repeats itself is refused later
        parts = node.value if node and not isinstance(node.value, str) else ()
        flat = (part for pair in parts for part in (pair if isinstance(pair, tuple) else (pair,)))
        known[id(node)] = 1 + sum(_size(part, known) for part in flat)
    return known[id(node)]


def _checked(data: Any) -> Any:
    if mistakes := list(_oddities(data, ())):
        raise Malformed(*mistakes)
    return data


def _read(parse: Callable[[], Any]) -> Any:
    try:
        return parse()
    except json.JSONDecodeError as error:
        _refuse(f"line {error.lineno}, column {error.colno}", f"is not JSON: {_lower(error.msg)}")
    except tomllib.TOMLDecodeError as error:
        message, place = _place_in(str(error))
        _refuse(place, f"is not TOML: {_lower(message)}")
    except RecursionError:
        _refuse(WHOLE, "is nested too deeply")
    except ValueError:
        _refuse(WHOLE, "holds a number with too many digits")


def _refuse(place: str, message: str) -> NoReturn:
    raise Malformed(Mistake(place, message)) from None


def _place_in(message: str) -> tuple[str, str]:
    """tomllib says where only within its message, until Python 3.14."""
    found = re.fullmatch(r"(.*) \(at (line \d+, column \d+|end of document)\)", message, re.DOTALL)
    return (found[1], found[2]) if found else (message, WHOLE)


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]


def _object(pairs: list[tuple[str, Any]]) -> _Object:
    keys = [key for key, _ in pairs]
    data = _Object(pairs)
    data.repeated = tuple(sorted({key for key in keys if keys.count(key) > 1}))
    return data


def _oddities(data: Any, path: tuple[str | int, ...]) -> Iterator[Mistake]:
    """Keys that are there twice, numbers that are none, text that is broken."""
    if isinstance(data, _NoNumber):
        yield Mistake(dotted(path), "is not a number that JSON knows")
    if isinstance(data, str) and not _is_text(data):
        yield Mistake(dotted(path), "holds half a character (a lone surrogate)")
    if isinstance(data, _Object):
        yield from (Mistake(dotted((*path, key)), "is there more than once") for key in data.repeated)
    parts = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for step, part in parts:
        yield from _oddities(part, (*path, step))


def _is_text(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)
