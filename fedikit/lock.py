"""Locking: finds out which images and packages a deployment is made of just now, and writes it down."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from pydantic import ValidationError

from fedikit.errors import ConfigurationError, FedikitError, Mistake
from fedikit.events import Tell, tell_nobody
from fedikit.model.deployment import Deployment
from fedikit.model.document import Malformed
from fedikit.model.lock import Lock, LockedPackage
from fedikit.results.status import HostStatus
from fedikit.status import read_status
from fedikit.store import Images, Store, resolve

NOTHING_INSTALLED = b""
"""The dpkg status of a host that has not a single package: all that is needed is named then."""


def make_lock(deployment: Deployment, *, tell: Tell = tell_nobody) -> Lock:
    """The tags of images as digests, and the packages of each host, with all that they depend on, as versions.

    Asks every host for its release, Debian's lists for versions and, for images that the store lacks, their registry.
    Raises FedikitError if a host cannot be asked: its packages could not be locked.
    """
    hosts = {name: state for name, state in deployment.hosts.items() if state.items}
    said = read_status(deployment, limit=list(hosts)).hosts if hosts else {}
    if silent := [f"{name}: {host.error}" for name, host in said.items() if host.error]:
        raise FedikitError("\n".join(["not every host can be asked for its release", *silent]))
    wanted = {(item.image[0], None) for state in hosts.values() for item in state.items if item.image}
    images = Images().wanted(sorted(wanted, key=str))
    packages = {name: _packages(deployment, host, tell) for name, host in said.items()}
    return Lock(
        images={reference: image.digest for reference, image in sorted(images.items())},
        packages={name: locked for name, locked in packages.items() if locked},
    )


def save_lock(lock: Lock, path: Path) -> None:
    """Writes it as JSON; it holds no secret and belongs beside the configuration, under version control."""
    path.write_text(lock.model_dump_json(indent=1) + "\n")


def load_lock(path: Path) -> Lock:
    """Reads one; raises ConfigurationError."""
    try:
        return Lock.parse(path.read_text("utf-8"))
    except Malformed as malformed:
        raise ConfigurationError(str(path), malformed.mistakes, hint="write it anew: fedikit lock") from None
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        raise ConfigurationError(
            str(path), [Mistake("lock", _reason(error))], hint="write it anew: fedikit lock"
        ) from error


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, OSError):
        return f"cannot be read: {(error.strerror or str(error)).lower()}"
    return "cannot be read as a lock of this version of fedikit"


def _packages(deployment: Deployment, host: HostStatus, tell: Tell) -> Mapping[str, LockedPackage]:
    names = {item.package: None for item in deployment.hosts[host.host].items if item.package}
    debs = resolve(
        names,
        status=NOTHING_INSTALLED,
        codename=host.codename,
        architecture=host.architecture,
        store=Store(),
        tell=tell,
    )
    fields = set(LockedPackage.model_fields)
    return {deb.name: LockedPackage(**{k: v for k, v in asdict(deb).items() if k in fields}) for deb in sorted(debs)}
