"""Locks: exactly which images and packages a deployment is made of, so that it is made of the same ones anywhere."""

from typing import Annotated, Any

from pydantic import Field, model_validator

from fedikit.model.document import parse_json
from fedikit.model.item import Image, Item, Package
from fedikit.model.value import Digest, HostName, ImageReference, PackageName, PackageVersion, Value

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_FORMERLY = {"architecture", "size", "uri", "file_name"}


class LockedPackage(Value):
    """One version of a Debian package. Where it is found is said by Debian's signed lists, never by a lock."""

    version: PackageVersion
    sha256: Sha256

    @model_validator(mode="before")
    @classmethod
    def _without_its_former_place(cls, given: Any) -> Any:
        """Older locks said where a file was, which is no longer believed."""
        return (
            {key: value for key, value in given.items() if key not in _FORMERLY} if isinstance(given, dict) else given
        )


class Lock(Value):
    """What `fedikit lock` wrote down."""

    images: dict[ImageReference, Digest] = Field(default_factory=dict)
    packages: dict[HostName, dict[PackageName, LockedPackage]] = Field(default_factory=dict)
    """By host, the packages that are asked for there and all that they depend on."""

    @classmethod
    def parse(cls, text: str) -> "Lock":
        """What a lock's text says; raises Malformed for what is no JSON, or says a thing twice, or ValidationError."""
        return cls.model_validate(parse_json(text))

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
