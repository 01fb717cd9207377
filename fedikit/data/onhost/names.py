"""Which keys of a bucket can be names of files, as rclone shows a bucket as a tree of them.

A key is any text: it may have empty components, be a file's name and a folder's at once, or be longer than a file
system takes. What does not fit is told here, so that it is kept in another way; nothing is left out.
"""

import re
from collections.abc import Iterable, Iterator
from typing import TypeVar

from .objects import Object

LONGEST = 255
"""What a component may have, in bytes of UTF-8."""
# rclone shows control characters, and names that no file can have, as characters of these; and quotes such characters.
_SHOWN_OTHERWISE = re.compile("[\0-\x1f\x7f\u201b\u2400-\u2421\ufffd\uff0e\uff0f]")
Found = TypeVar("Found", bound=Object)


def fits_a_file(key: str) -> bool:
    """Whether a key is, as it stands, the path of a file that rclone shows."""
    if _SHOWN_OTHERWISE.search(key):
        return False
    return all(part not in ("", ".", "..") and len(part.encode()) <= LONGEST for part in key.split("/"))


class Hidden:
    """The keys that stand in the way of others in a tree of files, gathered while the sorted keys go by.

    both      what is a file's name and a folder's: `a`, where there is `a/b`
    shadowed  what may be shown in place of a key that begins with a slash: rclone drops it
    """

    def __init__(self) -> None:
        self.both: set[str] = set()
        self.shadowed: set[str] = set()
        self._open: list[str] = []

    def watch(self, objects: Iterable[Object]) -> Iterator[Object]:
        """The objects, as they are."""
        for found in objects:
            self._see(found.key)
            yield found

    def _see(self, key: str) -> None:
        while self._open and not key.startswith(self._open[-1]):
            self._open.pop()
        self.both.update(one for one in self._open if key[len(one)] == "/")
        self._open.append(key)
        if key.startswith("/"):
            self.shadowed.add(key.lstrip("/"))

    def __contains__(self, key: str) -> bool:
        return key in self.both or key in self.shadowed
