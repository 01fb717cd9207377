"""Two providers whose hosts are directories, and an application that leaves one for the other: real phases."""

import json
from pathlib import Path
from typing import Any

from fedikit.data.migration.carrying_out import apply_migration
from fedikit.data.migration.journal import Journal, read_journal
from fedikit.data.migration.planning import make_migration
from fedikit.data.migration.sides import Sides
from fedikit.environment.environment import Environment
from fedikit.events import Event, Tell, tell_nobody
from fedikit.model.configuration import Configuration
from fedikit.model.data import ApplicationData, VolumePart
from fedikit.model.deployment import Deployment
from fedikit.model.host import DnsRecord
from fedikit.model.item import Directory, File, Item, SecretRef, SecretText, Unit
from fedikit.remote.directory import DirectoryMachine
from fedikit.results.migration import MigrationPlan, MigrationReport
from fedikit.secrets.vault import Vault
from tests.data.scene import bring_program, settings_of
from tests.model.example import configuration
from tests.remote.conftest import Stage, Staged

APPLICATION = "mastodon"
IMAGES = {"web": "example.org/mastodon:4.3"}
UNIT = f"{APPLICATION}.service"
VOLUME = f"/srv/{APPLICATION}"


def sealed_with(name: str) -> SecretRef:
    """What an application's repository is sealed with, at each provider's something else."""
    return SecretRef(name=f"{name}/backup", permanent=True)


class Provider(Environment):
    """An environment whose deployment is written down."""

    wanted: Deployment

    def deployment(self, configuration: Configuration) -> Deployment:
        """As written down, whatever the configuration says."""
        return self.wanted


class Side:
    """A provider with one host. `wanted` may be changed before it is asked for."""

    def __init__(self, stage: Stage, host: str) -> None:
        self.stage, self.host = stage, host
        self.machine: DirectoryMachine = stage[host]
        bring_program(self.machine)
        self.applications = [APPLICATION]
        self.images, self.parts = IMAGES, [VOLUME]
        self.dns: tuple[DnsRecord, ...] = ()
        self.program = "app"
        self.is_backed_up = True
        self.reads: tuple[str, ...] = ()
        self.about: dict[str, Any] = {}

    @property
    def wanted(self) -> Deployment:
        items = [item for name in self.applications for item in self._items(name)]
        deployment = self.stage.wants(**{self.host: items})
        data = {name: self._data(name) for name in self.applications}
        state = deployment.hosts[self.host].model_copy(update={"data": data, "belongings": self._belongings()})
        hosts = {**deployment.hosts, self.host: state}
        return deployment.model_copy(update={"hosts": hosts, "dns": self.dns})

    @property
    def provider(self) -> Provider:
        fields = {name: getattr(self.stage.environment, name) for name in ("name", "hosts", "secrets")}
        return Provider(wanted=self.wanted, **fields, **self.about)

    def _items(self, name: str) -> list[Item]:
        service = f"[Service]\nExecStart=/usr/bin/{self.program}\n"
        running = [
            Directory(path=f"/srv/{name}", data=True),
            File(path=f"/etc/systemd/system/{name}.service", content=service),
            Unit(name=f"{name}.service"),
        ]
        return [*running, *self._settings(name)] if self.is_backed_up else running

    def _settings(self, name: str) -> list[Item]:
        password = SecretText(parts=(sealed_with(name),))
        return [
            settings_of(name),
            Directory(path=f"/etc/fedikit/data/{name}"),
            File(path=f"/etc/fedikit/data/{name}/repository-password", content=password, mode="0600"),
        ]

    def _data(self, name: str) -> ApplicationData:
        paths = self.parts if name == APPLICATION else [f"/srv/{name}"]
        parts, units = tuple(VolumePart(path=path) for path in paths), (f"{name}.service",)
        return ApplicationData(folder=name, parts=parts, stop=units, reads=self.reads, images=self.images)

    def _belongings(self) -> dict[str, tuple[str, ...]]:
        return {f"directory:/srv/{name}": (name,) for name in self.applications}

    # What is there

    def mend(self) -> None:
        """Somebody repairs by hand what does not start."""
        self.machine.path(f"/etc/systemd/system/{UNIT}").write_text("[Service]\nExecStart=/usr/bin/app\n")

    def write(self, words: str, application: str = APPLICATION) -> None:
        file = self.machine.path(f"/srv/{application}/posts")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(words)

    def read(self, application: str = APPLICATION) -> str:
        return self.machine.path(f"/srv/{application}/posts").read_text()

    def sign(self, name: str, words: str = "") -> Path:
        """A file that has the program behave in some way."""
        file = self.machine.path(f"/run/data-{name}")
        file.write_text(words)
        return file

    def state(self, name: str) -> Path:
        return self.machine.path(f"/var/lib/fedikit-data/{APPLICATION}/{name}")

    def is_read(self) -> None:
        """While it is closed for writing, its unit goes on."""
        self.reads = (UNIT,)
        self.sign("reads")

    @property
    def why_closed(self) -> str:
        return str(json.loads(self.state("closed.json").read_text())["why"]) if self.is_closed else ""

    @property
    def is_closed(self) -> bool:
        return self.state("closed.json").exists()

    @property
    def serves(self) -> bool:
        """Whether its unit runs."""
        return self.runs(APPLICATION)

    def runs(self, application: str) -> bool:
        units = self.machine.path("/run/simulated-systemd.json")
        return (
            units.exists() and json.loads(units.read_text()).get(f"{application}.service", {}).get("active") == "active"
        )


def lend(side: Side, other: Side, application: str = APPLICATION) -> None:
    """What the stand-in on one side reads through the gate is what the other side backed up."""
    folder, gates = side.machine.path(f"/srv/backups/{application}"), other.machine.path("/srv/gates")
    (folder / "keys").mkdir(parents=True, exist_ok=True)
    (folder / "keys" / ("1" * 64)).write_text("sealed")
    (folder / "config").write_text("known")
    (folder / "password").write_text(Vault.of(side.wanted).value(sealed_with(application)))
    gates.mkdir(exist_ok=True)
    (gates / application).symlink_to(folder)


class Scene:
    """Both sides; the old one serves."""

    def __init__(self, staged: Staged) -> None:
        self.old = Side(staged("here", name="old", key="5" * 64), "here")
        self.new = Side(staged("there", name="new", key="6" * 64), "there")
        self.old.write("the first words")
        report = self.old.stage.bring(self.old.wanted)
        assert report.succeeded, report
        lend(self.old, self.new)
        lend(self.new, self.old)

    @property
    def sides(self) -> Sides:
        return Sides(self.old.provider, self.new.provider, configuration(), self.file)

    @property
    def file(self) -> Path:
        return self.new.stage.folder / "new.toml"

    @property
    def journal(self) -> Journal:
        journal = read_journal(self.sides.journal)
        assert journal
        return journal

    def plan(self, **how: bool) -> MigrationPlan:
        return make_migration(self.sides, **how)

    def migrate(self, tell: Tell = tell_nobody, **how: bool) -> MigrationReport:
        plan = self.plan(**how)
        assert plan.has_changes, plan
        return apply_migration(plan, self.sides, names_seconds=0, tell=tell)


class Cut(BaseException):
    """The deployer is gone, from one moment to the next."""


def cut_at(kind: type[Event], step: str) -> Tell:
    """Ends it all as soon as that is told."""

    def tell(event: Event) -> None:
        if isinstance(event, kind) and getattr(event, "step", "") == step:
            raise Cut(step)

    return tell
