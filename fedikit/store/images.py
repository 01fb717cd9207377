"""Container images in the deployer's store: their parts are files like all others, an index tells what they make up.

An image is found by its name. It has a build for each architecture that it was made for; a build consists of a
manifest, a configuration and layers. Layers may be lacking: then they are fetched when a host needs them.
"""

import json
import os
import threading
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from fedikit.errors import FedikitError, StoreError
from fedikit.events import Progress, Tell, tell_nobody
from fedikit.store import skopeo
from fedikit.store.archive import source_of_file
from fedikit.store.artifact import Store
from fedikit.store.build import ARCHITECTURES, Build, architectures_in, read_build, sha256_of
from fedikit.store.registry import Wanted, describe, in_registry, unreachable

PODMANS = "containers-storage:"
"""Stands before the name of an image that is in Podman's store on this machine."""
_AT_A_TIME = 6


@dataclass(frozen=True)
class StoredImage:
    """An image as the index has it."""

    reference: str
    digest: str
    """What its registry calls it by: the digest of its manifest, or of the list of them."""
    since: str
    builds: dict[str, Build]
    """By architecture."""

    def is_called(self, digest: str | None) -> bool:
        """Whether a digest stands for this image."""
        return digest in (None, self.digest, *(f"sha256:{build.manifest}" for build in self.builds.values()))

    @property
    def title(self) -> str:
        """What the image says that it is, if it does."""
        return next((build.title for build in self.builds.values() if build.title), "")

    def as_record(self) -> dict[str, Any]:
        """What there is to say of it; a layer that two builds share counts once."""
        sizes = {sha256: size for build in self.builds.values() for sha256, size in build.sizes.items()}
        about = {"reference": self.reference, "digest": self.digest, "since": self.since}
        return {
            **about,
            "title": self.title,
            "size": sum(sizes.values()),
            "builds": sorted(self.builds),
        }


