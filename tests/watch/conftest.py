"""What is watched: hosts in directories, a page, a relay and a program on the loopback interface, and a clock."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from socketserver import BaseServer
from threading import Thread
from typing import Any, Protocol, TypeVar

import pytest

from fedikit.environment.environment import Environment
from fedikit.environment.watch import Watch
from fedikit.model.check import Check, HttpAnswers
from fedikit.model.deployment import Deployment, Network
from fedikit.model.item import File, Item, Unit
from fedikit.watch import Outcome
from fedikit.watch.memory import memory_file
from fedikit.watch.once import look_and_tell
from tests.remote.conftest import Stage
from tests.verify.conftest import Site, authority, free_port, open_site

SERVICE = File(path="/etc/systemd/system/app.service", content="[Service]\nExecStart=/usr/bin/app\n")
UNIT = Unit(name="app.service", restart_on=(SERVICE.id,))
SETTINGS = File(path="/etc/app", content="setting\n")
ITEMS: list[Item] = [SERVICE, UNIT, SETTINGS]
MEMORY = "/run/simulated-systemd.json"
BEGIN = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
Server = TypeVar("Server", bound=BaseServer)


@dataclass
class Watched:
    """A deployment that is looked at again and again, ten minutes apart."""

    stage: Stage
    site: Site
    rules: dict[str, Any] = field(default_factory=dict)
    now: datetime = BEGIN
    checks: tuple[Check, ...] = ()
    given: dict[str, str] = field(default_factory=dict)
    trust: str | None = None
    broken: Exception | None = None

    @property
    def file(self) -> Path:
        return memory_file(self.stage.folder / "environment.toml", self.stage.environment.name)

    @property
    def environment(self) -> Environment:
        secrets = self.stage.environment.secrets.model_copy(update={"given": self.given})
        update = {"watch": Watch.model_validate(self.rules), "secrets": secrets, "network": Network(trust=self.trust)}
        return self.stage.environment.model_copy(update=update)

    def deployment(self) -> Deployment:
        if self.broken:
            raise self.broken
        wanted = self.stage.wants(**dict.fromkeys(self.stage.machines, ITEMS))
        hosts = {
            name: state.model_copy(update={"applications": (f"app-{name}",)}) for name, state in wanted.hosts.items()
        }
        return wanted.model_copy(update={"hosts": hosts, "checks": self.checks})

    def look(self, *, after: timedelta = timedelta(minutes=10)) -> Outcome:
        self.now += after
        return look_and_tell(self.environment, self.deployment, self.file, clock=lambda: self.now)

    def told(self, **how: Any) -> list[str]:
        """What one look tells, as `state what`."""
        message = self.look(**how).told
        return [f"{change.state} {change.finding.what}" for change in message.changes] if message else []

    def put_unit(self, condition: str, host: str = "one") -> None:
        file = self.stage[host].path(MEMORY)
        units = json.loads(file.read_text())
        units["app.service"]["active"] = condition
        file.write_text(json.dumps(units))

    def answers(self, status: int) -> None:
        """Has the page answer so. A check that cannot hold is given up at once, one that holds may take its time."""
        self.site.page("/", "hello", status)
        deadline = 10 if status == 200 else 0.1
        self.checks = tuple(check.model_copy(update={"deadline": deadline}) for check in self.checks)

    def given_secret(self, name: str, value: str) -> None:
        file = self.stage.folder / name.replace("/", ".")
        file.write_text(value)
        file.chmod(0o600)
        self.given[name] = f"file:{file}"

    def silence(self, host: str) -> None:
        """What stands for the host is gone."""
        self.stage[host].root.rename(self.stage.folder / f"{host}.away")
        self.stage[host].root.write_text("")

    def restore(self, host: str) -> None:
        self.stage[host].root.unlink()
        (self.stage.folder / f"{host}.away").rename(self.stage[host].root)


Watching = Callable[..., Watched]


class Serve(Protocol):
    """Has a server serve."""

    def __call__(self, server: Server) -> Server: ...


@pytest.fixture
def watching(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, open_site: Callable[..., Site]) -> Watching:
    """Furnishes hosts with a service, and an application on each whose page answers: watching("one", "two")."""
    monkeypatch.chdir(tmp_path)

    def furnish(*names: str, **rules: Any) -> Watched:
        stage = Stage(tmp_path, *names)
        stage.apply(**dict.fromkeys(names, ITEMS))
        site = open_site(context=None)
        url = f"http://127.0.0.1:{site.server_port}/"
        checks = tuple(HttpAnswers(application=f"app-{name}", url=url) for name in names)
        watched = Watched(stage, site, rules, checks=checks)
        watched.answers(200)
        return watched

    return furnish


@pytest.fixture
def watched(watching: Watching) -> Watched:
    return watching("one")


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Has a server serve until the test's end."""
    serving: list[tuple[BaseServer, Thread]] = []

    def begin(server: Server) -> Server:
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        serving.append((server, thread))
        return server

    yield begin
    for server, thread in serving:
        server.shutdown()
        thread.join()
        server.server_close()


__all__ = ["authority", "free_port", "open_site"]
