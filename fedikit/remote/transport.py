"""How a host is reached: one seam, `open_contact`, with one class for each way of talking to an agent."""

from fedikit.model.host import Connection, DirectoryHost, Local, Ssh
from fedikit.remote.contact import Contact
from fedikit.remote.leg import Leg


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
            line = Leg(host, connection).first.dial()  # first, so that the host gets ready meanwhile
            from fedikit.remote.ssh import SshContact  # slow to import, and not needed for this machine alone

            return SshContact(host, connection, line)
