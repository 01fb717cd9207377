"""What a host lacks of what it takes to start an agent: asked over the connection on which none started.

Told by exit statuses, and by one word that only a shell can print, whatever the host's language and its shell.
"""

import contextlib
import time
from typing import NamedTuple

import paramiko

from fedikit.agent.distribution import strange_system
from fedikit.remote.contact import End, Lack

NOT_FOUND = 127
"""How a shell says that there is no such command."""
_ASKING_SECONDS = 10
_MOST_BYTES = 64 * 1024
_WORD = b"fedikit-42"


class _Answer(NamedTuple):
    is_well: bool
    printed: bytes


def what_lacks(end: End, transport: paramiko.Transport, *, needs_sudo: bool) -> End:
    """The same end, with what the host lacks if that is why."""
    lacks = _lacking(transport, needs_sudo=needs_sudo)
    system = strange_system(_ask(transport, "cat /etc/os-release").printed) if lacks == "python3" else ""
    return end._replace(lacks=lacks, system=system)


def _lacking(transport: paramiko.Transport, *, needs_sudo: bool) -> Lack:
    if _WORD not in _ask(transport, "sh -c 'echo fedikit-$((6*7))'").printed:
        return "shell"
    if not _ask(transport, "sh -c 'command -v python3'").is_well:
        return "python3"
    if not needs_sudo:
        return ""
    if not _ask(transport, "sh -c 'command -v sudo'").is_well:
        return "sudo"
    command = "sudo -n python3 -I -S -c pass"
    if _ask(transport, command).is_well:
        return ""
    return "terminal" if _ask(transport, command, with_terminal=True).is_well else "sudo command"


def _ask(transport: paramiko.Transport, command: str, *, with_terminal: bool = False) -> _Answer:
    """What the host's shell makes of a command; as good as nothing if it does not answer."""
    ends, printed = time.monotonic() + _ASKING_SECONDS, b""
    with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
        channel = transport.open_session(timeout=_ASKING_SECONDS)
        if with_terminal:
            channel.get_pty()
        channel.exec_command(command)
        while len(printed) < _MOST_BYTES and (left := ends - time.monotonic()) > 0:
            channel.settimeout(left)
            if not (piece := channel.recv(_MOST_BYTES)):
                break
            printed += piece
        has_ended = channel.status_event.wait(max(0.0, ends - time.monotonic()))
        return _Answer(has_ended and channel.recv_exit_status() == 0, printed)
    return _Answer(is_well=False, printed=printed)