@dataclass
class Images:
    """The index, and the ways into the store."""

    store: Store = field(default_factory=Store)
    _asked: dict[Wanted, "Future[StoredImage]"] = field(default_factory=dict, repr=False)
    _guard: threading.Lock = field(default_factory=threading.Lock, repr=False)

    # What is there

    def find(self, reference: str) -> StoredImage | None:
        """The image of that name, unless it is unknown, or gone but for its name. It counts as used now."""
        try:
            known = json.loads(self._place(reference).read_text())
        except FileNotFoundError:
            return None
        builds = {name: build for name, sha256 in known["builds"].items() if (build := self._build(sha256))}
        return StoredImage(reference, known["digest"], known["since"], builds) if builds else None

    def _find_called(self, reference: str, digest: str | None) -> StoredImage | None:
        """The image of that name that the digest calls, also if another one has the name by now."""
        image = self.find(reference)
        if image and image.is_called(digest):
            return image
        build = self._build(digest.removeprefix("sha256:")) if digest else None
        return StoredImage(reference, str(digest), _now(), {build.architecture: build}) if build else None

    def known(self) -> list[StoredImage]:
        """All images, by name."""
        return [image for name in sorted(self.names()) if (image := self.find(name))]

    def names(self) -> set[str]:
        """The names of all images that were ever taken in or fetched here, also of those that are gone since."""
        places = (self.store.directory / "images").glob("*.json")
        return {json.loads(place.read_text())["reference"] for place in places}

    def is_whole(self, build: Build) -> bool:
        """Whether no part of it has to be fetched."""
        return all(self.store.has(sha256) for sha256 in build.sizes)

    def sizes_of(self, manifest: str) -> dict[str, int]:
        """The sizes of a build's parts by SHA-256; nothing is known of one that the store does not have."""
        build = self._build(manifest)
        return build.sizes if build else {}

    def wanted(self, images: Iterable[Wanted]) -> dict[str, StoredImage]:
        """The images, by name; of those that are unknown, the registry is asked. Raises one StoreError for all."""
        found: dict[str, StoredImage] = {}
        unknown: list[Wanted] = []
        for reference, digest in images:
            if image := self._find_called(reference, digest):
                found[reference] = image
            else:
                unknown.append((reference, digest))
        for image in self.ask(unknown):
            self._note(image)
            found[image.reference] = image
        return found

    def prune(self, keep_days: float) -> int:
        """Removes what was not used for some days, and names of which nothing is left; returns the bytes freed."""
        freed = self.store.prune(keep_days)
        for place in (self.store.directory / "images").glob("*.json"):
            if not any(self.store.has(sha256) for sha256 in json.loads(place.read_text())["builds"].values()):
                place.unlink(missing_ok=True)
        return freed

    # Registries

    def ask(self, images: Iterable[Wanted]) -> list[StoredImage]:
        """What registries say of images: brings manifests and configurations, no layers. Each is asked once."""
        wanted_ones = tuple(images)
        with self._guard, ThreadPoolExecutor(_AT_A_TIME) as pool:
            for wanted in wanted_ones:
                if wanted not in self._asked:
                    self._asked[wanted] = pool.submit(self._ask_one, wanted)
        asked = {wanted: self._asked[wanted] for wanted in wanted_ones}
        silent = {wanted: error for wanted, answer in asked.items() if (error := answer.exception())}
        for error in silent.values():
            if not isinstance(error, FedikitError):
                raise error
        if silent:
            raise unreachable({wanted: str(error) for wanted, error in silent.items()})
        return [answer.result() for answer in asked.values()]

    def _ask_one(self, wanted: Wanted) -> StoredImage:
        digest, builds = describe(*wanted, self.store)
        return StoredImage(wanted[0], digest, _now(), builds)

    def fetch(self, reference: str, architecture: str, tell: Tell = tell_nobody) -> StoredImage:
        """Brings the image that its registry has under the name now, or Podman's store here, for one architecture."""
        if reference.startswith(PODMANS):
            return self._take(reference, reference.removeprefix(PODMANS), tell, compress=True)
        (image,) = self.ask([(reference, None)])
        if architecture not in image.builds:
            raise StoreError(f"{reference} is made for {', '.join(image.builds)}, not for {architecture}")
        build = image.builds[architecture]
        self.bring(reference, build.manifest, build.sizes, tell)
        self._note(image)
        return image

    def bring(self, reference: str, manifest: str, parts: Iterable[str], tell: Tell = tell_nobody) -> None:
        """Sees to it that the store has parts of an image, whole; those that are lacking come from its registry."""
        build = self._build(manifest)
        lacking = [sha256 for sha256 in parts if not self._is_whole(sha256)]
        if not lacking:
            return
        source = in_registry(reference, f"sha256:{manifest}")
        total = sum(build.sizes[sha256] for sha256 in lacking) if build else 0
        with self.store.incoming(total) as folder:
            blobs = folder / "image" / "blobs" / "sha256"
            blobs.mkdir(parents=True)
            for sha256 in build.sizes if build else ():
                if self.store.has(sha256):
                    os.link(self.store.path(sha256), blobs / sha256)
            look = partial(_look, folder / "image", total, tell)
            architecture = build.architecture if build else ""
            try:
                skopeo.copy(source, f"oci:{folder}/image:image", architecture=architecture, total=total, look=look)
            except StoreError as error:
                raise unreachable({(reference, f"sha256:{manifest}"): error.message}) from error
            for sha256 in lacking:
                self.store.adopt(blobs / sha256, sha256)

    # Files

    def add(self, reference: str, path: Path, tell: Tell = tell_nobody) -> StoredImage:
        """Takes an image in from an OCI archive or layout, or a Docker archive; each build that is in there."""
        source = source_of_file(path, reference)
        return self._take(source, reference, tell, compress=source.startswith("docker-archive:"))

    def _take(self, source: str, reference: str, tell: Tell, *, compress: bool) -> StoredImage:
        try:
            found = skopeo.inspect(source)
        except StoreError as error:
            raise StoreError(f"{source} cannot be read as an image: {error.message}", hint=error.hint) from error
        is_list = "manifests" in json.loads(found)
        names = list(architectures_in(found)) if is_list else [""]
        builds = [self._adopt_from(source, name, tell, compress=compress) for name in names]
        if not builds:
            raise StoreError(f"{source} has no build for Linux on {' or '.join(ARCHITECTURES)}")
        digest = sha256_of(found) if is_list else builds[0].manifest
        image = StoredImage(reference, f"sha256:{digest}", _now(), {build.architecture: build for build in builds})
        self._note(image)
        return image

    def _adopt_from(self, source: str, architecture: str, tell: Tell, *, compress: bool) -> Build:
        with self.store.incoming() as folder:
            arriving = folder / "image"
            look = partial(_look, arriving, 0, tell)
            skopeo.copy(source, f"dir:{arriving}", architecture=architecture, compress=compress, look=look)
            manifest = (arriving / "manifest.json").read_bytes()
            config = json.loads(manifest).get("config", {}).get("digest", "").removeprefix("sha256:")
            build = read_build(manifest, (arriving / (config or "manifest.json")).read_bytes())
            (arriving / "manifest.json").rename(arriving / build.manifest)
            for sha256 in build.sizes:
                self.store.adopt(arriving / sha256, sha256)
        return build

    # The index

    def _place(self, reference: str) -> Path:
        return self.store.directory / "images" / f"{sha256_of(reference.encode())}.json"

    def _note(self, image: StoredImage) -> None:
        builds = {name: build.manifest for name, build in image.builds.items()}
        entry = {"reference": image.reference, "digest": image.digest, "since": image.since, "builds": builds}
        place = self._place(image.reference)
        place.parent.mkdir(parents=True, exist_ok=True)
        with self.store.incoming() as folder:
            (folder / "entry").write_text(json.dumps(entry))
            (folder / "entry").replace(place)

    def _build(self, manifest: str) -> Build | None:
        """A build whose description is there and whole; its parts count as used now."""
        try:
            described = self._read(manifest)
            config = json.loads(described)["config"]["digest"].removeprefix("sha256:")
            build = read_build(described, self._read(config))
        except StoreError:
            return None
        for sha256 in build.sizes:
            if self.store.has(sha256):
                self.store.path(sha256)
        return build

    def _is_whole(self, sha256: str) -> bool:
        try:
            self.store.verify(sha256)
        except StoreError:
            return False  # if it was damaged it is removed now, and fetched anew
        return True

    def _read(self, sha256: str) -> bytes:
        content = self.store.path(sha256).read_bytes()
        if sha256_of(content) != sha256:
            self.store.verify(sha256)
        return content


def _look(folder: Path, total: int, tell: Tell) -> None:
    arrived = skopeo.arrived_in(folder)
    if arrived:
        tell(Progress(what="images", done=min(arrived, total or arrived), total=total or arrived))


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
