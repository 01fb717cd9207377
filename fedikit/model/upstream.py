"""What upstream calls a setting, and how its value is spelt there."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import GetJsonSchemaHandler
from pydantic_core import CoreSchema

from fedikit.model.value import Value


@dataclass(frozen=True)
class Upstream:
    """Beside a setting's type: the environment variable that bears it.

    What is not set, or empty, is not written: then upstream's own default holds.
    """

    name: str
    """Upstream's name for it; shown in schemas and docs."""
    yes: str = "true"
    no: str = "false"
    times: int = 1
    """Upstream counts in smaller units: this many of them in one of ours."""
    form: str = "{}"
    """What stands around the value, such as `{}MiB`."""
    separator: str = ","
    """What stands between the values of a list."""
    writes: bool = True
    """Whether it is a variable; otherwise the recipe itself sees to it."""

    def spelt(self, value: Any) -> str | None:
        """The value as upstream reads it; None if there is nothing to say."""
        match value:
            case bool():
                return self.yes if value else self.no
            case None | "" | ():
                return None
            case int():
                return self.form.format(value * self.times)
            case tuple():
                return self.form.format(self.separator.join(map(str, value)))
            case _:
                return self.form.format(value)

    def __get_pydantic_json_schema__(self, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(core_schema), "upstream": self.name}


def upstream_values(settings: Value) -> Iterator[tuple[str, str]]:
    """Every variable that the settings write, with its value."""
    for name, field in type(settings).model_fields.items():
        for upstream in field.metadata:
            if isinstance(upstream, Upstream) and upstream.writes:
                spelt = upstream.spelt(getattr(settings, name))
                if spelt is not None:
                    yield upstream.name, spelt
