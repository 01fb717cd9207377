"""Clocks that are wrong during a migration and its way back: what was written last arrives, and backups go on."""

from fedikit.data.backups import make_backup
from fedikit.events import Event, StepFinished, Tell
from tests.data.migration.real import RealScene, RealSide
from tests.data.migration.test_real import real  # noqa: F401
from tests.remote.conftest import staged  # noqa: F401

HOUR = 3600


def set_clock(side: RealSide, *, ahead: int) -> None:
    side.machine.path("/run/clock").write_text(f"{ahead}")


def sets_and_writes(real: RealScene, side: RealSide, *, ahead: int) -> Tell:  # noqa: F811
    """After the first copy the clock jumps, and somebody writes."""

    def tell(event: Event) -> None:
        if event == StepFinished(step="copy", seconds=getattr(event, "seconds", 0)):
            set_clock(side, ahead=ahead)
            real.post()

    return tell


def test_what_was_written_last_arrives_and_comes_back_and_backups_go_on_whatever_clocks_say(
    real: RealScene,  # noqa: F811
) -> None:
    """By its own clock the old side's first copy is newer than its second, and of the future once that is put right."""
    set_clock(real.old, ahead=HOUR)
    real.post()
    assert real.migrate(sets_and_writes(real, real.old, ahead=-HOUR)).error == ""
    real.require_all_is_there(real.new)
    set_clock(real.old, ahead=0)
    set_clock(real.new, ahead=-HOUR)
    real.post()
    assert real.migrate(sets_and_writes(real, real.new, ahead=-2 * HOUR), back=True).error == ""
    real.require_all_is_there(real.old)
    for _ in range(2):
        report = make_backup(real.old.wanted)
        assert report.succeeded, report
