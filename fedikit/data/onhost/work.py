"""What every verb works with: an application's settings, its repository, its state, and who is told."""

from dataclasses import dataclass
from pathlib import Path

from .manifest import Manifests
from .part import Part, make_part
from .places import Places
from .repository import Repository
from .result import Result
from .settings import Secrets, Settings, read_settings
from .telling import Telling
from .trouble import Trouble


@dataclass(frozen=True)
class Work:
    """The work on one application's data."""

    places: Places
    settings: Settings
    secrets: Secrets
    repository: Repository
    manifests: Manifests
    result: Result
    telling: Telling

    @property
    def state(self) -> Path:
        return self.places.state

    def part(self, identity: str) -> Part:
        """The part of that id, as the settings describe it."""
        spec = next((part for part in self.settings.parts if part["id"] == identity), None)
        if spec is None:
            raise Trouble(f"{identity} is no part of {self.settings.application} any more", part=identity)
        return make_part(spec, self.secrets)


def open_work(places: Places, telling: Telling) -> Work:
    """Reads what is wanted, and claims the state's folder; nobody is asked yet."""
    settings, secrets = read_settings(places), Secrets(places.secrets)
    telling.secrets = secrets.known()
    state = places.claim_state()
    repository = Repository(settings.repository, secrets, state, settings.host)
    result = Result(places, settings, repository)
    return Work(places, settings, secrets, repository, Manifests(repository), result, telling)
