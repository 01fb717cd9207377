"""Asking hosts what they say of themselves: generations, how the last run ended, who is at work."""

from collections.abc import Sequence
from typing import Any

from fedikit.environment.environment import Environment
from fedikit.errors import FedikitError
from fedikit.model.check import BackupIsYoung
from fedikit.model.deployment import Deployment
from fedikit.remote import messages
from fedikit.remote.backups import backups_of, closed_of
from fedikit.remote.hosts import on_hosts
from fedikit.remote.session import Session
from fedikit.remote.sessions import failing_alone
from fedikit.remote.upgrades import pending_of
from fedikit.results.health import CertificateHealth, Health
from fedikit.results.pending import Pending
from fedikit.results.status import HostStatus, Status
from fedikit.secrets import Vault

MAX_AGE_HOURS = 26
"""What the newest backup may be old where no policy says so any more."""


def read_status(environment: Environment | Deployment, *, limit: Sequence[str] = (), health: bool = False) -> Status:
    """Asks every host; one that cannot be asked has its reason in its part.

    `health`: they look too whether what they hold is as it was left, and runs.
    """
    deployment = environment if isinstance(environment, Deployment) else environment.empty()
    vault = Vault.of(deployment)
    max_age_hours = _oldest_backup(environment)

    def request(host: str) -> dict[str, Any]:
        asked = {"op": "status", "deployment": deployment.name}
        if not health:
            return asked
        return asked | {"health": True, "seal": vault.seal_key(host).hex() if vault.has_master else ""}

    def ask(host: str) -> HostStatus:
        try:
            with failing_alone(host), Session(host, deployment.hosts[host].connection) as session:
                said = session.ask(request(host), messages.Status)
                return HostStatus(
                    host=host,
                    **said.model_dump(exclude={"event", "health", "upgrades", "backups"}),
                    health=_health(host, said),
                    backups=tuple(backups_of(name, there, max_age_hours) for name, there in said.backups.items()),
                    closed=tuple(words for name, there in said.backups.items() if (words := closed_of(name, there))),
                )
        except FedikitError as error:
            return HostStatus(host=host, error=error.text)

    return Status(deployment=deployment.name, hosts=on_hosts(deployment, limit, ask))


def _oldest_backup(environment: Environment | Deployment) -> int:
    """How many hours old the newest backup of an application may be."""
    if isinstance(environment, Environment):
        policy = environment.policies.backup
        return policy.max_age_hours if policy else MAX_AGE_HOURS
    ages = [check.max_age_hours for check in environment.checks if isinstance(check, BackupIsYoung)]
    return min(ages, default=MAX_AGE_HOURS)


def _health(host: str, said: messages.Status) -> Health | None:
    if said.health is None:
        return None
    certificates = tuple(_certificate(site, text) for site, text in said.health.certificates.items())
    pending = pending_of(host, said.upgrades) if said.upgrades else Pending()
    return Health(**said.health.model_dump(exclude={"certificates"}), certificates=certificates, pending=pending)


def _certificate(site: str, text: str) -> CertificateHealth:
    from cryptography import x509  # slow to import, and few commands need it

    try:
        read = x509.load_pem_x509_certificate(text.encode())
        return CertificateHealth(site=site, begins=read.not_valid_before_utc, expires=read.not_valid_after_utc)
    except ValueError:
        return CertificateHealth(site=site)
