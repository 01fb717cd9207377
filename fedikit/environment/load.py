"""Loading: reads what people wrote. The only room of what is pure that touches files.

Whatever is wrong with a file is told at once, as one ConfigurationError.
"""

import json
import shlex
import stat
from collections.abc import Callable
from contextlib import suppress
from functools import cache, reduce
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from fedikit.environment.environment import Environment
from fedikit.environment.references import broken_references
from fedikit.environment.schema import JsonSchema, keys_at
from fedikit.errors import ConfigurationError, Mistake, SeveralFiles
from fedikit.model.application import Application, Catalogue
from fedikit.model.configuration import Configuration, configuration_model
from fedikit.model.document import Malformed, parse_json, parse_toml
from fedikit.model.host import Connection, DirectoryHost, Ssh
from fedikit.model.mistake import WHOLE, dotted, mistakes_in
from fedikit.model.ssh_server import SshServer
from fedikit.model.value import Value

APPLICATIONS = "fedikit.applications"
"""The entry point group in which applications are found."""

CERTIFICATE_FILES = (("policies", "web", "acme_root"), ("policies", "web", "trust"), ("network", "trust"))
ValueT = TypeVar("ValueT", bound=Value)
ServerT = TypeVar("ServerT", bound=SshServer)


def load_configuration(path: str | Path, catalogue: Catalogue | None = None) -> Configuration:
    """The operator's configuration, from a JSON file (or TOML, by its suffix).

    The catalogue is that of all installed applications if absent.
    """
    path = Path(path)
    return as_configuration(read_document(path, _parser_of(path)), str(path), catalogue)


def read_document(path: Path, parse: Callable[[str], Any]) -> Any:
    """What a file says, as plain data. Raises ConfigurationError if it cannot be read or parsed."""
    try:
        return parse(_text(path))
    except Malformed as malformed:
        raise ConfigurationError(str(path), malformed.mistakes) from None


def as_configuration(document: Any, source: str, catalogue: Catalogue | None = None) -> Configuration:
    """The configuration that a JSON document is; `source` says in the error where it is from."""
    model = configuration_model(load_catalogue() if catalogue is None else catalogue)
    try:
        return _validated(model, document)
    except Malformed as malformed:
        raise ConfigurationError(source, malformed.mistakes) from None


def check_configuration(document: Any, catalogue: Catalogue) -> tuple[Configuration | None, tuple[Mistake, ...]]:
    """The configuration that JSON data stands for, or None and everything that is wrong with it."""
    try:
        return _validated(configuration_model(catalogue), parse_json(json.dumps(document))), ()
    except Malformed as malformed:
        return None, malformed.mistakes
    except RecursionError:
        return None, (Mistake(WHOLE, "is nested too deeply"),)


def load_environment(path: str | Path) -> Environment:
    """The hosting provider's environment, from a TOML file (or JSON, by its suffix).

    Files that it names lie beside it: certificates are read now, of keys only the place is kept.
    """
    path = Path(path)
    try:
        _refuse_written_by_all(path)
        environment = _validated_environment(path)
    except Malformed as malformed:
        raise ConfigurationError(str(path), malformed.mistakes) from None
    return _anchored(environment, path.parent.absolute())


def _refuse_written_by_all(path: Path) -> None:
    """It names commands that run here, and by which keys hosts are known."""
    with suppress(OSError, ValueError):  # told when it is read
        mode = path.stat().st_mode
        if stat.S_ISREG(mode) and mode & stat.S_IWOTH:
            words = f"may be written by everybody (mode {stat.S_IMODE(mode):04o}), and it says what runs here:"
            raise Malformed(Mistake(WHOLE, f"{words} see that it is yours, then chmod o-w {shlex.quote(str(path))}"))


def load_both(environment: str | Path, configuration: str | Path) -> tuple[Environment, Configuration]:
    """Both files; the mistakes of both come at once."""
    try:
        hosting = load_environment(environment)
    except ConfigurationError as error:
        try:
            load_configuration(configuration)
        except ConfigurationError as other:
            raise SeveralFiles([error, other]) from None
        raise
    return hosting, load_configuration(configuration)


def load_catalogue() -> dict[str, Application[Any]]:
    """The installed applications by name: each is an entry point of the group `fedikit.applications`."""
    applications: dict[str, Application[Any]] = {}
    mistakes: list[Mistake] = []
    for entry_point in sorted(entry_points(group=APPLICATIONS)):
        try:
            applications[entry_point.name] = _application(entry_point)
        except Malformed as malformed:
            mistakes += malformed.mistakes
    if mistakes:
        raise ConfigurationError(
            f"the installed applications ({APPLICATIONS})",
            mistakes,
            hint="repair or uninstall the packages that bring them",
        )
    return applications


