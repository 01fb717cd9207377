"""The one table of what the lab runs in the place of each image that a recipe or a policy names.

Versions stand where the images are named; the lab reads them from there.
"""

from dataclasses import dataclass
from types import ModuleType
from typing import Any

from fedikit.catalogue.gotosocial import Gotosocial
from fedikit.catalogue.mastodon import Mastodon
from fedikit.catalogue.peertube import Peertube
from fedikit.catalogue.pixelfed import Pixelfed
from fedikit.errors import FedikitError
from fedikit.model import Application
from fedikit.policies import garage


@dataclass(frozen=True)
class Replacement:
    """An image of the lab's, and the one in whose place it runs."""

    machine: str
    """The machine of the lab that runs it."""
    owner: type[Application[Any]] | ModuleType
    attribute: str
    """What the owner calls the name of upstream's image."""
    repository: str
    application: str
    """What people call it."""
    module: str = ""
    """The contract module that stands in for it; none when it is the real thing, built here."""

    @property
    def image(self) -> str:
        """Upstream's image, with its tag."""
        name: str = getattr(self.owner, self.attribute)
        return name

    @property
    def reference(self) -> str:
        """The lab's own, with the same tag."""
        return f"{self.repository}:{self._tag}"

    @property
    def version(self) -> str:
        """Upstream's version in digits and dots."""
        return self._tag.removeprefix("v")

    @property
    def _tag(self) -> str:
        return self.image.rpartition(":")[2]


GARAGE = Replacement("garage", garage, "IMAGE", "built.lab/garage", "Garage")
STAND_INS = (
    Replacement("gotosocial", Gotosocial, "image", "contract.lab/gotosocial", "GoToSocial", "gotosocial"),
    Replacement("mastodon", Mastodon, "image", "contract.lab/mastodon", "Mastodon", "mastodon"),
    Replacement(
        "mastodon",
        Mastodon,
        "streaming_image",
        "contract.lab/mastodon-streaming",
        "Mastodon streaming",
        "mastodon_streaming",
    ),
    Replacement("peertube", Peertube, "image", "contract.lab/peertube", "PeerTube", "peertube"),
    Replacement("pixelfed", Pixelfed, "image", "contract.lab/pixelfed", "Pixelfed", "pixelfed"),
)
REPLACEMENTS = (GARAGE, *STAND_INS)


def replacement(reference: str) -> Replacement:
    """What the lab calls by that reference; raises FedikitError with all that it knows."""
    known = {one.reference: one for one in REPLACEMENTS}
    if reference not in known:
        raise FedikitError(f"the lab builds no image called {reference!r}", hint=f"it builds {', '.join(known)}")
    return known[reference]
