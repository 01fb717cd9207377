"""A runbook's notebook as a file: where it is, what it says of itself."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fedikit
from fedikit.errors import FedikitError
from fedikit.runbook.parameters import RunbookParameters, parameters_model


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
    """Finds a runbook by its path, or by its name in `runbooks/`: here, or beside or in the package."""
    path = _path_of(name_or_path)
    content = path.read_bytes()
    return RunbookFile(path, hashlib.sha256(content).hexdigest(), _model_of(path, content))


def _path_of(name_or_path: str | Path) -> Path:
    given = Path(name_or_path)
    if given.suffix == ".ipynb":
        candidates = [given]
    else:
        package = Path(fedikit.__path__[0])
        folders = (Path("runbooks"), package.parent / "runbooks", package / "runbooks")
        candidates = [folder / f"{name_or_path}.ipynb" for folder in folders]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise FedikitError(
        f"there is no runbook {str(name_or_path)!r}", hint=f"looked for {candidates[0]}; {_known(candidates)}"
    )


def _known(candidates: list[Path]) -> str:
    names = sorted({path.stem for candidate in candidates for path in candidate.parent.glob("*.ipynb")})
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
