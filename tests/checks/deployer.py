"""A machine of the lab that deploys: fedikit is installed there from its wheel, and nothing leads out of it.

Its base image has Debian's Python and what `requirements.lock` names, hash by hash: built once for each lock. All that
comes later is carried there from this machine, as where there is no way out: the wheel, packages, lists and images.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from fedikit.events import tell_nobody
from fedikit.model import Deployment
from fedikit.store import Images, Store, fetch, resolve
from fedikit.store.lists import current_lists
from fedikit_lab import Machine, Role
from fedikit_lab.image import CODENAME, image_directory
from tests.pages import PROJECT

NAME = "deployer"
USER = "fedikit"
HOME = "/srv/fedikit"
"""Where that user has all that it needs; as docs/panel.md has it."""
PYTHON = f"{HOME}/.venv/bin/python"
FEDIKIT = f"{HOME}/.venv/bin/fedikit"
PIP = f"{HOME}/.venv/bin/pip"
_STORE = f"{HOME}/.cache/fedikit/store"
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
_PACKAGES = ("caddy", "debian-archive-keyring", "python3-venv", "skopeo")
_LOCK = PROJECT / "requirements.lock"
_FINISH = f"""\
set -e
systemctl disable caddy.service
useradd --system --create-home --home-dir {HOME} --shell /usr/sbin/nologin {USER}
python3 -m venv {HOME}/.venv
{PIP} install --quiet --no-cache-dir --no-deps --only-binary :all: --require-hashes --requirement /run/requirements.lock
"""
_BUILD_SECONDS = 600
_NETWORK = ("etc/resolv.conf", "etc/pip.conf", "etc/ssl/certs/ca-certificates.crt")
"""What a tree needs of this machine to reach the package index, while it is built."""


def deployer_role() -> Role:
    """What makes a machine a deployer that fedikit can be installed on."""
    recipe = hashlib.sha256(_LOCK.read_bytes() + _FINISH.encode()).hexdigest()
    return Role(packages=_PACKAGES, recipe=recipe, finish=_finish)


def _finish(tree: Path) -> None:
    """Installs into a tree what the lock names, over this machine's network; the tree keeps nothing of that way."""
    lent = {Path("/", name): tree / name for name in _NETWORK} | {_LOCK: tree / "run/requirements.lock"}
    with ExitStack() as stack:
        for source, place in lent.items():
            if source.exists():
                stack.enter_context(_lent(source, place))
        command = ["chroot", str(tree), "sh", "-c", _FINISH]
        environment = {**os.environ, "HOME": "/root"}
        subprocess.run(command, env=environment, check=True, timeout=_BUILD_SECONDS, stdin=subprocess.DEVNULL)


@contextmanager
def _lent(source: Path, place: Path) -> Iterator[None]:
    """A file in the place of the tree's own, which comes back."""
    own = place.read_bytes() if place.exists() else None
    shutil.copyfile(source, place)
    try:
        yield
    finally:
        place.unlink() if own is None else place.write_bytes(own)


def wheel_of(folder: Path) -> Path:
    """This working copy as a wheel."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, timeout=60)
    (wheel,) = folder.glob("*.whl")
    return wheel


@dataclass(frozen=True)
class Deployer:
    """The machine, once it runs; `luggage` is a folder here in which is gathered what is carried there."""

    machine: Machine
    luggage: Path

    def pack(self, path: str, content: str | bytes) -> None:
        """Puts a file into the luggage, for its owner only."""
        place = self._place(path)
        place.touch(mode=0o600)
        place.write_bytes(content.encode() if isinstance(content, str) else content)

    def pack_store(self, deployment: Deployment) -> None:
        """Puts into the luggage what this deployment takes of packages, lists and images, and nothing else."""
        store, images = Store(), Images()
        items = [item for state in deployment.hosts.values() for item in state.items]
        parts = [sha256 for item in items if item.image for sha256 in _parts_of(item.image[0], images)]
        for sha256 in {*parts, *_packages_of(deployment, store)}:
            self._pack_file(store.path(sha256), store)
        for note in (store.directory / "images").glob("*.json"):
            self._pack_file(note, store)
        self._pack_lists(store)

    def unpack(self) -> None:
        """Carries the luggage there; it belongs to the user, who alone may see it."""
        pack = ["tar", "--create", f"--directory={self.luggage}", "."]
        ssh = ["ssh", *self.machine.ssh_options(), f"root@{self.machine.address}"]
        unpack = [*ssh, "tar --extract --no-same-owner --directory=/"]
        with subprocess.Popen(pack, stdout=subprocess.PIPE) as packing:
            subprocess.run(unpack, stdin=packing.stdout, check=True, timeout=120)
        kept = f"{HOME}/.venv"
        self.machine.succeed(f"find {HOME} -path {kept} -prune -o -exec chown {USER}: {{}} + && chmod 700 {HOME}")

    def install(self) -> None:
        """Installs the wheel that was carried there. Raises HostError if it wants what the lock has not."""
        self.machine.succeed(f"{PIP} install --quiet --no-index --no-deps /root/*.whl && {PIP} check")

    def _pack_lists(self, store: Store) -> None:
        """Lists name the place where they lie; and what apt is told there, it is told as another user than root."""
        lists = current_lists(CODENAME, ARCHITECTURE, store=store, tell=tell_nobody)
        there = self._place(_STORE) / lists.folder.relative_to(store.directory)
        with lists.unchanging():
            shutil.copytree(lists.folder, there)
        for name in ("apt.conf", "refreshed"):
            lines = (there / name).read_text().replace(str(store.directory), _STORE).splitlines(True)
            (there / name).write_text("".join(line for line in lines if not line.startswith("APT::Sandbox")))

    def _pack_file(self, path: Path, store: Store) -> None:
        shutil.copyfile(path, self._place(f"{_STORE}/{path.relative_to(store.directory)}"))

    def _place(self, path: str) -> Path:
        place = self.luggage / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        return place


def _parts_of(reference: str, images: Images) -> Iterable[str]:
    found = images.find(reference)
    assert found, f"the lab has no image {reference}"
    return found.builds[ARCHITECTURE].sizes


def _packages_of(deployment: Deployment, store: Store) -> Iterator[str]:
    """The packages that machines lack which are as the lab makes them."""
    status = (image_directory() / "var/lib/dpkg/status").read_bytes()
    for state in deployment.hosts.values():
        names = {item.package: None for item in state.items if item.package}
        debs = resolve(
            names, status=status, codename=CODENAME, architecture=ARCHITECTURE, store=store, tell=tell_nobody
        )
        fetch(debs, store=store, tell=tell_nobody)
        yield from (deb.sha256 for deb in debs)
