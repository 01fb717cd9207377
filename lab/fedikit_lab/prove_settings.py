"""What the policy of backups wrote for an application's host: where its backups go, of what, and made by what."""

import json
from typing import NamedTuple

from fedikit.model.data import settings_file
from fedikit.model.deployment import Deployment
from fedikit.model.item import File


class Settings(NamedTuple):
    """Of one application on one host.

    url     its repository, as restic calls it
    parts   the ids of what bears its data
    images  what its containers run, by their names
    """

    url: str
    parts: tuple[str, ...]
    images: dict[str, str]

    @property
    def folder(self) -> str:
        """What the repository is called among those of others."""
        return self.url.rpartition("/")[2]


def settings_of(deployment: Deployment, host: str, application: str) -> Settings | None:
    """None where the application is not backed up."""
    path = settings_file(application)
    for item in deployment.hosts[host].items:
        if isinstance(item, File) and item.path == path:
            told = json.loads(str(item.content))
            parts = tuple(part["id"] for part in told["parts"])
            return Settings(told["repository"]["url"], parts, told["images"])
    return None
