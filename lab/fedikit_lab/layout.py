"""OCI image layouts on this machine, put together layer by layer with umoci.

The same content gives the same digests: files are sorted, and no time in an image is later than `MOMENT`.
"""

import os
import shutil
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fedikit.errors import FedikitError
from fedikit_lab.tool import run_tool

TAG = "lab"
MOMENT = 1_754_697_600  # the day of Debian 13; any day before the first build would do
_TIMES = ("--created=2025-08-09T00:00:00Z", "--history.created=2025-08-09T00:00:00Z")
_SECONDS = 300


@dataclass(frozen=True, kw_only=True)
class Config:
    """How containers of an image start, as its author wants it; `title` is what people are told that it is."""

    title: str
    user: str = ""
    workdir: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    entrypoint: Sequence[str] = ()
    cmd: Sequence[str] = ()


@dataclass(frozen=True)
class Layout:
    """A directory that holds one image."""

    directory: Path

    @property
    def _image(self) -> str:
        return f"{self.directory}:{TAG}"

    @classmethod
    def new(cls, directory: Path) -> "Layout":
        """An image without layers."""
        _umoci("init", "--layout", str(directory))
        layout = cls(directory)
        _umoci("new", "--image", layout._image)
        return layout

    @classmethod
    def on(cls, below: "Layout", directory: Path) -> "Layout":
        """An image that begins with all layers of another; they lie on the disk once."""
        shutil.copytree(below.directory, directory, ignore=shutil.ignore_patterns("blobs"))
        shutil.copytree(below.directory / "blobs", directory / "blobs", copy_function=os.link)
        return cls(directory)

    def add_layer(self, tree: Path, what: str) -> None:
        """Lays the files of a tree over what is there; its owners and modes are taken as they are."""
        archive = tree.with_name(f"{tree.name}.tar")
        sorting = ("--sort=name", f"--mtime=@{MOMENT}", "--clamp-mtime", "--numeric-owner", "--format=gnu")
        run_tool("tar", "--create", f"--file={archive}", *sorting, f"--directory={tree}", ".", seconds=_SECONDS)
        history = (f"--history.created_by={what}", *_TIMES[1:])
        _umoci("raw", "add-layer", "--image", self._image, *history, str(archive))
        archive.unlink()

    def configure(self, config: Config) -> None:
        """Sets how its containers start, and its title; leaves nothing behind of an image below."""
        settings = [f"--config.env={name}={value}" for name, value in config.env.items()]
        settings += [f"--config.entrypoint={word}" for word in config.entrypoint]
        settings += [f"--config.cmd={word}" for word in config.cmd]
        settings += [f"--config.user={config.user}", f"--config.workingdir={config.workdir}"]
        title = f"org.opencontainers.image.title={config.title}"
        settings += [f"--config.label={title}", f"--manifest.annotation={title}"]
        _umoci("config", "--image", self._image, *settings, *_TIMES, f"--history.created_by={config.title}")
        _umoci("gc", "--layout", str(self.directory))

    def unpack(self, tree: Path) -> None:
        """Writes the image's files into a new directory."""
        _umoci("raw", "unpack", "--image", self._image, str(tree))


def mark_what_went(upper: Path) -> None:
    """Turns the marks that an overlay mount leaves for what was removed below it into those of image layers."""
    for path in sorted(upper.rglob("*")):
        status = path.lstat()
        if stat.S_ISCHR(status.st_mode) and status.st_rdev == 0:
            path.unlink()
            path.with_name(f".wh.{path.name}").touch()
        elif stat.S_ISDIR(status.st_mode) and "trusted.overlay.opaque" in os.listxattr(path):
            (path / ".wh..wh..opq").touch()


def _umoci(*arguments: str) -> None:
    if shutil.which("umoci") is None:
        raise FedikitError("the lab lacks umoci, which builds its images", hint="apt-get install umoci")
    run_tool("umoci", *arguments, seconds=_SECONDS)
