"""Hosts in the provider's file: adding one, and another key for one. Comments and formatting stay as they are."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fedikit.environment.load import load_catalogue
from fedikit.errors import ConfigurationError, Mistake
from fedikit.model.host import Ssh
from fedikit.setup.edited import EditedFile

NAME = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"


def add_host(path: Path, name: str, host: Ssh, *, place: Sequence[str] = ()) -> None:
    """Writes a host into the file, and these applications to it.

    Raises ConfigurationError, with the file as it was, if there is such a host, or if the file would not be right.
    """
    require_new(path, name, place)
    file = EditedFile(path)
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
    if name in EditedFile(path).table("hosts"):
        hint = f"for another key of it: fedikit host key {name}"
        mistakes.append(Mistake(f"hosts.{name}", f"is there already; {hint}"))
    known = load_catalogue()
    mistakes += [Mistake("--place", f"there is no application {each}") for each in place if each not in known]
    if mistakes:
        raise ConfigurationError(str(path), mistakes)


def usual_identity_file(path: Path) -> str | None:
    """The private key with which all hosts of the file are entered, as it stands there; None if they differ."""
    hosts = EditedFile(path).table("hosts")
    named = {host.get("identity_file") for host in hosts.values() if host.get("type", "ssh") == "ssh"}
    (usual,) = named if len(named) == 1 else {None}
    return None if usual is None else str(usual)


def replace_key(path: Path, name: str, host_key: str) -> None:
    """Writes another key for a host into the file."""
    file = EditedFile(path)
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
