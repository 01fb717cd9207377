"""Which container images the lab runs: Garage built here, and contract images in the place of the applications'.

With FEDIKIT_LAB_IMAGES=upstream the lab runs what the recipes name, fetched from their registries as anywhere else.
"""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from fedikit.catalogue import mastodon, peertube, pixelfed
from fedikit.events import Tell
from fedikit.lab.images import lab_image
from fedikit.model import garage
from fedikit.store import Images

CHOICE = "FEDIKIT_LAB_IMAGES"
_STAND_INS = {
    garage.IMAGE: "built.lab/garage",
    mastodon.IMAGE: "contract.lab/mastodon",
    mastodon.STREAMING_IMAGE: "contract.lab/mastodon-streaming",
    peertube.IMAGE: "contract.lab/peertube",
    pixelfed.IMAGE: "contract.lab/pixelfed",
}
_OF_MACHINES = {
    "garage": (garage.IMAGE,),
    "mastodon": (mastodon.IMAGE, mastodon.STREAMING_IMAGE),
    "peertube": (peertube.IMAGE,),
    "pixelfed": (pixelfed.IMAGE,),
}


def mirrors() -> Mapping[str, str]:
    """For the repositories that recipes name, those that the lab takes images from."""
    if os.environ.get(CHOICE) == "upstream":
        return {}
    return {image.rpartition(":")[0]: stand_in for image, stand_in in _STAND_INS.items()}


def supply_images(machines: Iterable[str], *, tell: Tell) -> None:
    """Sees to it that the deployer's store has what machines of these names run; builds it when it is first needed."""
    wanted = [image for machine in machines for image in _OF_MACHINES.get(machine, ())] if mirrors() else []
    images = Images()
    for image in wanted:
        name = f"{_STAND_INS[image]}:{image.rpartition(':')[2]}"
        layout = lab_image(name, tell=tell)
        known = images.find(name)
        if not (known and known.is_called(_digest(layout))):
            images.add(name, layout, tell)


def _digest(layout: Path) -> str:
    """By which the one image of a layout is called."""
    index = json.loads((layout / "index.json").read_text())
    digest: str = index["manifests"][0]["digest"]
    return digest
