"""What the manifest and the configuration of a container image say: which parts it has, and for which machines.

Read are those of OCI and those of Docker's second version, byte by byte as they are: their digests are their names.
"""

import hashlib
import json
import platform
from dataclasses import asdict, dataclass
from typing import Any

from fedikit.errors import StoreError

ARCHITECTURES = ("amd64", "arm64")
"""Those of the hosts, as images call them."""
_TITLE = "org.opencontainers.image.title"


@dataclass(frozen=True)
class Layer:
    """One layer: `sha256` as it is sent, `diff` of what it is when unpacked."""

    sha256: str
    diff: str
    size: int


@dataclass(frozen=True)
class Build:
    """An image for one architecture; each part by its SHA-256."""

    architecture: str
    manifest: str
    config: str
    layers: tuple[Layer, ...]
    sizes: dict[str, int]
    """Every part, in bytes."""
    title: str = ""

    def as_record(self) -> dict[str, Any]:
        """The build as the agent takes it."""
        layers = [asdict(layer) for layer in self.layers]
        return {"config": self.config, "manifest": self.manifest, "layers": layers}


def read_build(manifest: bytes, configuration: bytes) -> Build:
    """The build that a manifest and its configuration describe; raises StoreError if they do not go together."""
    try:
        described, configured = json.loads(manifest), json.loads(configuration)
        config = _sha256_in(described["config"]["digest"])
        diffs = [_sha256_in(digest) for digest in configured["rootfs"]["diff_ids"]]
        found = [(_sha256_in(layer["digest"]), int(layer["size"])) for layer in described["layers"]]
        architecture = str(configured["architecture"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(
            "the image's manifest is of a kind that is not known here", hint="OCI's or Docker's version 2 is"
        ) from error
    if sha256_of(configuration) != config or len(diffs) != len(found):
        raise StoreError("the image's configuration is not the one that its manifest names", hint="get it anew")
    layers = tuple(Layer(sha256, diff, size) for (sha256, size), diff in zip(found, diffs, strict=True))
    own = {sha256_of(manifest): len(manifest), config: len(configuration)}
    labels = (configured.get("config") or {}).get("Labels") or {}
    title = str((described.get("annotations") or labels).get(_TITLE) or labels.get(_TITLE, ""))
    return Build(architecture, sha256_of(manifest), config, layers, {**own, **dict(found)}, title)


def architectures_in(manifests: bytes) -> dict[str, str]:
    """From a list of manifests, the digest of the one for each of our architectures that is there, for Linux."""
    found: dict[str, str] = {}
    for entry in json.loads(manifests)["manifests"]:
        platform = entry.get("platform", {})
        if platform.get("os") == "linux" and platform.get("architecture") in ARCHITECTURES:
            found.setdefault(platform["architecture"], entry["digest"])
    return found


def own_architecture() -> str:
    """This machine's, as images call it."""
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


def sha256_of(content: bytes) -> str:
    """SHA-256 (hex) of some bytes."""
    return hashlib.sha256(content).hexdigest()


def _sha256_in(digest: str) -> str:
    algorithm, _, value = digest.partition(":")
    if algorithm != "sha256":
        raise ValueError(f"{algorithm} is not known")
    return value
