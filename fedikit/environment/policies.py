"""The policies of an environment: which means answers which kind of request."""

from typing import Any

from pydantic import ConfigDict, Field

from fedikit.model.policy import Policy
from fedikit.model.request import HostItems, OneOffJob, Request, Task
from fedikit.model.resource import OtherServers
from fedikit.model.value import Written
from fedikit.policies import ItemsPolicy, LoginShellPolicy, ServicePolicy
from fedikit.policies.backup import BackupPolicy
from fedikit.policies.bucket import BucketPolicy
from fedikit.policies.cache import CachePolicy
from fedikit.policies.container import ContainerPolicy
from fedikit.policies.database import MariaPolicy, PostgresPolicy
from fedikit.policies.firewall import FirewallPolicy
from fedikit.policies.mail import MailPolicy
from fedikit.policies.packages import PackagesPolicy
from fedikit.policies.port import PortPolicy
from fedikit.policies.web import WebPolicy


class Policies(Written):
    """How each kind of request is made available."""

    model_config = ConfigDict(alias_generator=lambda name: name.replace("_", "-"))

    login_shell: LoginShellPolicy = Field(LoginShellPolicy(), title="Login shells")
    """How packages get into login shells."""
    service: ServicePolicy = Field(ServicePolicy(), title="Services")
    """How services are run."""
    web: WebPolicy | None = Field(None, title="Web sites")
    """How web sites are served. If absent, no application that has one can be deployed."""
    container: ContainerPolicy = Field(ContainerPolicy(), title="Containers")
    """How containers are run, those that always run and those that do one job."""
    postgresql: PostgresPolicy = Field(PostgresPolicy(), title="PostgreSQL databases")
    """Where PostgreSQL databases are."""
    mariadb: MariaPolicy = Field(MariaPolicy(), title="MariaDB databases")
    """Where MariaDB databases are."""
    cache: CachePolicy = Field(CachePolicy(), title="Caches")
    """By which means caches are run."""
    bucket: BucketPolicy | None = Field(None, title="Buckets")
    """Where objects are kept. If absent, no application that stores media can be deployed."""
    port: PortPolicy = Field(PortPolicy(), title="Ports")
    """Which ports what applications bring listens at."""
    mail: MailPolicy = Field(MailPolicy(), title="Mail")
    """How mail is sent."""
    firewall: FirewallPolicy | None = Field(None, title="Firewall")
    """What of hosts can be reached. If absent, fedikit sets up no firewall."""
    packages: PackagesPolicy | None = Field(None, title="Upgrades of packages")
    """How hosts upgrade Debian's packages by themselves. If absent, they do not, as far as fedikit is concerned."""
    backup: BackupPolicy | None = Field(None, title="Backups")
    """How hosts back up their applications by themselves, on Debian 13. If absent, they do not."""

    def policy_for(self, request: Request) -> Policy[Any] | None:
        """The policy that answers requests of this kind."""
        match request:
            case OneOffJob() | Task():
                return self.container
            case OtherServers():
                return self.web or WebPolicy()
            case HostItems():
                return ItemsPolicy()
            case _:
                policy: Policy[Any] | None = getattr(self, request.kind.replace("-", "_"))
                return policy
