"""Repositories as the deployer reaches them, by what their policy wrote: on the application's host, or on a server."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from fedikit.agent.signature import Access
from fedikit.data.export.folder import open_private
from fedikit.data.way.settings import Settings, settings_of
from fedikit.data.way.source import FolderSource, SftpSource, Source
from fedikit.data.way.web import RestSource, S3Source
from fedikit.errors import FedikitError
from fedikit.model.deployment import Deployment
from fedikit.model.host import Connection, DirectoryHost, Local
from fedikit.model.ssh_server import SshServer
from fedikit.policies.repository import kind_of
from fedikit.remote.connection import connect
from fedikit.secrets.vault import Vault

S3_REGION = "us-east-1"
"""Where a bucket is taken to be until its server says otherwise, as restic does."""
_SFTP_SERVER = "/usr/lib/openssh/sftp-server -R"
"""What serves files of a host, and lets nobody write."""


@contextlib.contextmanager
def opened(deployment: Deployment, application: str, room: Path) -> Iterator[dict[str, Source]]:
    """The application's repositories by their folders; `room` is where a key may lie meanwhile.

    Raises FedikitError for one that cannot be read.
    """
    sources: dict[str, Source] = {}
    with contextlib.ExitStack() as stack:
        for host in deployment.hosts:
            if settings := settings_of(deployment, host, application):
                sources[settings.folder] = stack.enter_context(opened_one(deployment, host, settings, room))
        yield sources


@contextlib.contextmanager
def opened_one(deployment: Deployment, host: str, settings: Settings, room: Path) -> Iterator[Source]:
    """The repository that a host backs up to; raises FedikitError if it cannot be read."""
    with contextlib.closing(_source(deployment, host, settings, room)) as source:
        _require_a_repository(source, settings.url)
        yield source


def _require_a_repository(source: Source, url: str) -> None:
    """Looks once before anything else is done."""
    hint = "it is read from this deployer: see that it may, and that the repository is there"
    try:
        is_there = bool(source.sizes("keys"))
    except OSError as error:
        raise FedikitError(f"the repository {url} cannot be read: {error.strerror or error}", hint=hint) from error
    if not is_there:
        raise FedikitError(f"there is no repository at {url}", hint=hint)


def _source(deployment: Deployment, host: str, settings: Settings, room: Path) -> Source:
    def secret(name: str) -> str:
        return Vault.of(deployment).text(settings.beside[name])

    url = settings.url
    match kind_of(url):
        case "local":
            return _on_the_host(host, deployment.hosts[host].connection, url)
        case "sftp":
            return _on_a_server(settings, _key(secret("ssh-key"), room))
        case "rest":
            password = secret("rest-password") if settings.user else ""
            return RestSource(url.removeprefix("rest:"), settings.user, password)
        case "s3":
            return _in_a_bucket(settings, secret("s3-secret"))


def _in_a_bucket(settings: Settings, secret: str) -> Source:
    place = urlsplit(settings.url.removeprefix("s3:"))
    bucket, _, folder = place.path.strip("/").partition("/")
    access = Access(f"{place.scheme}://{place.netloc}", S3_REGION, settings.access_key, secret)
    return S3Source(access, bucket, folder)


def _on_the_host(host: str, connection: Connection, folder: str) -> Source:
    """A folder of the application's own host: read with its login, by a server that cannot write."""
    if isinstance(connection, DirectoryHost):
        return FolderSource(Path(connection.path) / folder.lstrip("/"))
    if isinstance(connection, Local):
        return FolderSource(Path(folder))
    command = _SFTP_SERVER if connection.user == "root" else f"sudo -n {_SFTP_SERVER}"
    return SftpSource(lambda: connect(host, connection), lambda channel: channel.exec_command(command), folder)


def _on_a_server(settings: Settings, key: Path) -> Source:
    """A folder of a server of its own: read with the key by which hosts write there."""
    user, address, port, folder = address_of(settings.url)
    server = SshServer(address=address, port=port, user=user, host_key=settings.host_key, identity_file=str(key))
    name = f"the repository {settings.url}"
    return SftpSource(lambda: connect(name, server), lambda channel: channel.invoke_subsystem("sftp"), folder)


def address_of(url: str) -> tuple[str, str, int, str]:
    """User, address, port and folder of a repository that is reached by SFTP, in both of restic's spellings."""
    if url.startswith("sftp://"):
        place = urlsplit(url)
        return place.username or "root", place.hostname or "", place.port or 22, place.path.removeprefix("/")
    who, _, folder = url.removeprefix("sftp:").rpartition(":")
    user, _, address = who.rpartition("@")
    return user or "root", address.strip("[]"), 22, folder


def _key(private: str, room: Path) -> Path:
    """The key in a file that only its owner can read."""
    key = room / "repository_key"
    with open_private(key, 0) as file:
        file.write(f"{private.strip()}\n".encode())
    return key
