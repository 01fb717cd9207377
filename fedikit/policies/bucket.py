"""Buckets: in the environment's own Garage, on one host or several, or at any provider who speaks S3."""

from collections.abc import Iterable, Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from fedikit.errors import Mistake
from fedikit.model.check import TRIAL_FOLDER, BucketWorks
from fedikit.model.host import HostNames
from fedikit.model.mistake import did_you_mean
from fedikit.model.policy import Ask, CannotFulfil, Opening, Place, Policy, Provision
from fedikit.model.request import HostItems, Route, WebSite
from fedikit.model.resource import ObjectBucket
from fedikit.model.secret import SecretRef, SecretText
from fedikit.model.ssh_server import is_ip_address
from fedikit.model.stores import Bucket, Member
from fedikit.model.value import DomainName, HostName, HttpUrl, Line, Written
from fedikit.policies.garage import RPC_PORT, TOKEN_FILE, awaited, bracketed, cluster, node, node_id, own_key

REGION = "garage"
WEB_PORT = 3902
_OWN_S3 = "http://127.0.0.1:3900"
_GIGABYTE = 10**9
_Gigabytes = Annotated[int, Field(ge=1)]
# What strangers uploaded is shown, never run.
MEDIA_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
}


class GaragePolicy(Written, Policy[ObjectBucket]):
    """Keeps objects in Garage: on one host of the environment, or spread over several."""

    fulfils: ClassVar = ObjectBucket
    means: Literal["garage"] = "garage"
    """Garage, run here."""
    host: HostName | None = Field(None, description="The host on which Garage runs, if it is one.")
    hosts: HostNames = Field(
        (),
        description="The hosts that keep the objects, if they are several. The first makes the buckets. Applications "
        "elsewhere reach them through a Garage of their own that keeps nothing.",
        examples=[["objects-1", "objects-2", "objects-3"]],
    )
    replication_factor: Annotated[int, Field(ge=1, le=3)] = Field(
        1, description="On how many of the hosts each object lies. Garage can never change it.", examples=[3]
    )
    zones: dict[HostName, HostName] = Field(
        default_factory=dict,
        description="By host, where it stands; copies of an object lie in different zones. Each host's own if absent.",
        examples=[{"objects-1": "paris", "objects-2": "lyon", "objects-3": "lyon"}],
    )
    capacity_gigabytes: _Gigabytes = 100
    """How much of a host's disk it may fill."""
    capacities: dict[HostName, _Gigabytes] = Field(
        default_factory=dict,
        description="By host, how many gigabytes of its disk it may fill, where it is not capacity_gigabytes.",
        examples=[{"objects-1": 500}],
    )
    nodes: dict[HostName, Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]] = Field(
        default_factory=dict,
        description="By host, the id of a Garage that kept objects there before it became one of several.",
    )

    def mistakes(self) -> list[Mistake]:
        """What of it contradicts itself."""
        return [Mistake(f"policies.bucket.{path}", message) for path, message in self._contradictions()]

    def _contradictions(self) -> Iterator[tuple[str, str]]:
        count, copies = len(self.storing), self.replication_factor
        if self.host and self.hosts:
            yield "host", "cannot be there besides hosts: Garage runs on one host, or on several"
        elif not self.storing:
            yield "host", "is missing, and so is hosts: where shall Garage run?"
        elif count < copies:
            yield "replication_factor", f"wants {copies} hosts, one for each copy; there are {count} in hosts"
        elif len({self._zone(host) for host in self.storing}) < copies:
            yield "zones", f"should be {copies} different ones at least, for each copy lies in another"
        named = {"zones": [*self.zones], "nodes": [*self.nodes], "capacities": [*self.capacities]}
        for path, host in ((f"{field}.{host}", host) for field, hosts in named.items() for host in hosts):
            if host not in self.storing:
                yield path, f"is not a host of Garage{did_you_mean(host, list(self.storing))}"

    @property
    def storing(self) -> tuple[str, ...]:
        """The hosts that keep objects; the first of them makes the buckets."""
        return self.hosts or ((self.host,) if self.host else ())

    def provide(self, request: ObjectBucket, place: Place) -> Provision:
        return self._spread(request, place) if self.hosts else self._alone(request, place)

    # On one host, whose S3 API all use

    def _alone(self, request: ObjectBucket, place: Place) -> Provision:
        (host,) = self.storing
        address = self._address(host, place, "applications reach Garage by it")
        endpoint = f"http://{address}:3900"
        bucket = _bucket(request, place, endpoint)
        member = Member(host=host, zone=host, capacity=self._capacity(host))
        requests = [
            node(s3=f"{address}:3900", rpc=f"127.0.0.1:{RPC_PORT}", copies=1),
            cluster(host, (member,), copies=1),
            HostItems(items=(bucket,)),
            *_media_site(request, place),
        ]
        made = _made(request, place, endpoint, tuple(Ask(host=host, request=asked) for asked in requests))
        is_here = place.host == host
        opens = () if is_here else (Opening(host=host, port=3900, clients=(place.host,), what="Garage's S3 API"),)
        return made.model_copy(update={"opens": opens})

    # On several hosts, and on those of the applications

    def _spread(self, request: ObjectBucket, place: Place) -> Provision:
        """Each application uses the Garage on its own host, which knows where objects are, and stays when others go."""
        leader, bucket = self.hosts[0], _bucket(request, place, _OWN_S3)
        hosts = dict.fromkeys((*self.hosts, place.host))
        members = tuple(self._member(host, place) for host in hosts)
        asks = [ask for host in hosts for ask in self._node(host, place)]
        asks.append(Ask(host=leader, request=cluster(leader, members, self.replication_factor), together="waits"))
        asks.append(Ask(host=leader, request=HostItems(items=(bucket,)), together="serves"))
        if place.host != leader:
            asks.append(Ask(host=place.host, request=awaited(request.name), together="waits"))
        asks += [Ask(host=place.host, request=site) for site in _media_site(request, place)]
        return _made(request, place, _OWN_S3, tuple(asks)).model_copy(update={"opens": _among(hosts)})

    def _node(self, host: str, place: Place) -> Iterator[Ask]:
        rpc = f"{self._address(host, place, 'the hosts of Garage reach each other by it')}:{RPC_PORT}"
        wanted = node(s3=_OWN_S3.partition("://")[2], rpc=rpc, copies=self.replication_factor)
        yield Ask(host=host, request=wanted, together="serves")
        if host not in self.nodes:
            yield Ask(host=host, request=own_key(host), together="serves")
        if host != self.hosts[0]:
            yield Ask(host=host, request=cluster(host, (), self.replication_factor), together="serves")

    def _member(self, host: str, place: Place) -> Member:
        return Member(
            host=host,
            zone=self._zone(host),
            capacity=self._capacity(host) if host in self.hosts else None,
            id=self.nodes.get(host) or node_id(host),
            address=f"{bracketed(place.hosts[host].address)}:{RPC_PORT}",
        )

    def _zone(self, host: str) -> str:
        return self.zones.get(host, host)

    def _capacity(self, host: str) -> int:
        return self.capacities.get(host, self.capacity_gigabytes) * _GIGABYTE

    def _address(self, host: str, place: Place, reason: str) -> str:
        address = place.hosts[host].address
        if not is_ip_address(address):
            raise CannotFulfil(f"hosts.{host}.address", f"should be an IP address: {reason}")
        return bracketed(address)


