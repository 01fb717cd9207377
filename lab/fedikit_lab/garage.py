"""The lab's Garage: the real one, built from its published source, in an image that is like upstream's.

The settings of the compiler make the build shorter; they cost Garage some speed and nothing else.
"""

import os
import re
import shutil
import time
from pathlib import Path

from fedikit.errors import FedikitError
from fedikit.events import Tell, Waiting
from fedikit_lab.bootstrap import follow
from fedikit_lab.layout import Config, Layout
from fedikit_lab.tool import run_tool

MINUTES = 5
TARGET = f"{os.uname().machine}-unknown-linux-gnu"
# The image is empty otherwise, so that not even a C library is there.
SETTINGS = {
    "RUSTFLAGS": "-C target-feature=+crt-static",
    "CARGO_PROFILE_RELEASE_OPT_LEVEL": "1",
    "CARGO_PROFILE_RELEASE_CODEGEN_UNITS": "16",
    "CARGO_PROFILE_RELEASE_LTO": "off",
    "CARGO_PROFILE_RELEASE_DEBUG": "0",
    "CARGO_PROFILE_RELEASE_STRIP": "symbols",
    "CARGO_PROFILE_RELEASE_INCREMENTAL": "false",
}
_OLDEST_RUST = (1, 89)
_GET_RUST = "install Rust with rustup (Debian 13: apt-get install rustup; then rustup default stable), see `cargo -V`"
_HINT = "the lines above say what is missing; it needs a way to the Rust package registry and about 2 GB of disk"
_SECONDS = 2400


def title(version: str) -> str:
    """What the image says that it is."""
    return f"Garage {version}, built in the lab"


def put_garage(layout: Layout, room: Path, version: str, tell: Tell) -> None:
    """Builds Garage in an empty directory and makes it the image's only file."""
    require_rust()
    _compile(room, version, tell)
    tree = room / "garage"
    tree.mkdir(mode=0o755)
    (room / "made/bin/garage").rename(tree / "garage")
    _require_whole(tree, version)
    layout.add_layer(tree, f"garage {version}")
    layout.configure(Config(title=title(version), cmd=("/garage", "server")))


def require_rust() -> None:
    """Passes where Garage can be built; otherwise raises FedikitError that says what to install."""
    oldest = ".".join(map(str, _OLDEST_RUST))
    wanted = f"the lab's Garage is built from its source, with Rust {oldest} or newer"
    if shutil.which("cargo") is None:
        raise FedikitError(f"{wanted}: there is no cargo in {os.environ.get('PATH', '')}", hint=_GET_RUST)
    said = run_tool("cargo", "--version")
    version = re.match(r"cargo (\d+)\.(\d+)", said)
    if version is None or (int(version[1]), int(version[2])) < _OLDEST_RUST:
        raise FedikitError(f"{wanted}: this machine has {said.strip()}", hint=_GET_RUST)
    if shutil.which("cc") is None:
        raise FedikitError(f"{wanted} and a C compiler: there is none", hint="apt-get install gcc libc6-dev make")


def _compile(room: Path, version: str, tell: Tell) -> None:
    command = ["cargo", "install", "garage", "--version", version, "--locked", "--target", TARGET]
    command += ["--root", str(room / "made"), "--no-track", "--color", "never"]
    own = {**os.environ, **SETTINGS, "CARGO_TARGET_DIR": str(room / "target"), "CARGO_TERM_PROGRESS_WHEN": "never"}
    own.pop("CARGO_ENCODED_RUSTFLAGS", None)  # it would win over ours
    follow(command, hear=_Counting(tell), seconds=_SECONDS, hint=_HINT, environment=own)


class _Counting:
    """Hears the compiler, and tells at most once a second how far it is."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._count = 0
        self._told_at = 0.0

    def __call__(self, line: str) -> None:
        self._count += line.startswith("Compiling ")
        if time.monotonic() - self._told_at >= 1:
            self._told_at = time.monotonic()
            self._tell(Waiting(what=f"Garage: {self._count} crates compiled" if self._count else f"Garage: {line}"))


def _require_whole(tree: Path, version: str) -> None:
    """Runs it where nothing else is, as the image will."""
    said = run_tool("chroot", str(tree), "/garage", "--version")
    if version not in said:
        raise FedikitError(f"the Garage that was built calls itself {said.strip()!r}, expected was {version}")
