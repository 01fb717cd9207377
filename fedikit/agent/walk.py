"""The way down to a path, component by component, each opened in the directory before it without following links.

A link is followed only where nobody but root could have made it: root owns it, and root alone can write in the
directory that it is in and in those above. "Root" is uid 0, and whoever runs the agent.
"""

import errno
import os
import stat
from itertools import pairwise

from .trouble import Trouble

MOST_LINKS = 40
ROOT = (0, os.geteuid())
HELD = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Barred(Trouble):
    """There is something that the agent does not go past, or does not open."""


class Walk:
    """The directories on the way, held until it is left, and the names that are still to go, the next one last.

    Errors of the operating system name the whole path meanwhile, though it was asked for a part of it.
    """

    def __init__(self, root: str, path: str) -> None:
        self._root = root
        self._path = path
        self._names: list[str] = []
        self._left = _parts(path)
        self._links = 0
        self._held: list[int] = []

    def __enter__(self) -> "Walk":
        self._held.append(os.open(self._root or "/", HELD & ~os.O_NOFOLLOW))
        return self

    def __exit__(self, _: object, error: BaseException | None, *__: object) -> None:
        while self._held:
            os.close(self._held.pop())
        if isinstance(error, OSError) and not str(error.filename).startswith("/"):
            error.filename = self._path

    @property
    def here(self) -> int:
        """The directory that was reached."""
        return self._held[-1]

    @property
    def path_here(self) -> str:
        return "/" + "/".join(self._names)

    def to_the_end(self, *, but: int = 0) -> None:
        """Goes on until no more than so many names are left."""
        while len(self._left) > but:
            self._step(self._left.pop())

    def to_place(self, *, follow: bool) -> str:
        """Goes to the directory that the last name is in; returns that name."""
        self.to_the_end(but=1)
        while follow and self._left and self._is_link(self._left[0]):
            self._follow(self._left.pop())
            self.to_the_end(but=1)
        if not self._left or self._left[0] == "..":
            raise Barred(f"{self._path} has no place of its own")
        return self._left.pop()

    def _step(self, name: str) -> None:
        if name == "..":
            self._climb()
            return
        try:
            self._held.append(os.open(name, HELD, dir_fd=self._held[-1]))
            self._names.append(name)
        except NotADirectoryError:
            if not self._is_link(name):
                raise
            self._follow(name)

    def _climb(self) -> None:
        """Back to where it came from, not to what is above by now."""
        if self._names:
            self._names.pop()
            os.close(self._held.pop())

    def _is_link(self, name: str) -> bool:
        try:
            status = os.stat(name, dir_fd=self._held[-1], follow_symlinks=False)
        except FileNotFoundError:
            return False
        return stat.S_ISLNK(status.st_mode)

    def _follow(self, name: str) -> None:
        """Puts the link's target in its place; one that leads out of a root that is not `/` starts at that root."""
        if not self._is_roots_link(name):
            raise Barred(f"{self.path_here.rstrip('/')}/{name} is a symbolic link that not only root could have made")
        self._links += 1
        if self._links > MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        target = os.readlink(name, dir_fd=self._held[-1])
        if target.startswith("/"):
            while self._names:
                self._climb()
            target = target.removeprefix(self._root) if f"{target}/".startswith(f"{self._root}/") else target
        self._left += _parts(target)

    def _is_roots_link(self, name: str) -> bool:
        link = os.stat(name, dir_fd=self._held[-1], follow_symlinks=False)
        return link.st_uid in ROOT and self.is_roots_alone()

    def is_roots_alone(self) -> bool:
        """Whether nobody but root can change what is here, nor put another directory in the place of this one."""
        above = [os.fstat(descriptor) for descriptor in self._held]
        return all(_is_name_roots(*pair) for pair in pairwise(above)) and _is_roots_alone(above[-1])


def _is_name_roots(above: os.stat_result, below: os.stat_result) -> bool:
    """Whether nobody but root can put something else in the place of this directory."""
    is_kept_by_sticky_bit = above.st_uid in ROOT and above.st_mode & stat.S_ISVTX and below.st_uid in ROOT
    return _is_roots_alone(above) or bool(is_kept_by_sticky_bit)


def _is_roots_alone(status: os.stat_result) -> bool:
    """Whether only root can write in this directory."""
    return status.st_uid in ROOT and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _parts(path: str) -> list[str]:
    """The names in a path, the first one last."""
    return [name for name in reversed(path.split("/")) if name not in ("", ".")]
