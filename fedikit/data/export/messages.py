"""What the program on a host may say, strictly: the host may be hacked, and nothing that it says is trusted."""

import json
from typing import Annotated, TypeVar

from pydantic import Field, ValidationError

from fedikit.errors import AgentFailed
from fedikit.remote.messages import MISTRUST
from fedikit.remote.spoken import Count, Line, Message, ShortLine, Size, Words

M = TypeVar("M", bound=Message)
_Header = Annotated[str, Field(max_length=8192, pattern=r"^[^\x00-\x1f\x7f]*$")]
_HeaderName = Annotated[str, Field(max_length=200, pattern=r"^[a-z0-9!#$%&'*+.^_`|~-]+$")]
_Told = Annotated[str, Field(pattern=r"^(cache-control|content-(disposition|encoding|language|type))$")]
"""Headers that say what an object is; others would have the new server do something."""
MOST_TABLES = 20_000


class Measured(Message):
    """How many bytes a part has."""

    id: Line
    bytes: Size


class Figures(Message):
    """What the program counted of a part: rows by table, files, objects."""

    counts: Annotated[dict[ShortLine, Count], Field(max_length=MOST_TABLES)] = Field(default_factory=dict)
    version: ShortLine = ""
    changed: Count = 0
    """Files that got shorter while they were read."""


class ObjectTold(Message):
    """An object of a bucket, as its bytes follow. A key may hold anything: it is written as JSON, and nowhere else."""

    key: Annotated[str, Field(min_length=1, max_length=1024)]
    size: Size
    etag: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{0,100}$")]
    headers: dict[_Told, _Header]
    metadata: Annotated[dict[_HeaderName, _Header], Field(max_length=100)]


class TroubleTold(Message):
    """What went wrong there."""

    message: Words
    hint: Words
    tail: Words


class Nothing(Message):
    """Nothing is said besides."""


def understood(host: str, said: bytes, kind: type[M]) -> M:
    """What a host said; raises AgentFailed for what is nothing of that kind."""
    try:
        return kind.model_validate(json.loads(said))
    except (ValidationError, ValueError, RecursionError):
        raise AgentFailed(host, f"said what is no {kind.__name__} of an export", hint=MISTRUST) from None
