"""Texts in requests: what an application cannot know itself stands in them by name, and is filled in later."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from fedikit.model.secret import Content, SecretRef, SecretText
from fedikit.model.value import Line, Value

Fact = str | SecretRef
"""What a policy says of a resource that it provides: plain words, or a secret."""


class FactReference(Value):
    """Stands for a fact that the policy tells which provides a resource, such as the host of a database."""

    resource: Line
    """The label of the resource."""
    fact: Line
    words: dict[str, Line] = Field(default_factory=dict)
    """Other words for what the policy says; as it says it if absent."""


Part = str | SecretRef | FactReference
Text = Annotated[Part | tuple[Part, ...], Field(description="Words, secrets and facts, joined.")]
Facts = Mapping[tuple[str, str], Fact]
"""What is known, by resource and fact."""


class Untold(Exception):
    """A fact that no policy told; the resource was not asked for, or only later."""

    def __init__(self, told: FactReference) -> None:
        super().__init__(f"{told.resource} was not asked for before its {told.fact} is used")


def filled(text: Text, facts: Facts) -> Content:
    """The text with all facts in it; raises Untold."""
    return _content(tuple(_known(part, facts) for part in (text if isinstance(text, tuple) else (text,))))


def number(value: int | FactReference, facts: Facts) -> int:
    """A number, or what is told of it; raises Untold."""
    if isinstance(value, int):
        return value
    told = filled(value, facts)
    return int(told) if isinstance(told, str) and told.isdecimal() else 0


def joined(*contents: Content) -> Content:
    """Contents, one after the other."""
    some = (content.parts if isinstance(content, SecretText) else (content,) for content in contents)
    return _content(tuple(part for parts in some for part in parts))


def _content(parts: tuple[Fact, ...]) -> Content:
    """Plain text, unless there is a secret in it."""
    if any(isinstance(part, SecretRef) for part in parts):
        return SecretText(parts=parts)
    return "".join(part for part in parts if isinstance(part, str))


def _known(part: Part, facts: Facts) -> Fact:
    if not isinstance(part, FactReference):
        return part
    try:
        fact = facts[part.resource, part.fact]
    except KeyError:
        raise Untold(part) from None
    return part.words.get(fact, fact) if isinstance(fact, str) else fact
