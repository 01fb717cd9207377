"""Whether a base image is behind Debian, so that what shall be installed beside it would change what is in it.

fedikit changes no package that it did not bring, in the lab as on machines that people have.
"""

import platform
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from fedikit.errors import StoreError
from fedikit.events import Tell
from fedikit.store import Store
from fedikit.store.lists import current_lists

PROCESSES = Path("/proc")
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def is_behind(tree: Path, codename: str, *, tell: Tell) -> bool:
    """Whether Debian's lists have newer versions of packages in the tree; not, where the lists cannot be had."""
    machine = platform.machine()
    try:
        lists = current_lists(codename, _ARCHITECTURES.get(machine, machine), store=Store(), tell=tell)
    except StoreError:
        return False
    status = f"Dir::State::status={tree}/var/lib/dpkg/status"
    told = lists.ask("apt-get", "-q", "-s", "-o", status, "dist-upgrade").stdout
    newer = [line for line in told.splitlines() if line.startswith("Inst ") and "[" in line.partition("(")[0]]
    return bool(newer) and not _is_in_use(tree)


def _is_in_use(tree: Path) -> bool:
    """Whether a machine of some lab runs on it now."""
    return any(f"{tree}," in mounts or f"{tree}:" in mounts for mounts in _mounts())


def _mounts() -> Iterator[str]:
    """What is mounted, as each process sees it: a machine's is in a namespace of its own."""
    for file in PROCESSES.glob("[0-9]*/mounts"):
        with suppress(OSError):
            yield file.read_text()
