"""Hosts in directories: the real agent, planned and applied as on machines, without root and in milliseconds."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from fedikit.apply import apply_plan
from fedikit.environment.environment import Environment
from fedikit.events import HostFinished, Tell, tell_nobody
from fedikit.model.deployment import Deployment, Secrets
from fedikit.model.item import Item
from fedikit.plan import make_plan, make_removal, make_rollback
from fedikit.remote.directory import DirectoryMachine
from fedikit.remote.sessions import Sessions
from fedikit.results.plan import Plan
from fedikit.results.report import Report

KEY = "5" * 64


class Stage:
    """Machines in directories as the hosts of one environment."""

    def __init__(self, folder: Path, *names: str, name: str = "stage", key: str = KEY) -> None:
        self.folder = folder
        self.machines = {host: DirectoryMachine.at(folder / host) for host in names}
        self.key_file = folder / f"{name}.key"
        self.key_file.write_text(f"{key}\n")
        self.key_file.chmod(0o600)
        self.environment = Environment(
            name=name,
            hosts={host: machine.connection for host, machine in self.machines.items()},
            secrets=Secrets(master_key=f"file:{self.key_file}"),
        )

    def __getitem__(self, host: str) -> DirectoryMachine:
        return self.machines[host]

    def wants(self, domains: dict[str, str] | None = None, **items: Sequence[Item]) -> Deployment:
        """The deployment in which these items are on these hosts."""
        empty = self.environment.empty()
        hosts = {
            host: state.model_copy(
                update={"items": tuple(items.get(host, ())), "domains": domains or {} if items.get(host) else {}}
            )
            for host, state in empty.hosts.items()
        }
        return empty.model_copy(update={"hosts": hosts})

    def after(self, host: str, *earlier: str) -> None:
        """Has a host wait for others."""
        connection = self.environment.hosts[host].model_copy(update={"after": earlier})
        hosts = {**self.environment.hosts, host: connection}
        self.environment = self.environment.model_copy(update={"hosts": hosts})

    def plan(self, *, purge: bool = False, **items: Sequence[Item]) -> Plan:
        return make_plan(self.wants(**items), purge=purge)

    def apply(self, *, tell: Tell = tell_nobody, **items: Sequence[Item]) -> Report:
        return self.bring(self.wants(**items), tell=tell)

    def bring(self, deployment: Deployment, *, tell: Tell = tell_nobody, **options: Any) -> Report:
        """Plans and applies on the same connections."""
        with Sessions(deployment) as sessions:
            plan = make_plan(deployment, sessions=sessions, **options)
            return apply_plan(plan, sessions=sessions, tell=tell)

    def remove(self, *, purge: bool = False) -> Report:
        return apply_plan(make_removal(self.environment, purge=purge))

    def rollback(self, to: int | None = None) -> Report:
        return apply_plan(make_rollback(self.environment, to=to))


Staged = Callable[..., Stage]


@pytest.fixture
def staged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Staged:
    """Furnishes machines: staged("one", "two"); another name is another deployment on the same machines."""
    monkeypatch.chdir(tmp_path)
    return lambda *names, **options: Stage(tmp_path, *names, **options)


@pytest.fixture
def stage(staged: Staged) -> Stage:
    return staged("one")


@pytest.fixture
def pair(staged: Staged) -> Stage:
    return staged("one", "two")


def tree_of(machine: DirectoryMachine) -> dict[str, str]:
    """Every path of a machine but fedikit's own and what passes, with what it is."""
    hidden = (machine.root / "var/lib/fedikit", machine.root / "run")
    paths = (path for path in machine.root.rglob("*") if not any(place in (path, *path.parents) for place in hidden))
    return {str(path.relative_to(machine.root)): _picture(path) for path in sorted(paths)}


def _picture(path: Path) -> str:
    mode = f"{path.lstat().st_mode:o}"
    if path.is_symlink():
        return f"{mode} → {os.readlink(path)}"
    return f"{mode} {path.read_bytes()!r}" if path.is_file() else mode


def noting(finished: list[str]) -> Tell:
    """Notes the hosts that are done, in their order."""
    return lambda event: finished.append(event.host) if isinstance(event, HostFinished) else None
