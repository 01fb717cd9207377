"""Items: the things on a host that fedikit can own, as they are wanted.

An item names what shall be, never how; the agent (`fedikit.agent`) knows how. The order in which a deployment
lists a host's items is the order in which they are made; they are removed in the reverse order.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from fedikit.model.item_kind import SHORT, BaseItem, ItemId
from fedikit.model.secret import Content, SecretRef, SecretText
from fedikit.model.stores import Bucket, Cluster, Database
from fedikit.model.value import (
    AbsolutePath,
    Argument,
    Digest,
    ImageReference,
    Line,
    Mode,
    Owner,
    PackageName,
    PackageVersion,
    Port,
    PublicKey,
    UnitFile,
    UnixName,
    UserText,
    Value,
    digest_of,
)


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
