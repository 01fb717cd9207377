"""The base image: one Debian tree that all machines of a kind share and none can write to.

It is built once for each recipe, from the mirrors that the deployer's own apt uses, and kept in the cache.
"""

import hashlib
import json
import os
import shutil
import tempfile
import time
from pathlib import Path

from fedikit.events import StepFinished, StepStarted, Tell, Waiting, tell_nobody
from fedikit_lab.bootstrap import bootstrap
from fedikit_lab.freshness import is_behind
from fedikit_lab.furnish import place_file, place_link
from fedikit_lab.layout import MOMENT
from fedikit_lab.lock import held_lock
from fedikit_lab.role import USUAL, Role

CODENAME = "trixie"
PACKAGES = (
    "ca-certificates",
    "dbus",
    "iproute2",
    "openssh-server",
    "procps",
    "python3",
    "sudo",
    "systemd",
    "systemd-sysv",
)
_AUTHORITY = {"trixie": ("pebble",)}  # Debian 12 does not have it: a lab of that release has no acme
_MASKED = (  # useless in a container, slow, or of the deployer's kernel and not the machine's to touch
    "apt-daily-upgrade.timer",
    "apt-daily.timer",
    "console-getty.service",
    "dev-hugepages.mount",
    "dpkg-db-backup.timer",
    "fstrim.timer",
    "getty@tty1.service",
    "modprobe@.service",
    "sshd-keygen.service",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "systemd-journal-flush.service",
    "systemd-modules-load.service",
    "systemd-networkd-wait-online.service",
    "systemd-pstore.service",
    "systemd-remount-fs.service",
    "systemd-sysctl.service",
    "systemd-tmpfiles-setup-dev-early.service",
    "systemd-tmpfiles-setup-dev.service",
    "systemd-udev-trigger.service",
    "systemd-udevd-control.socket",
    "systemd-udevd-kernel.socket",
    "systemd-udevd.service",
)
_NETWORK_UNIT = """\
[Unit]
Description=Address of this machine in the lab
DefaultDependencies=no
Before=network-pre.target network.target network-online.target
Wants=network-pre.target network.target

[Service]
Type=oneshot
RemainAfterExit=yes
EnvironmentFile=/etc/fedikit-lab
ExecStart=ip address replace ${ADDRESS} dev host0
ExecStart=ip link set host0 up

[Install]
WantedBy=sysinit.target
"""
_FILES = {
    "etc/systemd/system/lab-network.service": _NETWORK_UNIT,
    "etc/sudoers.d/admin": "admin ALL=(ALL:ALL) NOPASSWD: ALL\n",
    "etc/containers/containers.conf.d/lab.conf": "[containers]\npids_limit = 0\n",  # pids are not delegated
    "etc/default/locale": "LANG=C.UTF-8\n",
    "etc/systemd/journald.conf.d/lab.conf": "[Journal]\nStorage=volatile\n",
}
_WORLDLY = ("etc/apt/apt.conf.d/99mmdebstrap", "etc/apt/sources.list", "etc/resolv.conf")
_ADD_ADMIN = 'chroot "$1" useradd --create-home --shell /bin/bash admin'
_BUILD_SECONDS = 900


def cache_directory() -> Path:
    """Where fedikit keeps what can be made again: $FEDIKIT_CACHE, or fedikit in the user's cache."""
    if chosen := os.environ.get("FEDIKIT_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fedikit"


def image_directory(codename: str = CODENAME, *, role: Role = USUAL) -> Path:
    """Where the base image of a Debian release is, or will be, for machines of that role."""
    return cache_directory() / "lab" / f"base-{_recipe_key(codename, role)}"


def build_image(codename: str = CODENAME, *, role: Role = USUAL, tell: Tell = tell_nobody) -> Path:
    """The directory of the base image; built if it never was here, or if Debian has newer packages than are in it."""
    directory = image_directory(codename, role=role)
    if directory.is_dir() and not is_behind(directory, codename, tell=tell):
        return directory
    directory.parent.mkdir(parents=True, exist_ok=True)
    with held_lock(directory.parent / "build.lock", seconds=_BUILD_SECONDS):
        if not directory.is_dir() or is_behind(directory, codename, tell=tell):
            _build(directory, codename, role, tell)
    return directory


def packages_of(codename: str) -> tuple[str, ...]:
    """What a machine of that release has from the start."""
    return (*PACKAGES, *_AUTHORITY.get(codename, ()))


def _recipe_key(codename: str, role: Role) -> str:
    packages = (*packages_of(codename), *role.packages)
    recipe = [codename, os.uname().machine, packages, _MASKED, _FILES, _WORLDLY, _ADD_ADMIN]
    recipe += [role.recipe] if role.recipe else []
    return hashlib.sha256(json.dumps(recipe).encode()).hexdigest()[:16]


def _build(directory: Path, codename: str, role: Role, tell: Tell) -> None:
    tell(StepStarted(step="lab image"))
    addition = f" with {role.packages[0]}" if role.packages else ""
    tell(Waiting(what=f"the base image of Debian {codename}{addition} (once, about half a minute)"))
    started = time.monotonic()
    for abandoned in directory.parent.glob("building-*"):
        shutil.rmtree(abandoned, ignore_errors=True)
    unfinished = Path(tempfile.mkdtemp(prefix="building-", dir=directory.parent))
    try:
        bootstrap(unfinished / "tree", codename, _options(codename, role.packages), moment=MOMENT, tell=tell)
        if role.finish:
            role.finish(unfinished / "tree")
        _furnish(unfinished / "tree")
        if directory.is_dir():
            directory.rename(unfinished / "behind")
        (unfinished / "tree").rename(directory)
    finally:
        tell(StepFinished(step="lab image", seconds=time.monotonic() - started, failed=not directory.is_dir()))
        shutil.rmtree(unfinished, ignore_errors=True)


def _options(codename: str, more: tuple[str, ...]) -> tuple[str, ...]:
    """What mmdebstrap is told of a machine's tree."""
    packages = ",".join((*packages_of(codename), *more))
    return ("--variant=minbase", f"--include={packages}", f"--customize-hook={_ADD_ADMIN}")


def _furnish(tree: Path) -> None:
    """Makes a fresh tree a lab machine's: nothing in it reaches for the world, nothing slows its start."""
    for worldly in _WORLDLY:
        (tree / worldly).unlink(missing_ok=True)
    for key in (tree / "etc/ssh").glob("ssh_host_*"):
        key.unlink()
    for path, content in _FILES.items():
        place_file(tree / path, content)
    for unit in _MASKED:
        place_link(tree / "etc/systemd/system" / unit, "/dev/null")
    place_link(tree / "etc/systemd/system/sysinit.target.wants/lab-network.service", "../lab-network.service")
    for stamp in ("etc/.updated", "var/.updated"):  # spares each machine what systemd does after an update
        place_file(tree / stamp, "")
