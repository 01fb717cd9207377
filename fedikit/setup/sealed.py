"""Files of sealed secrets beside the provider's file, which names them."""

import os
import tempfile
from pathlib import Path

from fedikit.errors import FedikitError
from fedikit.setup.edited import EditedFile


def put_sealed(path: Path, text: str) -> None:
    """Puts a file of sealed secrets there, for its owner only, in the place of an older one. Raises FedikitError."""
    try:
        _replace(path, text)
    except OSError as error:
        words = f"the sealed secrets {path} cannot be written: {(error.strerror or str(error)).lower()}"
        raise FedikitError(words, hint="nothing was made; mend that, and run it again") from error


def _replace(path: Path, text: str) -> None:
    descriptor, draft = tempfile.mkstemp(prefix=".", suffix=path.suffix, dir=path.parent)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        os.replace(draft, path)
    finally:
        Path(draft).unlink(missing_ok=True)


def name_sealed(environment: Path, name: str) -> None:
    """Names such a file, which lies beside the provider's, among `secrets.sealed`; one that is there stays.

    Raises FedikitError, with the provider's file as it was, if it is no TOML, or would not be right.
    """
    file = EditedFile(environment)
    secrets = file.table("secrets")
    before = secrets.get("sealed", [])
    named = [before] if isinstance(before, str) else list(before)
    if name not in named:
        secrets["sealed"] = [*named, name]
        file.save()
