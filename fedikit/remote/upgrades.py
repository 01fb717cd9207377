"""What there is to upgrade on a host: Debian's lists on this deployer say what, the host only what it has."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from fedikit.errors import StoreError
from fedikit.events import Tell
from fedikit.model.deployment import Deployment
from fedikit.remote.messages import Upgradable
from fedikit.remote.needs import unpacked
from fedikit.remote.session import Session
from fedikit.results.pending import NewerPackage, Pending
from fedikit.results.plan import PlannedDeb
from fedikit.results.upgrading import HostUpgrade
from fedikit.store import Store

if TYPE_CHECKING:
    from fedikit.store import Deb, Newer

HELD = "is held there: apt-mark showhold"
PINNED = "is at the version of a lock; a newer lock moves it: --lock"
UNLOCKED = "is not in the lock"
TIED = "needs a newer version of what fedikit did not bring, or something to leave"


@dataclass
class AskedUpgrade:
    """A host that has answered: the open session, what it said, and what would be done."""

    session: Session
    said: Upgradable
    upgrade: HostUpgrade
    debs: "tuple[Deb, ...]"

    @property
    def debs_to_send(self) -> "list[Deb]":
        """Those that the host has not in its own store."""
        return _lacking(self.debs, self.said)


def ask_for_upgrades(host: str, deployment: Deployment, store: Store, tell: Tell) -> AskedUpgrade:
    """Asks a host what there is to upgrade. The session is open, and the caller's to close; raises a HostError."""
    session = Session(host, deployment.hosts[host].connection)
    try:
        said = session.ask({"op": "upgrade", "deployment": deployment.name}, Upgradable)
        upgrade, debs = _resolved(host, said, deployment, store, tell)
    except BaseException:
        session.close()
        raise
    return AskedUpgrade(session, said, upgrade, debs)


def pending_of(host: str, said: Upgradable) -> Pending:
    """`pending_by_known_lists` with this deployer's store; what apt cannot say is left to the host's lists."""
    try:
        return pending_by_known_lists(host, said, Store())
    except StoreError:
        return _told_by_host(said)


def pending_by_known_lists(host: str, said: Upgradable, store: Store) -> Pending:
    """What is pending, by the lists that this deployer has already, else by the host's own; fetches nothing."""
    from fedikit.store import newer_packages  # needed where it is asked for only

    if not said.codename or not said.architecture:
        return _pending(said, (), "")
    status = unpacked(host, said.dpkg_status)
    newer = newer_packages(status, codename=said.codename, architecture=said.architecture, store=store)
    if newer is not None:
        return _pending(said, map(_as_value, newer), "deployer")
    return _told_by_host(said)


def _told_by_host(said: Upgradable) -> Pending:
    if said.listed is None:
        return _pending(said, (), "")
    return _pending(said, (NewerPackage(**one.model_dump()) for one in said.listed), "host")


def _resolved(
    host: str, said: Upgradable, deployment: Deployment, store: Store, tell: Tell
) -> "tuple[HostUpgrade, tuple[Deb, ...]]":
    from fedikit.store.debian import installed_packages  # needed where packages are only

    status = unpacked(host, said.dpkg_status)
    there = installed_packages(status)
    if deployment.lock:
        debs, staying = _locked(host, said, status, deployment, store, tell)
        newer: tuple[Newer, ...] = ()
    else:
        debs, newer = _newest(said, status, store, tell)
        staying = _staying(said, newer, debs)
    security = {one.name for one in newer if one.is_security}
    upgrade = HostUpgrade(
        host=host,
        packages=tuple(
            NewerPackage(name=deb.name, was=there.get(deb.name, ""), becomes=deb.version, security=deb.name in security)
            for deb in debs
        ),
        debs=tuple(PlannedDeb(name=d.name, version=d.version, sha256=d.sha256, size=d.size) for d in debs),
        bytes_to_send=sum(deb.size for deb in _lacking(debs, said)),
        staying=staying,
        pending=_pending(said, map(_as_value, newer), "deployer"),
        basis=said.basis,
        boot=said.boot,
        note=f"is being changed by {said.busy}" if said.busy else "",
    )
    return upgrade, debs


def _newest(said: Upgradable, status: bytes, store: Store, tell: Tell) -> "tuple[tuple[Deb, ...], tuple[Newer, ...]]":
    from fedikit.store import upgrades_for

    return upgrades_for(
        said.ours,
        kept=said.pinned,
        status=status,
        codename=said.codename,
        architecture=said.architecture,
        store=store,
        tell=tell,
    )


def _locked(
    host: str, said: Upgradable, status: bytes, deployment: Deployment, store: Store, tell: Tell
) -> "tuple[tuple[Deb, ...], dict[str, str]]":
    """To exactly the versions of the lock, be they newer or older."""
    from fedikit.store import locked_debs
    from fedikit.store.debian import installed_packages

    there = installed_packages(status)
    locked = deployment.lock.packages.get(host, {}) if deployment.lock else {}
    other = [name for name in said.ours if name in locked and locked[name].version != there.get(name)]
    moving = {name: locked[name].version for name in other if name not in said.held}
    staying = dict.fromkeys((name for name in said.ours if name not in locked), UNLOCKED)
    staying |= dict.fromkeys((name for name in other if name in said.held), HELD)
    debs = locked_debs(
        [*moving, *_companions(said, moving, status, store, tell)],
        locked,
        codename=said.codename,
        architecture=said.architecture,
        snapshots=deployment.packages.snapshots,
        store=store,
        tell=tell,
    )
    return debs, staying


def _companions(said: Upgradable, moving: dict[str, str], status: bytes, store: Store, tell: Tell) -> list[str]:
    """What these versions need besides, if Debian's lists still have them; the host's apt has the last word."""
    from fedikit.store import resolve

    places = {"codename": said.codename, "architecture": said.architecture}
    try:
        return [deb.name for deb in resolve(moving, status=status, **places, store=store, tell=tell, ours=said.ours)]
    except StoreError:
        return []


def _staying(said: Upgradable, newer: "Iterable[Newer]", debs: "Iterable[Deb]") -> dict[str, str]:
    """Of what fedikit brought, that of which there is a newer version which does not come, and why."""
    coming = {deb.name for deb in debs}
    names = [one.name for one in newer if one.name in said.ours and one.name not in coming]
    return {name: HELD if name in said.held else PINNED if name in said.pinned else TIED for name in names}


def _pending(said: Upgradable, newer: Iterable[NewerPackage], told_by: Literal["deployer", "host", ""]) -> Pending:
    ours = set(said.ours)
    found = tuple(newer)
    return Pending(
        ours=tuple(one for one in found if one.name in ours),
        others=tuple(one for one in found if one.name not in ours),
        told_by=told_by,
        units=said.old_ours,
        other_units=said.old_others,
        reboot=said.reboot,
    )


def _as_value(newer: "Newer") -> NewerPackage:
    return NewerPackage(name=newer.name, was=newer.was, becomes=newer.becomes, security=newer.is_security)


def _lacking(debs: "Iterable[Deb]", said: Upgradable) -> "list[Deb]":
    in_store = set(said.store)
    return [deb for deb in debs if deb.sha256 not in in_store]
