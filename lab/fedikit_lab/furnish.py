"""What makes a machine itself: the read-only layer over the base image that holds its name, keys and address."""

import os
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path

ADMIN_ID = 1000  # the first user of a fresh Debian: the base image's `admin`


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Who a machine is in its lab."""

    lab: str
    name: str
    address: str
    name_server: str
    host_key: str
    """Its private SSH host key, as OpenSSH writes it."""
    host_key_public: str
    client_key: str
    """The public key that may log in, as root and as `admin`."""


def place_file(path: Path, content: str, *, mode: int = 0o644, owner: int = 0) -> None:
    """Writes a file for a machine; directories on the way are made as Debian makes them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.chmod(mode)
    path.write_text(content)
    os.chown(path, owner, owner)


def place_link(path: Path, target: str) -> None:
    """Makes a symbolic link for a machine, instead of what was there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def furnish(layer: Path, identity: Identity) -> None:
    """Makes the layer anew, so that nothing of an earlier machine of that name stays."""
    shutil.rmtree(layer, ignore_errors=True)
    layer.mkdir(parents=True, mode=0o755)
    for path, content in _files(identity).items():
        place_file(layer / path, content)
    place_file(layer / "etc/ssh/ssh_host_ed25519_key", identity.host_key, mode=0o600)
    _place_home(layer / "root", identity.client_key, owner=0)
    _place_home(layer / "home/admin", identity.client_key, owner=ADMIN_ID)


def _files(identity: Identity) -> dict[str, str]:
    machine_id = uuid.uuid5(uuid.NAMESPACE_DNS, f"{identity.name}.{identity.lab}.lab").hex
    return {
        "etc/fedikit-lab": f"ADDRESS={identity.address}/24\n",
        "etc/hostname": f"{identity.name}\n",
        "etc/hosts": f"127.0.0.1 localhost\n127.0.1.1 {identity.name}.lab {identity.name}\n",
        "etc/machine-id": f"{machine_id}\n",
        "etc/resolv.conf": f"nameserver {identity.name_server}\noptions timeout:1 attempts:2\n",
        "etc/ssh/ssh_host_ed25519_key.pub": f"{identity.host_key_public}\n",
    }


def _place_home(home: Path, client_key: str, *, owner: int) -> None:
    """A home of which only its owner sees anything, with the lab's key let in."""
    for directory in (home, home / ".ssh"):
        directory.mkdir(parents=True, mode=0o700)
        directory.chmod(0o700)
        os.chown(directory, owner, owner)
    place_file(home / ".ssh/authorized_keys", f"{client_key}\n", mode=0o600, owner=owner)
