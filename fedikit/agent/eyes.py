"""Looking at the host. Nothing here can change it: planning gets eyes, and only eyes."""

import hashlib
import hmac
import os
import select
import stat
from typing import Any

from .trouble import Trouble

State = dict[str, Any]
ABSENT: State = {"type": "absent"}
GONE = ("not-installed", "config-files")
"""What dpkg calls packages that are not there."""
ASK_SECONDS = 30
UNIT_PROPERTIES = ("Id", "LoadState", "ActiveState", "UnitFileState", "CanReload", "NeedDaemonReload")


class Eyes:
    """Reads files, accounts, packages and units below `root`; remembers what it read until told to look afresh."""

    def __init__(self, root: str = "/", seal_key: bytes = b"") -> None:
        self.root = root.rstrip("/")
        self._seal_key = seal_key
        self.look_afresh()

    def look_afresh(self) -> None:
        """Forgets what was read before."""
        self._dpkg_status: bytes | None = None
        self._accounts: dict[str, dict[str, list[str]]] = {}
        self._units: dict[str, dict[str, str]] = {}

    def real(self, path: str) -> str:
        """Where an absolute path of the host lies."""
        return self.root + path

    # Files

    def read(self, path: str) -> bytes:
        with open(self.real(path), "rb") as file:
            return file.read()

    def exists(self, path: str) -> bool:
        return os.path.lexists(self.real(path))

    def file_state(self, path: str, *, sealed: bool = False) -> State:
        """Type, mode, owner and digest of what lies at `path`; a seal instead of a digest if `sealed`."""
        try:
            status = os.lstat(self.real(path))
        except (FileNotFoundError, NotADirectoryError):
            return ABSENT
        if stat.S_ISLNK(status.st_mode):
            return {"type": "symlink", "target": os.readlink(self.real(path))}
        state: State = {
            "type": "directory"
            if stat.S_ISDIR(status.st_mode)
            else "file"
            if stat.S_ISREG(status.st_mode)
            else "other",
            "mode": f"{stat.S_IMODE(status.st_mode):04o}",
            "owner": self.name_of("passwd", status.st_uid),
            "group": self.name_of("group", status.st_gid),
        }
        if state["type"] == "file":
            content = self.read(path)
            state |= {"seal": self.seal(content)} if sealed else {"sha256": hashlib.sha256(content).hexdigest()}
        return state

    def seal(self, content: bytes) -> str | None:
        """A digest that only who has the deployment's master key can compare with guesses; None without it."""
        if not self._seal_key:
            return None
        return hmac.new(self._seal_key, content, hashlib.sha256).hexdigest()

    # Accounts

    def accounts(self, database: str) -> dict[str, list[str]]:
        """The fields of each line of `/etc/passwd` or `/etc/group`, by name."""
        if database not in self._accounts:
            lines = self.read(f"/etc/{database}").decode().splitlines()
            rows = (line.split(":") for line in lines if ":" in line)
            self._accounts[database] = {row[0]: row for row in rows}
        return self._accounts[database]

    def name_of(self, database: str, number: int) -> str:
        wanted = str(number)
        return next((name for name, row in self.accounts(database).items() if row[2] == wanted), wanted)

    def number_of(self, database: str, name: str) -> int | None:
        row = self.accounts(database).get(name)
        return int(row[2]) if row else None

    # Packages

    @property
    def dpkg_status(self) -> bytes:
        """dpkg's status file, with what a killed dpkg had no time to write into it."""
        if self._dpkg_status is None:
            path = "/var/lib/dpkg/status"
            status = b"\n" + self.read(path) if self.exists(path) else b"\n"
            for update in self.dpkg_updates():
                status = _with_update(status, self.read(update))
            self._dpkg_status = status
        return self._dpkg_status

    def dpkg_updates(self) -> list[str]:
        """dpkg's journal; empty unless dpkg is at work or was killed."""
        folder = "/var/lib/dpkg/updates"
        names = os.listdir(self.real(folder)) if self.exists(folder) else []
        return [f"{folder}/{name}" for name in sorted(names) if name.isdigit()]

    def package(self, name: str) -> State:
        """`installed` and `version` of a package; `unfinished` where dpkg was cut short."""
        start = self.dpkg_status.find(f"\nPackage: {name}\n".encode())
        if start < 0:
            return {"installed": False}
        end = self.dpkg_status.find(b"\n\n", start)
        fields = dict(line.split(": ", 1) for line in self.dpkg_status[start:end].decode().splitlines() if ": " in line)
        condition = fields["Status"].split()[2]
        if condition == "installed":
            return {"installed": True, "version": fields["Version"]}
        return {"installed": False} | ({} if condition in GONE else {"unfinished": True})

    # Units

    def look_at_units(self, names: list[str]) -> None:
        """Reads all units in one go."""
        if not names:
            return
        command = ["systemctl", "show", "--property", ",".join(UNIT_PROPERTIES), "--", *names]
        blocks = self.ask(command).strip("\n").split("\n\n")
        for name, block in zip(names, blocks, strict=True):
            self._units[name] = dict(line.split("=", 1) for line in block.splitlines())

    def unit(self, name: str) -> State:
        if name not in self._units:
            self.look_at_units([name])
        shown = self._units[name]
        return {
            "exists": shown["LoadState"] not in ("not-found", "masked"),
            "active": shown["ActiveState"] in ("active", "reloading", "activating"),
            "enabled": shown["UnitFileState"]
            in ("enabled", "enabled-runtime", "static", "generated", "alias", "indirect"),
            "can_reload": shown["CanReload"] == "yes",
            "condition": shown["ActiveState"],
        }

    def is_unit_outdated(self, name: str) -> bool:
        """Whether systemd has another file of the unit in mind than the one on the disk; it looked it up before."""
        shown = self._units[name]
        return shown["NeedDaemonReload"] == "yes" or shown["LoadState"] == "not-found"

    def journal_of(self, unit: str, lines: int = 20) -> str:
        return self.ask(["journalctl", "--unit", unit, "--lines", str(lines), "--no-pager", "--output", "cat"])

    # Commands that only look

    def ask(self, command: list[str]) -> str:
        """What the command prints. Without `subprocess`: to import it takes longer than to look at the host."""
        with open(os.memfd_create("answer"), "r+b") as answer:
            redirections = [
                (os.POSIX_SPAWN_DUP2, answer.fileno(), 1),
                (os.POSIX_SPAWN_OPEN, 2, "/dev/null", os.O_WRONLY, 0),
            ]
            try:
                process = os.posix_spawnp(command[0], command, os.environ, file_actions=redirections)
            except FileNotFoundError as error:
                raise Trouble(f"there is no command `{command[0]}` on this host") from error
            if not _has_ended(process, ASK_SECONDS):
                raise Trouble(f"`{command[0]}` did not answer within {ASK_SECONDS} s and was ended")
            answer.seek(0)
            return answer.read().decode(errors="replace")

    def holds(self, command: list[str], *, stdin: bytes, user: str, seconds: int) -> bool:
        """Whether a check command exits with 0."""
        import subprocess  # slow, and seldom needed

        try:
            done = subprocess.run(
                as_user(command, user), input=stdin, capture_output=True, timeout=seconds, check=False
            )
        except (subprocess.TimeoutExpired, FileNotFoundError):
            return False
        return done.returncode == 0


def _has_ended(process: int, seconds: int) -> bool:
    """Waits for a child process; one that takes too long is killed."""
    end = os.pidfd_open(process)
    in_time = bool(select.select([end], [], [], seconds)[0])
    if not in_time:
        os.kill(process, 9)
    os.waitpid(process, 0)
    os.close(end)
    return in_time


def _with_update(status: bytes, update: bytes) -> bytes:
    """The status with one package's paragraph replaced, or added."""
    name = next((line for line in update.splitlines() if line.startswith(b"Package: ")), b"")
    start = status.find(b"\n" + name + b"\n")
    if name and start >= 0:
        end = status.find(b"\n\n", start)
        status = status[:start] + (status[end + 1 :] if end >= 0 else b"\n")
    return status.rstrip() + b"\n\n" + update.strip() + b"\n\n"


def as_user(command: list[str], user: str) -> list[str]:
    """The command, run as `user` with that user's environment's basics."""
    return command if user == "root" else ["runuser", "--user", user, "--", *command]
