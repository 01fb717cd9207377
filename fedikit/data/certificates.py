"""Certificates of an application's web sites, carried to another host: it can serve before names lead there."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import product
from typing import Any, NamedTuple

from fedikit.data.authorities import folders_of, where_looked_for
from fedikit.errors import AgentFailed
from fedikit.model.check import TlsIsValid
from fedikit.model.deployment import Deployment
from fedikit.model.item import File
from fedikit.policies.web import site_file
from fedikit.remote.data_messages import Certificate, CertificatesTaken, CertificatesTold
from fedikit.remote.messages import MISTRUST
from fedikit.remote.session import Session, deployer_name, new_run
from fedikit.remote.sessions import failing_alone

_BEFORE, _BEHIND = site_file("*").split("*")
"""What stands around a domain in the path of its site's file."""


class Carried(NamedTuple):
    """The domains whose certificates were carried, and those that the source has none for, or none that is valid."""

    domains: tuple[str, ...]
    missing: tuple[str, ...]


def carry_all_certificates(source: Deployment, target: Deployment, application: str) -> Carried:
    """The same for each of the application's sites, from whichever host has it to whichever shall have it."""
    done: list[Carried] = []
    for here, there in product(source.hosts, target.hosts):
        if (source.name, here) != (target.name, there):
            both = sites_on(source, here) & sites_on(target, there) & domains_of(source, application)
            if both & domains_of(target, application):
                done.append(carry_certificates(source, here, target, there, application, both))
    return Carried(*(tuple(name for one in done for name in one[part]) for part in range(2)))


def carry_certificates(
    source: Deployment,
    source_host: str,
    target: Deployment,
    target_host: str,
    application: str,
    only: Collection[str] | None = None,
) -> Carried:
    """Puts what Caddy has of the application's sites on one host where Caddy of another host finds it.

    Also where that one asks another authority: what is carried is used until it nears its end. Never over one that is
    valid for longer. Keys travel in the two sessions only. `only`: of these sites. Raises a HostError, also where a
    host shows what is no certificate of that site.
    """
    domains = sorted(domains_of(source, application) & domains_of(target, application))
    domains = [domain for domain in domains if only is None or domain in only]
    if not domains:
        return Carried((), ())
    valid = [one for one in _shown(source, source_host, application, domains) if _end_of(source_host, one) > _now()]
    missing = tuple(domain for domain in domains if domain not in {one.domain for one in valid})
    if not valid:
        return Carried((), missing)
    with _taking(target, target_host, application, domains) as (session, there):
        placed = _longest_of_each(source_host, where_looked_for(valid, folders_of(target, target_host)))
        better = [one for one in placed if not _is_outlived(target_host, one, there)]
        told = [{**one.model_dump(by_alias=True), "key": one.key.get_secret_value()} for one in better]
        taken = _given(session, certificates=told)
    return Carried(taken.domains, missing)


def ask_for_certificates(deployment: Deployment, application: str) -> tuple[str, ...]:
    """Has Caddy ask at once for what the application's sites lack, now that their names lead there; their domains.

    Whoever asked in vain waits, each time longer: for hours in the end. Raises a HostError.
    """
    asked: list[str] = []
    for host in deployment.hosts:
        if domains := sorted(sites_on(deployment, host) & domains_of(deployment, application)):
            with _taking(deployment, host, application, domains) as (session, there):
                valid = {one.domain for one in there if _end_of(host, one, with_key=False) > _now()}
                if lacking := [domain for domain in domains if domain not in valid]:
                    _given(session, certificates=[], anew=True)
                    asked += lacking
    return tuple(asked)


@contextmanager
def _taking(
    deployment: Deployment, host: str, application: str, domains: Sequence[str]
) -> Iterator[tuple[Session, tuple[Certificate, ...]]]:
    """A session with a host that would take certificates, and those that it has, without their keys."""
    with failing_alone(host), Session(host, deployment.hosts[host].connection) as session:
        request = {"op": "data", "deployment": deployment.name, "verb": "take-certificates", "application": application}
        yield session, session.ask({**request, "domains": domains}, CertificatesTold).certificates


def _given(session: Session, **told: Any) -> CertificatesTaken:
    session.order({"run": new_run(), "who": deployer_name(), **told}, iter(()))
    return session.follow_until(CertificatesTaken, lambda _: None, CertificatesTold)


def domains_of(deployment: Deployment, application: str) -> set[str]:
    """Those of an application's web sites."""
    checks = (check for check in deployment.checks if isinstance(check, TlsIsValid))
    return {check.domain for check in checks if check.application == application}


def sites_on(deployment: Deployment, host: str) -> set[str]:
    """The domains of the web sites that a host has."""
    files = (item.path for item in deployment.hosts[host].items if isinstance(item, File))
    return {path.removeprefix(_BEFORE).removesuffix(_BEHIND) for path in files if path.startswith(_BEFORE)}


def _shown(deployment: Deployment, host: str, application: str, domains: Sequence[str]) -> list[Certificate]:
    with failing_alone(host), Session(host, deployment.hosts[host].connection) as session:
        request = {"op": "data", "deployment": deployment.name, "verb": "give-certificates", "application": application}
        shown = session.ask({**request, "domains": domains}, CertificatesTold).certificates
    return [one for one in shown if one.domain in domains]


def _longest_of_each(host: str, certificates: Iterable[Certificate]) -> Iterable[Certificate]:
    """Of those for the same place, the one that is valid for longest."""
    by_end = sorted(certificates, key=lambda one: _end_of(host, one))
    return {(one.issuer, one.domain): one for one in by_end}.values()


def _is_outlived(host: str, one: Certificate, there: Sequence[Certificate]) -> bool:
    """Whether the host has one of the same authority for it that is valid for longer."""
    same = [other for other in there if (other.issuer, other.domain) == (one.issuer, one.domain)]
    return any(_end_of(host, other, with_key=False) > _end_of(host, one) for other in same)


def _end_of(host: str, one: Certificate, *, with_key: bool = True) -> datetime:
    """Until when it is valid; raises AgentFailed if it is none for that domain with that key."""
    from cryptography import x509  # slow to import, and few commands need it
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        read = x509.load_pem_x509_certificate(one.crt.encode())
        names = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        fits = one.domain in names.get_values_for_type(x509.DNSName)
        if with_key:
            key = load_pem_private_key(one.key.get_secret_value().encode(), None)
            fits = fits and key.public_key() == read.public_key()
    except (ValueError, TypeError, x509.ExtensionNotFound):
        fits = False
    if not fits:
        raise AgentFailed(host, f"shows as the certificate of {one.domain} what is none", hint=MISTRUST)
    return read.not_valid_after_utc


def _now() -> datetime:
    return datetime.now(UTC)
