"""The system's own OpenSSH, told exactly what the environment says of a host: its keys and its way, and nothing else.

No file of the user's or of the system's is read for it, and none is written to: no `~/.ssh/config`, no known hosts.
"""

import os
import shlex
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from fedikit.errors import ConnectionFailed, HostError
from fedikit.model.host import Connection, DirectoryHost, Ssh
from fedikit.remote.leg import Leg

_EVERYWHERE = {
    "GlobalKnownHostsFile": "/dev/null",
    "StrictHostKeyChecking": "yes",
    "UpdateHostKeys": "no",
    "CheckHostIP": "no",
    "VerifyHostKeyDNS": "no",
    "ForwardAgent": "no",
    "ForwardX11": "no",
    "PermitLocalCommand": "no",
    "PasswordAuthentication": "no",
    "KbdInteractiveAuthentication": "no",
    "EscapeChar": "none",
    "ServerAliveInterval": "15",
}


def legs_of(host: str, ssh: Ssh) -> list[Leg]:
    """The way to a host: its jump hosts in their order, the host last."""
    legs = [Leg(host, ssh)]
    while before := legs[0].before:
        legs.insert(0, before)
    return legs


def known_hosts(legs: Sequence[Leg]) -> str:
    """Each leg's one key, under a name that nothing else has."""
    return "".join(f"{_alias(number)} {leg.server.host_key}\n" for number, leg in enumerate(legs))


def configuration(legs: Sequence[Leg], known: Path) -> str:
    """What OpenSSH is told, as its configuration file says it."""
    return "\n".join(_section(number, leg, known) for number, leg in enumerate(legs))


def _alias(number: int) -> str:
    return f"fedikit-{number}"


def _section(number: int, leg: Leg, known: Path) -> str:
    server = leg.server
    own = {
        "HostName": server.address.replace("%", "%%"),
        "Port": str(server.port),
        "User": server.user,
        "HostKeyAlias": _alias(number),
        "UserKnownHostsFile": _quoted(str(known)),
        "ConnectTimeout": str(server.connect_seconds),
    }
    if server.identity_file:
        path = str(Path(server.identity_file).expanduser())
        own |= {"IdentityFile": _quoted(path.replace("%", "%%")), "IdentitiesOnly": "yes"}
    if number:
        own["ProxyJump"] = _alias(number - 1)
    lines = (f"  {name} {value}\n" for name, value in {**own, **_EVERYWHERE}.items())
    return f"Host {_alias(number)}\n{''.join(lines)}"


def _quoted(path: str) -> str:
    """A path as a configuration of OpenSSH takes it; raises HostError for one that it cannot."""
    return '"' + path.replace("\\", "\\\\").replace('"', '\\"') + '"'


@contextmanager
def ssh_command(host: str, connection: Connection, *, terminal: bool = False) -> Iterator[list[str]]:
    """The command that logs in at a host, as long as this is entered; what it shall do there comes after it.

    Raises HostError for hosts that nobody logs in to over SSH.
    """
    if isinstance(connection, DirectoryHost):
        raise HostError(host, "is a directory: nobody can log in there", hint=f"look at it: {connection.path}")
    if not isinstance(connection, Ssh):
        raise HostError(host, "is this very machine: there is no way to go")
    legs = legs_of(host, connection)
    with tempfile.TemporaryDirectory(prefix="fedikit-ssh-") as folder:
        known, told = Path(folder, "known_hosts"), Path(folder, "config")
        known.write_text(known_hosts(legs))
        told.write_text(configuration(legs, known))
        yield ["ssh", "-F", str(told), *(["-t"] if terminal else []), _alias(len(legs) - 1)]


def log_in(host: str, connection: Connection, command: Sequence[str] = (), *, terminal: bool = False) -> int:
    """Logs in on this terminal, or runs a command there; returns the exit status of OpenSSH."""
    line = [shlex.join(command)] if command else []
    with ssh_command(host, connection, terminal=terminal and bool(command)) as start:
        try:
            return subprocess.run([*start, "--", *line] if line else start, check=False).returncode
        except FileNotFoundError:
            raise ConnectionFailed(
                host, "there is no ssh on this machine", hint="apt-get install openssh-client"
            ) from None
        except KeyboardInterrupt:
            return os.EX_TEMPFAIL
