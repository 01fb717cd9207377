"""The words that a host may use: types with limits, in which no control character comes through.

`messages` and `data_messages` are made of them.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from fedikit.errors import visible
from fedikit.model.item import CLASSES

LINE_BYTES = 32 * 1024 * 1024
"""The longest line that an agent may send: dpkg's status of a large host is in one."""
LONGEST_STEP_SECONDS = 90_000
"""A day, and some; so long an agent may be at work on one thing."""
MOST_PARTS = 20_000
"""How many parts an answer may have of a kind: changes, items, contents, packages."""
MOST_CHECKS_BYTES = 256 * 1024
"""How long the checks of one host may be, as they are sealed."""
LONGEST_TEXT = 512 * 1024
LONGEST_WORDS = 16 * 1024


def _visible_line(text: str) -> str:
    return visible(text).replace("\n", "\\n").replace("\t", "\\t")


Text = Annotated[str, Field(max_length=LONGEST_TEXT), AfterValidator(visible)]
"""Several lines, such as a file's."""
Words = Annotated[str, Field(max_length=LONGEST_WORDS), AfterValidator(visible)]
Line = Annotated[str, Field(max_length=LONGEST_WORDS), AfterValidator(_visible_line)]
ShortLine = Annotated[str, Field(max_length=300), AfterValidator(_visible_line)]
Id = Annotated[
    str,
    Field(
        max_length=5000,
        pattern=rf"^({'|'.join(CLASSES)}|packages)(:[^\x00-\x1f\x7f]*)?$",
    ),
    AfterValidator(_visible_line),
]
"""An item's: its kind and its name."""
Action = Literal["create", "update", "run", "adopt", "delete", "restore", "release", "keep", "blocked"]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Seconds = Annotated[float, Field(ge=0, le=10_000_000, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, le=1_000_000_000)]
Size = Annotated[int, Field(ge=0, le=1 << 50)]
PackageName = Annotated[str, Field(max_length=200, pattern=r"^[a-z0-9][a-z0-9+.-]+$")]
Version = Annotated[str, Field(max_length=200, pattern=r"^[A-Za-z0-9.+:~-]*$")]
UnitName = Annotated[str, Field(max_length=300, pattern=r"^[A-Za-z0-9:_.@\\-]+\.service$")]
Boot = Annotated[str, Field(pattern=r"^[0-9a-f-]{0,40}$")]
Base64 = Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]*={0,2}$")]
Time = Annotated[str, Field(pattern=r"^([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z)?$")]
RunName = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{0,60}$")]
DeploymentName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
Reference = Annotated[str, Field(max_length=400, pattern=r"^[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)+:[A-Za-z0-9_.-]+$")]


class Message(BaseModel):
    """Something that an agent says."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True, defer_build=True)
