"""Closing applications, opening them, and restoring from another repository, over hosts that are directories."""

import logging
import shutil

import pytest
from pydantic import SecretStr

from fedikit.data.backups import list_backups, make_backup
from fedikit.data.closing import close_application, open_application, run_what_follows
from fedikit.data.other import list_other, plan_restore_from, restore_from
from fedikit.data.way.other import Other
from fedikit.errors import FedikitError, HostBusy
from fedikit.events import Event, ItemFinished
from tests.data.scene import Scene
from tests.remote.conftest import Stage, Staged, stage, staged, tree_of  # noqa: F401

PASSWORD = "the other's password"
OTHER = Other(SecretStr("rest:http://127.0.0.1:4321/theirs"), SecretStr(PASSWORD))


@pytest.fixture
def scene(stage: Stage) -> Scene:  # noqa: F811
    return Scene(stage, ["mastodon"])


@pytest.fixture
def backup(scene: Scene) -> str:
    """The name of a backup that lies in another repository only; there is something else here since."""
    assert make_backup(scene.wanted).succeeded
    gates = scene.machine.path("/srv/gates")
    gates.mkdir()
    scene.machine.path("/srv/backups/mastodon").rename(gates / "theirs")
    (gates / "theirs/password").write_text(PASSWORD)
    scene.write("mastodon", "the words of another")
    return list_other(scene.wanted, "one", "mastodon", other=OTHER)[0].id


def state(scene: Scene, name: str) -> str:
    return scene.machine.path(f"/var/lib/fedikit-data/mastodon/{name}").read_text()


def test_an_application_is_closed_and_opened(scene: Scene) -> None:
    told: list[Event] = []
    closed = close_application(scene.wanted, "one", "mastodon", migration="m1", why="moved", tell=told.append)
    assert (closed.migration, closed.why, closed.units) == ("m1", "moved", ("mastodon.service",))
    assert [event.item for event in told if isinstance(event, ItemFinished)] == ["mastodon stop"]
    assert open_application(scene.wanted, "one", "mastodon", migration="m1", start=True) is True
    assert state(scene, "started") == "yes"
    assert open_application(scene.wanted, "one", "mastodon", migration="m1", start=False) is False
    assert state(scene, "started") == "no"


def test_what_a_restore_owes_is_run(scene: Scene) -> None:
    assert run_what_follows(scene.wanted, "one", "mastodon") == ("feeds",)


def test_one_that_cannot_be_closed_is_said(scene: Scene) -> None:
    scene.sign("fails")
    with pytest.raises(FedikitError, match="starts although it must not"):
        close_application(scene.wanted, "one", "mastodon", migration="m1")
    scene.sign("busy")
    with pytest.raises(HostBusy, match="at work since"):
        close_application(scene.wanted, "one", "mastodon", migration="m1")


def test_another_repository_is_planned_and_nothing_changed(scene: Scene, backup: str) -> None:
    before = tree_of(scene.machine)
    plan = plan_restore_from(scene.wanted, "one", "mastodon", other=OTHER)
    assert (plan.backup.id, plan.bytes, [part.id for part in plan.parts]) == (backup, 15, ["volume:/srv/mastodon"])
    assert tree_of(scene.machine) == before
    assert list_backups(scene.wanted).applications[0].backups == ()


def test_another_repository_is_restored_from(scene: Scene, backup: str) -> None:
    told: list[Event] = []
    done = restore_from(scene.wanted, "one", "mastodon", backup=backup, other=OTHER, tell=told.append)
    assert (done.backup, done.before, done.differences) == (backup, "", ())
    assert scene.read("mastodon") == "the first words"
    assert [event.item for event in told if isinstance(event, ItemFinished)] == ["mastodon volume:/srv/mastodon"]


def test_its_password_lies_nowhere_and_is_told_nobody(
    scene: Scene, backup: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    told: list[Event] = []
    restore_from(scene.wanted, "one", "mastodon", backup=backup, other=OTHER, tell=told.append)
    wrong = Other(OTHER.url, SecretStr("the wrong password"))
    with pytest.raises(FedikitError) as caught:
        restore_from(scene.wanted, "one", "mastodon", backup=backup, other=wrong, tell=told.append)
    assert f"{OTHER.url.get_secret_value()} does not open with •••" in caught.value.text
    shutil.rmtree(scene.machine.path("/srv/gates"))
    files = [file for file in scene.machine.root.rglob("*") if file.is_file() and not file.is_symlink()]
    everything = str([file.read_bytes() for file in files]) + str(told) + caplog.text + caught.value.text + repr(OTHER)
    assert PASSWORD not in everything
    assert "the wrong password" not in everything


def test_a_part_that_fails_is_named(scene: Scene, backup: str) -> None:
    scene.sign("dies")
    with pytest.raises(FedikitError, match="said nothing"):
        restore_from(scene.wanted, "one", "mastodon", backup=backup, other=OTHER)
    scene.machine.path("/run/data-dies").unlink()
    restore_from(scene.wanted, "one", "mastodon", backup=backup, other=OTHER)
    assert scene.read("mastodon") == "the first words"
