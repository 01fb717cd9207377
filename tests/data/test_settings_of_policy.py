"""What the policy of backups writes is what the program on a host reads."""

import json
from pathlib import Path

import pytest

from fedikit.data.onhost.places import Places
from fedikit.data.onhost.settings import read_settings
from fedikit.policies.backup import SETTINGS
from tests.model.example import files
from tests.model.test_backup import ALL, deployed


@pytest.mark.parametrize("application", ALL)
def test_the_program_takes_the_settings_of_every_application(application: str, tmp_path: Path) -> None:
    made = deployed(application)
    (state,) = [state for state in made.hosts.values() if application in state.applications]
    places, written = Places(application, tmp_path), files(state)[f"{SETTINGS}/{application}.json"]
    places.settings.parent.mkdir(parents=True)
    places.settings.write_text(written)

    read = read_settings(places)

    assert places.settings == tmp_path / SETTINGS.lstrip("/") / f"{application}.json"
    assert read.expected == [part["id"] for part in json.loads(written)["parts"]]
    assert (read.deployment, read.application) == ("lab", application)
