"""Items that keep what people made: databases, and buckets with the cluster of Garage that holds them."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from fedikit.model.item_kind import BaseItem
from fedikit.model.secret import Content, SecretRef, SecretText
from fedikit.model.value import AbsolutePath, BucketName, DatabaseName, DomainName, HostName, HttpUrl, Line, Value


class Database(BaseItem):
    """A database, and the one user who owns it. The server is a package, listed before."""

    kind: Literal["database"] = "database"
    content_field: ClassVar[str] = "password"
    is_store: ClassVar[bool] = True
    may_bear_data: ClassVar[bool] = True
    engine: Literal["postgresql", "mariadb"]
    name: DatabaseName
    user: DatabaseName
    password: SecretText
    collation: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.@-]+$")]
    """PostgreSQL: the locale, such as C.UTF-8; MariaDB: the collation, such as utf8mb4_unicode_ci. Encoded in UTF-8."""
    extensions: tuple[Annotated[str, Field(pattern=r"^[a-z0-9_-]+$")], ...] = ()
    """PostgreSQL's extensions in it."""
    clients: tuple[Annotated[str, Field(pattern=r"^[0-9a-fA-F.:]+$")], ...] = ()
    """IP addresses of other hosts from which the user connects (MariaDB keeps users by where they come from)."""
    data: Literal[True] = True
    """Kept, and reported as kept, when it leaves the configuration, unless purged."""

    @property
    def id(self) -> str:
        return f"database:{self.engine}/{self.name}"

    @classmethod
    def plain_name(cls, name: str) -> str:
        """Without the engine."""
        return name.rpartition("/")[2]


class Bucket(BaseItem):
    """A bucket of Garage on this host, with the one key that may use it."""

    kind: Literal["bucket"] = "bucket"
    content_field: ClassVar[str] = "access"
    is_store: ClassVar[bool] = True
    may_bear_data: ClassVar[bool] = True
    may_be_a_providers: ClassVar[bool] = True
    name: BucketName
    access: SecretText
    """The key's id and its secret, with a space between."""
    websites: tuple[DomainName, ...] = ()
    """Host names under which everybody may read its objects; nobody may if there is none."""
    origins: tuple[Annotated[str, Field(pattern=r"^(\*|https?://[A-Za-z0-9.:-]+)$")], ...] = ()
    """Web sites whose scripts may read its objects (CORS); `*` stands for all."""
    max_bytes: Annotated[int, Field(ge=1)] | None = None
    """How much fits in; as much as the disk holds if absent."""
    admin: HttpUrl = "http://127.0.0.1:3903"
    """Where Garage's admin API answers on this host."""
    s3: HttpUrl = "http://127.0.0.1:3900"
    """Where Garage's S3 API answers on this host."""
    region: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")] = "garage"
    """The region that Garage says it is in."""
    token_file: AbsolutePath = "/etc/garage/admin-token"  # noqa: S105 - the name of a file
    """The file on this host that holds the token for it."""
    data: Literal[True] = True
    """Kept, and reported as kept, when it leaves the configuration, unless purged."""

    @property
    def id(self) -> str:
        return f"bucket:{self.name}"


class Member(Value):
    """One host's node of a cluster of Garage."""

    host: HostName
    zone: HostName
    """Where it stands; copies of an object lie in different zones."""
    capacity: Annotated[int, Field(ge=1024)] | None = None
    """How many bytes of objects it keeps, in proportion to the others; none at all if absent (a gateway)."""
    id: SecretRef | Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    """The id of its node, by which the others know it; only this host's own may be missing."""
    address: Line = ""
    """Where its RPC answers, as ADDRESS:PORT."""


class Cluster(BaseItem):
    """The nodes among which this host's Garage spreads its objects."""

    kind: Literal["cluster"] = "cluster"
    content_field: ClassVar[str] = "nodes"
    host: HostName
    """This host."""
    members: tuple[Member, ...] = ()
    """All nodes, with this host's: on the first of their hosts. The others learn of them from there, and name none."""
    copies: Annotated[int, Field(ge=1, le=3)] = 1
    """How many copies of each object there are. Garage can never change it."""
    admin: HttpUrl = "http://127.0.0.1:3903"
    """Where Garage's admin API answers on this host."""
    token_file: AbsolutePath = "/etc/garage/admin-token"  # noqa: S105 - the name of a file
    """The file on this host that holds the token for it."""
    deadline: Annotated[int, Field(ge=1, le=24 * 3600)] = 24 * 3600
    """Seconds that it may take until all data is where it belongs."""

    @property
    def id(self) -> str:
        return "cluster:garage"

    @property
    def is_spread(self) -> bool:
        """Whether there are other hosts in it."""
        return len(self.members) > 1

    @property
    def nodes(self) -> Content:
        """By host, a line for each node that is known beforehand: how Garage reaches it."""
        known = [(member, member.id) for member in self.members if member.id]
        parts = [part for member, id in known for part in (f"{member.host} ", id, f"@{member.address}\n")]
        return SecretText(parts=tuple(parts)) if parts else ""
