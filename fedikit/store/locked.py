"""Locked packages: exactly those versions that a lock names, whatever Debian's lists say by now."""

from collections.abc import Iterable, Mapping

from fedikit.errors import StoreError
from fedikit.model.lock import LockedPackage
from fedikit.store.debian import Deb


def locked_debs(names: Iterable[str], locked: Mapping[str, LockedPackage]) -> tuple[Deb, ...]:
    """The package files in their locked versions. Raises StoreError for those that the lock does not know."""
    found = sorted(set(names))
    if unknown := [name for name in found if name not in locked]:
        message = f"the lock does not know {', '.join(unknown)}, which this host needs besides"
        raise StoreError(message, hint="write it anew: fedikit lock")
    return tuple(Deb(name=name, **locked[name].model_dump()) for name in found)
