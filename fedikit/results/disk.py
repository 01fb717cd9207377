"""Disks, as values."""

from fedikit.model.value import Value


class Disk(Value):
    """A disk; in bytes."""

    size: int
    free: int

    @property
    def used(self) -> int:
        return self.size - self.free
