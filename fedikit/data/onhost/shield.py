"""Runs a command for which no link below a folder leads anywhere: shield.py FOLDER COMMAND…

Root backs up and restores what an application's user may change at the same moment: a directory that becomes a link
between two steps would have root read or write elsewhere. So the command gets mounts of its own, in which the kernel
follows no link below the folder. It sees everything where it was, links and other disks there included.

Standard library only, nothing of this package: it runs by itself.
"""

import ctypes
import os
import sys
from collections.abc import Sequence

REFUSED = 121
"""What it ends with where the kernel does not do that; neither restic nor a shell ends so."""
_NEW_MOUNTS = 0x20000
_BIND, _RECURSIVE, _PRIVATE = 0x1000, 0x4000, 0x40000
_MOUNT_SETATTR, _HERE, _BELOW_TOO, _NO_LINKS = 442, -100, 0x8000, 0x200000
"""mount_setattr(2) has the same number on all architectures of Debian; so has what it takes."""


class _Attributes(ctypes.Structure):
    """struct mount_attr."""

    _fields_ = tuple((name, ctypes.c_uint64) for name in ("set", "clear", "propagation", "user_namespace"))


def shielded(folder: str, words: Sequence[str]) -> Sequence[str]:
    """The command line that runs `words` so. Who is not root reads and writes nothing that others could not."""
    return words if os.geteuid() else [sys.executable, "-I", "-S", __file__, folder, *words]


def close_links(folder: bytes) -> None:
    """From now on this process follows no link below a folder; raises OSError if the kernel refuses."""
    library = ctypes.CDLL(None, use_errno=True)
    attributes = _Attributes(set=_NO_LINKS)
    size = ctypes.c_size_t(ctypes.sizeof(attributes))
    _require(library.unshare(_NEW_MOUNTS))
    _require(library.mount(b"none", b"/", None, ctypes.c_ulong(_RECURSIVE | _PRIVATE), None))
    _require(library.mount(folder, folder, None, ctypes.c_ulong(_BIND | _RECURSIVE), None))
    _require(library.syscall(_MOUNT_SETATTR, _HERE, folder, _BELOW_TOO, ctypes.byref(attributes), size))


def _require(result: int) -> None:
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def main(folder: str, *words: str) -> int:
    """Becomes the command, or says why not."""
    try:
        close_links(os.fsencode(folder))
    except (OSError, AttributeError) as error:
        print(f"links below {folder}: {error}", file=sys.stderr)
        return REFUSED
    try:
        os.execvp(words[0], words)  # noqa: S606 - the words are a list: there is nothing for a shell to misread
    except OSError as error:
        print(f"{words[0]}: {error.strerror}", file=sys.stderr)
        return 127


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
