"""Two providers: each has a master key of its own, and the same application's files come to both."""

from pathlib import Path

import fedikit
from fedikit.environment import Environment
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


class Provider:
    """A provider's folder: the file, the master key, and what lies beside them."""

    def __init__(self, folder: Path, digit: str, *, applications: tuple[str, ...] = APPLICATIONS) -> None:
        folder.mkdir()
        self.folder, self.file = folder, folder / "environment.toml"
        self.wanted = configuration(*applications)
        self._made: dict[str, Deployment] = {}
        placement = "\n".join(f'{name} = "one"' for name in applications)
        self.file.write_text(FILE.format(name=folder.name, placement=placement))
        (folder / "master.key").write_text(f"fedikit-key-2:{digit * 64}\n")
        (folder / "master.key").chmod(0o600)

    def say(self, text: str) -> None:
        """More at the end of the provider's file."""
        self.file.write_text(f"{self.file.read_text()}\n{text}\n")

    @property
    def environment(self) -> Environment:
        return fedikit.load_environment(self.file)

    def deployment(self) -> Deployment:
        """What the file as it is comes to; made once, for that takes its time."""
        text = self.file.read_text()
        if text not in self._made:
            self._made[text] = self.environment.deployment(self.wanted)
        return self._made[text]
