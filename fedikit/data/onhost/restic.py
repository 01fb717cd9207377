"""Restic, called upon one repository: nothing secret is on a command line.

Every call has a deadline, or ends when it no longer gets on.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import command
from .command import Finished, Hear
from .disks import NO_ROOM, free_at
from .other import GateSecrets
from .said import trouble_of
from .settings import Secrets
from .trouble import Trouble, hint_of_room

ANSWER_SECONDS = 600
LONG_SECONDS = 12 * 3600
SILENCE_SECONDS = 1800
"""For how long restic may not get on: one that cannot upload may wait for ever."""
_WRITING = ("init", "backup")


@dataclass(frozen=True)
class Restic:
    """How a repository is worked upon in the name of one host; `state` keeps restic's cache.

    `reads_only`: nothing is ever written there, not even a lock. `reads_all`: a restore shows that all can be read.
    `is_others`: who filled it is not trusted.
    """

    settings: Mapping[str, Any]
    secrets: Secrets | GateSecrets
    state: Path
    host: str
    reads_only: bool = False
    reads_all: bool = False
    is_others: bool = False

    @property
    def url(self) -> str:
        """Where it is, without secrets."""
        return str(self.settings["url"])

    def environment(self) -> dict[str, str]:
        """What restic reads from its environment, secrets among it."""
        wanted = {
            "RESTIC_REPOSITORY": self.url,
            "RESTIC_PASSWORD_FILE": str(self.secrets.path("repository-password")),
            "RESTIC_CACHE_DIR": str(self.state / "cache"),
            "RESTIC_PROGRESS_FPS": "0.2",
        }
        if self.url.startswith("s3:"):
            wanted["AWS_ACCESS_KEY_ID"] = self.settings["access_key"]
            wanted["AWS_SECRET_ACCESS_KEY"] = self.secrets.read("s3-secret")
        if self.url.startswith("rest:") and self.settings["user"]:
            wanted["RESTIC_REST_USERNAME"] = self.settings["user"]
            wanted["RESTIC_REST_PASSWORD"] = self.secrets.read("rest-password")
        return wanted

    def _options(self) -> list[str]:
        limits = [("--limit-upload", "upload_kib"), ("--limit-download", "download_kib")]
        words = [word for option, name in limits if self.settings[name] for word in (option, str(self.settings[name]))]
        words += ["--no-lock"] if self.reads_only else []
        return [*words, *(["-o", f"sftp.args={self._ssh()}"] if self.url.startswith("sftp:") else [])]

    def _ssh(self) -> str:
        """What ssh is told: to accept the one key that is known, to ask nobody, and to wait for nobody for ever."""
        options = {
            "IdentityFile": self.secrets.path("ssh-key"),
            "IdentitiesOnly": "yes",
            "UserKnownHostsFile": self.secrets.path("known_hosts"),
            "GlobalKnownHostsFile": "/dev/null",
            "StrictHostKeyChecking": "yes",
            "BatchMode": "yes",
            "ConnectTimeout": 20,
            "ServerAliveInterval": 20,
            "ServerAliveCountMax": 6,
        }
        return " ".join(
            ["-F", "none", *(word for name, value in options.items() for word in ("-o", f"{name}={value}"))]
        )

    def words(self, *words: str) -> list[str]:
        """A command line of restic."""
        return ["restic", *self._options(), *words]

    def run(
        self,
        *words: str,
        seconds: float = ANSWER_SECONDS,
        hear: Hear | None = None,
        silence: float = 0,
        environment: Mapping[str, str] | None = None,
        may_end_with: tuple[int, ...] = (0,),
        folder: str = "",
    ) -> Finished:
        """Runs restic; raises Trouble in words unless it ends with one of these statuses.

        `folder`: what it reads or writes, where others may be at work; it follows no link there.
        """
        self._require_folder()
        if words[0] in _WRITING:
            self._require_room()
        everything = {**self.environment(), **(environment or {})}
        finished = command.run(
            self.words(*words), seconds=seconds, environment=everything, hear=hear, silence=silence, folder=folder
        )  # fmt: skip
        if finished.status not in may_end_with:
            raise trouble_of(finished, words[0], self.url)
        return finished

    def _require_folder(self) -> None:
        if self.url.startswith("/") and not Path(self.url).is_dir():
            raise Trouble(
                f"the repository's folder {self.url} is not there", hint=f"mount its disk: {Path(self.url).parent}"
            )

    def _require_room(self) -> None:
        """On a disk of this host: restic tries again for a quarter of an hour before it says that there is none."""
        if self.url.startswith("/") and free_at(Path(self.url)) < NO_ROOM:
            raise Trouble(f"the repository's disk is full: {self.url}", hint=hint_of_room())
