"""What every verb works with: an application's settings, its repository, its state, and who is told."""

from dataclasses import dataclass
from pathlib import Path

from .manifest import Manifests
from .other import Other, kept_in_memory
from .part import Part, make_part
from .places import Places
from .repository import Repository
from .result import Result
from .settings import Secrets, Settings, read_settings
from .telling import Telling
from .trouble import Trouble

OTHER = "other"
"""Below the state, what is kept of another repository."""


@dataclass(frozen=True)
class Work:
    """The work on one application's data; `is_of_other`: the repository is another's, that is read only."""

    places: Places
    settings: Settings
    secrets: Secrets
    repository: Repository
    manifests: Manifests
    result: Result
    telling: Telling
    is_of_other: bool = False

    @property
    def state(self) -> Path:
        return self.places.state

    def part(self, identity: str) -> Part:
        """The part of that id, as the settings describe it."""
        spec = next((part for part in self.settings.parts if part["id"] == identity), None)
        if spec is None:
            raise Trouble(f"{identity} is no part of {self.settings.application} any more", part=identity)
        return make_part(spec, self.secrets)


def open_work(places: Places, telling: Telling, *, other: Other | None = None, reads_all: bool = False) -> Work:
    """Reads what is wanted, and claims the state's folder; nobody is asked yet.

    `other`: the repository that is read instead of the application's own. `reads_all`: all of the repository is read,
    and nothing written there.
    """
    settings, secrets = read_settings(places), Secrets(places.secrets)
    telling.secrets = [*(filter(None, (other.login, other.password)) if other else ()), *secrets.known()]
    state = places.claim_state()
    own = Repository(settings.repository, secrets, state, settings.host, reads_only=reads_all, reads_all=reads_all)
    repository = _other(own, other) if other else own
    result = Result(places, settings, own)
    manifests = Manifests(repository, settings.application)
    return Work(places, settings, secrets, repository, manifests, result, telling, other is not None)


def _other(own: Repository, other: Other) -> Repository:
    """Another repository in the place of the own one; as fast as that may be read."""
    state = own.state / OTHER
    state.mkdir(mode=0o700, exist_ok=True)
    settings = {"url": other.url, "access_key": "", "user": other.user, "upload_kib": 0}
    settings["download_kib"] = own.settings["download_kib"]
    return Repository(settings, kept_in_memory(other), state, own.host, reads_only=True, is_others=True)
