"""Installing: puts a watch's units where systemd finds them, takes them away, says how they are."""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fedikit.errors import FedikitError
from fedikit.runbook.record import writing
from fedikit.watch.memory import FOLDER, memory_file
from fedikit.watch.proof_timer import ProofTimer
from fedikit.watch.proofs import proofs_file, unit_name
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


def install(timer: Timer, systemd: Systemd, proofs: ProofTimer | None = None) -> tuple[Path, ...]:
    """Writes the units and starts the timers; returns their files. Where no proofs are wanted, none are made any more.

    Raises FedikitError.
    """
    timer.refuse_what_cannot_look()
    if proofs:
        proofs.refuse_what_cannot_prove()
    for name in names_of(timer.environment.name):
        for file in systemd.files(name):
            _refuse_anothers(file, timer.environment_file)
    _make_memory_folder(timer)
    if not proofs:
        _remove_units(unit_name(timer.environment.name), timer.environment_file, systemd)
    wanted: list[Timer | ProofTimer] = [timer, *([proofs] if proofs else [])]
    for one in wanted:
        _write_units(one, systemd)
    systemd.ask("daemon-reload")
    for one in wanted:
        systemd.ask("enable", "--now", f"{one.name}.timer")
    return tuple(file for one in wanted for file in systemd.files(one.name))


def names_of(environment: str) -> tuple[str, str]:
    """What the units of an environment's watch, and those of its proofs, are called."""
    return name_of(environment), unit_name(environment)


def _write_units(timer: Timer | ProofTimer, systemd: Systemd) -> None:
    with writing(systemd.folder):
        systemd.folder.mkdir(parents=True, exist_ok=True)
        for file, text in zip(systemd.files(timer.name), (timer.service, timer.timer), strict=True):
            file.write_text(text)
            file.chmod(0o644)


def uninstall(environment_file: Path, environment: str, systemd: Systemd) -> tuple[Path, ...]:
    """Takes away the units and what was remembered; returns the files that went."""
    files = [file for name in names_of(environment) for file in _remove_units(name, environment_file, systemd)]
    memory = memory_file(environment_file, environment)
    known = (memory, memory.with_suffix(".lock"), proofs_file(memory))
    remembered = () if memory.parent.is_symlink() else [file for file in known if file.exists()]
    with writing(memory.parent):
        for file in remembered:
            file.unlink()
        if memory.parent.is_dir() and not memory.parent.is_symlink() and not any(memory.parent.iterdir()):
            memory.parent.rmdir()
    if files:
        systemd.ask("daemon-reload")
    return (*files, *remembered)


def _remove_units(name: str, environment_file: Path, systemd: Systemd) -> list[Path]:
    """Ends what these units are at, and takes them away; returns their files."""
    files = [file for file in systemd.files(name) if file.exists()]
    for file in files:
        _refuse_anothers(file, environment_file)
    if files:
        systemd.ask("disable", "--now", f"{name}.timer")
        systemd.ask("stop", f"{name}.service")
    with writing(systemd.folder):
        for file in files:
            file.unlink()
    return files


def next_time(name: str, systemd: Systemd) -> str:
    """When the timer of that name is next at work, in systemd's words, or `now`; nothing if it does not run."""
    timer = systemd.files(name)[1]
    if not timer.exists():
        return ""
    shown = systemd.ask("show", "--property", "SubState", "--property", "NextElapseUSecRealtime", timer.name)
    told = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
    return "now" if told.get("SubState") == "running" else told.get("NextElapseUSecRealtime", "")


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
