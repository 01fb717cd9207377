"""Locks: exactly which images and packages a deployment is made of, so that it is made of the same ones anywhere."""

from typing import Annotated

from pydantic import Field

from fedikit.model.item import Image, Item, Package
from fedikit.model.value import Digest, HostName, ImageReference, PackageName, Value

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class LockedPackage(Value):
    """One version of a Debian package, and where it was found."""

    version: str
    architecture: str
    sha256: Sha256
    size: Annotated[int, Field(ge=0)]
    uri: str
    file_name: str


class Lock(Value):
    """What `fedikit lock` wrote down."""

    images: dict[ImageReference, Digest] = Field(default_factory=dict)
    packages: dict[HostName, dict[PackageName, LockedPackage]] = Field(default_factory=dict)
    """By host, the packages that are asked for there and all that they depend on."""

    def lacks(self, host: str, item: Item) -> bool:
        """Whether it should say something of an item, and does not."""
        match item:
            case Image():
                return item.reference not in self.images
            case Package():
                return item.name not in self.packages.get(host, {})
            case _:
                return False

    def applied(self, host: str, item: Item) -> Item:
        """The item in exactly the version that is locked."""
        match item:
            case Image():
                return item.model_copy(update={"digest": self.images[item.reference]})
            case Package():
                return item.model_copy(update={"version": self.packages[host][item.name].version})
            case _:
                return item
