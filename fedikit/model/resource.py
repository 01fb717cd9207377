"""Resources: databases, caches, buckets and mail relays that an application asks for.

What the policy knows of one, such as its host, is an attribute of the request: it stands for the fact until told.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from fedikit.model.permission import Shown
from fedikit.model.text import FactReference
from fedikit.model.value import BucketName, DatabaseName, DomainName, Line, ObjectKey, Port, Value

LocalName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,62}$")]


class Resource(Value):
    """What every resource has."""

    kind: str
    FACTS: ClassVar[tuple[str, ...]]
    """What its policy tells of it."""

    @property
    def label(self) -> str:
        """By which texts refer to it."""
        return f"{self.kind} {getattr(self, 'name', '')}".rstrip()

    def told(self, fact: str, words: dict[str, str] | None = None) -> FactReference:
        """Stands for a fact."""
        return FactReference(resource=self.label, fact=fact, words=words or {})


class _Served(Resource):
    """Something that answers at a host and a port."""

    @property
    def host(self) -> FactReference:
        return self.told("host")

    @property
    def port(self) -> FactReference:
        return self.told("port")

    @property
    def user(self) -> FactReference:
        return self.told("user")

    @property
    def password(self) -> FactReference:
        return self.told("password")


class PostgresDatabase(_Served):
    """A PostgreSQL database in UTF-8, with a user of the same name who owns it."""

    FACTS: ClassVar = ("host", "port", "user", "password", "encrypted")

    kind: Literal["postgresql"] = "postgresql"
    name: DatabaseName
    """Its name, and its user's."""
    extensions: tuple[Line, ...] = ()
    """Extensions that shall be in it."""
    collation: Line = "C.UTF-8"
    """The locale by which it sorts and tells letters."""
    connections: Annotated[int, Field(ge=1)] = 20
    """How many connections the application may open at the same time."""

    def if_encrypted(self, yes: str, no: str) -> FactReference:
        """One word where the server takes encrypted connections only, another where it is on the same host."""
        return self.told("encrypted", {"yes": yes, "no": no})


class MariaDatabase(_Served):
    """A MariaDB database in UTF-8 (utf8mb4), with a user of the same name who owns it."""

    FACTS: ClassVar = ("host", "port", "user", "password")

    kind: Literal["mariadb"] = "mariadb"
    name: DatabaseName
    """Its name, and its user's."""
    collation: Line = "utf8mb4_unicode_ci"
    """By which it sorts and compares."""


class Cache(_Served):
    """A server that speaks the protocol of Redis, of the application's own. It keeps what it holds over a restart."""

    FACTS: ClassVar = ("host", "port", "password")

    kind: Literal["cache"] = "cache"
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")]
    """Its name."""
    at: Port | FactReference
    """The port at 127.0.0.1 at which it answers."""
    max_megabytes: Annotated[int, Field(ge=1)] | None = None
    """Memory that it may take; as much as it likes if absent."""


class ObjectBucket(Resource):
    """A bucket for objects (S3), with a key that may read and write it."""

    FACTS: ClassVar = (
        *("endpoint", "endpoint-host", "encrypted", "region", "bucket", "key-id", "key-secret"),
        *("public-url", "public-host", "acl-public", "acl-private"),
    )

    kind: Literal["bucket"] = "bucket"
    name: BucketName
    """Its name."""
    public_at: DomainName | None = None
    """The media host: a domain of its own, under which everybody may read the objects; nobody may if absent."""
    shows: tuple[Shown, ...] = ()
    """Which of the objects are to be had there; all of them if none are named."""
    origins: tuple[Line, ...] = ("*",)
    """Web sites whose scripts may read them (CORS)."""
    max_gigabytes: Annotated[int, Field(ge=1)] | None = None
    """How much fits in."""
    leave_out: tuple[ObjectKey, ...] = ()
    """How the keys of objects begin that no backup holds: what the application can fetch or make anew."""

    @property
    def endpoint(self) -> FactReference:
        """The address of the S3 API, with its scheme; buckets are in the path."""
        return self.told("endpoint")

    @property
    def endpoint_host(self) -> FactReference:
        """The same without its scheme: for software that wants to know by another word whether it is encrypted."""
        return self.told("endpoint-host")

    def if_encrypted(self, yes: str, no: str) -> FactReference:
        """One word where the S3 API is spoken over HTTPS, another where it is not."""
        return self.told("encrypted", {"yes": yes, "no": no})

    @property
    def region(self) -> FactReference:
        return self.told("region")

    @property
    def bucket(self) -> FactReference:
        """What the bucket is called there."""
        return self.told("bucket")

    @property
    def key_id(self) -> FactReference:
        return self.told("key-id")

    @property
    def key_secret(self) -> FactReference:
        return self.told("key-secret")

    @property
    def public_url(self) -> FactReference:
        """What stands before an object's key in its public address, without a final slash."""
        return self.told("public-url")

    @property
    def public_host(self) -> FactReference:
        return self.told("public-host")

    @property
    def acl_public(self) -> FactReference:
        """The access list (ACL) of an object that everybody may read; nothing where the bucket knows none."""
        return self.told("acl-public")

    @property
    def acl_private(self) -> FactReference:
        """That of an object which only the application's key may read."""
        return self.told("acl-private")


