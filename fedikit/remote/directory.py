"""A host in a directory: the real agent works there as if it were a machine. No root, no SSH, no machines.

As a deployment type it is `type = "directory"` and `path = "machines/one"`; from Python, a `DirectoryMachine`:

    machine = DirectoryMachine.at("machines/one")
    deployment = Deployment(name="trial", hosts={"one": HostState(connection=machine.connection, items=…)})
    apply_plan(make_plan(deployment))

What is real: planning, applying, rollback, the ledger, generations, files with their modes, links, directories, jobs.
What is simulated: systemd, whose units have states but no processes; users, who stand in that directory's /etc/passwd.
What is not there: packages, images, databases, buckets; a plan that wants them fails there. A command is run only if it
lies in the directory's own /usr/bin: nothing of this machine is reached by accident.
"""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from fedikit.errors import ConnectionFailed
from fedikit.model.host import DirectoryHost
from fedikit.remote import bootstrap
from fedikit.remote.process import Start

PROGRAMS = {
    "systemctl.py": ("systemctl", "journalctl"),
    "accounts.py": ("useradd", "usermod", "userdel", "groupdel", "gpasswd", "runuser", "dpkg"),
}
SIMULATED = Path(__file__).parent / "simulated"
FOLDERS = "etc/skel etc/systemd/system home root run srv usr/bin usr/lib var/lib/dpkg var/log".split()


@dataclass(frozen=True)
class DirectoryMachine:
    """A directory that stands for a bare Debian machine. Its root is whoever runs fedikit."""

    root: Path

    @classmethod
    def at(cls, path: str | Path) -> "DirectoryMachine":
        """The machine in a directory; an empty one, or one that is not there, is furnished first.

        Raises ConnectionFailed if something else is in it.
        """
        root = Path(path).absolute()
        if not root.is_dir() or not any(root.iterdir()):
            _furnish(root)
        elif not (root / "usr/bin/systemctl").is_file():
            raise ConnectionFailed(
                str(root), "is a directory with something else in it", hint="name one that is empty, or not there"
            )
        return cls(root)

    @property
    def connection(self) -> DirectoryHost:
        """How it is reached, for an environment or a deployment."""
        return DirectoryHost(path=str(self.root))

    def path(self, path: str) -> Path:
        """Where an absolute path of the machine lies."""
        return self.root / path.lstrip("/")

    def program(self, name: str, text: str) -> None:
        """Gives it a command, which jobs may run: a script with its first line."""
        place = self.root / "usr/bin" / name
        place.write_text(text)
        place.chmod(0o755)


def _furnish(root: Path) -> None:
    for folder in FOLDERS:
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "etc/passwd").write_text(f"root:x:{os.getuid()}:{os.getgid()}:root:/root:/bin/bash\n")
    (root / "etc/group").write_text(f"root:x:{os.getgid()}:\nadm:x:4:\nsudo:x:27:\nusers:x:100:\n")
    (root / "etc/os-release").write_text('ID=debian\nVERSION_CODENAME=trixie\nVERSION_ID="13"\n')
    (root / "var/lib/dpkg/status").write_text("Package: base-files\nStatus: install ok installed\nVersion: 13.8\n\n")
    for source, names in PROGRAMS.items():
        text = f"#!{sys.executable} -IS\n{(SIMULATED / source).read_text()}"
        for name in names:
            DirectoryMachine(root).program(name, text)


def agent_in(path: str) -> Start:
    """The command that starts the agent in a directory, and the environment that keeps it there.

    The agent is kept for all such directories, compiled: it would take longer to start than to work.
    """
    machine = DirectoryMachine.at(path)
    try:
        place = bootstrap.kept_agents()
    except OSError as error:
        words = f"the agent cannot be kept on this machine: {error.filename}: {(error.strerror or str(error)).lower()}"
        raise ConnectionFailed(path, words, hint="name a folder for it: FEDIKIT_CACHE=/var/cache/fedikit") from error
    python = [sys.executable, *bootstrap.command(place=place)[1:]]
    return python, {"PATH": str(machine.path("/usr/bin")), "LC_ALL": "C.UTF-8"}
