"""Lowers items into what travels to the agent: contents by their digest, secrets by their seal."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from fedikit.model.item import Content, Item, Job, SecretText, Unit
from fedikit.model.value import digest_of
from fedikit.secrets import Vault

Lowered = dict[str, Any]
SHORT = 16


@dataclass
class Freight:
    """The items of one host as the agent takes them, and what may have to be sent along."""

    items: list[Lowered] = field(default_factory=list)
    contents: dict[str, bytes] = field(default_factory=dict)
    """Plain contents by SHA-256."""
    secrets: dict[str, str] = field(default_factory=dict, repr=False)
    """Secret contents by the item's id."""


def lower(items: Sequence[Item], vault: Vault) -> Freight:
    """Makes the freight of a host; raises SecretError if a secret is missing."""
    freight = Freight()
    by_id: dict[str, Lowered] = {}
    for item in items:
        lowered = _lower_one(item, vault, freight)
        if isinstance(item, Unit):
            restart, reload = _digest(item.restart_on, by_id), _digest(item.reload_on, by_id)
            lowered["fingerprint"] = f"{restart}:{reload}"
        elif isinstance(item, Job):
            own = {key: lowered.get(key) for key in ("run", "user", "sha256", "seal")}
            lowered["fingerprint"] = digest_of([own, _digest(item.inputs, by_id)])[:SHORT]
        by_id[item.id] = lowered
        freight.items.append(lowered)
    return freight


def _digest(ids: Sequence[str], by_id: dict[str, Lowered]) -> str:
    return digest_of([by_id[id] for id in ids])[:SHORT]


def _lower_one(item: Item, vault: Vault, freight: Freight) -> Lowered:
    content = item.content if item.kind == "file" else item.stdin if item.kind == "job" else None
    lowered = item.model_dump(mode="json", exclude={"content", "stdin", "inputs"})
    lowered["id"] = item.id
    if item.kind == "file" or content:
        assert content is not None
        lowered |= _lower_content(item.id, content, vault, freight)
    return lowered


def _lower_content(name: str, content: Content, vault: Vault, freight: Freight) -> Lowered:
    if isinstance(content, SecretText):
        text = vault.text(content)
        freight.secrets[name] = text
        return {"seal": vault.seal(text)}
    data = content.encode()
    digest = hashlib.sha256(data).hexdigest()
    freight.contents[digest] = data
    return {"sha256": digest}
