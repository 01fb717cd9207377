"""Takes away what a lab put on this machine, found by the kernel's records and the lab's name alone."""

import contextlib
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fedikit_lab.cgroup import cgroup_root, remove_cgroup, shut_down
from fedikit_lab.network import drop_interface, release_network

_STORAGE = Path("/var/lib/fedikit-lab")
_PROPAGATION = Path("/run/systemd/nspawn/propagate")  # a killed systemd-nspawn leaves an empty directory there
_PATIENCE_SECONDS = 5  # what they wrote is about to go anyway


def storage_of(lab: str) -> Path:
    """Where a lab's machines keep what is written to them."""
    return _STORAGE / lab


def cgroup_of(lab: str) -> Path:
    """The cgroup under which each machine of a lab has its own."""
    return cgroup_root() / "fedikit-lab" / lab


def container_name(lab: str, machine: str) -> str:
    """The name of a machine's container; it is unlike that of any other lab's."""
    return f"{lab}-{machine}"


def take_down(lab: str) -> None:
    """Stops every machine of the lab, also one that nobody remembers, and removes all that was theirs."""
    names = _names_in(cgroup_of(lab)) | _names_in(storage_of(lab))
    with ThreadPoolExecutor(max_workers=len(names) or 1) as pool:
        list(pool.map(_take_machine_down(lab), sorted(names)))
    remove_cgroup(cgroup_of(lab))
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(storage_of(lab))
    release_network(lab)


def _take_machine_down(lab: str) -> Callable[[str], None]:
    def take(name: str) -> None:
        shut_down(cgroup_of(lab) / name, patience=_PATIENCE_SECONDS)
        drop_interface(container_name(lab, name))
        with contextlib.suppress(OSError):
            (_PROPAGATION / container_name(lab, name)).rmdir()

    return take


def _names_in(directory: Path) -> set[str]:
    return {entry.name for entry in directory.iterdir() if entry.is_dir()} if directory.is_dir() else set()
