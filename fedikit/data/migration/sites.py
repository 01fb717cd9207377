"""Web sites that come to a host while their application does not, as a bucket's do: where they are left, and led to."""

from collections.abc import Collection, Iterable, Iterator, Sequence

from fedikit.data.certificates import carry_certificates, domains_of, sites_on
from fedikit.data.migration.sides import Pair
from fedikit.model.deployment import Deployment
from fedikit.model.host import MovedSite, records_at
from fedikit.policies.web import site_file
from fedikit.results.moves import LEAVES
from fedikit.results.plan import Plan


def sites_that_come(plan: Plan, source: Deployment, applications: Iterable[str]) -> Iterator[MovedSite]:
    """Those of these applications that a plan brings to a host, and that no application takes along.

    `source`: the deployment before, as far as applications move.
    """
    for application in applications:
        domains = domains_of(plan.deployment, application)
        for host in plan.deployment.hosts:
            others = {domain for other in source.hosts if other != host for domain in sites_on(source, other)}
            for domain in sorted(domains & sites_on(plan.deployment, host) - others):
                left = _where(plan, domain, LEAVES)
                if left or host in _where(plan, domain, ("create", "adopt")):
                    yield MovedSite(domain=domain, application=application, source="".join(left[:1]), target=host)


def _where(plan: Plan, domain: str, actions: Collection[str]) -> list[str]:
    """The hosts where one of these would be done to a site."""
    changes = ((host, change) for host, planned in plan.hosts.items() for change in planned.changes)
    return [host for host, change in changes if change.id == f"file:{site_file(domain)}" and change.action in actions]


def sites_taken_along(pairs: Iterable[Pair], source: Deployment, target: Deployment) -> Iterator[MovedSite]:
    """Those that come along with these applications."""
    for pair in pairs:
        both = sites_on(source, pair.source) & sites_on(target, pair.target)
        for domain in sorted(both & domains_of(target, pair.application)):
            yield MovedSite(domain=domain, application=pair.application, source=pair.source, target=pair.target)


def led_there(source: Deployment, sites: Sequence[MovedSite]) -> Deployment:
    """The deployment before, with the names of these sites leading to where they are left."""
    names = {site.domain for site in sites}
    stay = [record for record in source.dns if record.name not in names]
    left = [
        record
        for site in sites
        for record in records_at(
            site.domain, source.hosts[site.source].connection.public_addresses if site.source else ()
        )
    ]
    return source.model_copy(update={"dns": (*stay, *left)}).with_given(source.given)


def carry_certificates_of(sites: Iterable[MovedSite], source: Deployment, target: Deployment) -> None:
    """So that they can be read where they come to before names lead there. Raises a HostError."""
    for site in sites:
        if site.source:
            carry_certificates(source, site.source, target, site.target, site.application, [site.domain])
