"""What hosts have while applications move within one environment: those that come, and those that have not left yet.

A host that is left may be come to by another application, or go on serving the one that leaves it. So it has both until
names lead elsewhere. Applications are placed on one host at a time; for each host, on that one.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

from fedikit.data.migration.moves import hosts_that_keep, hosts_with_servers, placed_on, shares_data
from fedikit.data.migration.sides import Pair
from fedikit.data.migration.sites import sites_taken_along
from fedikit.data.migration.staging import staged_at
from fedikit.environment.environment import Environment
from fedikit.model.configuration import Configuration
from fedikit.model.deployment import Deployment
from fedikit.model.host import HostState, MovedSite
from fedikit.policies.web import site_file


@dataclass(frozen=True)
class Between:
    """Who moves how; `source` and `target` are the deployments before and after it.

    `sites`: the web sites that come to a host without their application.
    """

    pairs: Sequence[Pair]
    source: Deployment
    target: Deployment
    environment: Environment
    configuration: Configuration
    sites: Sequence[MovedSite] = ()

    @property
    def leaving(self) -> list[Pair]:
        """Those that go to another host."""
        return [pair for pair in self.pairs if pair.source != pair.target]

    @property
    def copied(self) -> list[Pair]:
        """Those of them with nothing that stays where it is: they are copied while they serve."""
        return [pair for pair in self.leaving if not shares_data(pair, self.source, self.target)]

    @property
    def others(self) -> list[Pair]:
        """Those that are closed before anything is set up for them: their servers know them in one place only."""
        copied = self.copied
        return [pair for pair in self.pairs if pair not in copied]

    @property
    def staged(self) -> list[str]:
        """The hosts that are come to, and those that serve them there, but for servers that keep what they have.

        Who serves still would be let in no more by these.
        """
        keep = {host for pair in self.leaving for host in hosts_that_keep(pair, self.source, self.target)}
        return [host for host in hosts_with_servers(self.target, self.leaving) if host not in keep]

    @property
    def left(self) -> list[str]:
        """The hosts that are left."""
        return list(dict.fromkeys(pair.source for pair in self.leaving))

    @property
    def passing(self) -> list[str]:
        """The hosts that pass visitors of a site on, as names lead there still."""
        return list(dict.fromkeys(site.source for site in self.sites if site.source))

    @property
    def busy(self) -> list[str]:
        """Those that are left, and that another application comes to, or that serve one elsewhere, or pass on."""
        needed = {*self._serving, *self.passing}
        return [host for host in self.left if host in needed]

    @property
    def spared(self) -> list[str]:
        """Those that pass on, and are of no use before something starts: what they show is read until then."""
        return [host for host in self.passing if host not in self._serving]

    @cached_property
    def _serving(self) -> list[str]:
        """The hosts that are come to, with all those that serve them there."""
        return hosts_with_servers(self.target, list(self.pairs))

    def while_they_serve(self) -> Deployment:
        """What is wanted for those that come, at rest, beside what still serves there.

        Raises ConfigurationError where a host cannot have both.
        """
        return self._resting(self._with_states({host: self._with_both(host) for host in self.busy}))

    def once_closed(self) -> Deployment:
        """What is wanted in the end, beside what does not run any more but has not left."""
        closed = list(sites_taken_along([p for p in self.leaving if p.source in self.busy], self.source, self.target))
        wanted = self._passing_on([*(site for site in self.sites if site.source), *closed]).hosts
        pages = {f"file:{site_file(site.domain)}" for site in closed}
        both = {host: _beside(wanted[host], self._with_both(host), pages) for host in self.busy}
        return self._with_states({host: wanted[host] for host in self.passing} | both)

    def _passing_on(self, sites: Collection[MovedSite]) -> Deployment:
        """What is wanted in the end, with hosts that can be asked for these sites still."""
        return self.environment.passing_on(self.configuration, sites) if sites else self.target

    def at_rest_once_closed(self) -> Deployment:
        """The same, with those that come at rest."""
        return self._resting(self.once_closed())

    def _with_both(self, host: str) -> HostState:
        """What the host would have if nothing had left it yet, and all had come to it that comes."""
        here = {pair.application: host for pair in self.leaving if host in (pair.source, pair.target)}
        state = placed_on(self.environment, here).deployment(self.configuration).hosts[host]
        return state.model_copy(update={"served_by": self.target.hosts[host].served_by})

    def _with_states(self, states: dict[str, HostState]) -> Deployment:
        hosts = {**self.target.hosts, **states}
        return self.target.model_copy(update={"hosts": hosts}).with_given(self.target.given)

    def _resting(self, deployment: Deployment) -> Deployment:
        """With these applications at rest where they are to be."""
        coming = {host: [pair.application for pair in self.pairs if pair.target == host] for host in deployment.hosts}
        return staged_at(deployment, coming)


def _beside(wanted: HostState, both: HostState, left: Collection[str]) -> HostState:
    """What both have is as it shall be in the end, but what has these ids: it is as it was where it is left."""
    there = {item.id: item for item in both.items}
    items = [there.get(item.id, item) if item.id in left else item for item in wanted.items]
    known = {item.id for item in items}
    return wanted.model_copy(
        update={
            "items": (*items, *(item for item in both.items if item.id not in known)),
            "applications": tuple(dict.fromkeys((*wanted.applications, *both.applications))),
            "domains": {**both.domains, **wanted.domains},
            "data": {**both.data, **wanted.data},
            "belongings": {**both.belongings, **wanted.belongings},
        }
    )
