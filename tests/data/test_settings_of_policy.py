"""What the policy of backups writes is what the program on a host reads."""

import json
from pathlib import Path

import pytest

from fedikit.data.onhost.bucket import BucketPart
from fedikit.data.onhost.part import make_part
from fedikit.data.onhost.places import Places
from fedikit.data.onhost.settings import Secrets, Settings, read_settings
from fedikit.model.data import SETTINGS
from fedikit.remote.payload import resting_if_closed
from tests.model.example import files
from tests.model.test_backup import ALL, deployed


def written(application: str, root: Path) -> tuple[Settings, Secrets]:
    """The settings and the secrets of an application, as they lie on its host."""
    made = deployed(application)
    (state,) = [state for state in made.hosts.values() if application in state.applications]
    for path, text in files(state).items():
        if path.startswith(SETTINGS):
            place = root / path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
            place.chmod(0o600)
    places = Places(application, root)
    return read_settings(places), Secrets(places.secrets)


@pytest.mark.parametrize("application", ALL)
def test_the_program_takes_the_settings_of_every_application(application: str, tmp_path: Path) -> None:
    settings, _ = written(application, tmp_path)

    noted = json.loads((tmp_path / SETTINGS.lstrip("/") / f"{application}.json").read_text())
    assert settings.expected == [part["id"] for part in noted["parts"]]
    assert (settings.deployment, settings.application) == ("lab", application)


@pytest.mark.parametrize("application", ALL)
def test_every_part_finds_its_secrets(application: str, tmp_path: Path) -> None:
    settings, secrets = written(application, tmp_path)

    assert all(make_part(part, secrets) for part in settings.parts)
    assert secrets.read("repository-password") == f"<{application}/backup password 1>"


def test_a_bucket_finds_the_id_of_its_key_among_the_secrets(tmp_path: Path) -> None:
    settings, secrets = written("mastodon", tmp_path)
    (part,) = [make_part(part, secrets) for part in settings.parts if part["kind"] == "bucket"]

    assert isinstance(part, BucketPart)
    assert part.access.id == "<mastodon/bucket-key garage-key-id 1>"
    assert part.access.secret == "<mastodon/bucket-key garage-key-secret 1>"


@pytest.mark.parametrize("application", ALL)
def test_what_rests_while_it_is_closed_is_all_that_could_touch_its_data(application: str, tmp_path: Path) -> None:
    """Its own units, and every job that does not belong to the means by which it is served."""
    (state,) = [state for state in deployed(application).hosts.values() if application in state.applications]
    resting = set(resting_if_closed(state)[application])
    assert resting <= {item.id for item in state.items}
    jobs = {item.id for item in state.items if item.id.startswith("job:")}
    harmless = {job for job in jobs if job.endswith((" owners", " backup state")) or job == "job:trusted certificates"}
    assert jobs - harmless - {job for job in jobs if "garage" in job} == {id for id in resting if id.startswith("job:")}
    settings, _ = written(application, tmp_path)
    assert {f"unit:{unit}" for unit in settings.stop} == {id for id in resting if id.startswith("unit:")}
    assert settings.domains
    assert all(f"/etc/caddy/sites/{domain}.caddy" in files(state) for domain in settings.domains)


@pytest.mark.parametrize("application", ALL)
def test_what_is_read_while_it_is_closed_writes_only_where_that_is_refused(application: str, tmp_path: Path) -> None:
    """Into a database of PostgreSQL; and all of its sites know it when they can be read only."""
    (state,) = [state for state in deployed(application).hosts.values() if application in state.applications]
    settings, _ = written(application, tmp_path)
    sites = [files(state)[f"/etc/caddy/sites/{domain}.caddy"] for domain in settings.domains]
    assert settings.reads == (["mastodon-web.service"] if application == "mastodon" else [])
    assert all(("handle @reading {" in site) is bool(settings.reads) for site in sites)
    if settings.reads:
        assert {part["kind"] for part in settings.parts} == {"postgresql", "bucket"}
