"""The processes of one container, held together by their cgroup."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from fedikit.errors import DeadlineExceeded, FedikitError

_POLL_SECONDS = 0.02
_KILL_SECONDS = 10


def cgroup_root() -> Path:
    """Where the cgroup2 tree is mounted: at the usual place, or beside version 1 (hybrid)."""
    root = next((path for path, kind, _ in _mounts() if kind == "cgroup2"), None)
    if root is None:
        raise FedikitError("no cgroup2 tree is mounted here", hint="mount -t cgroup2 cgroup2 /sys/fs/cgroup")
    return root


def supervisors(cgroup: Path) -> tuple[int, ...]:
    """The process ids of systemd-nspawn in a container's cgroup; none when it was killed or never started."""
    lists = (cgroup / "supervisor" / "cgroup.procs", cgroup / "cgroup.procs")
    members = (int(line) for procs in lists for line in _read(procs).split())
    return tuple(pid for pid in members if _read(Path(f"/proc/{pid}/comm")).strip() == "systemd-nspawn")


def is_populated(cgroup: Path) -> bool:
    """Whether any process lives in it, or in a cgroup below."""
    return "populated 1" in _read(cgroup / "cgroup.events")


def _ask_to_stop(cgroup: Path) -> None:
    """Asks the container's supervisor to shut it down; nobody else, even if its process id is used again."""
    for pid in supervisors(cgroup):
        with contextlib.suppress(ProcessLookupError):
            handle = os.pidfd_open(pid)
            try:
                if pid in supervisors(cgroup):  # it is still the one that the handle holds
                    signal.pidfd_send_signal(handle, signal.SIGTERM)
            finally:
                os.close(handle)


def shut_down(cgroup: Path, *, patience: float) -> None:
    """Shuts a container down as an administrator would; what does not end in those seconds is ended."""
    if supervisors(cgroup):
        _ask_to_stop(cgroup)
        _is_empty_within(cgroup, patience)
    remove_cgroup(cgroup)


def _is_empty_within(cgroup: Path, seconds: float) -> bool:
    """Whether the cgroup lost its last process within the time given."""
    deadline = time.monotonic() + seconds
    while is_populated(cgroup):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def remove_cgroup(cgroup: Path) -> None:
    """Kills every process of the cgroup and of those below, and takes the cgroups away."""
    if cgroup.exists():
        (cgroup / "cgroup.kill").write_text("1")
    if not _is_empty_within(cgroup, _KILL_SECONDS):
        raise DeadlineExceeded(f"the killed processes of {cgroup} to end", _KILL_SECONDS)
    for tree in (cgroup, *_twins(cgroup)):
        for directory, _, _ in os.walk(tree, topdown=False):
            Path(directory).rmdir()


def _twins(cgroup: Path) -> Iterator[Path]:
    """Where cgroups are hybrid, nspawn mirrors its own in the version 1 tree that is named after systemd."""
    below = cgroup.relative_to(cgroup_root())
    return (path / below for path, kind, options in _mounts() if kind == "cgroup" and "name=systemd" in options)


def _mounts() -> list[tuple[Path, str, str]]:
    """Mount point, file system and options of every mount."""
    fields = (line.split() for line in Path("/proc/mounts").read_text().splitlines())
    return [(Path(field[1]), field[2], field[3]) for field in fields]


def _read(path: Path) -> str:
    """What the kernel says there; nothing when the process or the cgroup has gone."""
    try:
        return path.read_text()
    except OSError:
        return ""
