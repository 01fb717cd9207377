"""Connections over SSH by Fabric, strictly: only host keys that the environment names, every wait with a deadline."""

import contextlib
import logging
import os
import pwd
import socket
from base64 import b64decode
from typing import Any

import fabric
import paramiko

from fedikit.errors import HostKeyRefused
from fedikit.model.ssh_server import SshServer
from fedikit.remote.key_file import named_key
from fedikit.remote.leg import Leg
from fedikit.remote.refusals import translated
from fedikit.remote.ssh_transport import Transport, within

SILENCE_SECONDS = 30
"""How long the network may swallow what is sent, and the host be silent when asked, before all counts as lost."""

logging.getLogger("paramiko").setLevel(logging.CRITICAL)  # what it would log reaches us as an exception too


class Connection(fabric.Connection):  # type: ignore[misc]
    """One whose jump hosts are let go with it."""

    def close(self) -> None:
        super().close()
        if self.gateway:
            self.gateway.close()


def connect(host: str, server: SshServer, line: socket.socket | None = None) -> Connection:
    """An open connection to a host, leg by leg over its jump hosts; over `line` if the first is dialled already.

    It knows exactly one host key for each leg or, if none is named, the user's known hosts. Raises ConnectionFailed,
    HostKeyRefused.
    """
    return _over(Leg(host, server), line)


def _over(leg: Leg, line: socket.socket | None) -> Connection:
    key = named_key(leg)
    before = _over(leg.before, line) if leg.before else None
    try:
        return _opened(leg, key, before, line if before is None else None)
    except BaseException:
        if before:
            before.close()
        raise


def _opened(leg: Leg, key: paramiko.PKey | None, before: Connection | None, line: socket.socket | None) -> Connection:
    server, made = leg.server, list[Transport]()
    _have_a_name()

    def transport(*args: Any, **options: Any) -> Transport:
        made.append(Transport(*args, **options))
        return made[0]

    connection = Connection(
        server.address,
        user=server.user,
        port=server.port,
        gateway=before,
        config=fabric.Config(lazy=True),
        connect_timeout=server.connect_seconds,
        connect_kwargs={**_how_to_log_in(server, key), "transport_factory": transport}
        | ({} if before else {"sock": line or leg.dial()}),
    )
    _vouch(connection.client, leg)
    try:
        with translated(leg, lambda: made[0] if made else None):
            connection.open()
    except BaseException:
        with contextlib.suppress(Exception):
            connection.client.close()
        raise
    _be_prompt(connection.transport)
    return connection


def _have_a_name() -> None:
    """Fabric asks who works here, and with Python 3.13 fails where the system has no name for this user."""
    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        os.environ.setdefault("LOGNAME", str(os.getuid()))


def _how_to_log_in(server: SshServer, key: paramiko.PKey | None) -> dict[str, object]:
    return {
        **({"pkey": key} if key else {}),
        "look_for_keys": key is None,
        "allow_agent": key is None,
        "banner_timeout": server.connect_seconds,
        "auth_timeout": server.login_seconds,
        "channel_timeout": server.login_seconds,
    }


def open_channel(leg: Leg, connection: Connection, command: str) -> paramiko.Channel:
    """A channel in which a host was told to run a command; raises ConnectionFailed."""
    transport = connection.transport
    with translated(leg, lambda: transport), within(leg.server.login_seconds, transport):
        channel: paramiko.Channel = transport.open_session()
        channel.exec_command(command)
    return channel


class RefuseUnknownKey(paramiko.MissingHostKeyPolicy):
    """Neither trust on first use nor a question: an unknown key ends the contact."""

    def __init__(self, leg: Leg) -> None:
        self._leg = leg

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        raise HostKeyRefused(
            self._leg.host,
            f"{self._leg.title} shows a host key that nobody vouched for: {key.get_name()} {key.fingerprint}",
            hint=f"if it is the machine's own, put it into the environment: {self._leg.key('host_key')}",
        )


def _vouch(client: paramiko.SSHClient, leg: Leg) -> None:
    server = leg.server
    client.set_missing_host_key_policy(RefuseUnknownKey(leg))
    if not server.host_key:
        client.load_system_host_keys()
        return
    kind, _, data = server.host_key.partition(" ")
    name = server.address if server.port == 22 else f"[{server.address}]:{server.port}"
    try:
        client.get_host_keys().add(name, kind, paramiko.PKey.from_type_string(kind, b64decode(data)))
    except Exception as error:  # whatever Paramiko makes of a key that it does not know
        problem = f"{leg.title} has a host key in the environment that cannot be checked: {error}"
        raise HostKeyRefused(leg.host, problem, hint=f"see {leg.key('host_key')}") from error


def _be_prompt(transport: paramiko.Transport) -> None:
    """No waiting for more to send, and a silent network is noticed."""
    if isinstance(transport.sock, socket.socket):  # it is a channel where a jump host stands in between
        transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENCE_SECONDS * 1000)
    transport.set_keepalive(SILENCE_SECONDS // 2)
