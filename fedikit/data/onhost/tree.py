"""A bucket, or a repository, as a tree of files that is there for a while: FUSE, by rclone and by restic."""

import contextlib
import os
import re
import subprocess
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from . import command
from .signature import Access
from .trouble import Trouble

MOUNT_SECONDS = 60
_OPTIONS = (
    "--read-only", "--use-server-modtime", "--dir-cache-time=1000h", "--attr-timeout=1h", "--poll-interval=0",
    "--buffer-size=1M", "--vfs-cache-mode=off", "--vfs-read-chunk-size=off", "--vfs-read-wait=0", "--umask=077",
)  # fmt: skip
"""One request an object, of which no more than a megabyte waits in memory; sizes and times come of the listing."""


@contextlib.contextmanager
def shown(access: Access, bucket: str, folder: Path, hidden: Iterable[str]) -> Iterator[Path]:
    """The objects of a bucket as files below a folder, which nobody can write; keys that are `hidden` are not shown."""
    free(folder)
    folder.mkdir(mode=0o700, exist_ok=True)
    rules = folder.with_name("hidden")
    rules.write_text("".join(f"/{_escaped(key)}\n" for key in sorted(hidden)), encoding="utf-8")
    # `mount2`, for `mount` of rclone 1.60 fails each question for extended attributes, which restic asks of each file.
    words = ["rclone", "mount2", f"bucket:{bucket}", str(folder), f"--exclude-from={rules}", *_OPTIONS]
    with folder.with_name("rclone.log").open("w+b") as log:
        process = command.start(words, _environment(access), stdout=subprocess.DEVNULL, stderr=log)
        try:
            _wait(process, folder)
        except Trouble as trouble:
            log.seek(0)
            trouble.tail = log.read(4000).decode(errors="replace")
            _end(process, folder)
            raise
        try:
            yield folder
        finally:
            _end(process, folder)


def free(folder: Path) -> None:
    """Takes away what is mounted at a folder, also where the program behind it was killed."""
    while _is_mounted(folder):
        command.run(["umount", "--lazy", str(folder)], seconds=MOUNT_SECONDS)


def _environment(access: Access) -> dict[str, str]:
    """The remote `bucket` of rclone, which is written down nowhere."""
    settings = {
        "TYPE": "s3", "PROVIDER": "Other", "ENDPOINT": access.address, "REGION": access.region,
        "ACCESS_KEY_ID": access.id, "SECRET_ACCESS_KEY": access.secret, "FORCE_PATH_STYLE": "true",
        "LIST_VERSION": "2", "LIST_URL_ENCODE": "true", "NO_CHECK_BUCKET": "true",
    }  # fmt: skip
    return {"RCLONE_CONFIG": "/dev/null", **{f"RCLONE_CONFIG_BUCKET_{name}": value for name, value in settings.items()}}


def _wait(process: "subprocess.Popen[bytes]", folder: Path) -> None:
    deadline = time.monotonic() + MOUNT_SECONDS
    while not _is_mounted(folder):
        if process.poll() is not None or time.monotonic() > deadline:
            hint = "see the last lines of rclone, and that rclone and fuse3 are there and /dev/fuse is open to root"
            raise Trouble(f"the bucket could not be shown as files at {folder}", hint=hint)
        time.sleep(0.02)


def _end(process: "subprocess.Popen[bytes]", folder: Path) -> None:
    free(folder)
    command.end(process)


def _is_mounted(folder: Path) -> bool:
    """As the kernel says: a question to a mount whose program is gone fails."""
    lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    places = (re.sub(r"\\(\d{3})", lambda found: chr(int(found[1], 8)), line.split(" ")[4]) for line in lines)
    return os.path.abspath(folder) in places


def _escaped(key: str) -> str:
    """A key as a pattern of rclone's that matches nothing else."""
    return re.sub(r"([*?\[\]{}\\])", r"\\\1", key)
