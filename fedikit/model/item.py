"""Items: the things on a host that fedikit can own, as they are wanted.

An item names what shall be, never how; the agent (`fedikit.agent`) knows how. The order in which a deployment
lists a host's items is the order in which they are made; they are removed in the reverse order.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from fedikit.model.value import (
    AbsolutePath,
    Argument,
    BucketName,
    DatabaseName,
    Digest,
    DomainName,
    HostName,
    HttpUrl,
    ImageReference,
    Line,
    Mode,
    Owner,
    PackageName,
    PackageVersion,
    Port,
    PublicKey,
    SecretName,
    UnitFile,
    UnixName,
    UserText,
    Value,
    digest_of,
)

SecretFormat = Literal[
    "password",
    "hex32",
    "hex64",
    "hex128",
    "letters32",
    "laravel-key",
    "vapid-private",
    "vapid-public",
    "garage-key-id",
    "garage-key-secret",
    "garage-node-id",
    "garage-node-key",
]


class SecretRef(Value):
    """Stands for a secret, derived or given by the operator, that is filled in only on its way to the host."""

    name: SecretName
    """Its label, such as `snac/initial-user`; the same label always yields the same secret."""
    format: SecretFormat = "password"
    """password: 24 letters and digits; hex32, hex64, hex128: that many hexadecimal digits; letters32: that many letters
    and digits; the others as the software that they are named after wants them."""
    version: Annotated[int, Field(ge=1)] = 1
    """Raised to rotate the secret."""
    permanent: bool = False
    """Data is lost, or strangers' trust, if it ever changes: its version cannot be raised."""
    given: bool = False
    """Somebody else made it, and the environment says where it is; it cannot be derived."""
    family: str = ""
    """What it and its like are called together: under this name all may be given, or rotated, at once. A master key
    from before they were told apart derives one for all from it."""
    alone: bool = False
    """It was rotated under its own name, so that every master key derives it apart from its family."""


class SecretText(Value):
    """Text with secrets in it. Its length and contents never show in a plan, event, log or ledger."""

    parts: tuple[str | SecretRef, ...]


Content = str | SecretText
ItemId = Annotated[
    str, Field(pattern=r"^(package|file|directory|symlink|user|unit|job|image|database|bucket|cluster|firewall):.+$")
]


SHORT = 16
"""How many digits of a digest tell things apart that are compared with their like."""


class BaseItem(Value):
    """What all kinds have in common. What must be known of a kind elsewhere is said by its class, and asked of that.

    content_field       the field that holds its content, which travels apart from the item
    is_text             its content is a text for people: an empty one counts, plans show it, editions of it are kept
    is_told_together    a plan tells of all of them together
    has_image           it is a container image
    is_store            it bears data that its application knows by its name, on whichever host
    may_bear_data       it may bear data
    may_be_a_providers  if no host has it any more, a provider of the application may
    goes_by_last_part   it moves along with what it lies in, and is known by the last part of its name then
    is_served           users lose something when it leaves a host before it has come to another
    """

    content_field: ClassVar[str] = ""
    is_text: ClassVar[bool] = False
    is_told_together: ClassVar[bool] = False
    has_image: ClassVar[bool] = False
    is_store: ClassVar[bool] = False
    may_bear_data: ClassVar[bool] = False
    may_be_a_providers: ClassVar[bool] = False
    goes_by_last_part: ClassVar[bool] = False
    is_served: ClassVar[bool] = False

    @property
    def is_spread(self) -> bool:
        """Whether it says what other hosts keep too."""
        return False

    @property
    def watched(self) -> tuple[str, ...]:
        """The ids of the items whose change this item answers to."""
        return ()

    @property
    def package(self) -> str:
        """The Debian package that it is."""
        return ""

    @property
    def unit(self) -> str:
        """The unit of systemd's that it is, which has a journal."""
        return ""

    @property
    def image(self) -> tuple[str, str | None] | None:
        """The container image that it is: its reference, and its digest if that is fixed."""
        return None

    def fingerprint(self, own: Mapping[str, Any], digest: Callable[[Sequence[str]], str]) -> str:
        """What becomes another when it is to be acted upon anew; empty where there is nothing to be done but to be.

        `own`: the item as it travels; `digest`: of items that come before it.
        """
        return ""

    @classmethod
    def plain_name(cls, name: str) -> str:
        """What people call it, by the name in its id."""
        return name


