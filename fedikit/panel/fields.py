"""The fields of a form, as values: what each shows of a document, and what it makes of what a person entered. Pure.

A form is a tree: groups of fields and of further groups, as `fedikit.panel.outline` makes it from a JSON Schema. What a
person entered is kept by the field's path, as an *entry*: text, or the position of a switch.

Rule: what nobody touched stays in the document as it was, or absent.
"""

import json
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fedikit.errors import Mistake
from fedikit.model.document import Malformed, parse_json

Entry = str | bool | None
Entries = Mapping[str, Entry]
ABSENT: Final = object()
"""Stands for what is not in the document."""
FORGET: Final = None
"""The entry of a secret that is to be forgotten."""
_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,4300}", re.ASCII)
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Part(ABC):
    """What stands at a place of the document: a field, or a group."""

    path: str
    """Dotted, as in `initialUser.email`; empty for the whole form."""
    title: str = ""
    help: str = ""
    is_required: bool = False

    @property
    def key(self) -> str:
        """What it is called within its group."""
        return self.path.rpartition(".")[2]


@dataclass(frozen=True, kw_only=True)
class Field(Part):
    """One setting."""

    default: Any = None
    """What holds where the document says nothing."""
    is_nullable: bool = False
    examples: tuple[str, ...] = ()

    @abstractmethod
    def shown(self, value: Any) -> Entry:
        """The entry that stands for a value of the document."""

    @abstractmethod
    def read(self, entry: Entry) -> Any:
        """The value that an entry stands for; what cannot be understood stays as typed, for the model to judge."""

    def entry(self, before: Any) -> Entry:
        """The entry for what stands in the document, or does not."""
        return self.shown(self.default if before is ABSENT else before)

    def value(self, entry: Entry, before: Any) -> Any:
        """What the document has to say: as before if nobody touched it, nothing if that says the same."""
        if entry == self.entry(before):
            return before
        value = self.read(entry)
        return ABSENT if before is ABSENT and _is_same(value, self.default) else value


@dataclass(frozen=True, kw_only=True)
class Line(Field):
    """One line of text. If it may be null, an empty line is."""

    def shown(self, value: Any) -> Entry:
        return value if isinstance(value, str) else "" if value is None else _written(value)

    def read(self, entry: Entry) -> Any:
        return None if self.is_nullable and entry == "" else entry


@dataclass(frozen=True, kw_only=True)
class LongText(Line):
    """Text that takes more room than a line."""


@dataclass(frozen=True, kw_only=True)
class Number(Line):
    """A number, as text. If it may be null, an empty line is."""

    def read(self, entry: Entry) -> Any:
        text = str(entry).strip()
        if _WHOLE_NUMBER.fullmatch(text):
            return int(text)
        if _NUMBER.fullmatch(text) and math.isfinite(number := float(text)):
            return number
        return super().read("" if text == "" else entry)


@dataclass(frozen=True, kw_only=True)
class Switch(Field):
    """On or off."""

    default: Any = False

    def shown(self, value: Any) -> Entry:
        return value is True

    def read(self, entry: Entry) -> Any:
        return entry


@dataclass(frozen=True, kw_only=True)
class Choice(Field):
    """One of several values, each by its entry. If it may be null, the empty entry is."""

    options: tuple[Any, ...] = ()

    def shown(self, value: Any) -> Entry:
        return "" if value is None else value if isinstance(value, str) else _written(value)

    def read(self, entry: Entry) -> Any:
        return next((option for option in self.choices if self.shown(option) == entry), entry)

    @property
    def choices(self) -> tuple[Any, ...]:
        """All that may be chosen."""
        return (None, *self.options) if self.is_nullable else self.options


@dataclass(frozen=True, kw_only=True)
class Json(Field):
    """Whatever has no field of its own sort, as JSON. If it may be null, an empty text is."""

    def shown(self, value: Any) -> Entry:
        if value is None:
            return ""
        is_plain = isinstance(value, str) and self.read(value) == value
        return value if is_plain else json.dumps(value, indent=2, ensure_ascii=False)

    def read(self, entry: Entry) -> Any:
        if entry == "" and self.is_nullable:
            return None
        return _parsed(str(entry), otherwise=entry)


