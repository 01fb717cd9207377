"""Where things lie on a host; below another root where this is tried."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from .trouble import Trouble


@dataclass(frozen=True)
class Places:
    """The places of one application."""

    application: str
    root: Path = Path("/")

    @property
    def settings(self) -> Path:
        return self.root / f"etc/fedikit/data/{self.application}.json"

    @property
    def secrets(self) -> Path:
        return self.root / f"etc/fedikit/data/{self.application}"

    @property
    def state(self) -> Path:
        return self.root / f"var/lib/fedikit-data/{self.application}"

    @property
    def units(self) -> Path:
        return self.root / "etc/systemd/system"

    @property
    def pages(self) -> Path:
        """Where Caddy looks whether a web site is closed."""
        return self.root / "etc/caddy/closed"

    def claim_state(self) -> Path:
        """Makes the state's folder, for nobody else; raises Trouble if others could write there, or it is a link."""
        for folder in (self.state.parent, self.state):
            folder.mkdir(mode=0o700, exist_ok=True)
            found = folder.lstat()
            if not stat.S_ISDIR(found.st_mode):
                raise Trouble(
                    f"{folder} is no folder, but a link or a file", hint="see who put it there, and remove it"
                )
            if found.st_uid != os.geteuid() or found.st_mode & 0o022:
                raise Trouble(f"others could write to {folder}", hint=f"chown root: {folder}; chmod 0700 {folder}")
        return self.state


def write_whole(path: Path, text: str, *, mode: int = 0o600) -> None:
    """Replaces a file at once, so that it is there as it was or as it is now, also after a power cut."""
    beside = path.with_name(f".{path.name}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(descriptor, mode)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    sync_folder(path.parent)


def remove_whole(path: Path) -> None:
    """Removes a file, if it is there, so that it is gone also after a power cut."""
    path.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """What was made or removed in a folder outlives a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
