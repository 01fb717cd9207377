"""What registries say of container images, and what to do where they cannot be asked."""

import json
from collections.abc import Mapping

from fedikit.errors import StoreError
from fedikit.store import skopeo
from fedikit.store.artifact import Store
from fedikit.store.build import ARCHITECTURES, Build, architectures_in, read_build, sha256_of

Wanted = tuple[str, str | None]
"""An image's name, and the digest that it must have, if it matters."""


def in_registry(reference: str, digest: str | None) -> str:
    """How skopeo calls the image where its name says, or exactly the one with that digest."""
    repository = reference.rpartition(":")[0]
    return f"docker://{repository}@{digest}" if digest else f"docker://{reference}"


def describe(reference: str, digest: str | None, store: Store) -> tuple[str, dict[str, Build]]:
    """An image's digest and its builds; their manifests and configurations, no layers, are in the store then."""
    source = in_registry(reference, digest)
    found = skopeo.inspect(source)
    own = f"sha256:{sha256_of(found)}"
    if digest not in (None, own):
        raise StoreError(f"it answered with {own}")
    sources = {source: found}
    if "manifests" in json.loads(found):
        told = [in_registry(reference, each) for each in architectures_in(found).values()]
        sources = {source: skopeo.inspect(source) for source in told}
    builds = [_keep(source, manifest, store) for source, manifest in sources.items()]
    if not builds:
        raise StoreError(f"it has no build for Linux on {' or '.join(ARCHITECTURES)}")
    return own, {build.architecture: build for build in builds}


def _keep(source: str, manifest: bytes, store: Store) -> Build:
    configuration = skopeo.inspect(source, "config")
    build = read_build(manifest, configuration)
    store.add_bytes(manifest)
    store.add_bytes(configuration)
    return build


def unreachable(reasons: Mapping[Wanted, str]) -> StoreError:
    """Says for each image what to do where its registry can be reached, and what here."""
    lines, there, here = [], [], []
    for (reference, digest), reason in reasons.items():
        image = f"{reference} ({digest})" if digest else reference
        lines.append(f"image {image} is not in this deployer's store and its registry does not answer ({reason})")
        name = reference.rpartition("/")[2].replace(":", "-")
        file, way = (name, f"--all {{}} dir:{name}") if digest else (f"{name}.tar", f"{{}} oci-archive:{name}.tar")
        there.append(f"skopeo copy {way.format(in_registry(reference, digest))}")
        here.append(f"fedikit store add {reference} {file}")
    hint = "\n    ".join(["on a machine that reaches it:", *there, "then here, with the files:", *here])
    return StoreError("\n".join(lines), hint=hint)
