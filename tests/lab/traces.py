"""What a lab can leave on this machine, looked for with the system's own tools."""

import subprocess
from pathlib import Path

from fedikit_lab import Lab
from fedikit_lab.network import bridge_name


def traces_of(lab: Lab) -> list[str]:
    """Every process, mount, interface, cgroup and file of the lab that is still here."""
    return [*_processes(lab), *_mounts(lab), *_interfaces(lab), *_directories(lab), *_loops(lab)]


def blackhole_of(lab: Lab) -> str:
    """The route that keeps the lab's addresses on this machine, as `ip route` shows it."""
    subnet = lab[lab.machines[0]].address.rsplit(".", 1)[0] + ".0/24"
    return _said("ip", "-4", "route", "show", "type", "blackhole", "exact", subnet)


def _processes(lab: Lab) -> list[str]:
    commands = (path for path in Path("/proc").glob("[0-9]*/cmdline"))
    return [f"process {path.parent.name}" for path in commands if f"/{lab.name}/".encode() in _bytes(path)]


def _mounts(lab: Lab) -> list[str]:
    seen = {line for path in Path("/proc").glob("[0-9]*/mounts") for line in _bytes(path).splitlines()}
    return [f"mount {line!r}" for line in seen if f"/{lab.name}/".encode() in line]


def _interfaces(lab: Lab) -> list[str]:
    names = [path.name for path in Path("/sys/class/net").iterdir()]
    return [f"interface {name}" for name in names if name == bridge_name(lab.name) or lab.name in name]


def _directories(lab: Lab) -> list[str]:
    places = [*Path("/sys/fs/cgroup").glob(f"**/fedikit-lab/{lab.name}"), Path("/var/lib/fedikit-lab") / lab.name]
    places += Path("/run/systemd/nspawn/propagate").glob(f"{lab.name}-*")
    return [f"directory {place}" for place in places if place.exists()]


def _loops(lab: Lab) -> list[str]:
    return [f"loop {line}" for line in _said("losetup", "--list", "--noheadings").splitlines() if lab.name in line]


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout
