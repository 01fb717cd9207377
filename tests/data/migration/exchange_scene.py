"""One provider with three hosts that are directories, and two applications that may go where the other one is."""

from itertools import chain, combinations

from fedikit.data.migration.sides import Sides
from fedikit.environment.environment import Environment
from fedikit.events import Tell
from fedikit.model.configuration import Configuration
from fedikit.model.deployment import Deployment
from fedikit.model.host import HostState
from tests.data.migration.move_scene import Moves
from tests.data.migration.scene import Side, lend
from tests.model.example import configuration
from tests.remote.conftest import Stage, Staged

HOSTS = ("one", "two", "three")
BOTH = ("mastodon", "pixelfed")
Placed = dict[str, str]


class Yard(Environment):
    """An environment whose deployments are written down, by host and by the applications that are placed there."""

    states: dict[str, dict[str, HostState]]

    def deployment(self, configuration: Configuration) -> Deployment:
        here = {host: [name for name in BOTH if self.placement[name] == (host,)] for host in HOSTS}
        hosts = {host: self.states[host][" ".join(names)] for host, names in here.items()}
        return self.empty().model_copy(update={"hosts": hosts})


class Exchange(Moves):
    """Both applications serve, each on its host. `placed`: what the environment says from now on."""

    def __init__(self, staged: Staged) -> None:
        self.stage: Stage = staged(*HOSTS, name="yard")
        self.by_host = {host: Side(self.stage, host) for host in HOSTS}
        self.placed: Placed = {"mastodon": "one", "pixelfed": "two"}
        for name, host in self.placed.items():
            self.by_host[host].write(f"the first words of {name}", name)
        assert self.stage.bring(self.wanted).succeeded
        for name, host in self.placed.items():
            for other in HOSTS:
                if other != host:
                    lend(self.by_host[host], self.by_host[other], name)

    def _state(self, host: str, names: tuple[str, ...]) -> HostState:
        side = self.by_host[host]
        side.applications = list(names)
        return side.wanted.hosts[host].model_copy(update={"applications": names})

    @property
    def provider(self) -> Yard:
        fields = {name: getattr(self.stage.environment, name) for name in ("name", "hosts", "secrets")}
        some = [*chain.from_iterable(combinations(BOTH, count) for count in range(3))]
        states = {host: {" ".join(names): self._state(host, names) for names in some} for host in HOSTS}
        return Yard(placement={name: (host,) for name, host in self.placed.items()}, states=states, **fields)

    @property
    def wanted(self) -> Deployment:
        return self.provider.deployment(configuration())

    @property
    def sides(self) -> Sides:
        provider = self.provider
        return Sides(provider, provider, configuration(), self.stage.folder / "yard.toml")

    def serving(self, name: str) -> list[str]:
        """The hosts on which it runs."""
        return [host for host, side in self.by_host.items() if side.runs(name)]

    def never_twice(self) -> Tell:
        def tell(event: object) -> None:
            for name in BOTH:
                assert len(self.serving(name)) <= 1, (name, event)

        return tell