def _among(hosts: Iterable[str]) -> tuple[Opening, ...]:
    """Each of them reaches all others."""
    known = tuple(hosts)
    others = {host: tuple(other for other in known if other != host) for host in known}
    return tuple(
        Opening(host=host, port=RPC_PORT, clients=clients, what="Garage's other nodes")
        for host, clients in others.items()
    )


def _bucket(request: ObjectBucket, place: Place, endpoint: str) -> Bucket:
    return Bucket(
        name=request.name,
        access=SecretText(parts=(_key(place, "id"), " ", _key(place, "secret"))),
        websites=(request.public_at,) if request.public_at else (),
        origins=request.origins,
        max_bytes=request.max_gigabytes * _GIGABYTE if request.max_gigabytes else None,
        s3=endpoint,
        token_file=TOKEN_FILE,
    )


def _key(place: Place, half: Literal["id", "secret"]) -> SecretRef:
    name = f"{place.application}/bucket-key"
    return SecretRef(name=name, format="garage-key-id" if half == "id" else "garage-key-secret")


def _media_site(request: ObjectBucket, place: Place) -> tuple[WebSite, ...]:
    """Where everybody reads a public bucket's objects."""
    if not request.public_at:
        return ()
    return (WebSite(domain=request.public_at, routes=tuple(_shown(request, place)), headers=MEDIA_HEADERS),)


