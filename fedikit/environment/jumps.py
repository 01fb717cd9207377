"""Jump hosts: which host SSH goes over to another, by their names in an environment."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from fedikit.errors import Mistake
from fedikit.model.deployment import cycle_of
from fedikit.model.host import Connection, Ssh
from fedikit.model.mistake import did_you_mean
from fedikit.model.ssh_server import JumpHost, SshServer

ServerT = TypeVar("ServerT", bound=SshServer)


def jump_mistakes(hosts: Mapping[str, Any]) -> list[Mistake]:
    """Jump hosts that are not there or not reached over SSH, and those in circles; `hosts` may be malformed."""
    named = {name: list(_named(f"hosts.{name}", host)) for name, host in hosts.items()}
    mistakes = [
        Mistake(path, problem) for jumps in named.values() for path, jump in jumps if (problem := _problem(jump, hosts))
    ]
    if cycle := cycle_of({name: [jump for _, jump in jumps if jump in hosts] for name, jumps in named.items()}):
        mistakes.append(Mistake(named[cycle[0]][0][0], f"goes in a circle: {' over '.join(cycle)}"))
    return mistakes


def _named(path: str, host: Any) -> Iterator[tuple[str, str]]:
    """The jump host that is given by its name, with its path; those before it are given as tables."""
    while isinstance(host, Mapping):
        path, host = f"{path}.jump", host.get("jump")
        if isinstance(host, str):
            yield path, host


def _problem(jump: str, hosts: Mapping[str, Any]) -> str:
    if jump not in hosts:
        return f'names "{jump}", which is no host{did_you_mean(jump, list(hosts))}'
    host = hosts[jump]
    is_ssh = not isinstance(host, Mapping) or host.get("type", "ssh") == "ssh"
    return "" if is_ssh else f'names "{jump}", which is not reached over SSH'


def with_jump_hosts(connection: Connection, hosts: Mapping[str, Connection]) -> Connection:
    """The same connection, with jump hosts in full instead of their names."""
    return _in_full(connection, hosts) if isinstance(connection, Ssh) else connection


def _in_full(server: ServerT, hosts: Mapping[str, Connection]) -> ServerT:
    jump = server.jump
    if isinstance(jump, str):
        named = hosts[jump]
        jump = JumpHost(**{field: getattr(named, field) for field in JumpHost.model_fields})
    return server.model_copy(update={"jump": _in_full(jump, hosts)}) if jump else server
