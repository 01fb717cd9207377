"""How a check ended."""

from typing import Annotated

from pydantic import Field

from fedikit.model.check import Check
from fedikit.model.value import Value


class CheckResult(Value):
    """How a check ended."""

    name: str
    application: str
    passed: bool
    seconds: Annotated[float, Field(ge=0)]
    """From the beginning of all checks until this one held, or was given up."""
    detail: str
    """What was seen; if the check failed, also what was wanted."""
    attempts: Annotated[int, Field(ge=0)]
    is_closed: bool = False
    """Whether the application itself said that it is closed: it was not asked again."""
    check: Check | None = None
    """What was looked for."""
