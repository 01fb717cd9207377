"""One provider with two hosts that are directories, and an application that is placed on one of them: real phases."""

from abc import ABC, abstractmethod

from fedikit.data.migration.journal import Journal, read_journal
from fedikit.data.migration.moving import apply_move
from fedikit.data.migration.planning_moves import make_move
from fedikit.data.migration.sides import Sides
from fedikit.environment.environment import Environment
from fedikit.events import Tell, tell_nobody
from fedikit.model.configuration import Configuration
from fedikit.model.data import BucketPart
from fedikit.model.deployment import Deployment
from fedikit.model.item import Directory, SecretRef
from fedikit.results.migration import MigrationPlan, MigrationReport
from tests.data.migration.scene import APPLICATION, Side, lend
from tests.model.example import configuration
from tests.remote.conftest import Stage, Staged

HOSTS = ("one", "two")
SERVED = "/srv/server"
"""Where another host keeps something for the application, as a server of databases would."""


SECRET = SecretRef(name=f"{APPLICATION}/bucket")
BUCKET = BucketPart(
    name="media", endpoint="https://s3.example.net", region="eu-1", bucket="media", key_id="id", key_secret=SECRET
)
"""A provider's, which is the same from both hosts."""


class Placed(Environment):
    """An environment whose deployments are written down, by the host of the application."""

    places: dict[str, Deployment]

    def deployment(self, configuration: Configuration) -> Deployment:
        (host,) = self.placement[APPLICATION]
        return self.places[host]


class Moves(ABC):
    """What moves within one environment, and its journal."""

    @property
    @abstractmethod
    def sides(self) -> Sides:
        """The environment, on both sides."""

    @property
    def journal(self) -> Journal | None:
        return read_journal(self.sides.journal)

    def plan(self, *, instead: str = "") -> MigrationPlan:
        return make_move(self.sides, instead=instead)

    def move(self, tell: Tell = tell_nobody, *, instead: str = "") -> MigrationReport:
        plan = self.plan(instead=instead)
        assert plan.has_changes, plan
        return apply_move(plan, self.sides, names_seconds=0, tell=tell)


class House(Moves):
    """Both hosts; the application serves on the first. `placed` and `server`: what the environment says from now on."""

    def __init__(self, staged: Staged) -> None:
        self.stage: Stage = staged(*HOSTS, name="house")
        self.one, self.two = (Side(self.stage, host) for host in HOSTS)
        self.placed, self.server = "one", ""
        self.elsewhere: tuple[BucketPart, ...] = ()
        self.one.write("the first words")
        report = self.stage.bring(self.wanted)
        assert report.succeeded, report
        lend(self.one, self.two)
        lend(self.two, self.one)

    def wanted_on(self, placed: str) -> Deployment:
        """What is wanted with the application on that host."""
        side = self.one if placed == "one" else self.two
        deployment = side.wanted
        hosts = dict(deployment.hosts)
        data = hosts[placed].data[APPLICATION]
        data = data.model_copy(update={"parts": (*data.parts, *self.elsewhere)})
        about = {"applications": (APPLICATION,), "data": {APPLICATION: data}}
        hosts[placed] = hosts[placed].model_copy(update=about)
        if self.server:
            state = hosts[self.server]
            items = (*state.items, Directory(path=SERVED, data=True))
            belongings = {**state.belongings, f"directory:{SERVED}": (APPLICATION,)}
            hosts[self.server] = state.model_copy(update={"items": items, "belongings": belongings})
        return deployment.model_copy(update={"hosts": hosts})

    @property
    def wanted(self) -> Deployment:
        return self.wanted_on(self.placed)

    @property
    def sides(self) -> Sides:
        fields = {name: getattr(self.stage.environment, name) for name in ("name", "hosts", "secrets")}
        places = {host: self.wanted_on(host) for host in HOSTS}
        provider = Placed(placement={APPLICATION: (self.placed,)}, places=places, **fields)
        return Sides(provider, provider, configuration(), self.stage.folder / "house.toml")

    def never_both(self) -> Tell:
        def tell(event: object) -> None:
            assert not (self.one.serves and self.two.serves), event

        return tell
