"""The memory: what was known at the last look, and what is still to be told; a file beside the environment's."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from fedikit.errors import FedikitError
from fedikit.model.value import Value
from fedikit.runbook.record import write_whole, writing
from fedikit.watch.finding import Finding
from fedikit.watch.message import Message

FOLDER = ".fedikit-watch"
MOST_WAITING = 50
"""How many messages wait at most; the oldest are dropped."""


class Known(Value):
    """A finding of earlier looks."""

    finding: Finding
    since: datetime
    looks: Annotated[int, Field(ge=0)] = 1
    """How many looks in a row have seen it."""
    well: Annotated[int, Field(ge=0)] = 0
    """How many looks in a row have no longer seen it."""
    told: datetime | None = None


class Waiting(Value):
    """A message, and the ways that it did not go yet."""

    message: Message
    ways: tuple[str, ...]


class Memory(Value):
    """What a watch remembers."""

    form: Literal[1] = 1
    looked: datetime | None = None
    """When it last looked."""
    known: dict[str, Known] = Field(default_factory=dict)
    waiting: tuple[Waiting, ...] = ()
    dropped: int = 0
    """How many messages nobody will be told, for there were too many."""

    def to_tell(self, message: Message, ways: tuple[str, ...]) -> "Memory":
        """The same, with one more message that waits."""
        waiting = (*self.waiting, Waiting(message=message, ways=ways))
        dropped = self.dropped + max(0, len(waiting) - MOST_WAITING)
        return self.model_copy(update={"waiting": waiting[-MOST_WAITING:], "dropped": dropped})


def memory_file(environment: Path, name: str) -> Path:
    """Where what is remembered of an environment lies, for its owner only."""
    return environment.absolute().parent / FOLDER / f"{name}.json"


def read_memory(file: Path) -> tuple[Memory, str]:
    """What is remembered; if it cannot be used, an empty memory and why. Raises FedikitError if it may not be read."""
    try:
        return Memory.model_validate_json(file.read_bytes()), ""
    except FileNotFoundError:
        return Memory(), ""
    except ValidationError:
        return Memory(), f"{file} was damaged, or written by another version: what was known is forgotten"
    except OSError as error:
        raise FedikitError(f"{file} cannot be read: {(error.strerror or str(error)).lower()}") from error


def write_memory(file: Path, memory: Memory) -> None:
    """Writes it whole or not at all."""
    write_whole(file, memory.model_dump_json(indent=1))


@contextmanager
def held(file: Path) -> Iterator[None]:
    """Keeps other looks away. Raises FedikitError if there is one already."""
    make_folder(file)
    lock = file.with_suffix(".lock")
    with writing(lock):
        descriptor = os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FedikitError(f"{file.stem} is just being looked at by another fedikit watch") from None
        yield


def make_folder(file: Path) -> None:
    """Makes the folder of the memory."""
    with writing(file.parent):
        file.parent.mkdir(mode=0o700, exist_ok=True)