def _shown(request: ObjectBucket, place: Place) -> Iterator[Route]:
    """Garage's own web server knows no difference between objects. The application's site is on its own host."""
    for shown in request.shows:
        at = bracketed(place.connection.address)
        asked = shown.permission and shown.permission.model_copy(update={"at": at})
        yield Route(path=f"/{shown.prefix}*", port=WEB_PORT, permission=asked)
    yield Route(path=f"/{TRIAL_FOLDER}/*" if request.shows else "/*", port=WEB_PORT)


def _made(request: ObjectBucket, place: Place, endpoint: str, asks: tuple[Ask, ...]) -> Provision:
    """A bucket of Garage, and the check that the application can use it."""
    check = BucketWorks(
        application=place.application,
        host=place.host,
        endpoint=endpoint,
        region=REGION,
        bucket=request.name,
        key_id=_key(place, "id"),
        key_secret=_key(place, "secret"),
        public_host=request.public_at,
    )
    return _provision(check, asks)


class S3Policy(Written, Policy[ObjectBucket]):
    """Uses buckets that a provider of S3 has made already."""

    fulfils: ClassVar = ObjectBucket
    means: Literal["s3"] = "s3"
    """Any provider who speaks S3; the secret key is the secret s3/secret-key."""
    endpoint: HttpUrl = Field(description="The address of the S3 API: https:// or http://, and no path.")
    region: Line = Field(description="The provider's region.")
    access_key: Line = Field(description="The id of the key.")
    prefix: str = Field(
        "", pattern=r"^[a-z0-9-]*$", description="What stands before an application's name in its bucket's."
    )
    media: dict[str, DomainName] = Field(
        default_factory=dict,
        description="By bucket, the host name under which everybody may read its objects.",
    )
    acl: bool = Field(
        False,
        description="Whether each object's own access list (ACL), `public-read` or `private`, says who may read it. "
        "PeerTube needs that.",
    )

    def provide(self, request: ObjectBucket, place: Place) -> Provision:
        name = self.prefix + request.name
        public = self.media.get(name)
        if request.public_at and not public:
            raise CannotFulfil(f"policies.bucket.media.{name}", f"is missing: {place.application} shows what is there")
        if any(shown.permission for shown in request.shows) and not self.acl:
            needed = (
                f"should be true, at a provider who heeds it: {place.application} keeps private objects among others"
            )
            raise CannotFulfil("policies.bucket.acl", needed)
        check = BucketWorks(
            application=place.application,
            host=place.host,
            endpoint=self.endpoint,
            region=self.region,
            bucket=name,
            key_id=self.access_key,
            key_secret=SecretRef(name="s3/secret-key", given=True),
            public_host=public,
        )
        return _provision(check, acl=self.acl)


def _provision(check: BucketWorks, asks: tuple[Ask, ...] = (), *, acl: bool = False) -> Provision:
    """A bucket as the application learns of it, and the check that it can be used just so."""
    scheme, _, host = check.endpoint.partition("://")
    facts = {
        "endpoint": check.endpoint,
        "endpoint-host": host,
        "encrypted": "yes" if scheme == "https" else "no",
        "region": check.region,
        "bucket": check.bucket,
        "key-id": check.key_id,
        "key-secret": check.key_secret,
        "public-url": check.public_url,
        "public-host": check.public_host or "",
        "acl-public": "public-read" if acl else "",
        "acl-private": "private" if acl else "",
    }
    return Provision(items=(), asks=asks, facts=facts, checks=(check,))


BucketPolicy = Annotated[GaragePolicy | S3Policy, Field(discriminator="means")]
