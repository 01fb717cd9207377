"""Closing applications, opening them, and restoring from another repository, over hosts that are directories."""

import logging
import shutil

import pytest
from pydantic import SecretStr

from fedikit.data.backups import make_backup
from fedikit.data.closing import close_application, open_application, run_what_follows
from fedikit.data.other import bring_backup
from fedikit.data.way.other import Other
from fedikit.errors import FedikitError, HostBusy
from fedikit.events import Event, ItemFinished, Tell, tell_nobody
from fedikit.remote.data_messages import RestoreDone
from tests.data.gate_port import PORT
from tests.data.scene import Scene
from tests.remote.conftest import Stage, Staged, stage, staged, tree_of  # noqa: F401

PASSWORD = "the other's password"
OTHER = Other(SecretStr(f"rest:http://127.0.0.1:{PORT}/theirs"), SecretStr(PASSWORD))


@pytest.fixture
def scene(stage: Stage) -> Scene:  # noqa: F811
    return Scene(stage, ["mastodon"])


@pytest.fixture
def backup(scene: Scene) -> str:
    """The name of a backup that lies in another repository only; there is something else here since."""
    (made,) = make_backup(scene.wanted).applications
    assert made.backup
    gates = scene.machine.path("/srv/gates")
    gates.mkdir()
    scene.machine.path("/srv/backups/mastodon").rename(gates / "theirs")
    (gates / "theirs/password").write_text(PASSWORD)
    scene.write("mastodon", "the words of another")
    return made.backup.id


def bring(scene: Scene, backup: str, *, other: Other = OTHER, tell: Tell = tell_nobody) -> RestoreDone:
    return bring_backup(scene.wanted, "one", "mastodon", backup=backup, migration="m1", other=other, tell=tell)


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


def test_another_repository_is_restored_from(scene: Scene, backup: str) -> None:
    told: list[Event] = []
    done = bring(scene, backup, tell=told.append)
    assert (done.backup, done.before, done.differences) == (backup, "", ())
    assert scene.read("mastodon") == "the first words"
    assert [event.item for event in told if isinstance(event, ItemFinished)] == ["mastodon volume:/srv/mastodon"]


def test_its_password_lies_nowhere_and_is_told_nobody(
    scene: Scene, backup: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    told: list[Event] = []
    bring(scene, backup, tell=told.append)
    wrong = Other(OTHER.url, SecretStr("the wrong password"))
    with pytest.raises(FedikitError) as caught:
        bring(scene, backup, other=wrong, tell=told.append)
    assert f"{OTHER.url.get_secret_value()} does not open with •••" in caught.value.text
    shutil.rmtree(scene.machine.path("/srv/gates"))
    files = [file for file in scene.machine.root.rglob("*") if file.is_file() and not file.is_symlink()]
    everything = str([file.read_bytes() for file in files]) + str(told) + caplog.text + caught.value.text + repr(OTHER)
    assert PASSWORD not in everything
    assert "the wrong password" not in everything


def test_a_part_that_fails_is_named(scene: Scene, backup: str) -> None:
    scene.sign("dies")
    with pytest.raises(FedikitError, match="said nothing"):
        bring(scene, backup)
    scene.machine.path("/run/data-dies").unlink()
    bring(scene, backup)
    assert scene.read("mastodon") == "the first words"


def test_one_that_was_cut_off_is_given_up_for_another(scene: Scene, backup: str) -> None:
    scene.machine.path("/var/lib/fedikit-data/mastodon/journal.json").write_text(
        '{"backup": "20260101T000000Z-00000001"}'
    )
    assert bring(scene, backup).backup == backup


def test_what_the_host_serves_is_not_replaced(scene: Scene, backup: str) -> None:
    """The host's program is told which migration must have closed it, and that nothing is to be saved."""
    bring(scene, backup)
    asked = state(scene, "asked").split()
    assert asked[asked.index("--migration") + 1] == "m1"
    assert "--without-saving" in asked
