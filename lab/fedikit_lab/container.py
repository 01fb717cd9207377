"""One container of systemd-nspawn, in a cgroup and a mount namespace of its own.

The cgroup is the record of what belongs to it: whatever became of the process that started it, emptying the
cgroup takes every process, and with the last of them its mounts and its network go.
"""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from fedikit_lab.cgroup import is_populated, remove_cgroup, shut_down, supervisors
from fedikit_lab.network import drop_interface
from fedikit_lab.tool import run_tool

_START_SECONDS = 10
_STOP_SECONDS = 30
_ENVIRONMENT = {"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1", "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "1", "LANG": "C.UTF-8"}
_TERMINAL_CODES = re.compile(r"\x1b(\[[0-9;:?!]*[A-Za-z]|\][^\x07\x1b]*(\x07|\x1b\\))|\r")
# In one cgroup with others, restarting a unit here would kill its namesake there.
_LAUNCH = 'echo $$ >"$0/cgroup.procs" && exec setsid --fork unshare --mount --propagation slave -- "$@"'
_MOUNT = """\
set -e
[ ! -e "$1/disk.ext4" ] || mount -o loop "$1/disk.ext4" "$1/writable"
mkdir -p "$1/writable/upper" "$1/writable/work" "$1/writable/containers"
mount -t overlay fedikit-lab "$1/root" \
    -o "lowerdir=$1/furniture:$0,upperdir=$1/writable/upper,workdir=$1/writable/work"
containers="$1/writable/containers"
shift
while "$@" "--bind=$containers:/var/lib/containers"; [ $? -eq 133 ]; do :; done  # 133: it was told to reboot
"""


@dataclass(frozen=True, kw_only=True)
class Container:
    """What it takes to run one: the shared tree below, the directory of its own layers, its cgroup, its bridge."""

    name: str
    hostname: str
    base: Path
    directory: Path
    cgroup: Path
    bridge: str

    def start(self) -> None:
        """Starts it, detached from this process, after clearing what an earlier start left."""
        self.kill()
        drop_interface(self.name)
        self.cgroup.mkdir(parents=True)
        (self.directory / "base").write_text(f"{self.base}\n")
        for part in ("writable", "root"):
            (self.directory / part).mkdir(parents=True, exist_ok=True)
        launch = ["sh", "-c", _LAUNCH, str(self.cgroup), "sh", "-c", _MOUNT, str(self.base), str(self.directory)]
        with (self.directory / "console.log").open("wb") as console:
            subprocess.run(
                [*launch, *self._nspawn()],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                env={"PATH": os.environ.get("PATH", os.defpath), **_ENVIRONMENT},
                umask=0o022,
                timeout=_START_SECONDS,
                check=True,
            )

    def stop(self) -> None:
        """Shuts it down as an administrator would; what does not end by itself is ended."""
        shut_down(self.cgroup, patience=_STOP_SECONDS)

    def kill(self) -> None:
        """Ends it at once, as a power cut would."""
        remove_cgroup(self.cgroup)

    def is_running(self) -> bool:
        """Whether it runs under its supervisor; one without is a leftover."""
        return bool(supervisors(self.cgroup))

    def leader(self) -> int | None:
        """The number, seen from here, of the process that is number 1 inside; None if it does not run."""
        for supervisor in supervisors(self.cgroup):
            children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
            if children:
                return int(children[-1])
        return None

    def is_dead(self) -> bool:
        """Whether not a single process of it is left."""
        return not is_populated(self.cgroup)

    def has_other_base(self) -> bool:
        """Whether what was written to it was written over another base image."""
        note = self.directory / "base"
        return note.exists() and note.read_text().strip() != str(self.base)

    def limit_disk(self, megabytes: int) -> None:
        """Gives its writable layer a file system of that size; what was written before is gone."""
        image = self.directory / "disk.ext4"
        image.unlink(missing_ok=True)
        run_tool("mkfs.ext4", "-q", "-m", "0", str(image), f"{megabytes}M", seconds=120)

    def console_tail(self, lines: int = 15) -> str:
        """The last lines that it put on its console."""
        log = self.directory / "console.log"
        said = log.read_text(errors="replace") if log.exists() else ""
        return "\n".join(_TERMINAL_CODES.sub("", said).splitlines()[-lines:])

    def _nspawn(self) -> list[str]:
        command = ["systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit"]
        command += [f"--directory={self.directory / 'root'}", f"--machine={self.name}"]
        command += [f"--hostname={self.hostname}", f"--network-bridge={self.bridge}"]
        command += ["--kill-signal=SIGRTMIN+3", "--link-journal=no", "--resolv-conf=off", "--timezone=off"]
        command += ["--console=read-only", "--capability=all", "--system-call-filter=add_key keyctl bpf @mount"]
        return [*command, "--bind=/dev/fuse"] if Path("/dev/fuse").exists() else command
