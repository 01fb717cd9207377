"""The fence: what keeps an application's units from starting while its data is replaced, also after a reboot.

It is a file; a drop-in of each unit asserts that it is not there.
"""

import contextlib
from collections.abc import Sequence
from pathlib import Path

from . import units
from .places import Places, remove_whole, sync_folder, write_whole
from .trouble import Trouble

DROP_IN = "fedikit-fence.conf"
RESTORING = "the data of this application is being replaced by a restore\n"


class Fence:
    """The fence around some units of one application."""

    def __init__(self, places: Places, names: Sequence[str], why: str = RESTORING) -> None:
        self._mark = places.state / "fence"
        self._folder = places.units
        self._names = list(names)
        self._why = why
        self._text = f"[Unit]\nAssertPathExists=!{self._mark}\n"

    def put_up(self) -> None:
        """From now on none of the units starts; those that run go on. It may stand already."""
        write_whole(self._mark, self._why)
        for name in self._names:
            folder = self._drop_in(name).parent
            folder.mkdir(mode=0o755, exist_ok=True)
            write_whole(self._drop_in(name), self._text, mode=0o644)
            sync_folder(folder.parent)
        units.reload()

    def require(self, names: Sequence[str] | None = None) -> None:
        """Tries it: raises Trouble if a unit, which must be stopped, starts, or fails for another reason only.

        `names`: of all, those that are tried.
        """
        for name in self._names if names is None else names:
            if units.property_of(name, "LoadState") != "loaded":
                continue
            if units.try_to_start(name) or units.property_of(name, "AssertResult") != "no":
                units.stop([name])
                raise Trouble(f"{name} starts although it must not now", hint=f"systemctl cat {name}")

    def lift(self) -> None:
        """The units may start again, also those that are fenced off no more; nothing is left of it."""
        remove_whole(self._mark)
        for drop_in in self._folder.glob(f"*.d/{DROP_IN}"):
            if drop_in.read_text(encoding="utf-8") == self._text:
                remove_whole(drop_in)
                with contextlib.suppress(OSError):
                    drop_in.parent.rmdir()
        units.reload()

    def _drop_in(self, unit: str) -> Path:
        return self._folder / f"{unit}.d" / DROP_IN
