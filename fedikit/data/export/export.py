"""The story of an export: what there is, whether it has room here, and then application by application."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from fedikit import __version__
from fedikit.data.export.belongings import belongings
from fedikit.data.export.folder import Folder, held, open_place
from fedikit.data.export.parts import take_part
from fedikit.data.export.readme import readme
from fedikit.data.export.room import require_room, sizes_of
from fedikit.data.export.wanted import Wanted, wanted_of
from fedikit.disclosure import note_on_hosts
from fedikit.errors import FedikitError
from fedikit.events import Progress, StepFinished, StepStarted, Tell, tell_nobody
from fedikit.model.data import Part
from fedikit.model.deployment import Deployment
from fedikit.results.export import Export, Exported, Manifest
from fedikit.secrets import Vault


def export_data(
    deployment: Deployment, out: Path, *, applications: Sequence[str] = (), tell: Tell = tell_nobody
) -> Export:
    """Writes all data of applications to a folder, with what restores it; their hosts note who took it, before.

    What was cut off goes on. Raises FedikitError before anything is fetched: for a folder with something else in it,
    too little room, or an application that has no data. What fails later is told of its application.
    """
    wanted = wanted_of(deployment, applications)
    open_place(out, [one.folder for one in wanted])
    with held(out):
        return _write_all(deployment, wanted, out, tell)


def _write_all(deployment: Deployment, wanted: Sequence[Wanted], out: Path, tell: Tell) -> Export:
    vault = Vault.of(deployment)
    folders = [Folder.at(out / one.folder, _first_manifest(deployment, one)) for one in wanted]
    tell(StepStarted(step="measure"))
    began = time.monotonic()
    sizes = [sizes_of(one, _missing(one, folder), vault) for one, folder in zip(wanted, folders, strict=True)]
    require_room(out, sizes)
    tell(StepFinished(step="measure", seconds=time.monotonic() - began))
    exported = [
        _export(deployment, one, folder, size, vault, tell)
        for one, folder, size in zip(wanted, folders, sizes, strict=True)
    ]
    return Export(all=tuple(exported))


def _first_manifest(deployment: Deployment, wanted: Wanted) -> Manifest:
    return Manifest(
        deployment=deployment.name,
        application=wanted.application,
        host=wanted.host,
        made_by=f"fedikit {__version__}",
        images=wanted.data.images,
    )


def _missing(wanted: Wanted, folder: Folder) -> list[Part]:
    return [part for part in wanted.parts if not folder.manifest.part(part.id)]


def _export(
    deployment: Deployment, wanted: Wanted, folder: Folder, sizes: dict[str, int], vault: Vault, tell: Tell
) -> Exported:
    """One application; what fails is told, and the others are exported."""
    step, began, error = f"export {wanted.folder}", time.monotonic(), ""
    tell(StepStarted(step=step))
    try:
        if not folder.is_whole:
            _fill(deployment, wanted, folder, sizes, vault, tell)
    except FedikitError as failure:
        error = str(failure)
    seconds = time.monotonic() - began
    tell(StepFinished(step=step, seconds=seconds, failed=bool(error)))
    return Exported(
        application=wanted.application, host=wanted.host, folder=str(folder.path), seconds=seconds,
        manifest=None if error else folder.manifest, error=error,
    )  # fmt: skip


def _fill(
    deployment: Deployment, wanted: Wanted, folder: Folder, sizes: dict[str, int], vault: Vault, tell: Tell
) -> None:
    note_on_hosts(deployment, [wanted.host], f"took the data of {wanted.application} along, and its secrets")
    for part in _missing(wanted, folder):

        def hear(done: int, part: Part = part) -> None:
            tell(Progress(what=f"{wanted.folder} {part.id}", done=done, total=sizes[part.id], host=wanted.host))

        folder.note(take_part(part, sizes[part.id], wanted, folder, vault, hear))
    for name, text in belongings(wanted, vault):
        folder.write(name, text)
    folder.write("README.md", readme(wanted, folder.manifest))
    folder.end(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}")
