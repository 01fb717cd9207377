"""How a host is reached: one seam, `open_contact`, with one class for each way of talking to an agent."""

import socket

from fedikit.model.host import Connection, DirectoryHost, Local, Ssh
from fedikit.remote.contact import Contact

DIAL_SECONDS = 10


def open_contact(host: str, connection: Connection) -> Contact:
    """Starts the agent on a host; raises ConnectionFailed or HostKeyRefused."""
    match connection:
        case Local():
            from fedikit.remote.process import ProcessContact, agent_on_this_machine

            return ProcessContact(host, *agent_on_this_machine())
        case DirectoryHost():
            from fedikit.remote.directory import agent_in
            from fedikit.remote.process import ProcessContact

            return ProcessContact(host, *agent_in(connection.path))
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
