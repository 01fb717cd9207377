"""The provider's file while it is edited: comments and formatting stay as they are, and it is replaced as a whole."""

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fedikit.environment.load import load_environment
from fedikit.errors import ConfigurationError, FedikitError, Mistake

if TYPE_CHECKING:
    from tomlkit import TOMLDocument


class EditedFile:
    """A TOML file that is being edited. Raises ConfigurationError if it cannot be read."""

    def __init__(self, path: Path) -> None:
        import tomlkit  # slow to import, and seldom needed
        from tomlkit.exceptions import TOMLKitError

        self._path = path.resolve()
        if path.suffix != ".toml":
            raise FedikitError(f"{path} is no TOML file", hint="edit it yourself: fedikit only edits TOML")
        try:
            self._before = self._path.read_bytes()
            self._document: TOMLDocument = tomlkit.parse(self._before.decode("utf-8-sig"))
        except OSError as error:
            raise ConfigurationError(
                str(path), [Mistake("(all of it)", f"cannot be read: {error.strerror}")]
            ) from error
        except (TOMLKitError, UnicodeDecodeError) as error:
            raise ConfigurationError(str(path), [Mistake("(all of it)", f"is not TOML: {error}")]) from error

    def table(self, name: str) -> Any:
        """A table of the file; a new one at its end if there is none."""
        import tomlkit

        if name not in self._document:
            self._document[name] = tomlkit.table(is_super_table=name == "hosts")
        return self._document[name]

    def save(self) -> None:
        """Puts the edited file in the place of the old one, if it is one that can be loaded."""
        descriptor, draft = tempfile.mkstemp(prefix=".", suffix=".toml", dir=self._path.parent)
        try:
            with open(descriptor, "w", encoding="utf-8") as file:
                file.write(self._document.as_string())
                os.fchmod(descriptor, self._path.stat().st_mode & 0o777)
                os.fsync(descriptor)
            self._require_sense(Path(draft))
            if self._path.read_bytes() != self._before:
                raise FedikitError(f"{self._path} was changed meanwhile", hint="nothing was written; run it again")
            os.replace(draft, self._path)
        finally:
            Path(draft).unlink(missing_ok=True)

    def _require_sense(self, draft: Path) -> None:
        try:
            load_environment(draft)
        except ConfigurationError as error:
            raise ConfigurationError(str(self._path), error.mistakes, hint="nothing was written") from None
