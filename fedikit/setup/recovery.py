"""Recovery: all that cannot be made again, on one sheet of paper, and the files again from such a sheet.

What is on the sheet is enough: with it and a Debian machine, any host can be changed, and any backup be restored.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import tomlkit

from fedikit import __version__
from fedikit.environment.load import load_both
from fedikit.errors import ConfigurationError, FedikitError, Mistake
from fedikit.secrets.master import MasterKey
from fedikit.setup.draft import Draft, place_files
from fedikit.setup.gathering import MASTER_KEY, gather, parsed, text_of
from fedikit.setup.sheet import read_sheet, write_sheet

_WORDS = """\
RECOVERY SHEET of the environment {name}, {day}

Whoever holds this sheet can read every secret of {name}, and its backups. Keep it on paper,
where you keep what must never be lost. Make a new one when the files below change.

When the deployer is lost, or everything is:

1. Take a Debian machine with fedikit {version} or newer.
2. Bring this sheet into a text file, say sheet.txt: scan it, or type it. Each line has its
   number and check digits before it, so that a slip is found at its line.
3. fedikit secret recover sheet.txt --out {name}
   writes the files below again, and says what is next.

"""


def make_sheet(environment: Path, configuration: Path, *, day: str) -> str:
    """The recovery sheet of an environment. `day` stands on it.

    Raises ConfigurationError for files that cannot be used, SecretError for a secret that cannot be read.
    """
    loaded, _ = load_both(environment, configuration)
    document, write = parsed(environment)
    kept = dict(gather(loaded, document, environment.parent))
    files = {environment.name: write(document), configuration.name: text_of(configuration), **kept}
    sheet = write_sheet(_WORDS.format(name=loaded.name, day=day, version=__version__), files)
    _require_same(environment, read_sheet(sheet)[environment.name], write(document))
    return sheet


class Recovered(NamedTuple):
    """The files that were written."""

    environment: Path
    configuration: Path
    others: tuple[Path, ...]
    """Keys, secrets and certificates."""


def recover(sheet: Path, folder: Path) -> Recovered:
    """Writes the files of a sheet into a folder, for their owner only, and reads them as any command will.

    Raises ConfigurationError with the lines that are not as printed, FedikitError if a file is there already.
    """
    files = read_sheet(text_of(sheet))
    if MASTER_KEY not in files or len(files) < 3:
        missing = Mistake("the sheet", "is not whole: it should have both files and the master key")
        raise ConfigurationError(str(sheet), [missing], hint="add the rest of the paper")
    place_files(folder, {name: Draft(text, 0o600) for name, text in files.items()})
    environment, configuration, *others = (folder / name for name in files)
    MasterKey.load(f"file:{MASTER_KEY}", base=folder)
    load_both(environment, configuration)
    return Recovered(environment, configuration, tuple(others))


def _require_same(environment: Path, read: str, written: str) -> None:
    """Spaces at the ends of lines and tabs are lost on paper: where they mean something, there is no sheet."""
    parse: Callable[[str], Any] = tomlkit.parse if environment.suffix == ".toml" else json.loads
    if parse(read) != parse(written):
        raise FedikitError(
            f"{environment} cannot be printed: a text in it has tabs, or spaces at the end of a line",
            hint="write them as \\t and \\u0020",
        )
