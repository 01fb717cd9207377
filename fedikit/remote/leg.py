"""A leg of the way to a host: one SSH server, the host itself or a jump host before it, and how it is told to fail."""

import errno
import socket
from dataclasses import dataclass

from fedikit.errors import ConnectionFailed
from fedikit.model.ssh_server import JumpHost, SshServer

_NO_WAY = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EHOSTDOWN, errno.ENETDOWN}


@dataclass(frozen=True)
class Leg:
    """An SSH server on the way to a host of the environment."""

    host: str
    server: SshServer

    @property
    def title(self) -> str:
        """What it is called in messages."""
        return f"the jump host {self.server.where}" if self.is_jump else self.server.where

    @property
    def is_jump(self) -> bool:
        return isinstance(self.server, JumpHost)

    @property
    def before(self) -> "Leg | None":
        """The leg that must be there first; raises ConnectionFailed if only its name is known."""
        match self.server.jump:
            case None:
                return None
            case SshServer() as jump:
                return Leg(self.host, jump)
            case name:
                hint = "only an environment knows hosts by their names: give its address and host_key"
                raise self.fails(f"is behind {name}, and nothing else is known of that", hint=hint)

    @property
    def first(self) -> "Leg":
        """The one by which the way begins."""
        return self.before.first if self.before else self

    def key(self, name: str) -> str:
        """Where the environment says something of it."""
        return f"hosts.{self.host}.{'jump: ' if self.is_jump else ''}{name} in the environment"

    def fails(self, what: str, *, hint: str = "") -> ConnectionFailed:
        """The error that says what is wrong there."""
        return ConnectionFailed(self.host, f"{self.title} {what}", hint=hint)

    def dial(self) -> socket.socket:
        """A TCP connection to where it answers; raises ConnectionFailed."""
        try:
            return socket.create_connection(
                (self.server.address, self.server.port), timeout=self.server.connect_seconds
            )
        except (OSError, UnicodeError) as error:
            raise self.unreachable(error) from error

    def unreachable(self, error: Exception) -> ConnectionFailed:
        """What to say when the network gave an error, with a hint that fits it."""
        what, hint = self._network_trouble(error)
        return self.fails(f"cannot be reached: {what}", hint=hint)

    def _network_trouble(self, error: Exception) -> tuple[str, str]:
        reason = getattr(error, "strerror", None) or str(error) or "the connection was closed"
        match error:
            case socket.gaierror() | UnicodeError():
                return (
                    f"its name does not resolve: {reason}",
                    f"is it spelt rightly, and does DNS know it? See {self.key('address')}; an IP address does as well",
                )
            case ConnectionRefusedError():
                return (
                    f"nothing answers there: {reason}",
                    f"is the machine up? Does its SSH server run, and at that port: {self.key('port')}",
                )
            case TimeoutError():
                return (
                    f"no answer within {self.server.connect_seconds} s",
                    f"is the machine up, and does every firewall let port {self.server.port} through? "
                    f"If it is that slow, give it more time: {self.key('connect_seconds')}",
                )
            case OSError(errno=number) if number in _NO_WAY:
                return (
                    f"there is no way to it: {reason}",
                    "is the machine up, and this deployer in a network that leads there (IPv6, a VPN)? "
                    "If it is behind another host: hosts.NAME.jump in the environment",
                )
            case _:
                return (
                    f"it broke the connection off: {reason}",
                    "somebody there refuses us, or too many at once: see its SSH server's log (journalctl --unit ssh) "
                    "for MaxStartups, and firewalls such as fail2ban",
                )
