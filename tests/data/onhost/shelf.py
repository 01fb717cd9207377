"""A repository that is a folder: what a part of kind database asks of restic, and nothing else."""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fedikit.data.onhost import command
from fedikit.data.onhost.said import Snapshot
from fedikit.data.onhost.settings import Secrets
from fedikit.data.onhost.trouble import Trouble

PASSWORD = r"owner:pass\word 'x' #"


@dataclass(frozen=True)
class Shelf:
    """Each snapshot is one file; after `cut` bytes of it reading ends as if all had been well, or `stops` for ever."""

    folder: Path
    cut: int = 0
    stops: bool = False

    def snapshot_command(
        self,
        words: Sequence[str],
        filename: str,
        tags: Sequence[str],
        minimum_bytes: int,
        environment: Mapping[str, str] | None = None,
    ) -> Snapshot:
        name = f"snapshot{len(list(self.folder.iterdir()))}"
        with (self.folder / name).open("wb") as file:
            done = subprocess.run(
                words, stdout=file, stderr=subprocess.PIPE, env={**command.ENVIRONMENT, **(environment or {})}
            )
        if done.returncode:
            (self.folder / name).unlink()
            raise Trouble("the command failed", tail=done.stderr.decode())
        size = (self.folder / name).stat().st_size
        if size < minimum_bytes:
            raise Trouble("too small")
        return Snapshot(name, size, size)

    def dump(self, snapshot: str, path: str) -> "subprocess.Popen[bytes]":
        file = str(self.folder / snapshot)
        words = ["head", f"--bytes={self.cut}", file] if self.cut else ["cat", file]
        if self.stops:
            words = ["sh", "-c", '"$@" && exec sleep 1000', "sh", *words]
        return command.start(words, {}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)


def secrets_in(folder: Path, password: str = PASSWORD) -> Secrets:
    (folder / "database-password").touch(mode=0o600)
    (folder / "database-password").write_text(f"{password}\n")
    return Secrets(folder)
