"""Two providers: each has a master key of its own, and the same application's files come to both."""

from pathlib import Path

import fedikit
from fedikit.environment import Environment
from fedikit.model.configuration import Configuration
from fedikit.model.deployment import Deployment
from tests.model.example import MEDIA_SERVERS, configuration

APPLICATIONS = (*MEDIA_SERVERS, "gotosocial", "snac")
FILE = """\
name = "{name}"  # ours

[hosts.one]
type = "directory"
path = "machines/one"

[policies.web]
means = "caddy"

[policies.bucket]
means = "garage"
host = "one"

[policies.backup]
repository = "/srv/backups"

[placement]
{placement}
"""


def everything() -> Configuration:
    """All that has secrets is on."""
    return configuration(*APPLICATIONS)


class Provider:
    """A provider's folder: the file, the master key, and what lies beside them."""

    def __init__(self, folder: Path, digit: str) -> None:
        folder.mkdir()
        self.folder, self.file = folder, folder / "environment.toml"
        placement = "\n".join(f'{name} = "one"' for name in APPLICATIONS)
        self.file.write_text(FILE.format(name=folder.name, placement=placement))
        (folder / "master.key").write_text(f"fedikit-key-2:{digit * 64}\n")
        (folder / "master.key").chmod(0o600)

    def say(self, text: str) -> None:
        """More at the end of the provider's file."""
        self.file.write_text(f"{self.file.read_text()}\n{text}\n")

    @property
    def environment(self) -> Environment:
        return fedikit.load_environment(self.file)

    def deployment(self, wanted: Configuration | None = None) -> Deployment:
        return self.environment.deployment(wanted or everything())
