"""Locked packages: exactly those versions that a lock names, whatever Debian's lists say by now.

A lock says what, never where from: the address is always that of lists that Debian signed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from fedikit.errors import StoreError
from fedikit.events import Tell
from fedikit.model.lock import LockedPackage
from fedikit.store.artifact import Store
from fedikit.store.debian import Deb, parse_uris
from fedikit.store.lists import Lists, current_lists, last_lines
from fedikit.store.vouched import remembered

_AGAIN = "write it anew: fedikit lock"


@dataclass(frozen=True, order=True)
class Pin:
    """One package file, by what it is."""

    name: str
    version: str
    sha256: str


def locked_debs(
    names: Iterable[str],
    locked: Mapping[str, LockedPackage],
    *,
    codename: str,
    architecture: str,
    snapshots: Sequence[str] = (),
    store: Store,
    tell: Tell,
) -> tuple[Deb, ...]:
    """The package files in their locked versions. Raises StoreError for those that the lock does not know."""
    wanted = sorted(set(names))
    if unknown := [name for name in wanted if name not in locked]:
        message = f"the lock does not know {', '.join(unknown)}, which this host needs besides"
        raise StoreError(message, hint=_AGAIN)
    pins = [Pin(name, locked[name].version, locked[name].sha256) for name in wanted]
    return locate(pins, codename=codename, architecture=architecture, snapshots=snapshots, store=store, tell=tell)


def locate(
    pins: Iterable[Pin], *, codename: str, architecture: str, snapshots: Sequence[str] = (), store: Store, tell: Tell
) -> tuple[Deb, ...]:
    """Says of package files where Debian's signed lists have them.

    What such lists have vouched for before, and the store still has, needs no lists. `snapshots` are archives that keep
    what mirrors drop. Raises StoreError for a file that is nowhere, or that the lists know with another SHA-256.
    """
    wanted = sorted(set(pins))
    found = {pin: deb for pin in wanted if (deb := _in_store(pin, store))}
    said = ""
    for archives in [(), tuple(snapshots)] if snapshots else [()]:
        lacking = [pin for pin in wanted if pin not in found]
        if lacking:
            lists = current_lists(codename, architecture, store=store, tell=tell, snapshots=archives)
            more, said = _in_lists(lacking, lists)
            found |= more
    if lacking := [pin for pin in wanted if pin not in found]:
        raise _nowhere(lacking, codename, said)
    return tuple(found[pin] for pin in wanted)


def _in_store(pin: Pin, store: Store) -> Deb | None:
    deb = remembered(pin.sha256, store)
    return deb if deb and Pin(deb.name, deb.version, deb.sha256) == pin else None


def _in_lists(pins: Sequence[Pin], lists: Lists) -> tuple[dict[Pin, Deb], str]:
    """Those that the lists have, and what apt says of the others."""
    versions = [f"{pin.name}={pin.version}" for pin in pins]
    with lists.unchanging():
        answer = lists.ask("apt-get", "-q", "download", "--print-uris", "--", *versions)
    debs = {(deb.name, deb.version): deb for deb in parse_uris(answer.stdout)}
    found = {pin: deb for pin in pins if (deb := debs.get((pin.name, pin.version)))}
    if others := [pin for pin, deb in found.items() if deb.sha256 != pin.sha256]:
        what = ", ".join(f"{pin.name} {pin.version}" for pin in others)
        raise StoreError(f"{what}: Debian's lists tell another SHA-256 than is locked; it is not used", hint=_AGAIN)
    return found, last_lines(answer) if answer.returncode else ""


def _nowhere(pins: Sequence[Pin], codename: str, said: str) -> StoreError:
    what = ", ".join(f"{pin.name} {pin.version}" for pin in pins)
    return StoreError(
        f"{what}: no longer in the lists of Debian {codename}, nor in this deployer's store\n{said}".rstrip(),
        hint="name an archive that still has it in the environment, [packages] snapshots = [ADDRESS]; or take what"
        " Debian has now: fedikit lock",
    )
