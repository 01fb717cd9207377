"""The means: how a hosting provider makes each kind of request available. Pure, as the model is."""

from fedikit.policies.backup import BackupPolicy
from fedikit.policies.bucket import BucketPolicy, GaragePolicy, S3Policy
from fedikit.policies.cache import CachePolicy
from fedikit.policies.container import ContainerPolicy
from fedikit.policies.database import MariaPolicy, PostgresPolicy
from fedikit.policies.firewall import FirewallPolicy
from fedikit.policies.host import ItemsPolicy, LoginShellPolicy, ServicePolicy
from fedikit.policies.mail import MailPolicy
from fedikit.policies.port import PortPolicy
from fedikit.policies.web import WebPolicy

__all__ = [
    "BackupPolicy", "BucketPolicy", "CachePolicy", "ContainerPolicy", "FirewallPolicy", "GaragePolicy",
    "ItemsPolicy", "LoginShellPolicy", "MailPolicy", "MariaPolicy", "PortPolicy", "PostgresPolicy", "S3Policy",
    "ServicePolicy", "WebPolicy",
]  # fmt: skip
