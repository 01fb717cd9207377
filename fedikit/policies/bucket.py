"""Buckets: in the environment's own Garage, or at any provider who speaks S3."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from fedikit.model.check import BucketWorks
from fedikit.model.host import is_ip_address
from fedikit.model.item import Bucket, SecretRef, SecretText
from fedikit.model.policy import Ask, CannotFulfil, Place, Policy, Provision
from fedikit.model.request import HostItems, Route, WebSite
from fedikit.model.resource import ObjectBucket
from fedikit.model.value import DomainName, HostName, HttpUrl, Line, Written
from fedikit.policies.garage import TOKEN_FILE, bracketed, garage

REGION = "garage"
WEB_PORT = 3902
# What strangers uploaded is shown, never run.
MEDIA_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
}


class GaragePolicy(Written, Policy[ObjectBucket]):
    """Keeps objects in Garage on a host of the environment."""

    fulfils: ClassVar = ObjectBucket
    means: Literal["garage"] = "garage"
    """Garage, run here."""
    host: HostName = Field(description="The host on which Garage runs.")
    capacity_gigabytes: Annotated[int, Field(ge=1)] = 100
    """How much of the host's disk it may fill."""

    def provide(self, request: ObjectBucket, place: Place) -> Provision:
        host = place.hosts[self.host]
        if not is_ip_address(host.address):
            raise CannotFulfil(f"hosts.{self.host}.address", "should be an IP address: applications reach Garage by it")
        endpoint = f"http://{bracketed(host.address)}:3900"
        name = f"{place.application}/bucket-key"
        key = SecretRef(name=name, format="garage-key-id"), SecretRef(name=name, format="garage-key-secret")
        bucket = Bucket(
            name=request.name,
            access=SecretText(parts=(key[0], " ", key[1])),
            websites=(request.public_at,) if request.public_at else (),
            origins=request.origins,
            max_bytes=request.max_gigabytes * 10**9 if request.max_gigabytes else None,
            s3=endpoint,
            token_file=TOKEN_FILE,
        )
        asks = [*garage(host.address, self.host, self.capacity_gigabytes), HostItems(items=(bucket,))]
        if request.public_at:
            asks.append(WebSite(domain=request.public_at, routes=(Route(port=WEB_PORT),), headers=MEDIA_HEADERS))
        check = BucketWorks(
            application=place.application,
            host=place.host,
            endpoint=endpoint,
            region=REGION,
            bucket=request.name,
            key_id=key[0],
            key_secret=key[1],
            public_host=request.public_at,
        )
        return _provision(check, tuple(Ask(host=self.host, request=ask) for ask in asks))


class S3Policy(Written, Policy[ObjectBucket]):
    """Uses buckets that a provider of S3 has made already."""

    fulfils: ClassVar = ObjectBucket
    means: Literal["s3"] = "s3"
    """Any provider who speaks S3; the secret key is the secret s3/secret-key."""
    endpoint: HttpUrl = Field(description="The address of the S3 API.")
    region: Line = Field(description="The provider's region.")
    access_key: Line = Field(description="The id of the key.")
    prefix: str = Field(
        "", pattern=r"^[a-z0-9-]*$", description="What stands before an application's name in its bucket's."
    )
    media: dict[str, DomainName] = Field(
        default_factory=dict,
        description="By bucket, the host name under which everybody may read its objects.",
    )

    def provide(self, request: ObjectBucket, place: Place) -> Provision:
        name = self.prefix + request.name
        public = self.media.get(name)
        if request.public_at and not public:
            raise CannotFulfil(f"policies.bucket.media.{name}", f"is missing: {place.application} shows what is there")
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
        return _provision(check)


def _provision(check: BucketWorks, asks: tuple[Ask, ...] = ()) -> Provision:
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
    }
    return Provision(items=(), asks=asks, facts=facts, checks=(check,))


BucketPolicy = Annotated[GaragePolicy | S3Policy, Field(discriminator="means")]
