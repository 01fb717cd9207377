"""The way to a repository from here, as its policy tells it: on the application's host itself, or on a server."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from fedikit.agent.signature import Access
from fedikit.errors import FedikitError
from fedikit.model.deployment import Deployment
from fedikit.model.host import Connection, DirectoryHost, Local
from fedikit.model.item import SecretRef
from fedikit.model.ssh_server import SshServer
from fedikit.policies.backup import GIVEN, BackupPolicy
from fedikit.policies.repository import Kind, kind_of
from fedikit.remote.connection import connect
from fedikit.secrets.vault import Vault
from fedikit_lab.keys import write_private
from fedikit_lab.prove_settings import settings_of
from fedikit_lab.prove_source import FolderSource, SftpSource, Source
from fedikit_lab.prove_web import RestSource, S3Source

S3_REGION = "us-east-1"
"""Where a bucket is taken to be until its server says otherwise, as restic does."""
_SFTP_SERVER = "/usr/lib/openssh/sftp-server -R"
"""What serves files of a host, and lets nobody write."""


@contextlib.contextmanager
def opened(deployment: Deployment, application: str, policy: BackupPolicy, room: Path) -> Iterator[dict[str, Source]]:
    """The application's repositories by their folders; `room` is where a key may lie meanwhile."""
    sources: dict[str, Source] = {}
    with contextlib.ExitStack() as stack:
        for host in deployment.hosts:
            if settings := settings_of(deployment, host, application):
                source = _source(deployment, host, settings.url, policy, room)
                stack.callback(source.close)
                _require_a_repository(source, settings.url)
                sources[settings.folder] = source
        yield sources


def _require_a_repository(source: Source, url: str) -> None:
    """Looks once before any machine is booted."""
    hint = "it is read from this deployer: see that it may, and that the repository is there"
    try:
        is_there = bool(source.sizes("keys"))
    except OSError as error:
        raise FedikitError(f"the repository {url} cannot be read: {error.strerror or error}", hint=hint) from error
    if not is_there:
        raise FedikitError(f"there is no repository at {url}", hint=hint)


def _source(deployment: Deployment, host: str, url: str, policy: BackupPolicy, room: Path) -> Source:
    match kind_of(url):
        case "local":
            return _on_the_host(host, deployment.hosts[host].connection, url)
        case "sftp":
            return _on_a_server(url, policy, _key(deployment, room))
        case "rest":
            password = _secret(deployment, "rest") if policy.user else ""
            return RestSource(url.removeprefix("rest:"), policy.user, password)
        case "s3":
            return _in_a_bucket(url, policy, _secret(deployment, "s3"))


def _in_a_bucket(url: str, policy: BackupPolicy, secret: str) -> Source:
    place = urlsplit(url.removeprefix("s3:"))
    bucket, _, folder = place.path.strip("/").partition("/")
    access = Access(f"{place.scheme}://{place.netloc}", S3_REGION, policy.access_key, secret)
    return S3Source(access, bucket, folder)


def _on_the_host(host: str, connection: Connection, folder: str) -> Source:
    """A folder of the application's own host: read with its login, by a server that cannot write."""
    if isinstance(connection, DirectoryHost):
        return FolderSource(Path(connection.path) / folder.lstrip("/"))
    if isinstance(connection, Local):
        return FolderSource(Path(folder))
    command = _SFTP_SERVER if connection.user == "root" else f"sudo -n {_SFTP_SERVER}"
    return SftpSource(connect(host, connection), lambda channel: channel.exec_command(command), folder)


def _on_a_server(url: str, policy: BackupPolicy, key: Path) -> Source:
    """A folder of a server of its own: read with the key by which hosts write there."""
    user, address, port, folder = address_of(url)
    server = SshServer(
        address=address, port=port, user=user, host_key=policy.known_host or "", identity_file=str(key)
    )  # fmt: skip
    connection = connect(f"the repository {url}", server)
    return SftpSource(connection, lambda channel: channel.invoke_subsystem("sftp"), folder)


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
    write_private(key, f"{_secret(deployment, 'sftp').strip()}\n")
    return key


def _secret(deployment: Deployment, kind: Kind) -> str:
    """What opens a repository that is reached so."""
    return Vault.of(deployment).value(SecretRef(name=GIVEN[kind], given=True))