class Package(BaseItem):
    """A Debian package, with what it depends on."""

    kind: Literal["package"] = "package"
    is_told_together: ClassVar[bool] = True
    name: PackageName
    version: PackageVersion | None = None
    """Exactly this version; any version holds if absent."""

    @property
    def id(self) -> str:
        return f"package:{self.name}"

    @property
    def package(self) -> str:
        return self.name


class File(BaseItem):
    """A regular file. What was there before is restored when the item leaves."""

    kind: Literal["file"] = "file"
    content_field: ClassVar[str] = "content"
    is_text: ClassVar[bool] = True
    path: AbsolutePath
    content: Content
    mode: Mode = "0644"
    owner: Owner = "root"
    group: Owner = "root"

    @property
    def id(self) -> str:
        return f"file:{self.path}"


class Directory(BaseItem):
    """A directory; its parents exist already or are items too."""

    kind: Literal["directory"] = "directory"
    may_bear_data: ClassVar[bool] = True
    goes_by_last_part: ClassVar[bool] = True
    path: AbsolutePath
    mode: Mode = "0755"
    owner: Owner = "root"
    group: Owner = "root"
    data: bool = False
    """It bears data: kept, and reported as kept, when it leaves the configuration, unless purged."""

    @property
    def id(self) -> str:
        return f"directory:{self.path}"


class Symlink(BaseItem):
    """A symbolic link."""

    kind: Literal["symlink"] = "symlink"
    path: AbsolutePath
    target: Annotated[Line, Field(min_length=1)]

    @property
    def id(self) -> str:
        return f"symlink:{self.path}"


class User(BaseItem):
    """A user of the host, with a group of the same name."""

    kind: Literal["user"] = "user"
    name: UnixName
    comment: UserText = ""
    home: AbsolutePath | None = None
    """`/home/NAME` if absent; created if it does not exist."""
    shell: AbsolutePath = "/bin/bash"
    groups: tuple[UnixName, ...] = ()
    """Further groups, which must exist."""
    system: bool = False
    authorized_keys: tuple[PublicKey, ...] = ()
    """OpenSSH public keys that may log in; the user's whole authorized_keys file if any are given."""

    @property
    def id(self) -> str:
        return f"user:{self.name}"


class Unit(BaseItem):
    """A systemd unit's state. Its file, if we bring one, is a File item."""

    kind: Literal["unit"] = "unit"
    is_served: ClassVar[bool] = True
    name: UnitFile
    enabled: bool = True
    active: bool = True
    restart_on: tuple[ItemId, ...] = ()
    """Items whose change restarts the unit."""
    reload_on: tuple[ItemId, ...] = ()
    """Items whose change reloads the unit (or restarts it, where it cannot reload)."""

    @property
    def id(self) -> str:
        return f"unit:{self.name}"

    @property
    def unit(self) -> str:
        return self.name

    @property
    def watched(self) -> tuple[str, ...]:
        return self.restart_on + self.reload_on

    def fingerprint(self, own: Mapping[str, Any], digest: Callable[[Sequence[str]], str]) -> str:
        return f"{digest(self.restart_on)}:{digest(self.reload_on)}"


