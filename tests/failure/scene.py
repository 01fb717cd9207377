"""What the failure tests have in common: deployments as plain values, and the usual acts upon them."""

import subprocess
from collections.abc import Sequence
from typing import Any

from fedikit.apply import apply_plan
from fedikit.environment.environment import Environment
from fedikit.events import Tell, tell_nobody
from fedikit.model.deployment import Deployment, Secrets
from fedikit.model.host import HostState, Ssh
from fedikit.model.item import Item
from fedikit.plan import make_plan, make_removal
from fedikit.remote.sessions import Sessions
from fedikit.results.plan import Plan
from fedikit.results.report import Report
from fedikit_lab import Lab, Machine

NAME = "failure"


def ssh_to(machine: Machine, **fields: Any) -> Ssh:
    """How a machine of the lab is reached."""
    usual = {"address": machine.address, "host_key": machine.host_key, "identity_file": str(machine.key_file)}
    return Ssh(**{**usual, **fields})


class Scene:
    """Machines of a lab as the hosts of one environment; `connections` may differ from the lab's own."""

    def __init__(self, lab: Lab, *names: str, **connections: Ssh) -> None:
        self.lab = lab
        usual = {name: ssh_to(lab[name]) for name in names}
        self.environment = Environment(
            name=NAME,
            hosts={**usual, **connections},
            secrets=Secrets(master_key=f"file:{lab.directory / 'master.key'}"),
        )

    def wants(self, **items: Sequence[Item]) -> Deployment:
        """The deployment in which these items are on these hosts."""
        hosts = {
            name: HostState(connection=connection, items=tuple(items.get(name, ())))
            for name, connection in self.environment.hosts.items()
        }
        return self.environment.empty().model_copy(update={"hosts": hosts})

    def plan(self, **items: Sequence[Item]) -> Plan:
        """What would change."""
        return make_plan(self.wants(**items))

    def apply(self, *, tell: Tell = tell_nobody, **items: Sequence[Item]) -> Report:
        return applied(self.wants(**items), tell=tell)

    def remove(self) -> Report:
        return apply_plan(make_removal(self.environment))


def applied(deployment: Deployment, *, tell: Tell = tell_nobody) -> Report:
    """Plans and applies in one contact a host, as people do."""
    with Sessions(deployment) as sessions:
        return apply_plan(make_plan(deployment, sessions=sessions), sessions=sessions, tell=tell)


def switch_off(machine: Machine) -> None:
    """Cuts a machine's power; this one forgets at once which cable led there, else it would send into it for long."""
    machine.crash()
    subprocess.run(["ip", "neighbour", "flush", "to", machine.address], check=True)


def error_of(report: Report, host: str) -> str:
    """Why a host failed; it must have."""
    assert report.hosts[host].outcome == "failed", report
    return report.hosts[host].error
