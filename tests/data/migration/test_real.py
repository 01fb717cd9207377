"""A migration with the program of backups itself: a database, a bucket and a volume, while people write."""

from collections.abc import Iterator

import pytest

from fedikit.data import carrying_secrets
from fedikit.data.backups import make_backup
from fedikit.data.migration import hands, sides
from fedikit.events import Event, StepFinished, StepStarted, Tell
from fedikit.results.migration import Phase
from tests.data.migration.real import RealScene
from tests.data.migration.scene import Cut, cut_at
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


def test_a_boot_before_the_new_side_has_its_fence_starts_nothing_there(
    real: RealScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(*_: object, **__: object) -> None:
        raise Cut

    monkeypatch.setattr(hands, "close_application", cut)
    with pytest.raises(Cut):
        real.migrate()
    real.new.boot()
    assert (real.old.serves, real.new.serves, real.new.is_closed) == (True, False, True)
    assert not real.new.state("fence").exists()
    real.require_never_both()


@pytest.fixture
def read(real: RealScene) -> RealScene:
    """What can be read while it is closed for writing."""
    for side in (real.old, real.new):
        side.is_read()
    assert real.old.stage.bring(real.old.wanted).succeeded
    real.post()
    return real


def boot(real: RealScene) -> None:
    """The old side's host, while it is closed for writing and read."""
    assert (real.old.serves, real.old.is_open, real.old.why_closed) == (True, False, "reading")
    real.old.boot()
    assert not real.old.serves, "nothing starts again"
    assert (real.old.why_closed, real.old.refuses_writes) == ("reading", True)


@pytest.mark.parametrize("phase", ["close", "differences"])
def test_a_host_that_boots_while_it_is_read_stays_closed_and_it_goes_on(read: RealScene, phase: Phase) -> None:
    with read.people():
        with pytest.raises(Cut):
            read.migrate(cut_at(StepFinished, phase))
        boot(read)
        assert read.migrate().error == ""
    assert read.old.why_closed == "moved"
    assert not read.old.refuses_writes
    read.require_all_is_there(read.new)
    read.require_never_both()


@pytest.mark.parametrize("phase", ["differences", "open"])
def test_nor_does_a_boot_in_the_middle_of_it_end_it(read: RealScene, phase: Phase) -> None:
    def tell(event: Event) -> None:
        if event == StepStarted(step=phase):
            boot(read)

    with read.people():
        assert read.migrate(tell).error == ""
    read.require_all_is_there(read.new)
    read.require_never_both()


def test_where_nobody_came_to_the_other_side_a_host_that_booted_is_opened_and_written_to(read: RealScene) -> None:
    with pytest.raises(Cut):
        read.migrate(cut_at(StepFinished, "close"))
    boot(read)
    assert read.migrate(back=True).error == ""
    assert read.old.is_open
    read.post()
    read.require_all_is_there(read.old)
