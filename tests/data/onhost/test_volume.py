"""A volume by itself: what of a folder comes back."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from fedikit.data.onhost.repository import Repository
from fedikit.data.onhost.settings import Secrets
from fedikit.data.onhost.trouble import Trouble
from fedikit.data.onhost.volume import VolumePart
from tests.data.onhost.conftest import Host, fill


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


SWAPS = """\
#!/bin/sh
# In the place of restic: at every step of its work the application's user makes a folder a link to another place.
set -e
cd {volume}
[ "$1" = "{verb}" ] || exec {restic} "$@"
stat -c '%a %u' . a >{root}/stat
mv a kept
ln -s {root}/outside a
{act} || echo refused >{root}/refused
rm a
mv kept a
exec {restic} "$@"
"""


@pytest.mark.parametrize(
    ("verb", "act"),
    [
        ("backup", "cat a/secret >{root}/read"),
        ("restore", "echo theirs >a/secret"),
        ("restore", "chmod 0666 a/secret"),
        ("restore", "rm a/secret"),
    ],
)
def test_a_folder_that_becomes_a_link_meanwhile_leads_nowhere(
    host: Host, repository: Repository, verb: str, act: str
) -> None:
    record = volume(host).back_up(repository, ["run=1"])
    fill(host.root / "outside", ["secret"])
    (host.root / "outside/secret").chmod(0o600)
    real = host.programs / "restic"
    real.rename(host.programs / "true-restic")
    words = {"root": host.root, "volume": host.volume, "verb": verb, "restic": host.programs / "true-restic"}
    real.write_text(SWAPS.format(act=act.format(root=host.root), **words))
    real.chmod(0o755)
    if verb == "backup":
        volume(host).back_up(repository, ["run=2"])
    else:
        volume(host).restore(repository, record)
    assert (host.root / "refused").exists()
    secret = host.root / "outside/secret"
    assert (secret.read_text(), secret.stat().st_mode & 0o777) == ("secret", 0o600)
    assert verb == "backup" or (host.root / "stat").read_text() == f"700 {os.geteuid()}\n" * 2
    assert volume(host).differences(record) == []


def test_folders_may_lie_in_each_other_by_the_thousand(host: Host, repository: Repository) -> None:
    """Whoever writes into a volume can make so many; what is in it is restored all the same."""
    record = volume(host).back_up(repository, ["run=1"])
    top = here = os.open(host.volume, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=here)
        here, before = os.open("d", os.O_RDONLY, dir_fd=here), here
        os.close(before) if before != top else None
    os.close(os.open("deepest", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)
    assert volume(host).measure()["counts"] == {"files": 5}
    volume(host)._close()
    subprocess.run(["rm", "-r", "d"], cwd=host.volume, check=True)  # not even Python's own rmtree gets so deep
    os.close(top)
    volume(host).restore(repository, record)
    assert volume(host).differences(record) == []


def test_what_is_counted_is_no_other_places(host: Host) -> None:
    fill(host.volume, ["c/five", "d/six"])
    fill(host.root / "outside", ["secret"])
    found: list[str] = []
    for _, entry in volume(host)._files():
        for folder in () if found else "abcd":  # all that it has not come to yet
            if not (host.volume / folder / entry.name).exists():
                (host.volume / folder).rename(host.root / f"kept-{folder}")
                (host.volume / folder).symlink_to(host.root / "outside")
        found.append(entry.name)
    assert "secret" not in found


def test_a_host_that_cannot_close_links_says_so(
    host: Host, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fedikit.data.onhost.shield.__file__", str(host.root / "shield.py"))
    (host.root / "shield.py").write_text("import sys; print('not permitted', file=sys.stderr); sys.exit(121)")
    with pytest.raises(Trouble, match="cannot keep restic from following links") as caught:
        volume(host).back_up(repository, ["run=1"])
    assert "Linux 5.12" in caught.value.hint
