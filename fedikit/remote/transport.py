"""How a host is reached: one seam, `open_contact`, with one class for each deployment type.

A contact is one run of the agent: bytes in, lines out.
"""

import contextlib
import os
import socket
import subprocess
from collections.abc import Iterator
from typing import Protocol

from fedikit.errors import AgentFailed, ConnectionFailed
from fedikit.model.host import Connection, Local, Ssh
from fedikit.remote import bootstrap

DIAL_SECONDS = 10
ENDING_SECONDS = 30


class Contact(Protocol):
    """A running agent."""

    def write(self, data: bytes) -> None: ...
    def lines(self) -> Iterator[bytes]: ...
    def close(self) -> None: ...
    def last_words(self) -> tuple[int | None, str]:
        """Exit status (negative: killed by a signal; None: unknown, the connection is lost) and standard error, once
        the lines have ended."""


def open_contact(host: str, connection: Connection) -> Contact:
    """Starts the agent on a host; raises ConnectionFailed or HostKeyRefused."""
    match connection:
        case Local():
            return LocalContact()
        case Ssh():
            line = dial(host, connection)  # first, so that the host gets ready meanwhile
            from fedikit.remote.ssh import SshContact  # slow to import, and not needed for this machine alone

            return SshContact(host, connection, line)


def dial(host: str, ssh: Ssh) -> socket.socket:
    """A TCP connection to where SSH answers; raises ConnectionFailed."""
    try:
        return socket.create_connection((ssh.address, ssh.port), timeout=DIAL_SECONDS)
    except OSError as error:
        from fedikit.remote.ssh import unreachable

        raise unreachable(host, ssh, error) from error


class LocalContact:
    """The agent on this machine, with sudo where the deployer is not root."""

    def __init__(self) -> None:
        sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
        self._process = subprocess.Popen(
            [*sudo, *bootstrap.command("/usr/bin/python3")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def write(self, data: bytes) -> None:
        assert self._process.stdin
        try:
            self._process.stdin.write(data)
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise ConnectionFailed("this machine", "the agent takes nothing more") from error

    def lines(self) -> Iterator[bytes]:
        assert self._process.stdout
        return iter(self._process.stdout.readline, b"")

    def close(self) -> None:
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            assert stream
            with contextlib.suppress(BrokenPipeError):
                stream.close()
        self._process.wait(timeout=ENDING_SECONDS)

    def last_words(self) -> tuple[int | None, str]:
        assert self._process.stderr
        words = self._process.stderr.read().decode(errors="replace")
        return self._process.wait(timeout=ENDING_SECONDS), words


def explain_end(host: str, contact: Contact, *, if_lost: str) -> AgentFailed | ConnectionFailed:
    """Why a contact ended without an answer; `if_lost` says what that means for the host if the connection was lost."""
    status, words = contact.last_words()
    tail = words.strip().splitlines()[-1] if words.strip() else ""
    if status is None:
        return ConnectionFailed(
            host, f"the connection was lost; {if_lost}", hint="see the host's state: fedikit status"
        )
    if status < 0:
        return AgentFailed(host, "the agent was killed", hint="do the same again")
    if "python3" in tail and "not found" in tail:
        return ConnectionFailed(
            host, "there is no python3 on it", hint="install it there once: apt-get install python3"
        )
    if "sudo" in tail:
        return ConnectionFailed(
            host, f"no way to become root: {tail}", hint="let the login user use sudo without a password"
        )
    return AgentFailed(host, f"the agent ended with exit status {status}: {tail or 'it said nothing'}")