@dataclass(frozen=True, kw_only=True)
class Lines(Field):
    """A list, one entry a line. One that lines cannot tell, such as of empty text, is written as JSON."""

    options: tuple[str, ...] = ()
    """What may stand in a line; anything if empty."""

    def shown(self, value: Any) -> Entry:
        if value is None:
            return ""
        if isinstance(value, list | tuple) and all(isinstance(line, str) for line in value):
            text = "\n".join(value)
            if _is_same(self.read(text), list(value)):
                return text
        return json.dumps(value, ensure_ascii=False)

    def read(self, entry: Entry) -> Any:
        text = str(entry)
        if isinstance(written := _parsed(text, otherwise=None), list):
            return written
        lines = [line.strip() for line in text.split("\n")]
        return [line for line in lines if line] or (None if self.is_nullable else [])


@dataclass(frozen=True, kw_only=True)
class Secret(Field):
    """What is never shown: an empty entry leaves it as it is, FORGET takes it away."""

    def shown(self, value: Any) -> Entry:
        return ""

    def read(self, entry: Entry) -> Any:
        return ABSENT if entry is FORGET else entry

    def value(self, entry: Entry, before: Any) -> Any:
        return before if entry == "" else self.read(entry)


@dataclass(frozen=True, kw_only=True)
class Group(Part):
    """Settings that belong together."""

    parts: tuple[Part, ...] = ()
    is_optional: bool = False
    """Whether it may be null: then its own entry is the switch that says whether it is used."""
    default: Any = ABSENT
    """What holds where the document says nothing; its fields know their own."""


def parts_of(part: Part) -> Iterator[Part]:
    """The part itself and all that is in it, in their order."""
    yield part
    if isinstance(part, Group):
        for inner in part.parts:
            yield from parts_of(inner)


def entries_of(part: Part, document: Any) -> dict[str, Entry]:
    """What a form shows of a document, by path."""
    if isinstance(part, Field):
        return {part.path: part.entry(document)}
    assert isinstance(part, Group)
    entries: dict[str, Entry] = {part.path: _is_used(part, document)} if part.is_optional else {}
    for inner in part.parts:
        entries |= entries_of(inner, _at(document, inner))
    return entries


def document_of(part: Part, entries: Entries, before: Any = ABSENT) -> Any:
    """The document that the entries make of the one before; ABSENT if there is nothing to say."""
    if isinstance(part, Field):
        return part.value(entries[part.path], before)
    assert isinstance(part, Group)
    if part.is_optional and not entries[part.path]:
        return None if _is_used(part, before) else before
    document = _group(part, entries, before)
    is_said = document or part.is_required or isinstance(before, Mapping) or not _is_used(part, before)
    return document if is_said else before


def value_at(document: Any, path: str) -> Any:
    """What stands in a document at a path, or ABSENT."""
    for step in path.split("."):
        document = document.get(step, ABSENT) if isinstance(document, Mapping) else ABSENT
    return document


def place_of(path: str, places: Collection[str]) -> str:
    """The place among these that a path belongs to: the longest that it starts with, or "", the form's head."""
    steps = path.split(".")
    starts = (".".join(steps[:length]) for length in range(len(steps), 0, -1))
    return next((start for start in starts if start in places), "")


def by_place(mistakes: Sequence[Mistake], places: Collection[str]) -> dict[str, list[Mistake]]:
    """The mistakes that are to be told at each place; their paths are what is left of them there."""
    told: dict[str, list[Mistake]] = {}
    for mistake in mistakes:
        place = place_of(mistake.path, places)
        rest = mistake.path[len(place) :].removeprefix(".") if place else mistake.path
        told.setdefault(place, []).append(Mistake(rest, mistake.message))
    return told


def _group(group: Group, entries: Entries, before: Any) -> dict[str, Any]:
    """What the document said of the group, in its order, with what was changed."""
    document = dict(before) if isinstance(before, Mapping) else {}
    for part in group.parts:
        value = document_of(part, entries, _at(before, part))
        if value is ABSENT:
            document.pop(part.key, None)
        else:
            document[part.key] = value
    return document


def _is_used(group: Group, document: Any) -> bool:
    """Whether it is not null."""
    return (group.default if document is ABSENT else document) is not None


def _at(document: Any, part: Part) -> Any:
    return document.get(part.key, ABSENT) if isinstance(document, Mapping) else ABSENT


def _written(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _parsed(text: str, *, otherwise: Any) -> Any:
    try:
        return parse_json(text)
    except Malformed:
        return otherwise


def _is_same(value: Any, other: Any) -> bool:
    """Whether both are the same in JSON, where true is not 1."""
    return value is other or _written(value) == _written(other)
