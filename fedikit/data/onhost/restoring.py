"""A restore: what is there is saved, the units are stopped and fenced off, each part is replaced, all runs again.

It is written down before each phase how far it came, so that one that was cut off goes on where it was. The units of
a closed application stay down afterwards, and fenced off.
"""

import contextlib
import time
from dataclasses import replace
from typing import Any

from . import units
from .backup import make_backup
from .closing import end_reading, fence_of, note_restored, read_closed
from .filling import room_watched
from .following import owe_what_follows, run_what_follows
from .journal import Journal, end_journal, read_journal, write_journal
from .life import go_on_with
from .manifest import Manifest, chosen
from .moments import new_identity, now
from .part import in_order
from .room import filled_by, require_room
from .trouble import Absent, Trouble, of_part, trouble_from
from .volume import VolumePart
from .work import Work

MOST_DIFFERENCES = 1000


class Restore:
    """One restore at work, and its journal."""

    def __init__(self, work: Work, manifest: Manifest, journal: Journal | None) -> None:
        self.work = work
        self.manifest = manifest
        self.journal = journal or Journal(backup=manifest.id, started=now())
        self.is_resumed = journal is not None
        self.closed = read_closed(work.state)
        self.fence = fence_of(work, self.closed)
        self.parts = [spec["id"] for spec in in_order(work.settings.parts) if spec["id"] in manifest.expected]

    def write(self, **changes: Any) -> None:
        self.journal = replace(self.journal, **changes)
        write_journal(self.work.state, self.journal)

    # The phases

    def save_the_present(self) -> None:
        """Backs up what is there, as far as anything is; so far nothing is changed."""
        if not any(map(self._is_there, self.work.settings.expected)):
            return
        identity = new_identity()
        with self.work.telling.step("backup"):
            try:
                make_backup(self.work, reason="restore", identity=identity, last={}, present=True)
            except Exception as error:
                trouble = trouble_from(error)
                hint = "nothing was changed; to give up what is there: fedikit restore --without-saving"
                trouble.hint = f"{trouble.hint}; {hint}" if trouble.hint else hint
                raise trouble from error
        self.journal = replace(self.journal, before=identity)

    def _is_there(self, identity: str) -> bool:
        """Also what cannot be measured is there, in some way."""
        try:
            self.work.part(identity).measure()
        except Absent:
            return False
        except (OSError, Trouble):
            return True
        return True

    def close_off(self) -> None:
        """Stops the units and fences them off; if that does not succeed, they run again."""
        if not self.is_resumed:
            self.write(running=[] if self.closed else units.running(self.work.settings.stop))
        with self.work.telling.step("stop"):
            try:
                self.fence.put_up()
                units.stop(self.work.settings.stop)
                self.fence.require()
            except (OSError, Trouble):
                if not self.is_resumed:
                    self.open_up()
                    end_journal(self.work.state)
                raise

    def replace_parts(self) -> None:
        for identity in self.parts:
            if identity in self.journal.done:
                continue
            record = self.manifest.of_part(identity)
            assert record is not None
            try:
                with self.work.telling.step(identity) as told:
                    self.work.part(identity).restore(self.work.repository, record)
                    told["bytes"] = record["bytes"]
                self.write(done=[*self.journal.done, identity])
            except Exception as error:
                trouble = of_part(error, identity)
                again = "the units stay down until the restore has ended: run it again"
                trouble.hint = f"{trouble.hint}; {again}" if trouble.hint else again
                raise trouble from error

    def differences(self) -> list[str]:
        """What differs from the backup, looked at before anything runs that could change it."""
        found = []
        for identity in self.parts:
            record = self.manifest.of_part(identity)
            assert record is not None
            found += self.work.part(identity).differences(record)
        return found

    def open_up(self) -> None:
        """Lifts the fence, and starts what ran before; a closed application stays closed."""
        if self.closed is None:
            self.fence.lift()
            units.start_all(list(reversed(self.journal.running)))

    def end(self, *, leave_down: bool) -> None:
        """All runs again, and then what follows a restore; who else starts it, or opens it, owes that."""
        if self.closed is not None:
            note_restored(self.work)
        elif leave_down:
            self.fence.lift()
            owe_what_follows(self.work.state)
        else:
            with self.work.telling.step("start"):
                self.open_up()
            run_what_follows(self.work)


def restore(
    work: Work, backup: str, *, instead: str = "", saves: bool = True, leave_down: bool = False
) -> dict[str, Any]:
    """Restores all parts of a backup; what it came to.

    One that was cut off is gone on with; if it was of another backup, which `instead` must name, that one is given up.
    What is there is lost if it is not saved first. `leave_down`: units may start again, but somebody else starts them.
    """
    started = time.monotonic()
    work.repository.open()
    manifests = list(work.manifests.all().values())
    manifest = chosen(manifests, backup)
    journal = _earlier(work, backup, instead)
    acts = Restore(work, manifest, journal)
    require_room(work, manifest)
    _require_changeable(work, manifest)
    if journal is None and saves and not work.is_of_other:
        acts.save_the_present()
    if not acts.journal.is_up:
        end_reading(work)
        acts.close_off()
        with room_watched(filled_by(work)) if work.is_of_other else contextlib.nullcontext():
            acts.replace_parts()
        found = acts.differences()
        go_on_with(work, manifests, manifest)
        acts.write(is_up=True, differences=found[:MOST_DIFFERENCES])
    acts.end(leave_down=leave_down)
    end_journal(work.state)
    seconds = round(time.monotonic() - started, 3)
    return {
        "backup": backup,
        "before": acts.journal.before,
        "seconds": seconds,
        "differences": acts.journal.differences,
    }


def _require_changeable(work: Work, manifest: Manifest) -> None:
    """Raises Trouble if root cannot change what is there; what is not there can be made."""
    for spec in work.settings.parts:
        if spec["kind"] == "volume" and spec["id"] in manifest.expected:
            with contextlib.suppress(Absent):
                VolumePart(spec, work.secrets).require_changeable()


def _earlier(work: Work, backup: str, instead: str) -> Journal | None:
    """The journal of the restore that is gone on with, if there is one."""
    journal = read_journal(work.state)
    if journal is None or journal.backup == backup:
        return journal
    if instead == journal.backup or backup == journal.before:
        return replace(journal, backup=backup, done=[], is_up=False)
    words = f"a restore of the backup {journal.backup} was cut off, and {backup} is another"
    hint = f"end that one first, or give it up: --instead {journal.backup}"
    raise Trouble(words, hint=hint)
