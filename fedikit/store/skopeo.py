"""Skopeo, which reads container images wherever they lie: in registries, archives, folders, Podman's own store."""

import os
import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from stat import S_ISREG
from typing import IO, Literal

from fedikit.errors import DeadlineExceeded, StoreError

Part = Literal["manifest", "config"]
_ANSWER_DEADLINE = 60.0
_PATIENCE = 120.0
_SLOWEST = 50_000.0  # bytes per second
_LOOK_EVERY = 0.05
_MESSAGE = re.compile(r'msg="((?:[^"\\]|\\.)*)"')


def inspect(source: str, part: Part = "manifest", *, architecture: str = "") -> bytes:
    """An image's manifest (or its list of manifests), or its configuration, byte by byte as it lies there."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as said:
        options = ["--raw", "--config"] if part == "config" else ["--raw"]
        process = _start([*_choosing(architecture), "inspect", *options, "--", source], output, said)
        try:
            process.wait(_ANSWER_DEADLINE)
        except subprocess.TimeoutExpired as error:
            _stop(process)
            raise DeadlineExceeded(f"an answer about {source}", _ANSWER_DEADLINE) from error
        if process.returncode:
            raise StoreError(_last_words(said))
        output.seek(0)
        return output.read()


def copy(
    source: str,
    destination: str,
    *,
    architecture: str = "",
    compress: bool = False,
    total: int = 0,
    look: Callable[[], None],
) -> None:
    """Copies an image; calls `look` meanwhile. `total` bytes are expected, if that is known."""
    options = ["--quiet", "--retry-times", "2", *(["--dest-compress"] if compress else [])]
    limit = _PATIENCE + (total / _SLOWEST if total else 3600.0)
    ends = time.monotonic() + limit
    with tempfile.TemporaryFile() as said:
        process = _start([*_choosing(architecture), "copy", *options, "--", source, destination], said, said)
        try:
            while process.poll() is None:
                if time.monotonic() > ends:
                    raise DeadlineExceeded(f"the image {source} to arrive", limit)
                look()
                time.sleep(_LOOK_EVERY)
        finally:
            _stop(process)
        look()
        if process.returncode:
            raise StoreError(f"{source} could not be copied: {_last_words(said)}")


def _choosing(architecture: str) -> list[str]:
    return ["--override-os", "linux", "--override-arch", architecture] if architecture else []


def _start(words: Sequence[str], output: IO[bytes], said: IO[bytes]) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    try:
        return subprocess.Popen(
            ["skopeo", *words], stdin=subprocess.DEVNULL, stdout=output, stderr=said, env=environment
        )
    except FileNotFoundError as error:
        raise StoreError("skopeo is missing on this machine", hint="apt-get install skopeo") from error


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def _last_words(said: IO[bytes]) -> str:
    """What skopeo said last, without its decoration."""
    said.seek(0)
    lines = said.read().decode(errors="replace").strip().splitlines() or ["it said nothing"]
    found = _MESSAGE.search(lines[-1])
    return found[1].replace('\\"', '"') if found else lines[-1]


def arrived_in(folder: Path) -> int:
    """How much has arrived in a folder; what was linked into it does not count."""
    arrived = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):  # skopeo renames what is complete
            status = path.stat()
            arrived += status.st_size if S_ISREG(status.st_mode) and status.st_nlink == 1 else 0
    return arrived
