"""Installing: puts a watch's units where systemd finds them, takes them away, says how they are."""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fedikit.errors import FedikitError
from fedikit.runbook.record import writing
from fedikit.watch.memory import FOLDER, memory_file
from fedikit.watch.timer import MARK, Timer, name_of, user_named

_PATIENCE = 60


@dataclass(frozen=True)
class Systemd:
    """The machine's systemd, or a user's own."""

    folder: Path
    is_system: bool
    command: str = "systemctl"

    @classmethod
    def here(cls) -> "Systemd":
        """That of whoever asks."""
        if os.geteuid() == 0:
            return cls(Path("/etc/systemd/system"), is_system=True)
        home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
        return cls(Path(home) / "systemd/user", is_system=False)

    def ask(self, *words: str) -> str:
        """What systemctl prints. Raises FedikitError if it fails."""
        command = [self.command, *([] if self.is_system else ["--user"]), *words]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, stdin=subprocess.DEVNULL)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise FedikitError(f"`{' '.join(command)}` did not go: {error}") from error
        if done.returncode:
            hint = "" if self.is_system else "log in as that user, not by su; or install it as root"
            raise FedikitError(f"`{' '.join(command)}` failed: {done.stderr.strip()}", hint=hint)
        return done.stdout

    def files(self, name: str) -> tuple[Path, Path]:
        """Where the units of a watch lie: the service and the timer."""
        return self.folder / f"{name}.service", self.folder / f"{name}.timer"


def install(timer: Timer, systemd: Systemd) -> tuple[Path, Path]:
    """Writes the units and starts the timer; returns their files. Raises FedikitError."""
    timer.refuse_what_cannot_look()
    files = systemd.files(timer.name)
    for file in files:
        _refuse_anothers(file, timer.environment_file)
    _make_memory_folder(timer)
    with writing(systemd.folder):
        systemd.folder.mkdir(parents=True, exist_ok=True)
        for file, text in zip(files, (timer.service, timer.timer), strict=True):
            file.write_text(text)
            file.chmod(0o644)
    systemd.ask("daemon-reload")
    systemd.ask("enable", "--now", files[1].name)
    return files


def uninstall(environment_file: Path, environment: str, systemd: Systemd) -> tuple[Path, ...]:
    """Takes away the units and what was remembered; returns the files that went."""
    files = [file for file in systemd.files(name_of(environment)) if file.exists()]
    for file in files:
        _refuse_anothers(file, environment_file)
    if files:
        systemd.ask("disable", "--now", f"{name_of(environment)}.timer")
        systemd.ask("stop", f"{name_of(environment)}.service")
    memory = memory_file(environment_file, environment)
    remembered = () if memory.parent.is_symlink() else (memory, memory.with_suffix(".lock"))
    gone = [*files, *(file for file in remembered if file.exists())]
    with writing(systemd.folder):
        for file in gone:
            file.unlink()
        if remembered and memory.parent.is_dir() and not any(memory.parent.iterdir()):
            memory.parent.rmdir()
    if files:
        systemd.ask("daemon-reload")
    return tuple(gone)


def next_look(environment: str, systemd: Systemd) -> str:
    """When the timer looks next, in systemd's words; nothing if it does not run."""
    timer = systemd.files(name_of(environment))[1]
    if not timer.exists():
        return ""
    return systemd.ask("show", "--property", "NextElapseUSecRealtime", "--value", timer.name).strip()


def lingers() -> bool:
    """Whether a user's own units also run while nobody is logged in."""
    return Path("/var/lib/systemd/linger", user_named(os.geteuid())).exists()


def _refuse_anothers(file: Path, environment_file: Path) -> None:
    """Two environments of one name cannot be told apart by their units."""
    first = _first_lines(file)[:1]
    if first and first != [f"{MARK}{environment_file}"]:
        hint = "give one of the environments another name, or remove that watch first"
        raise FedikitError(f"{file} is there already, and is not of {environment_file}", hint=hint)


def _first_lines(file: Path) -> Sequence[str]:
    try:
        return file.read_text(errors="replace").splitlines() or [""]
    except FileNotFoundError:
        return []


def _make_memory_folder(timer: Timer) -> None:
    """It must be there before systemd lets the watch write in it, and is the owner's."""
    folder, owner = timer.folder / FOLDER, timer.environment_file.stat()
    with writing(folder):
        folder.mkdir(mode=0o700, exist_ok=True)
        if os.geteuid() == 0:
            os.chown(folder, owner.st_uid, owner.st_gid, follow_symlinks=False)
