"""Room on the new side: to which disks the parts of applications come, and whether all of that fits.

Volumes and databases lie on the host that has them, objects on all hosts of Garage that keep any.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from math import ceil
from pathlib import PurePosixPath
from typing import NamedTuple

from fedikit.data.onhost.room import SPARE
from fedikit.errors import FedikitError
from fedikit.model.data import BucketPart, Part, VolumePart
from fedikit.model.deployment import Deployment
from fedikit.model.host import HostState
from fedikit.model.item import Directory
from fedikit.model.stores import Cluster
from fedikit.policies.garage import OBJECTS
from fedikit.remote.answer_messages import DiskAt, Facts
from fedikit.remote.session import Session
from fedikit.remote.sessions import failing_alone
from fedikit.results.migration import ApplicationMigration, Moved, Room

SERVERS = {"postgresql": "/var/lib/postgresql", "mariadb": "/var/lib/mysql"}
"""Where Debian's servers keep databases."""
TWICE = "postgresql"
"""What is restored once more stays until the new one is whole."""


class Coming(NamedTuple):
    """Some of a part that comes to a host: how many bytes, if that is known, and how many must be free for it."""

    host: str
    path: str
    bytes: int | None
    needs: int


Disks = dict[tuple[str, str], DiskAt]
"""By host and path, the disk that the path is on, or will be."""


def with_room(
    target: Deployment, applications: Sequence[ApplicationMigration], *, staged: Collection[str]
) -> Iterator[ApplicationMigration]:
    """The same with the disks that they come to; what has no room there has that as an error.

    Of what is staged, some may be there already: that it may not fit is only noted, and its restore looks once more.
    """
    coming = {one.application: list(coming_of(target, one)) for one in applications}
    everything = [part for parts in coming.values() for part in parts]
    disks = _disks(target, everything)
    for one in applications:
        room = tuple(_rooms(coming[one.application], everything, disks))
        short = tuple(_words_of(disk) for disk in room if disk.is_short)
        notes = (*one.notes, *_notes(target, one), *(short if one.application in staged else ()))
        errors = () if one.application in staged else short
        error = "; ".join(filter(None, (one.error, *errors)))
        yield one.model_copy(update={"room": room, "notes": notes, "error": error})


def coming_of(target: Deployment, one: ApplicationMigration) -> Iterator[Coming]:
    """What comes of an application to which hosts; nothing of what no host of the environment keeps."""
    sizes = {moved.id: moved for moved in one.parts}
    for part in target.hosts[one.target].data[one.application].parts:
        for host, path, share in _places(target, one.target, part):
            yield _of_size(host, path, share, sizes.get(part.id))


def _of_size(host: str, path: str, share: float, moved: Moved | None) -> Coming:
    if moved is None or moved.there is None:
        return Coming(host, path, None, 0)
    size = ceil(moved.there.bytes * share)
    return Coming(host, path, size, size * 2 if moved.kind == TWICE else size)


def _places(target: Deployment, host: str, part: Part) -> Iterator[tuple[str, str, float]]:
    """Hosts and paths, and what share of the part comes there; none if it lies outside the environment."""
    match part:
        case VolumePart():
            yield host, part.path, 1.0
        case BucketPart():
            for state in _with(target, f"bucket:{part.name}").values():
                yield from _where_objects_lie(target, state)
        case _:
            for server in _with(target, f"database:{part.kind}/{part.name}"):
                yield server, SERVERS[part.kind], 1.0


def _with(target: Deployment, identity: str) -> dict[str, HostState]:
    """The hosts that have an item."""
    return {name: state for name, state in target.hosts.items() if any(item.id == identity for item in state.items)}


def _where_objects_lie(target: Deployment, leader: HostState) -> Iterator[tuple[str, str, float]]:
    """Copies are spread over the hosts that keep any, in proportion to what each may fill."""
    for cluster in (item for item in leader.items if isinstance(item, Cluster)):
        capacities = {member.host: member.capacity for member in cluster.members if member.capacity}
        for host, capacity in capacities.items():
            share = min(1.0, cluster.copies * capacity / sum(capacities.values()))
            yield from ((host, path, share) for path in _folders_of_objects(target.hosts[host]))


def _folders_of_objects(state: HostState) -> Iterator[str]:
    folders = (item.path for item in state.items if isinstance(item, Directory) and item.data)
    return (path for path in folders if PurePosixPath(path).name == OBJECTS)


def _disks(target: Deployment, coming: Iterable[Coming]) -> Disks:
    """The disks as their hosts tell them; none of a host that cannot be asked, which is said with all else."""
    paths: dict[str, dict[str, None]] = {}
    for one in coming:
        paths.setdefault(one.host, {})[one.path] = None
    found: Disks = {}
    for host, wanted in paths.items():
        request = {"op": "facts", "deployment": target.name, "paths": list(wanted), "ports": [], "brief": True}
        with suppress(FedikitError), failing_alone(host), Session(host, target.hosts[host].connection) as session:
            told = session.ask(request, Facts).disks
            found |= {(host, path): told[path] for path in wanted if path in told}
    return found


def _rooms(mine: Sequence[Coming], everything: Sequence[Coming], disks: Disks) -> Iterator[Room]:
    """Each disk once, with what comes to it of one application, and what it needs for all."""
    devices = dict.fromkeys((one.host, disks[one[:2]].device) for one in mine if one[:2] in disks)
    for host, device in devices:
        here = {path for (name, path), disk in disks.items() if (name, disk.device) == (host, device)}
        parts = [one for one in mine if one.host == host and one.path in here]
        needs = sum(one.needs for one in everything if one.host == host and one.path in here)
        sizes = [one.bytes for one in parts if one.bytes is not None]
        yield Room(
            host=host,
            paths=tuple(dict.fromkeys(one.path for one in parts)),
            comes=sum(sizes) if len(sizes) == len(parts) else None,
            needs=needs + SPARE if needs else 0,
            free=disks[host, parts[0].path].free,
        )


def _notes(target: Deployment, one: ApplicationMigration) -> Iterator[str]:
    for part in target.hosts[one.target].data[one.application].parts:
        if isinstance(part, BucketPart) and not list(_places(target, one.target, part)):
            yield f"whether there is room for {part.id} at {part.endpoint} cannot be asked"


def _words_of(room: Room) -> str:
    return (
        f"{room.host} has no room for what comes to {', '.join(room.paths)}: {room.needs / 1e6:,.1f} MB are needed "
        f"there in all, and {room.free / 1e6:,.1f} MB are free: free some, or give that host a larger disk"
    )
