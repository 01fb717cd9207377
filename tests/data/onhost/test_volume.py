"""A volume by itself: what of a folder comes back."""

import os
import shutil
from pathlib import Path

import pytest

from fedikit.data.onhost.repository import Repository
from fedikit.data.onhost.settings import Secrets
from fedikit.data.onhost.volume import VolumePart
from tests.data.onhost.conftest import Host


@pytest.fixture
def repository(host: Host) -> Repository:
    settings = {"url": str(host.repository), "access_key": "", "user": "", "upload_kib": 0, "download_kib": 0}
    made = Repository(settings, Secrets(host.places.secrets), host.places.claim_state(), "one")
    made.initialise()
    return made


def volume(host: Host, path: Path | None = None, *leave_out: str) -> VolumePart:
    return VolumePart({"path": str(path or host.volume), "leave_out": list(leave_out)}, Secrets(host.places.secrets))


def test_the_folder_itself_gets_its_permissions_back(host: Host, repository: Repository) -> None:
    host.volume.chmod(0o3750)
    record = volume(host).back_up(repository, ["run=1"])
    host.volume.chmod(0o700)
    volume(host).restore(repository, record)
    assert host.volume.stat().st_mode & 0o7777 == 0o3750


def test_links_are_no_folders_and_lead_nowhere(host: Host, repository: Repository) -> None:
    """What a link leads to is not of the volume."""
    (host.volume / "link").symlink_to("/etc")
    (host.volume / "dangling").symlink_to("/nowhere")
    record = volume(host, None, "cache").back_up(repository, ["run=1"])
    assert record["counts"] == {"files": 5}
    assert volume(host, None, "cache").measure()["counts"] == {"files": 5}
    (host.volume / "link").unlink()
    volume(host, None, "cache").restore(repository, record)
    assert os.readlink(host.volume / "link") == "/etc"
    assert volume(host, None, "cache").differences(record) == []


@pytest.mark.parametrize("name", ["we[i]rd *", "a,b", "-x", "ü", "$HOME"])
def test_names_that_are_patterns_elsewhere_are_names(host: Host, repository: Repository, name: str) -> None:
    folder = host.root / "srv" / name
    for path in (folder / "cache/x", folder / f"keep {name}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("1")
    part = volume(host, folder, "cache")
    record = part.back_up(repository, ["run=1", f"part=volume:{folder}"])
    assert record["counts"] == {"files": 1}
    shutil.rmtree(folder)
    part.restore(repository, record)
    assert (folder / f"keep {name}").read_text() == "1"
    assert (folder / "cache").is_dir()
