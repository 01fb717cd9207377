"""Gathering: all that lies beside a provider's file, or behind a command of it, each under a name of its own."""

import json
from collections.abc import Callable, Iterator, Mapping
from functools import reduce
from pathlib import Path
from typing import Any

import tomlkit

from fedikit.environment.environment import Environment
from fedikit.environment.load import CERTIFICATE_FILES
from fedikit.errors import FedikitError
from fedikit.secrets.reading import read_text

MASTER_KEY = "master.key"


def gather(environment: Environment, document: Any, folder: Path) -> Iterator[tuple[str, str]]:
    """Each name with its text; the document is told the names, in the place of where things are here.

    `folder`: where the environment's file lies. Raises SecretError or FedikitError for what cannot be read.
    """
    secrets = environment.secrets
    yield MASTER_KEY, read_text("the master key", secrets.master_key, base=folder, hint="restore its copy")
    _put(document, ("secrets", "master_key"), f"file:{MASTER_KEY}")
    for number, (name, reference) in enumerate(secrets.given.items(), 1):
        file = f"given-{number}.key"
        yield file, read_text(f"the secret {name}", reference, base=folder, hint=f"put it there: {reference}")
        _put(document, ("secrets", "given", name), f"file:{file}")
    if brought := {f"brought-{number}.sealed": text_of(Path(file)) for number, file in enumerate(secrets.sealed, 1)}:
        yield from brought.items()
        _put(document, ("secrets", "sealed"), list(brought))
    if environment.dns:
        yield "dns.key", read_text("the key of DNS updates", environment.dns.key, base=folder, hint="put it there")
        _put(document, ("dns", "key"), "file:dns.key")
    for number, path in enumerate(CERTIFICATE_FILES, 1):
        place = value_at(document, path)
        if isinstance(place, str) and "-----BEGIN" not in place:
            yield f"certificates-{number}.pem", text_of(folder / place)
            _put(document, path, f"certificates-{number}.pem")
    yield from _login_keys(document, folder)


def _login_keys(document: Any, folder: Path) -> Iterator[tuple[str, str]]:
    """The private keys by which the deployer logs in, each once."""
    known: dict[Path, str] = {}
    for connection in _connections(document):
        place = folder / Path(str(connection["identity_file"])).expanduser()
        if place not in known:
            known[place] = f"login-{len(known) + 1}.key"
            yield known[place], text_of(place)
        connection["identity_file"] = known[place]


def _connections(document: Any) -> Iterator[Any]:
    for host in document.get("hosts", {}).values():
        for connection in (host, host.get("jump")):
            if hasattr(connection, "get") and connection.get("identity_file"):
                yield connection


def parsed(path: Path) -> tuple[Any, Callable[[Any], str]]:
    """The document, with comments if it has some, and what writes it again."""
    if path.suffix == ".toml":
        return tomlkit.parse(text_of(path)), tomlkit.dumps
    return json.loads(text_of(path)), lambda document: json.dumps(document, indent=2, ensure_ascii=False)


def value_at(document: Any, path: tuple[str, ...]) -> Any:
    """What a document has at a path; None if nothing."""
    return reduce(lambda outer, step: outer.get(step) if isinstance(outer, Mapping) else None, path, document)


def _put(document: Any, path: tuple[str, ...], value: str | list[str]) -> None:
    *groups, key = path
    for group in groups:
        document = document.setdefault(group, {})
    document[key] = value


def text_of(path: Path) -> str:
    """A file's text. Raises FedikitError if it cannot be read."""
    try:
        return path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        words = error.strerror if isinstance(error, OSError) else "is no UTF-8 text"
        raise FedikitError(f"{path} cannot be read: {words}", hint="put it there, and run it again") from None
