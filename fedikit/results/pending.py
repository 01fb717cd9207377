"""What is pending on a host: newer packages, units that run old code, a reboot."""

from typing import Literal

from fedikit.model.value import Value


class NewerPackage(Value):
    """A package of which there is a newer version than is installed; `was` is empty where it comes along anew."""

    name: str
    was: str
    becomes: str
    security: bool = False
    """Whether it is there for security's sake, as Debian's archives tell."""


class Pending(Value):
    """What is pending on a host: newer packages, units that run old code, a reboot."""

    ours: tuple[NewerPackage, ...] = ()
    """Of what fedikit brought."""
    others: tuple[NewerPackage, ...] = ()
    """Of what it did not bring: it is named, and never touched."""
    told_by: Literal["deployer", "host", ""] = ""
    """Whose package lists say so; empty if nobody's are known."""
    units: tuple[str, ...] = ()
    """Fedikit's units that run code which is gone from the disk."""
    other_units: tuple[str, ...] = ()
    reboot: str = ""
    """Why the machine should reboot; empty if it need not."""
