"""The way to a repository from here, as its policy tells it: on the application's host itself, or on a server."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import paramiko

from fedikit.errors import ConnectionFailed, FedikitError
from fedikit.model.deployment import Deployment
from fedikit.model.host import Connection, Ssh
from fedikit.model.item import File, SecretRef
from fedikit.model.ssh_server import SshServer
from fedikit.policies.backup import GIVEN, SETTINGS, BackupPolicy
from fedikit.policies.repository import kind_of
from fedikit.remote.connection import connect, open_channel
from fedikit.remote.leg import Leg
from fedikit.secrets.vault import Vault
from fedikit_lab.keys import write_private
from fedikit_lab.prove_source import FolderSource, SftpSource, Source

_SFTP_SERVER = "/usr/lib/openssh/sftp-server -R"
"""What serves files of a host, and lets nobody write."""


@contextlib.contextmanager
def opened(deployment: Deployment, application: str, policy: BackupPolicy, room: Path) -> Iterator[dict[str, Source]]:
    """The application's repositories by their folders; `room` is where a key may lie meanwhile."""
    sources: dict[str, Source] = {}
    with contextlib.ExitStack() as stack:
        for host in deployment.hosts:
            if url := repository_of(deployment, host, application):
                source = _source(deployment, host, url, policy, room)
                stack.callback(source.close)
                sources[url.rpartition("/")[2]] = source
        yield sources


def repository_of(deployment: Deployment, host: str, application: str) -> str:
    """Where a host puts the application's backups; empty if it makes none."""
    path = f"{SETTINGS}/{application}.json"
    settings = [item for item in deployment.hosts[host].items if isinstance(item, File) and item.path == path]
    return str(json.loads(str(settings[0].content))["repository"]["url"]) if settings else ""


def parts_of(deployment: Deployment, host: str, application: str) -> list[str]:
    """The ids of what of the application bears data on a host."""
    path = f"{SETTINGS}/{application}.json"
    settings = [item for item in deployment.hosts[host].items if isinstance(item, File) and item.path == path]
    return [part["id"] for part in json.loads(str(settings[0].content))["parts"]] if settings else []


def _source(deployment: Deployment, host: str, url: str, policy: BackupPolicy, room: Path) -> Source:
    match kind_of(url):
        case "local":
            return _on_the_host(host, deployment.hosts[host].connection, url)
        case "sftp":
            return _on_a_server(host, url, policy, _key(deployment, room))
        case kind:
            raise FedikitError(
                f"a repository that is reached by {kind} cannot be proven from here yet",
                hint="put a copy of it on a server that speaks SFTP",
            )


def _on_the_host(host: str, connection: Connection, folder: str) -> Source:
    """A folder of the application's own host: read with its login, by a server that cannot write."""
    if not isinstance(connection, Ssh):
        return FolderSource(Path(folder))
    command = _SFTP_SERVER if connection.user == "root" else f"sudo -n {_SFTP_SERVER}"
    channel = open_channel(Leg(host, connection), connect(host, connection), command)
    return _sftp(host, channel, folder)


def _on_a_server(host: str, url: str, policy: BackupPolicy, key: Path) -> Source:
    """A folder of a server of its own: read with the key by which hosts write there."""
    user, address, port, folder = address_of(url)
    server = SshServer(
        address=address, port=port, user=user, host_key=policy.known_host or "", identity_file=str(key)
    )  # fmt: skip
    connection = connect(f"the repository {url}", server)
    channel = connection.transport.open_session(timeout=server.login_seconds)
    channel.invoke_subsystem("sftp")
    return _sftp(host, channel, folder)


def _sftp(host: str, channel: paramiko.Channel, folder: str) -> Source:
    try:
        return SftpSource(paramiko.SFTPClient(channel), folder)
    except (paramiko.SSHException, EOFError, OSError) as error:
        channel.get_transport().close()
        raise ConnectionFailed(host, f"serves no files over SFTP: {error or type(error).__name__}") from error


def address_of(url: str) -> tuple[str, str, int, str]:
    """User, address, port and folder of a repository that is reached by SFTP, in both of restic's spellings."""
    if url.startswith("sftp://"):
        place = urlsplit(url)
        return place.username or "root", place.hostname or "", place.port or 22, place.path.removeprefix("/")
    who, _, folder = url.removeprefix("sftp:").rpartition(":")
    user, _, address = who.rpartition("@")
    return user or "root", address.strip("[]"), 22, folder


def _key(deployment: Deployment, room: Path) -> Path:
    key = room / "repository_key"
    secret = SecretRef(name=GIVEN["sftp"], given=True)
    write_private(key, f"{Vault.of(deployment).value(secret).strip()}\n")
    return key
