"""Which secrets a deployment uses, and which are an application's own: it brings them along to another provider.

Its own are all that it asked for itself: what its data is encrypted with, and what its users would feel, such as
the key of their sessions and the initial password. What opens this provider's database, cache, bucket or backups
stays here, and must be another one elsewhere.
"""

from fedikit.model.deployment import Deployment
from fedikit.model.item import secrets_in
from fedikit.model.secret import SecretRef

STAYS = {"database", "cache", "bucket-key", "backup"}
"""What policies call the secrets that they make for an application."""


def is_own(name: str, application: str) -> bool:
    """Whether a secret of that name is the application's, and not made for it by a policy."""
    owner, _, label = name.partition("/")
    return owner == application and bool(label) and label not in STAYS


def secrets_of(deployment: Deployment) -> tuple[SecretRef, ...]:
    """The secrets that a deployment uses; a pair of keys is two of the same name."""
    return secrets_in(item for host in deployment.hosts.values() for item in host.items)


def own_secrets(deployment: Deployment, application: str) -> tuple[SecretRef, ...]:
    """The secrets that an application brings along. What stands in the operator's configuration comes with that."""
    own = (ref for ref in secrets_of(deployment) if is_own(ref.name, application))
    return tuple(ref for ref in own if not {ref.name, ref.family} & deployment.given.keys())
