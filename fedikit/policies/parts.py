"""Parts: what of an application on a host bears data, by its own requests and what policies told of its resources.

What policies asked for in turn is no part, such as Garage's own volumes: the bucket in it is one, wherever it is kept.
A cache is none.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from fedikit.model.data import AfterRestore, ApplicationData, BucketPart, MariaPart, Part, PostgresPart, VolumePart
from fedikit.model.item import Directory, Job, Unit
from fedikit.model.request import (
    Container,
    HostItems,
    OneOffJob,
    Request,
    Requests,
    SystemService,
    Task,
    Volume,
    WebSite,
)  # fmt: skip
from fedikit.model.resource import MariaDatabase, ObjectBucket, PostgresDatabase, Resource
from fedikit.model.secret import SecretRef
from fedikit.model.text import Facts
from fedikit.policies.quadlet import job_name, ready_name


class Known(NamedTuple):
    """What is known where an application is placed.

    application  its name
    facts    what policies told of its resources
    volumes  the directory below which its containers keep their data
    """

    application: str
    facts: Facts
    volumes: str


def data_of(requests: Requests, after: Sequence[AfterRestore], known: Known, folder: str) -> ApplicationData:
    """All that an application has on a host."""
    asked = tuple(requests.values())
    found = [part for request in asked for part in _parts(request, known)]
    units = [unit for request in asked for unit in _units(request)]
    return ApplicationData(
        folder=folder,
        parts=tuple({part.id: part for part in found}.values()),
        stop=tuple(reversed(dict.fromkeys(units))),
        after=tuple(after),
        images={request.name: request.image for request in asked if isinstance(request, Container)},
        domains=tuple(dict.fromkeys(request.domain for request in asked if isinstance(request, WebSite))),
        reads=tuple(unit for request in asked for unit in _units(request) if _goes_on(request)),
        jobs=tuple(dict.fromkeys(job for request in asked for job in _jobs(request, known.application))),
    )


def _parts(request: Request, known: Known) -> Iterator[Part]:
    match request:
        case PostgresDatabase() | MariaDatabase():
            yield from _database(request, _told_of(request, known.facts))
        case ObjectBucket():
            yield from _bucket(request, _told_of(request, known.facts))
        case Container() | OneOffJob():
            yield from (_volume(volume, known) for volume in request.volumes if not volume.is_cache)
        case SystemService():
            yield from _directories(request.directories)
        case HostItems():
            yield from _directories(item for item in request.items if isinstance(item, Directory))


def _units(request: Request) -> Iterator[str]:
    match request:
        case Container():
            yield f"{request.name}.service"
        case SystemService():
            yield request.unit
        case HostItems():
            yield from (item.name for item in request.items if isinstance(item, Unit))


def _goes_on(request: Request) -> bool:
    return isinstance(request, Container) and request.reads


def _jobs(request: Request, application: str) -> Iterator[str]:
    """The names of what runs for it, as policies call it."""
    match request:
        case OneOffJob() | Task():
            yield job_name(application, request)
        case Container() if request.ready:
            yield ready_name(request)
        case HostItems():
            yield from (item.name for item in request.items if isinstance(item, Job))


def _told_of(resource: Resource, facts: Facts) -> dict[str, str | SecretRef]:
    """What is known of it; nothing where no policy could tell, which is a mistake that is noted already."""
    told = {fact: facts.get((resource.label, fact), "") for fact in resource.FACTS}
    return told if any(told.values()) else {}


def _database(request: PostgresDatabase | MariaDatabase, told: dict[str, str | SecretRef]) -> Iterator[Part]:
    if not told:
        return
    where = {fact: told[fact] for fact in ("host", "port", "user", "password")} | {"name": request.name}
    if isinstance(request, MariaDatabase):
        yield MariaPart.model_validate(where)
        return
    more = {"encrypted": told["encrypted"] == "yes", "extensions": request.extensions}
    yield PostgresPart.model_validate(where | more)


def _bucket(request: ObjectBucket, told: dict[str, str | SecretRef]) -> Iterator[Part]:
    if told:
        where = {
            fact.replace("-", "_"): told[fact] for fact in ("endpoint", "region", "bucket", "key-id", "key-secret")
        }
        yield BucketPart.model_validate({**where, "name": request.name, "leave_out": request.leave_out})


def _volume(volume: Volume, known: Known) -> VolumePart:
    return VolumePart(path=f"{known.volumes}/{volume.name}", leave_out=volume.leave_out)


def _directories(directories: Iterable[Directory]) -> Iterator[Part]:
    yield from (VolumePart(path=directory.path) for directory in directories if directory.data)
