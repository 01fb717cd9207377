"""Files that container images come in, told apart by what is in them, never by their names."""

import json
import tarfile
from pathlib import Path

from fedikit.errors import StoreError

_KNOWN_BY = ("oci-layout", "index.json", "manifest.json")
_REF_NAME = "org.opencontainers.image.ref.name"


def source_of_file(path: Path, reference: str) -> str:
    """How skopeo calls the image in an OCI archive, an OCI layout, a Docker archive or a folder of skopeo's."""
    contents = _read_folder(path) if path.is_dir() else _read_archive(path)
    if "oci-layout" in contents and "index.json" in contents:
        transport = "oci" if path.is_dir() else "oci-archive"
        return f"{transport}:{path.absolute()}{_name_in_layout(contents['index.json'], reference, path)}"
    if "version" in contents:
        return f"dir:{path.absolute()}"
    if "manifest.json" in contents and not path.is_dir():
        return f"docker-archive:{path.absolute()}{_name_in_docker(contents['manifest.json'], reference, path)}"
    hint = "skopeo copy docker://IMAGE oci-archive:FILE makes one"
    raise StoreError(f"{path} is no OCI archive, OCI layout or Docker archive", hint=hint)


def _read_folder(path: Path) -> dict[str, bytes]:
    return {name: (path / name).read_bytes() for name in (*_KNOWN_BY, "version") if (path / name).is_file()}


def _read_archive(path: Path) -> dict[str, bytes]:
    """The files by which an archive is known."""
    contents: dict[str, bytes] = {}
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                name = member.name.removeprefix("./")
                if name in _KNOWN_BY and (file := archive.extractfile(member)):
                    contents[name] = file.read()
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror or error}") from error
    except tarfile.TarError:
        return {}
    return contents


def _name_in_layout(index: bytes, reference: str, path: Path) -> str:
    names = [entry.get("annotations", {}).get(_REF_NAME, "") for entry in json.loads(index)["manifests"]]
    return _chosen(names, reference, path)


def _name_in_docker(manifests: bytes, reference: str, path: Path) -> str:
    entries = [entry.get("RepoTags") or [""] for entry in json.loads(manifests)]
    return "" if len(entries) == 1 else _chosen([name for names in entries for name in names], reference, path)


def _chosen(names: list[str], reference: str, path: Path) -> str:
    """What is put behind the file's name so that the right one of its images is taken."""
    if len(names) == 1:
        return ""
    for name in (reference, reference.rpartition(":")[2]):
        if name in names:
            return f":{name}"
    raise StoreError(
        f"{path} holds {len(names)} images, none of them called {reference}",
        hint=f"they are called: {', '.join(filter(None, names)) or 'nothing'}",
    )