def _application(entry_point: EntryPoint) -> Application[Any]:
    try:
        found = entry_point.load()
    except Exception as error:  # whatever a stranger's module raises
        raise _unfit(entry_point, f"cannot be loaded: {type(error).__name__}: {error}") from error
    if not (isinstance(found, type) and issubclass(found, Application)):
        raise _unfit(entry_point, "is no subclass of fedikit.model.Application")
    if missing := sorted(found.__abstractmethods__):
        raise _unfit(entry_point, f"lacks {', '.join(missing)}")
    if found.name != entry_point.name:
        raise _unfit(entry_point, f'calls itself "{found.name}"')
    return found()


def _unfit(entry_point: EntryPoint, message: str) -> Malformed:
    return Malformed(Mistake(entry_point.name, f"{entry_point.value} {message}"))


def _document(path: Path) -> Any:
    return _parser_of(path)(_text(path))


def _parser_of(path: Path) -> Callable[[str], Any]:
    return parse_toml if path.suffix == ".toml" else parse_json


def _text(path: Path) -> str:
    """A file's text; the mark that Windows editors put before it is left out."""
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        problem = "is no UTF-8 text"
    except ValueError:
        problem = "has a name that no file can have"
    except OSError as error:
        problem = f"cannot be read: {(error.strerror or str(error)).lower()}"
    raise Malformed(Mistake(WHOLE, problem))


def _validated(model: type[ValueT], document: Any) -> ValueT:
    """Strictly: in a file, "yes" is no truth value and "22" no number. Where its schema lies, it says to editors."""
    if isinstance(document, dict) and isinstance(document.get("$schema"), str):
        document = {key: part for key, part in document.items() if key != "$schema"}
    text = json.dumps(document, default=lambda moment: None)
    try:
        return model.model_validate_json(text, strict=True)
    except ValidationError as error:
        mistakes = mistakes_in(error, document, known_keys=lambda path: keys_at(_schema_of(model), path))
        raise Malformed(*mistakes) from None
    except ConfigurationError as error:
        raise Malformed(*error.mistakes) from None


@cache
def _schema_of(model: type[Value]) -> JsonSchema:
    """Made when it is first needed: describing all applications takes half a second."""
    return model.model_json_schema()


def _validated_environment(path: Path) -> Environment:
    document = _document(path)
    mistakes = {*_read_certificates(document, path.parent), *broken_references(document)}
    try:
        environment = _validated(Environment, document)
    except Malformed as malformed:
        mistakes |= set(malformed.mistakes)
    if mistakes:
        raise Malformed(*sorted(mistakes))
    return environment


def _read_certificates(document: Any, directory: Path) -> list[Mistake]:
    """Puts the contents of certificate files in the place of their names; tells those that cannot be read."""
    mistakes = []
    for *groups, key in CERTIFICATE_FILES:
        group = reduce(lambda outer, step: outer.get(step) if isinstance(outer, dict) else None, groups, document)
        if isinstance(group, dict) and isinstance(group.get(key), str) and "-----BEGIN" not in group[key]:
            try:
                group[key] = _text(directory / group[key])
            except Malformed as malformed:
                del group[key]
                mistakes += [Mistake(dotted([*groups, key]), reason.message) for reason in malformed.mistakes]
    return mistakes


def _anchored(environment: Environment, directory: Path) -> Environment:
    """The same environment, with key files named by absolute paths."""
    hosts = {name: _anchored_host(host, directory) for name, host in environment.hosts.items()}
    secrets = environment.secrets
    given = {name: _anchored_reference(reference, directory) for name, reference in secrets.given.items()}
    sealed = tuple(_beside(file, directory) for file in secrets.sealed)
    anchored = {"master_key": _anchored_reference(secrets.master_key, directory), "given": given, "sealed": sealed}
    update: dict[str, Any] = {"hosts": hosts, "secrets": secrets.model_copy(update=anchored)}
    if dns := environment.dns:
        update["dns"] = dns.model_copy(update={"key": _anchored_reference(dns.key, directory)})
    return environment.model_copy(update=update)


def _anchored_reference(reference: str, directory: Path) -> str:
    kind, _, place = reference.partition(":")
    return f"file:{_beside(place, directory)}" if kind == "file" else reference


def _anchored_host(host: Connection, directory: Path) -> Connection:
    if isinstance(host, Ssh):
        return _anchored_server(host, directory)
    if isinstance(host, DirectoryHost):
        return host.model_copy(update={"path": _beside(host.path, directory)})
    return host


def _anchored_server(server: ServerT, directory: Path) -> ServerT:
    identity_file = _beside(server.identity_file, directory) if server.identity_file else None
    jump = _anchored_server(server.jump, directory) if isinstance(server.jump, SshServer) else server.jump
    return server.model_copy(update={"identity_file": identity_file, "jump": jump})


def _beside(file: str, directory: Path) -> str:
    return str(directory / Path(file).expanduser())
