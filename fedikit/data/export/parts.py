"""A part's stream becomes a file: a dump, an archive, or a bucket's objects."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from fedikit.data.export.folder import Folder, new_file
from fedikit.data.export.messages import Figures, understood
from fedikit.data.export.objects import Objects
from fedikit.data.export.stream import Frame, frames_from
from fedikit.data.export.wanted import Wanted, secrets_of, spec_of
from fedikit.errors import AgentFailed
from fedikit.model.data import BucketPart, Part, VolumePart
from fedikit.remote.messages import MISTRUST
from fedikit.results.export import ExportedFile, ExportedPart
from fedikit.secrets import Vault

SPARE_BYTES = 1 << 30
LEAST_BYTES = 512
"""What even an empty object takes of a disk, at the least."""
Hear = Callable[[int], None]
"""Called with the bytes that came so far."""


def file_of(part: Part) -> str:
    """The file of the export that holds a part."""
    match part:
        case BucketPart():
            return f"objects-{part.name}.jsonl"
        case VolumePart():
            return f"files-{part.path.strip('/').replace('/', '-')}.tar"
        case _:
            return "database.dump" if part.kind == "postgresql" else "database.sql.gz"


def take_part(part: Part, size: int, wanted: Wanted, folder: Folder, vault: Vault, hear: Hear) -> ExportedPart:
    """Streams a part into the folder; `size`: its bytes, as the host told them before. Raises HostError."""
    objects = Objects(folder.path, part.name) if isinstance(part, BucketPart) else None
    request = {
        "verb": "stream",
        "part": spec_of(part, wanted, vault),
        "secrets": secrets_of([part], vault),
        "after": objects.last_key if objects else "",
    }
    with frames_from(wanted.host, wanted.connection, request) as frames:
        heard = _bounded(wanted.host, frames, 2 * size + SPARE_BYTES, hear)
        if objects:
            return _exported(part, *objects.take(wanted.host, heard), counts={"objects": objects.count})
        return _exported(part, *_dumped(folder.path / file_of(part), wanted.host, heard))


def _exported(part: Part, figures: Figures, file: ExportedFile, bytes_: int, **update: object) -> ExportedPart:
    taken = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    told = {"counts": figures.counts, "version": figures.version, "changed": figures.changed} | update
    return ExportedPart.model_validate(
        {
            "id": part.id,
            "kind": part.kind,
            "file": file_of(part),
            "bytes": bytes_,
            "sha256": file.sha256,
            "taken": taken,
        }
        | told
    )


def _dumped(path: Path, host: str, frames: Iterator[Frame]) -> tuple[Figures, ExportedFile, int]:
    """A stream that is one file; it has its name only if the host said that all is told."""
    with new_file(path) as file:
        for letter, payload in frames:
            if letter == ".":
                figures = understood(host, payload, Figures)
            elif letter == "d":
                file.write(payload)
            else:
                raise AgentFailed(host, "sent a part in which something else is", hint=MISTRUST)
    return figures, file.figures, file.bytes


def _bounded(host: str, frames: Iterator[Frame], most: int, hear: Hear) -> Iterator[Frame]:
    """The same frames, unless their data has no end."""
    done = besides = 0
    for letter, payload in frames:
        if letter == "d":
            done += len(payload)
            hear(done)
        else:
            besides += len(payload) + LEAST_BYTES
        if max(done, besides) > most:
            raise AgentFailed(
                host, f"sends more than {most >> 20} MiB of a part, twice what it had told", hint=MISTRUST
            )
        yield letter, payload
