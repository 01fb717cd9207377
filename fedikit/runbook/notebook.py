"""A runbook's notebook as a file: where it is, what it says of itself."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fedikit
from fedikit.errors import FedikitError
from fedikit.model.mistake import did_you_mean
from fedikit.runbook.parameters import RunbookParameters, parameters_model


class UnknownRunbook(FedikitError):
    """There is no such runbook."""

    exit_status = 2


@dataclass(frozen=True)
class RunbookFile:
    """A notebook that names the model of its parameters (`metadata.fedikit.parameters`)."""

    path: Path
    sha256: str
    model: type[RunbookParameters]

    @property
    def name(self) -> str:
        return self.path.stem


def find_runbook(name_or_path: str | Path) -> RunbookFile:
    """Finds a runbook by its path (with a slash, or ending in .ipynb), or one of fedikit's own by its name.

    A name never leads to a file where you are: what lies there may be anybody's.
    """
    path = _path_of(name_or_path)
    content = path.read_bytes()
    return RunbookFile(path, hashlib.sha256(content).hexdigest(), _model_of(path, content))


def _path_of(name_or_path: str | Path) -> Path:
    given = str(name_or_path)
    is_path = isinstance(name_or_path, Path) or "/" in given or given.endswith(".ipynb")
    path = Path(given) if is_path else _own_folder() / f"{given}.ipynb"
    if path.is_file():
        return path
    near = did_you_mean(given, [known.stem for known in path.parent.glob("*.ipynb")])
    hint = f"looked for {path}; " if is_path else f"one of yours is named by its path: ./runbooks/{given}.ipynb; "
    raise UnknownRunbook(f"there is no runbook {given!r}{near}", hint=hint + _known(path.parent))


def _own_folder() -> Path:
    """Where fedikit's own runbooks are: in the installed package, or beside it in a working copy."""
    package = Path(fedikit.__path__[0]).absolute()
    installed = package / "runbooks"
    return installed if installed.is_dir() else package.parent / "runbooks"


def _known(folder: Path) -> str:
    names = sorted(path.stem for path in folder.glob("*.ipynb"))
    return f"there are {', '.join(names)}" if names else "there are none there"


def _model_of(path: Path, content: bytes) -> type[RunbookParameters]:
    try:
        metadata: Any = json.loads(content)["metadata"]
        return parameters_model(metadata["fedikit"]["parameters"])
    except (ValueError, KeyError, TypeError) as error:
        raise FedikitError(
            f"{path} is not a runbook: it does not name the model of its parameters",
            hint="its metadata need fedikit.parameters = package.module:Class",
        ) from error