class Job(BaseItem):
    """A command that runs once, and again only when its inputs change."""

    kind: Literal["job"] = "job"
    content_field: ClassVar[str] = "stdin"
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9 ._/-]*$")]
    run: Annotated[tuple[Argument, ...], Field(min_length=1)]
    """The command, not a shell line. Never holds a secret: command lines are public on a host."""
    check: tuple[Argument, ...] = ()
    """Exits with 0 when the job's effect is there already; gets the same standard input; changes nothing."""
    undo: tuple[Argument, ...] = ()
    """Takes the effect back when the job leaves."""
    stdin: Content = ""
    user: UnixName = "root"
    inputs: tuple[ItemId, ...] = ()
    """Items whose change makes the job run again, besides its own fields."""
    deadline: Annotated[int, Field(ge=1, le=86400)] = 120
    """Seconds the command may take."""

    @property
    def id(self) -> str:
        return f"job:{self.name}"

    @property
    def watched(self) -> tuple[str, ...]:
        return self.inputs

    def fingerprint(self, own: Mapping[str, Any], digest: Callable[[Sequence[str]], str]) -> str:
        told = {key: own.get(key) for key in ("run", "user", "sha256", "seal")}
        return digest_of([told, digest(self.inputs)])[:SHORT]


class Image(BaseItem):
    """A container image in the host's container store (Podman's)."""

    kind: Literal["image"] = "image"
    has_image: ClassVar[bool] = True
    reference: ImageReference
    """Its whole name with its tag, such as `docker.io/dxflrs/garage:v2.5.0`."""
    digest: Digest | None = None
    """Exactly this manifest, as a lock says; what the deployer's store has under the reference if absent."""

    @property
    def id(self) -> str:
        return f"image:{self.reference}"

    @property
    def image(self) -> tuple[str, str | None] | None:
        return self.reference, self.digest


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


class Firewall(BaseItem):
    """What of a host can be reached from elsewhere, by a table of nftables that is fedikit's own.

    It comes into force only when the deployer has reached the host once more since, over a connection made anew.
    """

    kind: Literal["firewall"] = "firewall"
    content_field: ClassVar[str] = "rules"
    is_text: ClassVar[bool] = True
    rules: Annotated[str, Field(min_length=1)]
    """The whole file that `nft` loads: it replaces the table `inet fedikit`, and touches no other."""
    ports: tuple[Annotated[str, Field(pattern=r"^(tcp|udp)/[0-9]{1,5}$")], ...] = ()
    """What the rules let in from anywhere at all, as PROTOCOL/PORT: a plan names what listens at others."""
    ssh_port: Port = 22
    """The port at which SSH is let in."""
    confirm_seconds: Annotated[int, Field(ge=5, le=600)] = 60
    """How long the deployer may take to reach the host anew; then the rules from before are back in force."""

    @property
    def id(self) -> str:
        return "firewall:fedikit"


Item = Annotated[
    Package | File | Directory | Symlink | User | Unit | Job | Image | Database | Bucket | Cluster | Firewall,
    Field(discriminator="kind"),
]


CLASSES: dict[str, type[BaseItem]] = {
    cls.model_fields["kind"].default: cls
    for cls in (Package, File, Directory, Symlink, User, Unit, Job, Image, Database, Bucket, Cluster, Firewall)
}
"""The class of each kind of item."""


def class_of(identity: str) -> type[BaseItem]:
    """The class of the item with that id; what all have in common if there is none of that kind."""
    return CLASSES.get(identity.partition(":")[0], BaseItem)


def content_of(item: BaseItem) -> Content | None:
    """What an item carries: a file's text, a job's standard input, what opens a database or a bucket, nodes' ids."""
    return getattr(item, item.content_field) if item.content_field else None


def secrets_in(items: Iterable[Item]) -> tuple[SecretRef, ...]:
    """The secrets in what items carry, each once; a pair of keys is two of the same name."""
    texts = [content for item in items if isinstance(content := content_of(item), SecretText)]
    return tuple(dict.fromkeys(part for text in texts for part in text.parts if isinstance(part, SecretRef)))


class Items(Value):
    """The wanted state of one host, in the order in which it is made."""

    items: tuple[Item, ...]

    @model_validator(mode="after")
    def _ids_are_unique_and_watched_items_come_first(self) -> "Items":
        seen: set[str] = set()
        for item in self.items:
            if item.id in seen:
                raise ValueError(f"{item.id} is listed twice")
            for watched in item.watched:
                if watched not in seen:
                    raise ValueError(f"{item.id} watches {watched}, which is not listed before it")
            seen.add(item.id)
        return self
