"""A contact: one run of the agent on a host, bytes in, bytes out; and what its end means."""

from typing import Literal, NamedTuple, Protocol

from fedikit.errors import AgentFailed, ConnectionFailed
from fedikit.remote.greeting import other_user

Lack = Literal["", "shell", "python3", "sudo", "sudo command", "terminal"]
"""What an agent cannot start without: a shell that does as it is told, python3, sudo at all, sudo for python3; sudo
without a terminal."""


KILLED = 128 + 9
"""What a shell says of a command that was killed."""


class End(NamedTuple):
    """How a contact ended."""

    status: int | None
    """Exit status; negative: killed by a signal; None: unknown, the connection is lost."""
    words: str = ""
    """Standard error."""
    lacks: Lack = ""
    """What the host has not, without which no agent can start."""
    system: str = ""
    """Which system the host is, where that is why it lacks something."""


class Contact(Protocol):
    """A running agent."""

    def write(self, data: bytes) -> None: ...
    def read(self, seconds: float) -> bytes:
        """What comes next, as much as there is; nothing at the end. Raises TimeoutError after so many seconds."""

    def close(self) -> None: ...
    def end(self) -> End:
        """How it ended; to be asked when there is nothing more to read."""


_SUDO = "let the login user use sudo without a password, say by a file in /etc/sudoers.d: USER ALL=(ALL) NOPASSWD: ALL"
_HINTS: dict[Lack, str] = {
    "shell": "it needs a shell that may run commands: see the user's login shell (`nologin` and `false` are none), "
    "`command=` in its authorized_keys, and in sshd_config `ForceCommand` and `ChrootDirectory`",
    "python3": "install it there once: apt-get install python3",
    "sudo": "install it there once (apt-get install sudo), or log in as root: `user` in the environment",
    "sudo command": _SUDO,
    "terminal": "let it be used without one, by a line in /etc/sudoers.d: Defaults:USER !requiretty",
}


def explain_end(host: str, end: End, *, if_lost: str, printed: str = "") -> AgentFailed | ConnectionFailed:
    """Why a contact ended without an answer; `if_lost` says what that means for the host if the connection was lost.

    `printed`: what the host said instead of an agent.
    """
    said = [line for line in f"{printed}\n{end.words}".splitlines() if line.strip()]
    tail = said[-1].strip() if said else ""
    if user := other_user(printed):
        return ConnectionFailed(
            host, f"wants another user to log in: {printed}", hint=f'user = "{user}" in hosts.{host} of the environment'
        )
    if end.status is None:
        lost = f"the connection was lost; {if_lost}" + (f"; it said last: {tail}" if tail else "")
        return ConnectionFailed(host, lost, hint="see the host's state: fedikit status")
    if end.status < 0 or end.status == KILLED:
        hint = "see what it does: fedikit status; then do the same again"
        return AgentFailed(host, f"the agent was killed; {if_lost}", hint=hint)
    if end.lacks:
        return ConnectionFailed(host, _without(end, tail), hint="" if end.system else _HINTS[end.lacks])
    return AgentFailed(host, f"the agent ended with exit status {end.status}: {tail or 'it said nothing'}")


def _without(end: End, tail: str) -> str:
    if end.system:
        return f"is {end.system}: not supported, Debian 12 and 13 are"
    match end.lacks:
        case "shell":
            return f"lets us in, but runs no command for us: {tail or 'what it ran instead ended without a word'}"
        case "python3":
            return "there is no python3 on it"
        case "sudo":
            return "no way to become root: sudo is not there"
        case "terminal":
            return f"no way to become root: sudo wants a terminal: {tail or 'it said nothing'}"
        case _:
            return f"no way to become root: {tail or 'sudo refused'}"
