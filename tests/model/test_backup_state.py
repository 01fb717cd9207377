"""The script that makes the folder in which a host keeps what it knows of backups, and takes all of it away again."""

import json
import os
from pathlib import Path

import pytest

from fedikit.policies.scripts.backup_state import main


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host's file system, where systemctl notes what it is told."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin/systemctl"
    program.write_text(f"#!/bin/sh\necho $* >> {tmp_path}/told\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    for folder in ("var/lib/systemd/timers", "etc/systemd/system"):
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path


def state(root: Path) -> Path:
    return root / "var/lib/fedikit-data/mastodon"


def told(root: Path) -> list[str]:
    return (root / "told").read_text().splitlines()


def test_the_folder_is_for_nobody_else_and_says_since_when(root: Path) -> None:
    assert main("check", str(root), "mastodon") == 1
    assert main("make", str(root), "mastodon") == 0
    assert main("check", str(root), "mastodon") == 0
    assert state(root).stat().st_mode & 0o777 == 0o700
    assert (state(root) / "since").stat().st_size == 0


def test_since_when_is_not_forgotten_when_it_is_made_again(root: Path) -> None:
    main("make", str(root), "mastodon")
    os.utime(state(root) / "since", (1000, 1000))
    main("make", str(root), "mastodon")
    assert (state(root) / "since").stat().st_mtime == 1000


def test_nothing_is_left_when_it_leaves(root: Path) -> None:
    before = sorted(root.rglob("*"))
    main("make", str(root), "mastodon")
    (state(root) / "cache/deep").mkdir(parents=True)
    (state(root) / "result.json").write_text("{}")
    for name in ("fedikit-backup-mastodon", "fedikit-backup-check-mastodon"):
        (root / f"var/lib/systemd/timers/stamp-{name}.timer").touch()
    fence = root / "etc/systemd/system/mastodon-web.service.d/fedikit-fence.conf"
    fence.parent.mkdir()
    fence.touch()

    assert main("undo", str(root), "mastodon", "mastodon-web.service", "mastodon-sidekiq.service") == 0

    stopped = "stop fedikit-backup-mastodon.service fedikit-backup-check-mastodon.service"
    assert told(root) == [stopped, "daemon-reload"]
    assert sorted(path for path in root.rglob("*") if path.name != "told") == before


def test_nothing_is_left_when_it_leaves_closed(root: Path) -> None:
    pages = root / "etc/caddy/closed"
    pages.mkdir(parents=True)
    before = sorted(root.rglob("*"))
    main("make", str(root), "mastodon")
    (state(root) / "closed.json").write_text(json.dumps({"units": ["former.service"], "domains": ["example.org"]}))
    for name in ("example.org", "example.org.reading"):
        (pages / f"{name}.html").touch()
    for unit in ("former", "mastodon-web"):
        fence = root / f"etc/systemd/system/{unit}.service.d/fedikit-fence.conf"
        fence.parent.mkdir()
        fence.touch()

    assert main("undo", str(root), "mastodon", "mastodon-web.service") == 0

    assert sorted(path for path in root.rglob("*") if path.name != "told") == before


def test_it_does_not_leave_a_database_that_refuses_writes(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main("make", str(root), "mastodon")
    told = {"units": ["mastodon-web.service"], "domains": [], "reads": ["mastodon-web.service"]}
    (state(root) / "closed.json").write_text(json.dumps(told))

    assert main("undo", str(root), "mastodon") == 1

    assert "fedikit migrate goes on" in capsys.readouterr().err
    assert (state(root) / "closed.json").exists()


def test_what_is_not_its_own_stays(root: Path) -> None:
    for application in ("mastodon", "pixelfed"):
        main("make", str(root), application)
    theirs = root / "etc/systemd/system/mastodon-web.service.d/override.conf"
    theirs.parent.mkdir()
    theirs.touch()

    main("undo", str(root), "mastodon", "mastodon-web.service")

    assert theirs.exists()
    assert state(root).parent.joinpath("pixelfed/since").exists()
    assert told(root)[1:] == []


def test_a_link_goes_and_what_it_leads_to_stays(root: Path) -> None:
    elsewhere = root / "srv/precious"
    elsewhere.mkdir(parents=True)
    (elsewhere / "file").touch()
    state(root).parent.mkdir()
    state(root).symlink_to(elsewhere)

    main("undo", str(root), "mastodon")

    assert (elsewhere / "file").exists()
    assert not state(root).is_symlink()


def test_nothing_is_there_to_take_away(root: Path) -> None:
    assert main("undo", str(root), "mastodon") == 0
