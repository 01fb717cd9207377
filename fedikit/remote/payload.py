"""Encodes items into what travels to the agent: contents and images by their digest, secrets by their seal."""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from fedikit.model.host import HostState
from fedikit.model.item import Item, content_of, secrets_in
from fedikit.model.item_kind import SHORT
from fedikit.model.secret import Content, SecretText
from fedikit.model.value import digest_of
from fedikit.results.identity import ADDRESS, DOMAIN, MASTER_KEY, SECRET, USER
from fedikit.secrets import Vault

if TYPE_CHECKING:
    from fedikit.store import Images, StoredImage

Encoded = dict[str, Any]


@dataclass
class Payload:
    """The items of one host as the agent takes them, and what may have to be sent along."""

    host: str
    items: list[Encoded] = field(default_factory=list)
    contents: dict[str, bytes] = field(default_factory=dict)
    """Plain contents by SHA-256."""
    secrets: dict[str, str] = field(default_factory=dict, repr=False)
    """Secret contents by the item's id."""
    files: dict[str, int] = field(default_factory=dict)
    """The sizes of what the deployer's store holds, or fetches when it is needed, by SHA-256."""

    def size_of(self, sha256: str) -> int | None:
        """How much a content is to send, if it is known here."""
        return len(self.contents[sha256]) if sha256 in self.contents else self.files.get(sha256)


def encode(host: str, items: Sequence[Item], vault: Vault, images: "Images | None" = None) -> Payload:
    """Makes the payload of a host; raises SecretError if a secret is missing, StoreError if images are.

    `images`: where container images come from, the deployer's own store if not given.
    """
    payload = Payload(host)
    by_id: dict[str, Encoded] = {}
    wanted = [item.image for item in items if item.image]
    stored = (images or _images_of_this_deployer()).wanted(wanted) if wanted else {}
    for item in items:
        encoded = _encode_one(item, vault, payload)
        if item.image:
            encoded |= _encode_image(stored[item.image[0]], payload)
        if fingerprint := item.fingerprint(encoded, lambda ids: _digest(ids, by_id)):
            encoded["fingerprint"] = fingerprint
        by_id[item.id] = encoded
        payload.items.append(encoded)
    return payload


def _images_of_this_deployer() -> "Images":
    from fedikit.store import Images  # few deployments have any

    return Images()


def without_images(items: Sequence[Item]) -> tuple[Item, ...]:
    """Those that are no container image, and watch none, nor what does."""
    left_out: set[str] = set()
    for item in items:
        if item.has_image or not left_out.isdisjoint(item.watched):
            left_out.add(item.id)
    return tuple(item for item in items if item.id not in left_out)


def parts_of_images(items: Sequence[Encoded]) -> Iterator[tuple[str, str, list[str]]]:
    """Of each build of the images in encoded items: its name, its manifest, and all its parts."""
    for item in items:
        for build in item["builds"].values() if "builds" in item else ():
            layers = [layer["sha256"] for layer in build["layers"]]
            yield item["reference"], build["manifest"], [build["manifest"], build["config"], *layers]


def _digest(ids: Sequence[str], by_id: dict[str, Encoded]) -> str:
    """What becomes another when one of the items does; an image's digest tells enough of it."""
    told = [{key: value for key, value in by_id[id].items() if key not in ("builds", "spans")} for id in ids]
    return digest_of(told)[:SHORT]


def _encode_image(image: "StoredImage", payload: Payload) -> Encoded:
    """Each build: the host knows best which machine it is."""
    for build in image.builds.values():
        payload.files |= build.sizes
    return {"digest": image.digest, "builds": {name: build.as_record() for name, build in image.builds.items()}}


def _encode_one(item: Item, vault: Vault, payload: Payload) -> Encoded:
    content = content_of(item)
    encoded = item.model_dump(mode="json", exclude={item.content_field, "inputs"})
    encoded["id"] = item.id
    if content or (content is not None and item.is_text):
        encoded |= _encode_content(item.id, content, vault, payload)
    return encoded


def _encode_content(name: str, content: Content, vault: Vault, payload: Payload) -> Encoded:
    if isinstance(content, SecretText):
        text = vault.text(content)
        payload.secrets[name] = text
        return {"seal": vault.seal(text, payload.host), "spans": _spans(content, vault)}
    data = content.encode()
    digest = hashlib.sha256(data).hexdigest()
    payload.contents[digest] = data
    return {"sha256": digest}


def _spans(content: SecretText, vault: Vault) -> list[list[int]]:
    """Where secrets begin and end in a text, in characters: by that a host can take them out of what it shows."""
    spans, at = [], 0
    for part in content.parts:
        length = len(part if isinstance(part, str) else vault.value(part))
        if not isinstance(part, str):
            spans.append([at, at + length])
        at += length
    return spans


def resting_if_closed(state: HostState) -> dict[str, list[str]]:
    """By application with data, the ids of what is neither started nor run on a host where it is closed."""
    return {
        name: [*(f"unit:{unit}" for unit in data.stop), *(f"job:{job}" for job in data.jobs)]
        for name, data in state.data.items()
        if data.stop or data.jobs
    }


class Closing(NamedTuple):
    """What hosts close before they make anything of it: by which migration, and by host which applications."""

    migration: str
    applications: Mapping[str, Collection[str]]

    def on(self, host: str, state: HostState) -> dict[str, Encoded]:
        """By application, what one host is to note of it."""
        coming = {name: state.data[name] for name in self.applications.get(host, ())}
        return {
            name: {"migration": self.migration, "units": list(data.stop), "domains": list(data.domains)}
            for name, data in coming.items()
        }


def identity_of(state: HostState, vault: Vault) -> dict[str, str]:
    """What a host's deployment is known by: domains, initial users, permanent secrets, and the key of all others."""
    identity = {f"{DOMAIN}{application}": domain for application, domain in state.domains.items()}
    identity |= {f"{USER}{application}": account.username for application, account in state.accounts.items()}
    identity |= {f"{ADDRESS}{application}": account.email for application, account in state.accounts.items()}
    if state.items and vault.has_master:
        identity[MASTER_KEY] = vault.identity_of(MASTER_KEY)
    permanent = [secret for secret in secrets_in(state.items) if secret.permanent]
    return identity | {f"{SECRET}{secret.name}": vault.identity_of(vault.value(secret)) for secret in permanent}
