"""Lowers items into what travels to the agent: contents and images by their digest, secrets by their seal."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from fedikit.model.item import CONTENT_FIELDS, Content, Image, Item, Job, SecretText, Unit, content_of
from fedikit.model.value import digest_of
from fedikit.secrets import Vault
from fedikit.store import Images, StoredImage

Lowered = dict[str, Any]
SHORT = 16


@dataclass
class Freight:
    """The items of one host as the agent takes them, and what may have to be sent along."""

    host: str
    items: list[Lowered] = field(default_factory=list)
    contents: dict[str, bytes] = field(default_factory=dict)
    """Plain contents by SHA-256."""
    secrets: dict[str, str] = field(default_factory=dict, repr=False)
    """Secret contents by the item's id."""
    files: dict[str, int] = field(default_factory=dict)
    """The sizes of what the deployer's store holds, or fetches when it is needed, by SHA-256."""

    def size_of(self, sha256: str) -> int | None:
        """How much a content is to send, if it is known here."""
        return len(self.contents[sha256]) if sha256 in self.contents else self.files.get(sha256)


def lower(host: str, items: Sequence[Item], vault: Vault, images: Images | None = None) -> Freight:
    """Makes the freight of a host; raises SecretError if a secret is missing, StoreError if images are.

    `images`: where container images come from, the deployer's own store if not given.
    """
    freight = Freight(host)
    by_id: dict[str, Lowered] = {}
    wanted = [(item.reference, item.digest) for item in items if isinstance(item, Image)]
    stored = (images or Images()).wanted(wanted) if wanted else {}
    for item in items:
        lowered = _lower_one(item, vault, freight)
        if isinstance(item, Image):
            lowered |= _lower_image(stored[item.reference], freight)
        if isinstance(item, Unit):
            restart, reload = _digest(item.restart_on, by_id), _digest(item.reload_on, by_id)
            lowered["fingerprint"] = f"{restart}:{reload}"
        elif isinstance(item, Job):
            own = {key: lowered.get(key) for key in ("run", "user", "sha256", "seal")}
            lowered["fingerprint"] = digest_of([own, _digest(item.inputs, by_id)])[:SHORT]
        by_id[item.id] = lowered
        freight.items.append(lowered)
    return freight


def parts_of_images(items: Sequence[Lowered]) -> Iterator[tuple[str, str, list[str]]]:
    """Of each build of the images in lowered items: its name, its manifest, and all its parts."""
    for item in items:
        if item["kind"] == "image":
            for build in item["builds"].values() if "builds" in item else [item]:
                layers = [layer["sha256"] for layer in build["layers"]]
                yield item["reference"], build["manifest"], [build["manifest"], build["config"], *layers]


def _digest(ids: Sequence[str], by_id: dict[str, Lowered]) -> str:
    """What becomes another when one of the items does; an image's digest tells enough of it."""
    told = [{key: value for key, value in by_id[id].items() if key != "builds"} for id in ids]
    return digest_of(told)[:SHORT]


def _lower_image(image: StoredImage, freight: Freight) -> Lowered:
    """Each build: the host knows best which machine it is."""
    for build in image.builds.values():
        freight.files |= build.sizes
    return {"digest": image.digest, "builds": {name: build.as_record() for name, build in image.builds.items()}}


def _lower_one(item: Item, vault: Vault, freight: Freight) -> Lowered:
    content = content_of(item)
    lowered = item.model_dump(mode="json", exclude={*CONTENT_FIELDS.values(), "inputs"})
    lowered["id"] = item.id
    if content or (content is not None and item.kind == "file"):
        lowered |= _lower_content(item.id, content, vault, freight)
    return lowered


def _lower_content(name: str, content: Content, vault: Vault, freight: Freight) -> Lowered:
    if isinstance(content, SecretText):
        text = vault.text(content)
        freight.secrets[name] = text
        return {"seal": vault.seal(text, freight.host)}
    data = content.encode()
    digest = hashlib.sha256(data).hexdigest()
    freight.contents[digest] = data
    return {"sha256": digest}
