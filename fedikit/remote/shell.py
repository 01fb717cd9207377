"""One command in a login shell of a host, as its user would type it. Changes nothing by itself; checks use it."""

import shlex
import subprocess

from fedikit.errors import HostError, visible
from fedikit.model.host import Connection, DirectoryHost, Local, Ssh

DEADLINE_SECONDS = 30


def run_in_login_shell(host: str, connection: Connection, command: tuple[str, ...], user: str | None = None) -> str:
    """What the command prints for `user`, or for who logs in there; raises HostError if it fails."""
    line = login_command(command, user, is_root=isinstance(connection, Ssh) and connection.user == "root")
    match connection:
        case Local():
            status, output = _run_here(line)
        case DirectoryHost():
            raise HostError(host, "is a directory: nobody can log in there")
        case Ssh():
            status, output = _run_over_ssh(host, connection, line)
    if status:
        raise HostError(host, f"`{shlex.join(command)}` ended with exit status {status}: {output.strip()[-300:]}")
    return visible(output)


def login_command(command: tuple[str, ...], user: str | None, *, is_root: bool) -> str:
    """The shell line that runs a command in a login shell."""
    if user is None:
        return shlex.join(["bash", "--login", "-c", shlex.join(command)])
    switch = ["runuser", "--login", user, "--command", shlex.join(command)]
    return shlex.join(switch if is_root else ["sudo", "-n", *switch])


def _run_here(line: str) -> tuple[int, str]:
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False)
    return done.returncode, done.stdout + done.stderr


def _run_over_ssh(host: str, ssh: Ssh, line: str) -> tuple[int, str]:
    from fedikit.remote.connection import connect  # slow to import
    from fedikit.remote.leg import Leg
    from fedikit.remote.refusals import translated

    with connect(host, ssh) as connection, translated(Leg(host, ssh), lambda: connection.transport):
        done = connection.run(line, hide=True, warn=True, in_stream=False, timeout=DEADLINE_SECONDS)
    return done.exited, done.stdout + done.stderr
