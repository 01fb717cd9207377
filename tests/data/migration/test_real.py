"""A migration with the program of backups itself: a database, a bucket and a volume, while people write."""

from collections.abc import Iterator

import pytest

from fedikit.data import carrying_secrets
from fedikit.data.backups import make_backup
from fedikit.data.migration import hands, sides
from fedikit.events import Event, StepStarted, Tell
from tests.data.migration.real import RealScene
from tests.data.migration.scene import Cut
from tests.remote.conftest import Staged, staged  # noqa: F401


@pytest.fixture
def real(staged: Staged, monkeypatch: pytest.MonkeyPatch) -> Iterator[RealScene]:  # noqa: F811
    scene = RealScene(staged)
    for module in (carrying_secrets, sides):
        monkeypatch.setattr(module, "load_environment", lambda path: scene.new.provider)
    yield scene
    scene.close()


def others_work_too(real: RealScene) -> Tell:
    """While both sides are closed, each is applied and backed up, from another deployer."""

    def tell(event: Event) -> None:
        if event != StepStarted(step="differences"):
            return
        for side in (real.old, real.new):
            assert side.stage.bring(side.wanted).succeeded
            assert make_backup(side.wanted).succeeded
            assert not side.serves

    return tell


def test_nothing_that_was_written_is_lost_on_either_way(real: RealScene) -> None:
    with real.people():
        assert real.migrate(others_work_too(real)).error == ""
    real.require_all_is_there(real.new)
    with real.people():
        assert real.migrate(back=True).error == ""
    real.require_all_is_there(real.old)
    real.require_never_both()


def test_a_boot_before_the_new_side_is_closed_starts_nothing_there(
    real: RealScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(*_: object, **__: object) -> None:
        raise Cut

    monkeypatch.setattr(hands, "close_application", cut)
    with pytest.raises(Cut):
        real.migrate()
    real.new.boot()
    assert (real.old.serves, real.new.serves, real.new.is_closed) == (True, False, False)
    real.require_never_both()
