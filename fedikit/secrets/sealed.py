"""The sealed files that an environment names: each is opened when a secret is first looked for."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from pydantic import SecretStr

from fedikit.errors import SecretError
from fedikit.model.secret import SecretRef
from fedikit.secrets.master import MasterKey
from fedikit.secrets.reading import read_own_file

if TYPE_CHECKING:
    from fedikit.secrets.sealing import Opened


class SealedFiles:
    """The secrets that applications had at another provider, by name and format."""

    def __init__(self, paths: Sequence[str], key: Callable[[], MasterKey]) -> None:
        self._paths = paths
        self._key = key
        self._reading = Lock()
        self._found: dict[tuple[str, str], tuple[int, SecretStr]] | None = None

    def find(self, ref: SecretRef) -> tuple[int, SecretStr] | None:
        """The version and value of what came along as it is asked for; None if it is to be derived here.

        It is this environment's first version, and the one that it had where it came from. A higher one is derived
        anew. Raises SecretError for one between them, under which it would come back when it is next rotated.
        """
        found = self._all().get((ref.name, ref.format))
        if found is None or ref.version > found[0]:
            return None
        if 1 < ref.version < found[0]:
            raise SecretError(
                f"the secret {ref.name} came along in version {found[0]}, and cannot be rotated to {ref.version}",
                hint=f'raise it further: [secrets.versions] "{ref.name}" = {found[0] + 1}',
            )
        return found

    def _all(self) -> dict[tuple[str, str], tuple[int, SecretStr]]:
        """All at once or nothing: who asks while they are read, as hosts do side by side, waits, and derives none."""
        with self._reading:
            if self._found is None:
                self._found = self._opened()
        return self._found

    def _opened(self) -> dict[tuple[str, str], tuple[int, SecretStr]]:
        found: dict[tuple[str, str], tuple[int, SecretStr]] = {}
        for path, name, version, value in self._read():
            if name in found:
                hint = f"take {path} or the other file out of secrets.sealed"
                raise SecretError(f"the secret {name[0]} is sealed twice, also in {path}", hint=hint)
            found[name] = (version, value)
        return found

    def _read(self) -> Iterator[tuple[str, tuple[str, str], int, SecretStr]]:
        for path in self._paths:
            for each, value in open_file(Path(path), self._key()).secrets.items():
                yield path, (each.name, each.format), each.version, value


def open_file(path: Path, master: MasterKey) -> "Opened":
    """What is in a file that nobody else may write. Raises SecretError."""
    from fedikit.secrets.sealing import opened  # few environments have any

    text = read_own_file("the file of sealed secrets", path, hint="put it there, or take it out of secrets.sealed")
    return opened(text, master, source=str(path))
