"""Whether the export has room here: as much as its hosts say that there is."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from fedikit.data.export.messages import Measured, understood
from fedikit.data.export.stream import frames_from
from fedikit.data.export.wanted import Wanted, secrets_of, spec_of
from fedikit.errors import AgentFailed, FedikitError
from fedikit.model.data import Part
from fedikit.remote.messages import MISTRUST
from fedikit.secrets import Vault

SPARE = 0.05
"""What stays free besides, of what is needed."""


def sizes_of(wanted: Wanted, parts: Sequence[Part], vault: Vault) -> dict[str, int]:
    """The bytes of parts, as their host measures them, by their ids. Raises HostError."""
    request = {
        "verb": "measure",
        "parts": [spec_of(part, wanted, vault) for part in parts],
        "secrets": secrets_of(parts, vault),
    }
    sizes: dict[str, int] = {}
    with frames_from(wanted.host, wanted.connection, request) as frames:
        for letter, payload in frames:
            if letter == "m" and len(sizes) < len(parts):
                measured = understood(wanted.host, payload, Measured)
                sizes[measured.id] = measured.bytes
    if sizes.keys() != {part.id for part in parts}:
        raise AgentFailed(wanted.host, "measured something else than it was asked for", hint=MISTRUST)
    return sizes


def require_room(out: Path, sizes: Sequence[Mapping[str, int]]) -> None:
    """Raises FedikitError if the disk has less room than all parts take."""
    needed = int(sum(sum(each.values()) for each in sizes) * (1 + SPARE))
    free = shutil.disk_usage(out).free
    if free < needed:
        raise FedikitError(
            f"{out} has {_gib(free)} free, and the export may take {_gib(needed)}",
            hint="name a folder on a larger disk, or fewer applications: --application",
        )


def _gib(size: int) -> str:
    return f"{size / (1 << 30):.1f} GiB"
