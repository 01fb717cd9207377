"""The way to another host's repository: open while it is wanted, told of in secret, and told which end was lost."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from fedikit.data.way.other import Other, way_to_repository
from fedikit.errors import ConnectionFailed, FedikitError, HostError
from fedikit.model.deployment import Deployment
from fedikit.model.item import File, SecretRef, SecretText
from fedikit.secrets.vault import Vault
from tests.data.scene import settings_of
from tests.remote.conftest import Stage, stage, staged  # noqa: F401

SEALED_WITH = SecretRef(name="mastodon/backup", permanent=True)
KEY = "1" * 64


@pytest.fixture
def repository(stage: Stage) -> Path:  # noqa: F811
    folder = stage["one"].path("/srv/backups/mastodon")
    (folder / "keys").mkdir(parents=True)
    (folder / "keys" / KEY).write_text("sealed")
    (folder / "config").write_text("known")
    return folder


@pytest.fixture
def source(stage: Stage) -> Deployment:  # noqa: F811
    password = SecretText(parts=(SEALED_WITH,))
    beside = File(path="/etc/fedikit/data/mastodon/repository-password", content=password, mode="0600")
    return stage.wants(one=[settings_of("mastodon"), beside])


@contextmanager
def way(source: Deployment) -> Iterator[Other]:
    with way_to_repository(source, "one", "mastodon", "new", source.hosts["one"].connection) as other:
        yield other


def read(other: Other, path: str) -> httpx.Response:
    url = other.url.get_secret_value().removeprefix("rest:")
    return httpx.get(f"{url}/{path}", trust_env=False, timeout=10)


def test_the_repository_is_read_as_long_as_the_way_is_open(source: Deployment, repository: Path) -> None:
    with way(source) as other:
        assert read(other, f"keys/{KEY}").text == "sealed"
        assert other.password.get_secret_value() == Vault.of(source).value(SEALED_WITH)
        assert other.troubles == []
    with pytest.raises(httpx.ConnectError):
        read(other, "config")


def test_its_address_opens_it_and_shows_nowhere_but_in_what_the_program_is_told(
    source: Deployment, repository: Path
) -> None:
    with way(source) as other, way(source) as another:
        url, password = other.url.get_secret_value(), other.password.get_secret_value()
        login = url.removeprefix("rest:http://").partition("@")[0]
        assert login not in repr(other)
        assert password not in repr(other)
        assert other.told() == {"url": url, "password": password}
        bare = url.removeprefix("rest:").replace(f"{login}@", "")
        assert httpx.get(f"{bare}/config", trust_env=False, timeout=10).status_code == 401
        assert login not in another.url.get_secret_value(), "each way has a password of its own"


def test_what_is_not_backed_up_or_not_there_is_told_before_anything_is_done(
    stage: Stage,  # noqa: F811
    source: Deployment,
) -> None:
    with pytest.raises(FedikitError, match="there is no repository at /srv/backups/mastodon"), way(source):
        pass
    with pytest.raises(FedikitError, match="mastodon is not backed up on one"), way(stage.wants(one=[])):
        pass


def test_a_source_that_is_lost_is_told_instead_of_what_the_target_makes_of_it(
    source: Deployment, repository: Path
) -> None:
    def restore() -> None:
        with way(source) as other:
            shutil.rmtree(repository)
            assert read(other, "config").status_code == 404
            raise HostError("new", "restic: config not found")

    with pytest.raises(ConnectionFailed, match="one: the repository /srv/backups/mastodon can no longer be read"):
        restore()


def test_what_goes_wrong_at_the_target_alone_stays_as_it_is(source: Deployment, repository: Path) -> None:
    with pytest.raises(HostError, match="new: no space left on device"), way(source):
        raise HostError("new", "no space left on device")
