"""What the deployer must be and have before it can hold a lab."""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from fedikit.errors import FedikitError
from fedikit_lab.cgroup import cgroup_root
from fedikit_lab.tool import run_tool

_WATCHERS = 4096
_PACKAGE_OF_TOOL = {
    "mmdebstrap": "mmdebstrap",
    "systemd-nspawn": "systemd-container",
    "ip": "iproute2",
    "ssh": "openssh-client",
    "unshare": "util-linux",
    "mkfs.ext4": "e2fsprogs",
}
_PACKAGE_OF_IMAGE_TOOL = {"skopeo": "skopeo", "umoci": "umoci"}
_OVERLAY_PROBE = (
    "mount -t tmpfs lab /mnt && mkdir /mnt/base /mnt/upper /mnt/work /mnt/root && "
    "mount -t overlay -o lowerdir=/mnt/base,upperdir=/mnt/upper,workdir=/mnt/work lab /mnt/root"
)
_PROBE_OF_FEATURE = {  # each in namespaces of its own, so that no trace stays
    "network namespaces and bridges": ("--net", "ip", "link", "add", "name", "probe", "type", "bridge"),
    "overlay mounts": ("--mount", "sh", "-c", _OVERLAY_PROBE),
}
_PACKAGE_OF_FILE = {"/usr/share/keyrings/debian-archive-keyring.gpg": "debian-archive-keyring"}


def missing_tools() -> tuple[str, ...]:
    """The Debian packages that a lab needs and this machine lacks."""
    tools = _lacking(_PACKAGE_OF_TOOL)
    files = {package for path, package in _PACKAGE_OF_FILE.items() if not Path(path).exists()}
    return tuple(sorted(tools | files))


def require_host() -> None:
    """Passes on a machine that can hold a lab; otherwise raises FedikitError that says what to do."""
    if os.geteuid() != 0:
        raise FedikitError("the lab boots real machines, and that takes root", hint="run it as root (sudo -E)")
    _require_packages(missing_tools())
    if features := _missing_features():
        raise FedikitError(
            f"this machine's kernel does not offer the lab: {', '.join(features)}",
            hint="use a machine (or a container with more rights) whose kernel has them",
        )


def require_image_tools() -> None:
    """Passes where container images can be built and taken into the store; otherwise says what to install."""
    _require_packages(sorted(_lacking(_PACKAGE_OF_IMAGE_TOOL)))


def _require_packages(missing: Sequence[str]) -> None:
    if missing:
        raise FedikitError(f"the lab lacks: {', '.join(missing)}", hint=f"apt-get install {' '.join(missing)}")


def _lacking(package_of: Mapping[str, str]) -> set[str]:
    """The packages of those tools that are not here."""
    return {package for tool, package in package_of.items() if shutil.which(tool) is None}


def _missing_features() -> list[str]:
    probes = {feature: _succeeds("unshare", *command) for feature, command in _PROBE_OF_FEATURE.items()}
    probes["a cgroup2 tree that can be written to"] = os.access(cgroup_root() / "cgroup.procs", os.W_OK)
    return [feature for feature, is_there in probes.items() if not is_there]


def _succeeds(*command: str) -> bool:
    try:
        run_tool(*command)
    except FedikitError:
        return False
    return True


def raise_limits() -> None:
    """Lets the kernel serve many machines, until this one boots anew: its usual 128 watchers are enough for ten."""
    limit = Path("/proc/sys/fs/inotify/max_user_instances")
    if int(limit.read_text()) < _WATCHERS:
        limit.write_text(f"{_WATCHERS}\n")
