"""Rotation: secrets at the versions that the environment names."""

from collections.abc import Iterable, Mapping

from fedikit.errors import Mistake
from fedikit.model.check import Check
from fedikit.model.data import ApplicationData, Part
from fedikit.model.item import Item, content_of
from fedikit.model.mistake import did_you_mean
from fedikit.model.secret import SecretRef, SecretText

Versions = Mapping[str, int]
SHARED = {"initial-user/password", "mail/password", "garage/rpc", "garage/admin-token", "s3/secret-key"}
SHARED |= {"backup/ssh-key", "backup/s3-secret", "backup/rest-password"}
"""Secrets that no application alone has, and that there may be or not."""


def rotated(item: Item, versions: Versions) -> Item:
    """The item with its secrets at these versions."""
    content = content_of(item)
    if not isinstance(content, SecretText):
        return item
    parts = tuple(_at(part, versions) if isinstance(part, SecretRef) else part for part in content.parts)
    if parts == content.parts:
        return item
    return item.model_copy(update={item.content_field: SecretText(parts=parts)})


def rotated_check(check: Check, versions: Versions) -> Check:
    """The check with its secrets at these versions."""
    secrets = {name: _at(value, versions) for name, value in check if isinstance(value, SecretRef)}
    return check.model_copy(update=secrets)


def rotated_data(data: ApplicationData, versions: Versions) -> ApplicationData:
    """What an application has, with the secrets that open it at these versions."""
    return data.model_copy(update={"parts": tuple(_rotated_part(part, versions) for part in data.parts)})


def _rotated_part(part: Part, versions: Versions) -> Part:
    secrets = {name: _at(value, versions) for name, value in part if isinstance(value, SecretRef)}
    return part.model_copy(update=secrets)


def misplaced_versions(used: Iterable[SecretRef], versions: Versions, resting: Iterable[str]) -> list[Mistake]:
    """Versions of secrets that there are none of, or that must never change.

    `resting` are applications that are not enabled: their secrets are not known now, and may have versions.
    """
    permanent = {secret.name for secret in used if secret.permanent}
    known = {secret.name for secret in used}
    unknown = {name for name in versions.keys() - known - SHARED if name.split("/")[0] not in set(resting)}
    mistakes = [Mistake(_path(name), f"is no secret here{did_you_mean(name, sorted(known))}") for name in unknown]
    changed = [name for name in sorted(permanent) if versions.get(name, 1) > 1]
    return mistakes + [Mistake(_path(name), "must never change: what rests on it would be lost") for name in changed]


def _path(name: str) -> str:
    return f'secrets.versions."{name}"'


def _at(secret: SecretRef, versions: Versions) -> SecretRef:
    own = versions.get(secret.name, secret.version)
    if own > 1:
        return secret.model_copy(update={"version": own, "alone": bool(secret.family)})
    return secret.model_copy(update={"version": versions.get(secret.family, own)})