class MailRelay(_Served):
    """A server that takes mail for delivery. Where the provider has none, mail is off."""

    FACTS: ClassVar = (*("host", "port", "user", "password", "sender", "encryption", "authentication", "enabled"),)

    kind: Literal["mail"] = "mail"
    sender_name: Annotated[str, Field(pattern=r"^[a-z0-9.+-]+$")] = "noreply"
    """What stands before the @ in the sender's address."""
    domain: DomainName
    """What stands after it."""
    needed_for: Line = ""
    """What does not work without mail; it is optional if empty."""
    encryptions: tuple[Literal["starttls", "tls", "none"], ...] = ("starttls", "tls", "none")
    """How it can protect the connection."""
    authentications: tuple[Literal["plain", "login", "cram-md5"], ...] = ("plain", "login", "cram-md5")
    """How it can sign in."""
    keeps_password: bool = False
    """It signs in at a relay elsewhere over an encrypted connection only."""

    @property
    def authentication(self) -> FactReference:
        """How the user signs in, as SASL names it in small letters; `none` if there is no user."""
        return self.told("authentication")

    @property
    def sender(self) -> FactReference:
        return self.told("sender")

    def if_enabled(self, yes: str, no: str) -> FactReference:
        """One word where there is mail, another where there is none."""
        return self.told("enabled", {"yes": yes, "no": no})

    def by_encryption(self, *, none: str, starttls: str, tls: str) -> FactReference:
        """A word for each way in which the connection is protected."""
        return self.told("encryption", {"none": none, "starttls": starttls, "tls": tls})


class LocalPort(Resource):
    """A port at which something of the application listens, most often at 127.0.0.1. The policy allots it."""

    FACTS: ClassVar = ("number",)

    kind: Literal["port"] = "port"
    name: LocalName
    """What listens there."""
    usually: Port | None = None
    """The one that upstream uses; any if absent."""

    @property
    def number(self) -> FactReference:
        return self.told("number")


class OtherServers(Resource):
    """What the provider says of the servers that applications speak with, and of the proxies before them."""

    FACTS: ClassVar = (
        *("ca-file", "certificates", "private-networks", "is-private"),
        *("proxies", "proxies-json"),
    )

    kind: Literal["other-servers"] = "other-servers"

    @property
    def ca_file(self) -> FactReference:
        """Where containers find the certificates that they trust; nothing if the well-known CAs are enough."""
        return self.told("ca-file")

    @property
    def private_networks(self) -> FactReference:
        """Networks whose servers may be spoken with though they are private, with commas between; often nothing."""
        return self.told("private-networks")

    def if_private(self, yes: str, no: str) -> FactReference:
        """One word where there are such networks, another where there is none."""
        return self.told("is-private", {"yes": yes, "no": no})

    @property
    def proxies(self) -> FactReference:
        """Networks whose word is taken for who a visitor is, with commas between: this host's, and a CDN's."""
        return self.told("proxies")

    @property
    def proxies_json(self) -> FactReference:
        """The same as a list in JSON."""
        return self.told("proxies-json")
