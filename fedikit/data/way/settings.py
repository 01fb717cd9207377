"""What the policy of backups wrote for an application's host: where its backups go, of what, and what opens them."""

import json
from typing import NamedTuple

from fedikit.model.data import SETTINGS, settings_file
from fedikit.model.deployment import Deployment
from fedikit.model.item import File
from fedikit.model.secret import Content

PASSWORD = "repository-password"  # noqa: S105 - the name of the file
"""What the repository is sealed with."""


class Settings(NamedTuple):
    """Of one application on one host.

    url         its repository, as restic calls it
    parts       the ids of what bears its data
    images      what its containers run, by their names
    access_key  s3: the id of the key to the bucket
    user        rest: who signs in
    beside      the files beside the settings, by their names: what opens the repository
    """

    url: str
    parts: tuple[str, ...]
    images: dict[str, str]
    access_key: str
    user: str
    beside: dict[str, Content]

    @property
    def folder(self) -> str:
        """What the repository is called among those of others."""
        return self.url.rpartition("/")[2]

    @property
    def host_key(self) -> str:
        """sftp: the public key by which the server is known."""
        return str(self.beside.get("known_hosts", "")).partition(" ")[2].strip()


def settings_of(deployment: Deployment, host: str, application: str) -> Settings | None:
    """None where the application is not backed up."""
    files = {item.path: item.content for item in deployment.hosts[host].items if isinstance(item, File)}
    if (written := files.get(settings_file(application))) is None:
        return None
    told = json.loads(str(written))
    repository, own = told["repository"], f"{SETTINGS}/{application}/"
    return Settings(
        url=repository["url"],
        parts=tuple(part["id"] for part in told["parts"]),
        images=told["images"],
        access_key=repository.get("access_key", ""),
        user=repository.get("user", ""),
        beside={path.removeprefix(own): content for path, content in files.items() if path.startswith(own)},
    )
