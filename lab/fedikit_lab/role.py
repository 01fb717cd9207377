"""What makes a machine of the lab more than a usual one."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Role:
    """What is put into a machine's base image, and what into the machine itself."""

    packages: tuple[str, ...] = ()
    """Those of its base image beside the usual ones."""
    recipe: str = ""
    """What `finish` does, told from all else: another recipe is another base image."""
    finish: Callable[[Path], None] | None = None
    """Puts more into the tree of the base image, once."""
    furnish: Callable[[Path], None] | None = None
    """Puts more into the machine's own read-only layer, each time before it boots."""

    @property
    def base(self) -> tuple[tuple[str, ...], str]:
        """What tells its base image from others."""
        return self.packages, self.recipe


USUAL = Role()
