"""Typed functions: what turns one value of the model into another is checked at both ends, at every call."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from fedikit.errors import ConfigurationError
from fedikit.model.mistake import UNSEEN, mistakes_in

In = TypeVar("In")
Out = TypeVar("Out")


@dataclass(frozen=True)
class TypedFunction(Generic[In, Out]):
    """A pure function that keeps to its types.

    `takes` and `gives` are any types that pydantic can check. Instances are taken as they are, for they were
    checked when they were made; mappings and sequences are checked in full.
    """

    name: str
    """Who answers for it, such as `application hello`; the first words of its errors."""
    takes: Any
    gives: Any
    implementation: Callable[[In], Any]

    def __call__(self, value: In | Mapping[str, Any]) -> Out:
        """Computes the answer; raises ConfigurationError when the value or the answer is not of its type."""
        given: In = self._checked(value, self.takes, "was given what it does not take")
        answer: Out = self._checked(self._computed(given), self.gives, "gave what it must not give")
        return answer

    def _computed(self, given: In) -> Any:
        try:
            return self.implementation(given)
        except ValidationError as error:
            raise self._violation(error, UNSEEN, f"made a malformed {error.title}") from None

    def _checked(self, value: Any, kind: Any, accusation: str) -> Any:
        try:
            return _adapter(kind).validate_python(value)
        except ValidationError as error:
            raise self._violation(error, value, accusation) from None

    def _violation(self, error: ValidationError, data: Any, accusation: str) -> ConfigurationError:
        return ConfigurationError(f"{self.name} {accusation}", mistakes_in(error, data))


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    """Built once a type, for building costs a thousand times what checking costs."""
    return TypeAdapter(kind)
