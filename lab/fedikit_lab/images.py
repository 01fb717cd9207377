"""Container images that the lab builds for itself, since it may be where no registry can be reached.

Each is built when it is first wanted and kept in the cache by its recipe. A build that is killed leaves nothing that
counts.
"""

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fedikit.errors import FedikitError
from fedikit.events import StepFinished, StepStarted, Tell, Waiting, tell_nobody
from fedikit_lab import garage
from fedikit_lab.image import CODENAME, cache_directory
from fedikit_lab.layout import Layout
from fedikit_lab.lock import held_lock
from fedikit_lab.replacements import Replacement, replacement
from fedikit_lab.standins import (
    LEFT_OUT,
    OPTIONS,
    Program,
    put_debian,
    put_packages,
    put_program,
    read_program,
)

_LOCK_SECONDS = 3600
_FORM = 1  # a new number has everything built anew


@dataclass(frozen=True, kw_only=True)
class Build:
    """One image and how it is made: on which other, and with what laid over that."""

    name: str
    what: str
    """What a person who waits is told, with how long it takes."""
    recipe: object
    put: Callable[[Layout, Path, Tell], None]
    on: "Build | None" = None

    @property
    def key(self) -> str:
        """Tells this recipe from every other."""
        recipe = [_FORM, os.uname().machine, self.recipe, self.on.key if self.on else ""]
        return hashlib.sha256(json.dumps(recipe).encode()).hexdigest()[:16]

    @property
    def directory(self) -> Path:
        """Where the image is, or will be."""
        return cache_directory() / "lab" / "images" / f"{self.name}-{self.key}"

    @property
    def bottom(self) -> str:
        """The name of what lies lowest; builds with another bottom need not wait for each other."""
        return self.on.bottom if self.on else self.name


def lab_image(name: str, *, tell: Tell = tell_nobody) -> Path:
    """The OCI image layout that holds the image of that name; builds it when this recipe was never built here."""
    return built(_build_of(name), tell=tell)


def is_built(name: str) -> bool:
    """Whether the image of that name is in the cache, by the recipe of today."""
    return _build_of(name).directory.is_dir()


def title_of(name: str) -> str:
    """What the image of that name says that it is."""
    one = replacement(name)
    return _program_of(one).config.title if one.module else garage.title(one.version)


def built(build: Build, *, tell: Tell) -> Path:
    """The directory of an image, which is built if it is not there."""
    if build.directory.is_dir():
        return build.directory
    if os.geteuid() != 0:
        raise FedikitError("the lab's images are built from Debian trees, and that takes root", hint="run it as root")
    shelf = build.directory.parent
    shelf.mkdir(parents=True, exist_ok=True)
    tell(Waiting(what=build.what))
    with held_lock(shelf / f"{build.bottom}.lock", seconds=_LOCK_SECONDS):
        for abandoned in shelf.glob(f"building-{build.bottom}-*"):
            shutil.rmtree(abandoned, ignore_errors=True)
        return _built(build, tell).directory


def build_of_program(name: str, program: Program) -> Build:
    """A contract image: the program over its packages, and these over the Debian that all have in common."""
    return Build(
        name=name,
        what=f"the contract image of {program.application} (once, some seconds)",
        recipe=program.recipe,
        put=lambda layout, room, tell: put_program(layout, room, program),
        on=_packages(program.packages) if program.packages else _debian(),
    )


def _build_of(name: str) -> Build:
    one = replacement(name)
    return build_of_program(one.module, _program_of(one)) if one.module else _garage(one.version)


def _program_of(one: Replacement) -> Program:
    return read_program(one.application, one.module, one.version)


def _garage(version: str) -> Build:
    return Build(
        name="garage",
        what=f"Garage {version} from its source (once, about {garage.MINUTES} minutes)",
        recipe=[version, garage.TARGET, garage.SETTINGS],
        put=lambda layout, room, tell: garage.put_garage(layout, room, version, tell),
    )


def _debian() -> Build:
    what = f"the Debian {CODENAME} of the contract images (once, about half a minute)"
    return Build(name="debian", what=what, recipe=[CODENAME, OPTIONS, LEFT_OUT], put=put_debian)


def _packages(packages: tuple[str, ...]) -> Build:
    names = " ".join(packages)
    return Build(
        name="-".join(("debian", *packages)),
        what=f"the packages {names} for contract images (once, some seconds)",
        recipe=packages,
        put=lambda layout, room, tell: put_packages(layout, room, packages, tell),
        on=_debian(),
    )


def _built(build: Build, tell: Tell) -> Layout:
    """Builds what lies below first. The lock of its bottom is held."""
    if build.directory.is_dir():
        return Layout(build.directory)
    below = _built(build.on, tell) if build.on else None
    step = f"lab image {build.name}"
    tell(StepStarted(step=step))
    tell(Waiting(what=build.what))
    started = time.monotonic()
    room = Path(tempfile.mkdtemp(prefix=f"building-{build.bottom}-", dir=build.directory.parent))
    try:
        place = room / "layout"
        layout = Layout.on(below, place) if below else Layout.new(place)
        build.put(layout, room, tell)
        place.rename(build.directory)
    finally:
        tell(StepFinished(step=step, seconds=time.monotonic() - started, failed=not build.directory.is_dir()))
        shutil.rmtree(room, ignore_errors=True)
    return Layout(build.directory)
