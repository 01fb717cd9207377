"""Recovery: all that cannot be made again, on one sheet of paper, and the files again from such a sheet.

What is on the sheet is enough: with it and a Debian machine, any host can be changed, and any backup be restored.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from functools import reduce
from pathlib import Path
from typing import Any, NamedTuple

import tomlkit

from fedikit import __version__
from fedikit.environment.environment import Environment
from fedikit.environment.load import CERTIFICATE_FILES, load_both
from fedikit.errors import ConfigurationError, FedikitError, Mistake
from fedikit.secrets.master import MasterKey
from fedikit.secrets.reading import read_text
from fedikit.setup.draft import Draft, place_files
from fedikit.setup.sheet import read_sheet, write_sheet

MASTER_KEY = "master.key"
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
    document, write = _parsed(environment)
    kept = dict(_kept(loaded, document, environment.parent))
    files = {environment.name: write(document), configuration.name: _text(configuration), **kept}
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
    files = read_sheet(_text(sheet))
    if MASTER_KEY not in files or len(files) < 3:
        missing = Mistake("the sheet", "is not whole: it should have both files and the master key")
        raise ConfigurationError(str(sheet), [missing], hint="add the rest of the paper")
    place_files(folder, {name: Draft(text, 0o600) for name, text in files.items()})
    environment, configuration, *others = (folder / name for name in files)
    MasterKey.load(f"file:{MASTER_KEY}", base=folder)
    load_both(environment, configuration)
    return Recovered(environment, configuration, tuple(others))


def _kept(environment: Environment, document: Any, folder: Path) -> Iterator[tuple[str, str]]:
    """What lies beside the environment's file, or behind a command; the document is told its place on the sheet."""
    secrets = environment.secrets
    yield MASTER_KEY, read_text("the master key", secrets.master_key, base=folder, hint="restore its copy")
    _put(document, ("secrets", "master_key"), f"file:{MASTER_KEY}")
    for number, (name, reference) in enumerate(secrets.given.items(), 1):
        file = f"given-{number}.key"
        yield file, read_text(f"the secret {name}", reference, base=folder, hint=f"put it there: {reference}")
        _put(document, ("secrets", "given", name), f"file:{file}")
    if brought := {f"brought-{number}.sealed": _text(Path(file)) for number, file in enumerate(secrets.sealed, 1)}:
        yield from brought.items()
        _put(document, ("secrets", "sealed"), list(brought))
    if environment.dns:
        yield "dns.key", read_text("the key of DNS updates", environment.dns.key, base=folder, hint="put it there")
        _put(document, ("dns", "key"), "file:dns.key")
    for number, path in enumerate(CERTIFICATE_FILES, 1):
        place = _at(document, path)
        if isinstance(place, str) and "-----BEGIN" not in place:
            yield f"certificates-{number}.pem", _text(folder / place)
            _put(document, path, f"certificates-{number}.pem")
    yield from _login_keys(document, folder)


def _login_keys(document: Any, folder: Path) -> Iterator[tuple[str, str]]:
    """The private keys by which the deployer logs in, each once."""
    known: dict[Path, str] = {}
    for connection in _connections(document):
        place = folder / Path(str(connection["identity_file"])).expanduser()
        if place not in known:
            known[place] = f"login-{len(known) + 1}.key"
            yield known[place], _text(place)
        connection["identity_file"] = known[place]


def _connections(document: Any) -> Iterator[Any]:
    for host in document.get("hosts", {}).values():
        for connection in (host, host.get("jump")):
            if hasattr(connection, "get") and connection.get("identity_file"):
                yield connection


def _require_same(environment: Path, read: str, written: str) -> None:
    """Spaces at the ends of lines and tabs are lost on paper: where they mean something, there is no sheet."""
    parse: Callable[[str], Any] = tomlkit.parse if environment.suffix == ".toml" else json.loads
    if parse(read) != parse(written):
        raise FedikitError(
            f"{environment} cannot be printed: a text in it has tabs, or spaces at the end of a line",
            hint="write them as \\t and \\u0020",
        )


def _parsed(path: Path) -> tuple[Any, Callable[[Any], str]]:
    """The document, with comments if it has some, and what writes it again."""
    if path.suffix == ".toml":
        return tomlkit.parse(_text(path)), tomlkit.dumps
    return json.loads(_text(path)), lambda document: json.dumps(document, indent=2, ensure_ascii=False)


def _at(document: Any, path: tuple[str, ...]) -> Any:
    return reduce(lambda outer, step: outer.get(step) if isinstance(outer, Mapping) else None, path, document)


def _put(document: Any, path: tuple[str, ...], value: str | list[str]) -> None:
    *groups, key = path
    for group in groups:
        document = document.setdefault(group, {})
    document[key] = value


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        words = error.strerror if isinstance(error, OSError) else "is no UTF-8 text"
        raise FedikitError(f"{path} cannot be read: {words}", hint="put it there, and run it again") from None
