"""Which container images the lab runs: Garage built here, and contract images in the place of the applications'.

With FEDIKIT_LAB_IMAGES=upstream the lab runs what the recipes name, fetched from their registries as anywhere else.
"""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from fedikit.catalogue import gotosocial, mastodon, peertube, pixelfed
from fedikit.errors import FedikitError
from fedikit.events import Tell
from fedikit.policies import garage
from fedikit.store import Images
from fedikit_lab.images import is_built, lab_image, title_of
from fedikit_lab.requirements import require_image_tools

CHOICE = "FEDIKIT_LAB_IMAGES"
_STAND_INS = {
    garage.IMAGE: "built.lab/garage",
    gotosocial.Gotosocial.image: "contract.lab/gotosocial",
    mastodon.Mastodon.image: "contract.lab/mastodon",
    mastodon.Mastodon.streaming_image: "contract.lab/mastodon-streaming",
    peertube.Peertube.image: "contract.lab/peertube",
    pixelfed.Pixelfed.image: "contract.lab/pixelfed",
}
_OF_MACHINES = {
    "garage": (garage.IMAGE,),
    "gotosocial": (gotosocial.Gotosocial.image,),
    "mastodon": (mastodon.Mastodon.image, mastodon.Mastodon.streaming_image),
    "peertube": (peertube.Peertube.image,),
    "pixelfed": (pixelfed.Pixelfed.image,),
}


@dataclass(frozen=True, kw_only=True)
class Supply:
    """An image that the lab can run, in the place of the one that a recipe names."""

    recipe: str
    reference: str
    title: str
    """What it says that it is; nothing is known of an image of upstream's that is not there."""
    is_there: bool
    """Whether the deployer's store has it, as it would be built today."""


def supplies() -> list[Supply]:
    """All images that the lab can run."""
    return [_supply_of(image, Images()) for image in _STAND_INS]


def mirrors() -> Mapping[str, str]:
    """For the repositories that recipes name, those that the lab takes images from."""
    if _is_upstreams():
        return {}
    return {image.rpartition(":")[0]: stand_in for image, stand_in in _STAND_INS.items()}


def supply_images(machines: Iterable[str], *, tell: Tell) -> None:
    """Sees to it that the deployer's store has what machines of these names run; builds it when it is first needed."""
    if _is_upstreams():
        return
    for machine in machines:
        for image in _OF_MACHINES.get(machine, ()):
            _supply(_stand_in(image), tell)


def supply_all(*, tell: Tell) -> None:
    """Builds every image that the lab runs; raises one error for all that cannot be built."""
    failed: list[FedikitError] = []
    for image in supplies() if not _is_upstreams() else ():
        try:
            _supply(image.reference, tell)
        except FedikitError as error:
            failed.append(error)
    if failed:
        messages, hints = (dict.fromkeys(words) for words in zip(*((e.message, e.hint) for e in failed), strict=True))
        raise FedikitError("\n".join(messages), hint="; ".join(filter(None, hints)))


def _is_upstreams() -> bool:
    return os.environ.get(CHOICE) == "upstream"


def _stand_in(image: str) -> str:
    """What the lab runs for an image that a recipe names."""
    return f"{_STAND_INS[image]}:{image.rpartition(':')[2]}"


def _supply_of(image: str, images: Images) -> Supply:
    if _is_upstreams():
        known = images.find(image)
        return Supply(recipe=image, reference=image, title=known.title if known else "", is_there=known is not None)
    name = _stand_in(image)
    is_there = is_built(name) and _is_known(name, lab_image(name), images)
    return Supply(recipe=image, reference=name, title=title_of(name), is_there=is_there)


def _supply(name: str, tell: Tell) -> None:
    images = Images()
    if not is_built(name):
        require_image_tools()
    layout = lab_image(name, tell=tell)
    if not _is_known(name, layout, images):
        require_image_tools()
        images.add(name, layout, tell)


def _is_known(name: str, layout: Path, images: Images) -> bool:
    known = images.find(name)
    return known is not None and known.is_called(_digest(layout))


def _digest(layout: Path) -> str:
    """By which the one image of a layout is called."""
    index = json.loads((layout / "index.json").read_text())
    digest: str = index["manifests"][0]["digest"]
    return digest
