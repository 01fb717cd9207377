"""Writes the environment file of a running lab, so that fedikit works with it as with any provider's hosts.

Paths in it are relative to the file.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from fedikit.secrets import new_key
from fedikit_lab.acme import DIRECTORY_PORT, HOST
from fedikit_lab.keys import write_private
from fedikit_lab.supply import mirrors

FILE = "environment.toml"
_PLACEMENT = {
    "hello": "hello",
    "cowsay": "cowsay",
    "snac": "social",
    "gotosocial": "gotosocial",
    "mastodon": "mastodon",
    "peertube": "peertube",
    "pixelfed": "pixelfed",
}
_GARAGE = "garage"


@dataclass(frozen=True)
class LabHost:
    """A machine as an environment knows it."""

    name: str
    address: str
    host_key: str


def write_environment(directory: Path, hosts: Iterable[LabHost], *, name_server: str | None) -> Path:
    """Writes `environment.toml`, with web sites by the lab's ACME authority if there is one; returns its path."""
    _keep_master_key(directory / "master.key")
    path = directory / FILE
    path.write_text(environment_text(sorted(hosts, key=lambda host: host.name), name_server))
    return path


def environment_text(hosts: Iterable[LabHost], name_server: str | None) -> str:
    """The environment file of those hosts. A host with media asks applications on others who may see them."""
    hosts = tuple(hosts)
    names = {host.name for host in hosts}
    tables: dict[str, Mapping[str, str | int]] = {f"hosts.{host.name}": _host(host) for host in hosts}
    if name_server is not None:
        tables["policies.web"] = {
            "means": "caddy",
            "acme_directory": f"https://{HOST}:{DIRECTORY_PORT}/dir",
            "acme_root": "acme-ca.pem",
            **({"trust": "pebble-root.pem"} if _GARAGE in names else {}),
        }
        tables["network"] = {"dns": name_server, "trust": "pebble-root.pem"}
    if _GARAGE in names:
        tables["policies.bucket"] = {"means": "garage", "host": _GARAGE, "capacity_gigabytes": 1}
        tables["policies.container.mirrors"] = mirrors()
    tables["secrets"] = {"master_key": "file:master.key"}
    tables["placement"] = {application: name for application, name in _PLACEMENT.items() if name in names}
    head = '# Written by `fedikit lab up`, removed by `fedikit lab down`.\nname = "lab"\n'
    return head + "".join(_table(name, values) for name, values in tables.items())


def _host(host: LabHost) -> dict[str, str]:
    return {
        "address": host.address,
        "user": "root",
        "host_key": host.host_key,
        "identity_file": "id_ed25519",
    }


def _table(name: str, values: Mapping[str, str | int]) -> str:
    lines = "".join(f"{_key(key)} = {json.dumps(value)}\n" for key, value in values.items())
    return f"\n[{name}]\n{lines}"


def _key(name: str) -> str:
    """A key as TOML wants it: quoted, unless it is a plain word."""
    return name if name.replace("_", "").replace("-", "").isalnum() else json.dumps(name)


def _keep_master_key(path: Path) -> None:
    if not path.exists():
        write_private(path, f"{new_key()}\n")
