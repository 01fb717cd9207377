"""Hosts in the provider's file: adding one, and another key for one. Comments and formatting stay as they are."""

import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fedikit.environment.load import load_catalogue, load_environment
from fedikit.errors import ConfigurationError, FedikitError, Mistake
from fedikit.model.host import Ssh

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

NAME = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"


def add_host(path: Path, name: str, host: Ssh, *, place: Sequence[str] = ()) -> None:
    """Writes a host into the file, and these applications to it.

    Raises ConfigurationError, with the file as it was, if there is such a host, or if the file would not be right.
    """
    require_new(path, name, place)
    file = _Edited(path)
    hosts = file.table("hosts")
    table = _table_within(hosts, host.model_dump(mode="json", exclude_defaults=True))
    _take_what_comes_after(hosts, table)
    hosts[name] = table
    placement = file.table("placement") if place else {}
    for application in place:
        placement[application] = _with(placement.get(application), name)
    file.save()


def require_new(path: Path, name: str, place: Sequence[str] = ()) -> None:
    """Raises ConfigurationError if the name cannot be a new host's, or if there is no such application."""
    mistakes = [] if re.fullmatch(NAME, name) else [Mistake("NAME", "should be small letters, digits and dashes")]
    if name in _Edited(path).table("hosts"):
        hint = f"for another key of it: fedikit host key {name}"
        mistakes.append(Mistake(f"hosts.{name}", f"is there already; {hint}"))
    known = load_catalogue()
    mistakes += [Mistake("--place", f"there is no application {each}") for each in place if each not in known]
    if mistakes:
        raise ConfigurationError(str(path), mistakes)


def usual_identity_file(path: Path) -> str | None:
    """The private key with which all hosts of the file are entered, as it stands there; None if they differ."""
    hosts = _Edited(path).table("hosts")
    named = {host.get("identity_file") for host in hosts.values() if host.get("type", "ssh") == "ssh"}
    (usual,) = named if len(named) == 1 else {None}
    return None if usual is None else str(usual)


def replace_key(path: Path, name: str, host_key: str) -> None:
    """Writes another key for a host into the file."""
    file = _Edited(path)
    hosts = file.table("hosts")
    if name not in hosts:
        known = ", ".join(hosts)
        raise ConfigurationError(str(path), [Mistake(f"hosts.{name}", f"is no host of this environment: {known}")])
    hosts[name]["host_key"] = host_key
    file.save()


def _with(placed: Any, name: str) -> Any:
    """Where an application runs, with one host more."""
    if placed is None:
        return name
    before = [placed] if isinstance(placed, str) else list(placed)
    return before if name in before else [*before, name]


def _table_within(outer: Any, values: dict[str, Any]) -> Any:
    """A table as it may stand there: within one on a single line, it is on that line, too."""
    import tomlkit
    from tomlkit.items import InlineTable

    is_inline = isinstance(outer, InlineTable)
    table = tomlkit.inline_table() if is_inline else tomlkit.table()
    for key, value in values.items():
        table[key] = value
    return table


def _take_what_comes_after(hosts: Any, table: Any) -> None:
    """Comments that stand above the next table count as the end of the last host's: they are to follow the new one."""
    import tomlkit
    from tomlkit.items import Comment, Table, Whitespace

    last = hosts[list(hosts)[-1]] if hosts else None
    if not isinstance(last, Table) or not isinstance(table, Table):
        return
    body = last.value.body
    end = len(body)
    while end and isinstance(body[end - 1][1], Comment | Whitespace):
        end -= 1
    while end < len(body) and isinstance(body[end][1], Comment):  # right below the host: it is the host's
        end += 1
    after = [item for _, item in body[end:]]
    del body[end:]
    last.add(tomlkit.nl())
    for item in after or [tomlkit.nl()]:
        table.value.body.append((None, item))


class _Edited:
    """A TOML file that is being edited."""

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
